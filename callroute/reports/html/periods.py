"""Groups the days of a report into periods for the trend, so that any span fits on the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Literal

from callroute.reports.report import Day, Outcomes

Unit = Literal["day", "week", "month", "year"]

MOST_PERIODS = 100
_STARTS: Mapping[Unit, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(day.weekday()),
    "month": lambda day: day.replace(day=1),
    "year": lambda day: day.replace(month=1, day=1),
}
"""First day of the period that contains a day."""


@dataclass(frozen=True, slots=True)
class Period:
    """Calls in a day, week, month or year. The first and last periods of a span can be incomplete."""

    first: date
    days: int
    outcomes: Outcomes


def periods(days: Sequence[Day], span_first: date) -> tuple[Unit, list[Period]]:
    """Groups the calls by the shortest unit that results in at most MOST_PERIODS periods. The longest unit is a year.

    Args:
        days: consecutive days.
        span_first: first day of the report's span. No period contains days of both spans.
    """
    unit: Unit
    for unit, start in _STARTS.items():  # noqa: B007 - returned
        grouped = groupby(days, key=lambda day: (day.date >= span_first, start(day.date)))
        found = [
            Period(own[0].date, len(own), sum((day.outcomes for day in own), Outcomes()))
            for own in (list(group) for _, group in grouped)
        ]
        if len(found) <= MOST_PERIODS:
            break
    return unit, found
