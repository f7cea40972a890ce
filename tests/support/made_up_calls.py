"""Made-up items of the bank flow, for tests, measurements and the sample report."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from callroute.flows.load import load_flow
from callroute.flows.route_catalog import RouteCatalog
from callroute.reports.report import ReportedFlow, Span
from tests.support.paths import REPOSITORY

BANK = REPOSITORY / "flow_definitions/call_route_with_operator.json"
HOURS = (0, 0, 0, 0, 0, 0, 0, 1, 4, 10, 14, 12, 8, 9, 11, 10, 8, 6, 3, 2, 1, 1, 0, 0)
"""Relative number of calls by hour of the day."""
WEEKDAYS = (12, 10, 10, 10, 11, 5, 4)
"""Relative number of calls by weekday, Monday first."""
LEAVES = {"start": 0.12, "balance": 0.1, "open_account": 0.18, "lost_card": 0.03, "other": 0.06}
"""Share of the callers of each menu who hang up there."""
TROUBLE = {
    "start": (0.05, 0.02, 0.004),
    "balance": (0.03, 0.07, 0.002),
    "open_account": (0.08, 0.02, 0.002),
    "lost_card": (0.02, 0.01, 0.002),
    "other": (0.04, 0.02, 0.02),
}
"""Share of the callers of each menu who stay silent, press a wrong key or meet an error."""
VERSIONS = ("3f9a1c07d2be", "b81d4e6f2a90")
ARMS = ("greeting-1", "greeting-2")
ANSWERED = 0.8
"""Share of the callers in a queue who are answered."""


def bank_flow() -> ReportedFlow:
    """Returns the bank's flow with its catalog."""
    loaded = load_flow(BANK)
    return ReportedFlow("bank", BANK.stem, loaded.catalog, loaded.flow)


def made_up_items(
    span: Span,
    per_day: int,
    seed: int = 1,
    *,
    worse: str | None = "balance",
    zone: str = "Asia/Tokyo",
    detailed_from: date | None = None,
) -> Iterator[dict[str, Any]]:
    """Yields items of the span and of the previous span, in the order of their days.

    Args:
        span: days of the report.
        per_day: average number of calls in a day.
        seed: the same seed gives the same items.
        worse: route of a menu at which twice as many callers leave in the span as before.
        zone: time zone of the stack.
        detailed_from: first day of calls with detail. Those calls also have a version, which changes in the middle of the
            span, and the arm of an experiment with the first prompt.
    """
    chance = random.Random(seed)
    catalog = bank_flow().catalog
    assert catalog
    below: dict[str | None, list[str]] = {}
    for listed in catalog.routes.values():
        below.setdefault(listed.parent, []).append(listed.route)
    callers = [f"0500000{number:04}" for number in range(10_000)]
    number = 0
    for day in Span(span.previous.first, span.last):
        leaves = dict(LEAVES)
        if worse and day >= span.first:
            leaves[worse] *= 2
        for _ in range(round(per_day * WEEKDAYS[day.weekday()] * 7 / sum(WEEKDAYS))):
            number += 1
            if detailed_from is None or day < detailed_from:
                route, outcome, seconds = _call(chance, below, leaves)
                yield _item(chance, number, day, zone, route, outcome, seconds, callers)
                continue
            version = VERSIONS[day > span.first + (span.last - span.first) / 2]
            arm = chance.choice(ARMS)
            changed = {
                **leaves,
                "open_account": leaves["open_account"] * (0.5 if version == VERSIONS[1] else 1),
                "start": leaves["start"] * (0.6 if arm == ARMS[1] else 1),
            }
            route, outcome, seconds = _call(chance, below, changed)
            yield {
                **_item(chance, number, day, zone, route, outcome, seconds, callers),
                **_detail(chance, catalog, route, outcome),
                "flow_version": version,
                "arm": arm,
            }


def _call(
    chance: random.Random, below: dict[str | None, list[str]], leaves: dict[str, float]
) -> tuple[str, str, int]:
    """Returns the last stop of a call, its outcome and its duration."""
    route, seconds = "start", 8 + int(chance.expovariate(1 / 10))
    while True:
        next_stops = below.get(route, [])
        if not next_stops:
            break
        if chance.random() < leaves.get(route, 0):
            return route, "abandoned_in_flow", seconds
        weights = [
            0.3 if each.endswith(("_no_choice", "closed", "_unavailable")) else 3 for each in next_stops
        ]
        route = chance.choices(next_stops, weights)[0]
        seconds += 5 + int(chance.expovariate(1 / 12))
    if route.endswith("_operator"):
        answered = chance.random() < ANSWERED
        return (
            route,
            "answered" if answered else "abandoned_in_queue",
            seconds + 30 + int(chance.expovariate(1 / 150)),
        )
    if route.endswith(("_no_choice", "closed", "_unavailable")):
        return route, "abandoned_in_flow", seconds
    return route, "completed", seconds + 15


def _detail(chance: random.Random, catalog: RouteCatalog, route: str, outcome: str) -> dict[str, Any]:
    """Returns the stops of a call, and the trouble that the caller met there."""
    stops = [route]
    while (parent := catalog.routes[stops[0]].parent) is not None:
        stops.insert(0, parent)
    trouble = {}
    for stop in stops:
        if stop not in TROUBLE:
            continue
        if f"{stop}_no_choice" == route:
            trouble[stop] = {chance.choice(("silence", "silence", "silence", "wrong_key")): 3}
            continue
        left = stop == route and outcome == "abandoned_in_flow"
        factor = 5 if left else 1
        met = {
            kind: chance.choice((1, 1, 2, 3) if left else (1, 1, 1, 2))
            for kind, share in zip(("silence", "wrong_key", "error"), TROUBLE[stop], strict=True)
            if chance.random() < share * factor
        }
        if met:
            trouble[stop] = met
    return {"stops_visited": stops, **({"trouble": trouble} if trouble else {})}


def _item(
    chance: random.Random,
    number: int,
    day: date,
    zone: str,
    route: str,
    outcome: str,
    seconds: int,
    callers: list[str],
) -> dict[str, Any]:
    hour = chance.choices(range(24), HOURS)[0]
    start = datetime.combine(day, time(hour, chance.randrange(60), chance.randrange(60)), ZoneInfo(zone))
    end = start + timedelta(seconds=seconds)
    updated = end.astimezone(UTC) + timedelta(minutes=1)
    item = {
        "contact_id": f"00000000-0000-4000-8000-{number:012}",
        "call_route": route,
        "call_completed": "true" if outcome != "abandoned_in_flow" else "false",
        "call_flow": "bank",
        "call_date": day.isoformat(),
        "start_time": start.isoformat(),
        "end_time": end.isoformat(),
        "duration_seconds": seconds,
        "outcome": outcome,
        "initiation_method": "INBOUND",
        "last_update": f"{updated:%Y-%m-%dT%H:%M:%S}Z",
        "version": f"{updated:%Y-%m-%dT%H:%M:%S}.000000000Z-10-{number:016x}",
    }
    return item if chance.random() < 0.05 else {**item, "phone_number": chance.choice(callers)}
