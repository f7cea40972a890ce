"""Tests that the figures of a report add up."""

from __future__ import annotations

from datetime import date

from callroute.reports.build import report_on
from callroute.reports.report import Span
from tests.support.made_up_calls import bank_flow, made_up_items

SPAN = Span(date(2026, 11, 16), date(2026, 11, 22))


def test_every_call_ends_at_one_stop_and_reached_follows_the_tree() -> None:
    report = report_on(made_up_items(SPAN, 60), SPAN, [bank_flow()])

    assert sum(stop.outcomes.calls for stop in report.stops) == report.calls
    for stop in report.stops:
        assert stop.continued == sum(each.reached for each in report.stops if each.parent == stop.route)
    assert report.stops[0].reached == report.calls
