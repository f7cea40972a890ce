"""The sample report in docs/, which contains made-up calls."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from callroute.reports.build import report_on
from callroute.reports.report import Report, Span
from tests.support.made_up_calls import bank_flow, made_up_items

CALLS_PER_DAY = 480


def sample_report() -> Report:
    """Returns the report, which is always the same."""
    span = Span(date(2026, 11, 16), date(2026, 11, 22))
    created = datetime(2026, 11, 23, 9, 0, tzinfo=ZoneInfo("Asia/Tokyo"))
    items = made_up_items(span, CALLS_PER_DAY, detailed_from=date(2026, 11, 17))
    return report_on(items, span, [bank_flow()], source="made-up calls", created=created)
