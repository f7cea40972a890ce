"""Tests that the figures of a report equal a plain count of the same items."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta, timezone
from statistics import median, quantiles
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callroute.flows.route_catalog import RouteCatalog
from callroute.reports.build import report_on
from callroute.reports.report import OUTCOMES, Report, ReportedFlow, Span
from tests.support.made_up_calls import bank_flow, made_up_items

SPAN = Span(date(2026, 3, 9), date(2026, 3, 11))
MIDNIGHT = datetime(2026, 3, 9, tzinfo=timezone(timedelta(hours=9)))
CATALOG = RouteCatalog.parse(
    """
flow: bank.json
call_flow: bank
routes:
  - {route: start, en: First menu, ja: 最初}
  - {route: card, parent: start, en: Lost card, ja: 紛失}
  - {route: account, parent: start, en: Account, ja: 口座}
  - {route: card_operator, parent: card, en: To an operator, ja: 係}
""",
    "bank.routes.yaml",
)
BANK = ReportedFlow("bank", "bank", CATALOG)
HOUR, DAY = 3600, 86_400


def item(
    started: int,
    call_route: str = "start",
    outcome: str = "completed",
    call_flow: str | None = "bank",
    duration: int | None = None,
    number: str | None = None,
) -> dict[str, Any]:
    """Returns the item of a call that started some seconds after the span's first midnight."""
    start = MIDNIGHT + timedelta(seconds=started)
    optional = {"call_flow": call_flow, "duration_seconds": duration, "phone_number": number}
    return {
        "call_date": start.date().isoformat(),
        "start_time": start.isoformat(),
        "call_route": call_route,
        "outcome": outcome,
        **{name: value for name, value in optional.items() if value is not None},
    }


items = st.lists(
    st.builds(
        item,
        started=st.integers(-4 * DAY, 5 * DAY) | st.sampled_from([0, DAY, 3 * DAY - 1, 3 * DAY]),
        call_route=st.sampled_from(["start", "card", "account", "card_operator", "gone"]),
        outcome=st.sampled_from(OUTCOMES),
        call_flow=st.sampled_from(["bank", "shop", None]),
        duration=st.none() | st.integers(0, 700),
        number=st.sampled_from([None, "05000000001", "05000000002", "+12065550100"]),
    ),
    max_size=60,
)


def inside(all_items: list[dict[str, Any]], span: Span) -> list[dict[str, Any]]:
    return [each for each in all_items if span.first <= date.fromisoformat(each["call_date"]) <= span.last]


@settings(max_examples=40)
@given(items)
def test_figures_equal_a_plain_count(all_items: list[dict[str, Any]]) -> None:
    report = report_on(all_items, SPAN, [BANK])
    calls = inside(all_items, SPAN)

    assert report.calls == len(calls)
    assert report.outcomes.calls == sum(report.outcomes.of(each) for each in OUTCOMES)
    ended = Counter((each.get("call_flow"), each["call_route"], each["outcome"]) for each in calls)
    for stop in report.stops:
        own = {outcome: ended[stop.call_flow, stop.route, outcome] for outcome in OUTCOMES}
        assert {outcome: stop.outcomes.of(outcome) for outcome in OUTCOMES} == own
        assert stop.left == own["abandoned_in_flow"]
        below = [
            each for each in report.stops if each.call_flow == stop.call_flow and each.parent == stop.route
        ]
        assert stop.continued == sum(each.reached for each in below)
        assert stop.reached == stop.continued + sum(own.values())
    assert sum(stop.outcomes.calls for stop in report.stops) == len(calls)

    check_durations(report, calls)
    check_days_and_hours(report, all_items)
    check_repeat_callers(report, all_items)
    before = inside(all_items, SPAN.previous)
    assert report.previous.outcomes.calls == len(before)
    for outcome, change in report.previous.changes.items():
        assert change.before.count == sum(each["outcome"] == outcome for each in before)


def check_durations(report: Report, calls: list[dict[str, Any]]) -> None:
    durations: dict[Any, list[int]] = defaultdict(list)
    for each in calls:
        if each["outcome"] == "abandoned_in_flow" and "duration_seconds" in each:
            durations[each.get("call_flow"), each["call_route"]].append(each["duration_seconds"])
    for stop in report.stops:
        found = durations.get((stop.call_flow, stop.route))
        if found is None:
            assert stop.median_seconds is None
        else:
            assert stop.median_seconds == median(found)
            ninth = quantiles(found, n=10, method="inclusive")[8] if len(found) > 1 else found[0]
            assert stop.p90_seconds == pytest.approx(ninth)
    every = [each for found in durations.values() for each in found]
    for bin_ in report.durations:
        inside_bin = [one for one in every if bin_.start <= one and (bin_.end is None or one < bin_.end)]
        assert bin_.calls == len(inside_bin)


def check_days_and_hours(report: Report, all_items: list[dict[str, Any]]) -> None:
    by_day = Counter(each["call_date"] for each in all_items)
    assert [day.outcomes.calls for day in report.days] == [
        by_day[day.date.isoformat()] for day in report.days
    ]
    first = SPAN.previous.first if inside(all_items, SPAN.previous) else SPAN.first
    assert [day.date for day in report.days] == list(Span(first, SPAN.last))
    starts = [(datetime.fromisoformat(each["start_time"]), each) for each in inside(all_items, SPAN)]
    for weekday, hours in enumerate(report.hours):
        for hour, count in enumerate(hours):
            here = [each for start, each in starts if (start.weekday(), start.hour) == (weekday, hour)]
            assert count.calls == len(here)
            assert count.left == sum(each["outcome"] == "abandoned_in_flow" for each in here)


def check_repeat_callers(report: Report, all_items: list[dict[str, Any]]) -> None:
    repeats = report.repeat_callers
    calls = inside(all_items, SPAN)
    if not any("phone_number" in each for each in calls):
        assert (repeats, report.repeat_callers_reason) == (None, "no_numbers")
        return
    assert repeats
    known = inside(all_items, Span(SPAN.previous.first, SPAN.last + timedelta(1)))
    ending = max(datetime.fromisoformat(each["start_time"]) for each in known)
    counts: Counter[str] = Counter()
    for each in calls:
        if each["outcome"] != "completed":
            continue
        start = datetime.fromisoformat(each["start_time"])
        later = [
            datetime.fromisoformat(other["start_time"])
            for other in inside(all_items, Span(SPAN.first, SPAN.last + timedelta(1)))
            if other.get("phone_number") == each.get("phone_number")
        ]
        if "phone_number" not in each:
            counts["without_number"] += 1
        elif any(timedelta(0) < other - start <= timedelta(hours=24) for other in later):
            counts["called_back"] += 1
        else:
            counts["too_recent" if start + timedelta(hours=24) > ending else "contained"] += 1
    assert counts == Counter(
        {name: count for name in (*counts, "contained") if (count := getattr(repeats, name))}
    )
    total = repeats.contained + repeats.called_back + repeats.too_recent + repeats.without_number
    assert total == report.outcomes.completed


def test_a_call_just_after_the_span_makes_a_repeat_caller() -> None:
    calls = [item(3 * DAY - HOUR, number="05000000001"), item(3 * DAY + HOUR, "card", number="05000000001")]

    report = report_on(calls, SPAN)

    assert report.repeat_callers
    assert (report.calls, report.repeat_callers.called_back) == (1, 1)


def test_repeat_callers_are_unknown_if_numbers_are_masked() -> None:
    report = report_on([item(0, number="****0001"), item(5, number="****0001")], SPAN)

    assert (report.repeat_callers, report.repeat_callers_reason) == (None, "masked")


def test_routes_that_the_catalog_does_not_list_are_unknown() -> None:
    report = report_on([item(0, "gone"), item(0, "start"), item(0, "other", call_flow="shop")], SPAN, [BANK])

    assert [(each.call_flow, each.route, each.calls) for each in report.unknown_routes] == [
        ("bank", "gone", 1)
    ]
    assert [(stop.route, stop.known) for stop in report.stops][-2:] == [("gone", False), ("other", True)]


def test_stops_follow_the_tree_of_the_catalog() -> None:
    report = report_on([item(0, "card_operator")], SPAN, [BANK])

    assert [(stop.route, stop.depth, stop.reached) for stop in report.stops] == [
        ("start", 0, 1),
        ("card", 1, 1),
        ("card_operator", 2, 1),
        ("account", 1, 0),
    ]


def test_a_real_change_is_marked_and_noise_is_not() -> None:
    span = Span(date(2026, 11, 16), date(2026, 11, 22))
    report = report_on(made_up_items(span, 600, worse="balance"), span, [bank_flow()])

    assert [stop.route for stop in report.stops if stop.change and stop.change.significant] == ["balance"]


def test_the_newest_version_of_a_repeated_item_counts() -> None:
    first, second = (
        {**item(0, outcome=outcome), "contact_id": "a", "version": version}
        for outcome, version in (("answered", "2"), ("completed", "1"))
    )
    report = report_on([second, first, first, item(0)], SPAN)

    assert (report.outcomes.answered, report.outcomes.completed) == (1, 1)
