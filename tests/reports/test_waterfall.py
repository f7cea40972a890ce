"""Tests that the waterfall, versions and arms equal a plain replay of the same calls."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callroute.flows import simulation
from callroute.flows.flow import Flow
from callroute.flows.route_catalog import RouteCatalog
from callroute.flows.simulation import Environment, Event, SimulatedClock, run_simulation
from callroute.flows.simulation.contact_record import contact_record
from callroute.flows.simulation.events import AgentConnected, AttributesSet, Compared, Queued
from callroute.flows.tracking import add_tracking
from callroute.local.crowd import RandomCaller
from callroute.reports.build import report_on
from callroute.reports.report import (
    ENDINGS,
    LEAST_CALLS,
    TROUBLES,
    Report,
    ReportedFlow,
    Span,
    Variant,
    Waterfall,
)
from tests.flows.tracking import detail_replay
from tests.flows.tracking.builders import block, flow_from, message
from tests.support import oracle
from tests.support.made_up_calls import bank_flow

SPAN = Span(date(2026, 3, 9), date(2026, 3, 15))
CATALOG = RouteCatalog.parse(
    """
flow: bank.json
call_flow: bank
routes:
  - {route: start, en: First menu, ja: 最初}
  - {route: card, parent: start, en: Lost card, ja: 紛失}
  - {route: card_operator, parent: card, en: To an operator, ja: 係}
  - {route: account, parent: start, en: Account, ja: 口座}
  - {route: goodbye, parent: account, en: Goodbye, ja: 終了}
""",
    "bank.routes.yaml",
)
BANK = ReportedFlow("bank", "bank", CATALOG)
NEXT = {
    "start": ["card", "account", "rare"],
    "card": ["start", "card_operator"],
    "account": ["start", "goodbye"],
    "rare": ["start"],
}


@dataclass
class Call:
    """A simulated call: its stops in the order of the visits, with the trouble in each visit.

    `gave_up_at` is the stop before the last one if trouble led from there to the last one.
    """

    day: date
    call_flow: str
    visits: list[tuple[str, list[str]]]
    outcome: str
    detail: bool
    version: str | None
    arm: str | None
    gave_up_at: str | None = None

    @property
    def last(self) -> str:
        return self.visits[-1][0]


def simulated(chance: random.Random, calls: int) -> list[Call]:
    return [simulated_call(chance) for _ in range(calls)]


def simulated_call(chance: random.Random) -> Call:
    stop = "start"
    visits: list[tuple[str, list[str]]] = []
    while True:
        visits.append((stop, [chance.choice(TROUBLES) for _ in range(chance.choice((0, 0, 0, 1, 2, 4)))]))
        if stop not in NEXT or chance.random() < 0.2:
            break
        stop = chance.choices(NEXT[stop], [10, 10, 0.5][: len(NEXT[stop])])[0]
    if stop == "goodbye":
        outcome = "abandoned_in_flow"
    elif stop == "card_operator":
        outcome = chance.choice(("answered", "abandoned_in_queue"))
    else:
        outcome = chance.choice(("abandoned_in_flow", "abandoned_in_flow", "completed"))
    day = SPAN.first + timedelta(chance.randrange(SPAN.days))
    version = None if day < SPAN.first + timedelta(1) else "a" if day < SPAN.first + timedelta(4) else "b"
    return Call(
        day,
        chance.choice(("bank", "bank", "shop")),
        visits,
        outcome,
        chance.random() < 0.8,
        version,
        chance.choice((None, "x", "x", "y")),
    )


def item(call: Call) -> dict[str, Any]:
    """Returns the item of a call (docs/record.md)."""
    values: dict[str, Any] = {
        "call_date": call.day.isoformat(),
        "start_time": f"{call.day}T10:00:00+09:00",
        "call_flow": call.call_flow,
        "call_route": call.last,
        "outcome": call.outcome,
        "flow_version": call.version,
        "arm": call.arm,
    }
    if call.detail:
        names = [stop for stop, _ in call.visits]
        values["stops_visited"] = sorted(
            set(names), key=lambda stop: -names[::-1].index(stop)
        )  # by the last visit
        if trouble := {stop: capped for stop in names if (capped := met_at(call, stop))}:
            values["trouble"] = trouble
    return {name: value for name, value in values.items() if value is not None}


def met_at(call: Call, stop: str) -> dict[str, int]:
    """Returns the counts of trouble at a stop, of which a record contains at most 3."""
    counts = Counter(kind for visited, kinds in call.visits if visited == stop for kind in kinds)
    return {kind: min(count, 3) for kind, count in counts.items()}


def ending_at(call: Call, stop: str) -> str:
    """Returns what happened at a stop (docs/waterfall.md)."""
    given_up = stop == call.gave_up_at and call.outcome == "abandoned_in_flow"
    if stop != call.last and not given_up:
        return "continued"
    if call.outcome in ("answered", "abandoned_in_queue"):
        return "transferred"
    if call.outcome == "completed":
        return "completed"
    met = met_at(call, stop)
    if "error" in met:
        return "error"
    silence, wrong_key = met.get("silence", 0), met.get("wrong_key", 0)
    if silence or wrong_key:
        return "silence" if silence >= wrong_key else "wrong_key"
    return "hung_up"


@pytest.mark.parametrize("seed", range(3))
def test_the_waterfall_equals_a_replay_of_the_calls(seed: int) -> None:
    calls = simulated(random.Random(seed), 700)

    waterfall = report_on(map(item, calls), SPAN, [BANK]).waterfall

    check_waterfall(waterfall, calls)
    assert all(any(stop.of(ending) for stop in waterfall.stops) for ending in ENDINGS)


def check_waterfall(waterfall: Waterfall, calls: list[Call]) -> None:
    endings: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    met: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    detailed = [call for call in calls if call.detail]
    for call in detailed:
        for stop in {stop for stop, _ in call.visits}:
            endings[call.call_flow, stop][ending_at(call, stop)] += 1
            met[call.call_flow, stop].update(met_at(call, stop).keys())
    expected = {stop for stop, counts in endings.items() if counts.total() >= LEAST_CALLS}
    assert {(stop.call_flow, stop.route) for stop in waterfall.stops} == expected
    assert waterfall.rare == len(endings) - len(expected) > 0
    assert (waterfall.detail.count, waterfall.detail.of) == (len(detailed), len(calls))
    for each in waterfall.stops:
        key = (each.call_flow or "", each.route)
        assert {ending: each.of(ending) for ending in ENDINGS} == {
            ending: endings[key][ending] for ending in ENDINGS
        }
        assert each.met == {kind: met[key][kind] for kind in TROUBLES}
        assert each.reached == endings[key].total()


def with_experiment(flow: Flow, prompt: str) -> Flow:
    """Returns a flow that first distributes its calls to two messages."""
    split = block("greeting", "DistributeByPercentage", "long", errors={"NoMatchingCondition": "long"})
    half = {"Operator": "NumberLessThan", "Operands": ["51"]}
    split["Transitions"]["Conditions"] = [{"NextAction": "short", "Condition": half}]
    messages = [message("short", flow.start), message("long", flow.start)]
    messages[0]["Parameters"]["Text"] = prompt
    actions = [split, *messages, *flow.document["Actions"]]
    return flow_from({**flow.document, "StartAction": "greeting", "Actions": actions})


def test_the_items_of_a_tracked_flow_give_a_report_that_equals_a_replay_of_its_events() -> None:
    bank, chance = bank_flow(), random.Random(3)
    assert bank.flow
    calls, items = [], []
    for version, prompt in enumerate(("Hello.", "Welcome.")):
        plain = with_experiment(bank.flow, prompt)
        tracked = flow_from(add_tracking(plain, file="bank.json", call_flow="bank", detail=True))
        for number in range(300):
            day, seed = SPAN.first + timedelta(3 * version + number % 3), chance.random()
            environment = Environment(
                is_open=number % 10 > 0,
                agent_answers_after=chance.choice((30, None)),
                responses={
                    "split": {"greeting": chance.randint(1, 100)},
                    "errors": {"menu-open-account": "NoMatchingError"} if number % 7 == 0 else {},
                },
            )

            def call_through(
                flow: Flow, day: date = day, seed: float = seed, environment: Environment = environment
            ) -> tuple[list[Event], simulation.Call]:
                clock = SimulatedClock(
                    datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo("Asia/Tokyo"))
                )
                caller = RandomCaller(random.Random(seed))
                return run_simulation(flow, caller, clock=clock, environment=environment)

            events, _ = call_through(plain)
            path = detail_replay.from_events(plain, events)
            if not path.last_visits:
                continue  # the caller hung up before the first stop
            _, recorded = call_through(tracked)
            items.append(oracle.item(contact_record(recorded, contact_id=f"{version}-{number}")))
            (drawn,) = (
                event for event in events if isinstance(event, Compared) and event.block == "greeting"
            )
            visits = [
                (stop, list(Counter(path.trouble.get(stop, {})).elements())) for stop in path.last_visits
            ]
            arm = "greeting-1" if int(drawn.value) < 51 else "greeting-2"
            calls.append(
                Call(
                    day, "bank", visits, outcome_of(events), True, f"version {version}", arm, path.gave_up_at
                )
            )

    report = report_on(items, SPAN, [bank])

    check_waterfall(report.waterfall, calls)
    assert {"continued", "transferred", "completed", "hung_up", "silence"} <= {
        ending for ending in ENDINGS if any(stop.of(ending) for stop in report.waterfall.stops)
    }
    assert sum(call.last.endswith("_no_choice") and call.last != call.gave_up_at for call in calls) > 10
    names = {each.name: f"version {number}" for number, each in enumerate(report.versions)}
    named = replace(report, versions=tuple(replace(each, name=names[each.name]) for each in report.versions))
    assert len(names) == 2
    check_variants(named.versions, {("bank", "version 0"), ("bank", "version 1")}, calls, bank.catalog)
    check_variants(report.arms, {("bank", "greeting-1"), ("bank", "greeting-2")}, calls, bank.catalog)
    check_sums(report, calls)


def outcome_of(events: list[Event]) -> str:
    if any(isinstance(event, AgentConnected) for event in events):
        return "answered"
    if any(isinstance(event, Queued) for event in events):
        return "abandoned_in_queue"
    values = [event.attributes.get("call_completed") for event in events if isinstance(event, AttributesSet)]
    return "completed" if [value for value in values if value][-1:] == ["true"] else "abandoned_in_flow"


def test_the_worst_stop_is_first_and_stops_that_only_end_calls_are_last() -> None:
    stops = report_on(map(item, simulated(random.Random(1), 700)), SPAN, [BANK]).waterfall.stops

    assert (stops[-1].call_flow, stops[-1].route) == ("bank", "goodbye")
    assert (stops[0].call_flow, stops[0].route) == ("shop", "goodbye"), "unknown without a catalog"
    shares = [stop.left_share.value or 0 for stop in stops[:-1]]
    assert shares == sorted(shares, reverse=True)


def test_a_stop_that_the_catalog_does_not_list_is_in_the_waterfall_and_among_the_stops() -> None:
    visits: list[tuple[str, list[str]]] = [("start", []), ("new", []), ("card", [])]
    call = Call(SPAN.first, "bank", visits, "completed", True, None, None)

    report = report_on([item(call)] * LEAST_CALLS, SPAN, [BANK])

    assert [stop.route for stop in report.waterfall.stops if stop.route == "new"] == ["new"]
    assert [stop.outcomes.calls for stop in report.stops if stop.route == "new"] == [0]
    assert report.unknown_routes == ()


def below(catalog: RouteCatalog, route: str) -> set[str]:
    """Returns a route and those below it in the catalog."""
    children = (name for name, each in catalog.routes.items() if each.parent == route)
    return {route}.union(*(below(catalog, child) for child in children))


@pytest.mark.parametrize("seed", range(3))
def test_versions_and_arms_equal_a_replay_of_the_calls(seed: int) -> None:
    calls = simulated(random.Random(seed), 700)

    report = report_on(map(item, calls), SPAN, [BANK])

    check_variants(report.versions, {("bank", "a"), ("bank", "b"), ("shop", "a"), ("shop", "b")}, calls)
    check_variants(report.arms, {("bank", "x"), ("bank", "y"), ("shop", "x"), ("shop", "y")}, calls)
    assert [each.compared_with for each in report.versions] == [None, "a", None, "a"]
    assert [each.compared_with for each in report.arms] == [None, "x", None, "x"]
    check_sums(report, calls)


def check_variants(
    variants: tuple[Variant, ...],
    names: set[tuple[str, str]],
    calls: list[Call],
    catalog: RouteCatalog | None = CATALOG,
) -> None:
    assert catalog
    assert {(each.call_flow, each.name) for each in variants} == names
    for variant in variants:
        own = [
            call
            for call in calls
            if call.call_flow == variant.call_flow and variant.name in (call.version, call.arm)
        ]
        left = [call for call in own if call.outcome == "abandoned_in_flow"]
        assert (variant.left_share.count, variant.left_share.of) == (len(left), len(own))
        days = [call.day for call in own]
        assert (variant.days.first, variant.days.last) == (min(days), max(days))
        for stop in variant.stops:
            routes = below(catalog, stop.route) if variant.call_flow == "bank" else {stop.route}
            assert stop.left == sum(call.last == stop.route for call in left)
            assert stop.reached == sum(call.last in routes for call in own)
            if stop.change:
                assert stop.change.now == stop.left_share
                assert min(stop.change.now.of, stop.change.before.of) >= LEAST_CALLS


def check_sums(report: Report, calls: list[Call]) -> None:
    assert sum(each.left_share.of for each in report.versions) == sum(
        call.version is not None for call in calls
    )
    assert sum(each.left_share.of for each in report.arms) == sum(call.arm is not None for call in calls)
    for variant in (*report.versions, *report.arms):
        assert sum(stop.outcomes.calls for stop in variant.stops) == variant.left_share.of


def test_a_single_version_is_not_shown_and_a_single_arm_is_not_compared() -> None:
    calls = [Call(SPAN.first, "bank", [("start", [])], "completed", False, "a", "x")] * 40

    report = report_on(map(item, calls), SPAN, [BANK])

    assert report.versions == ()
    assert [(each.name, each.compared_with, each.change) for each in report.arms] == [("x", None, None)]
    assert (report.waterfall.detail.count, report.waterfall.stops) == (0, ())


def test_arms_are_compared_within_their_experiment() -> None:
    arms = ["color-1", "color-2", "color-2", "greeting-10", "greeting-9", "greeting-9", "b", "a"]
    calls = [Call(SPAN.first, "bank", [("start", [])], "completed", False, "a", arm) for arm in arms]

    found = report_on(map(item, calls), SPAN, [BANK]).arms

    assert [(each.name, each.compared_with) for each in found] == [
        ("a", None),
        ("b", "a"),
        ("color-2", None),
        ("color-1", "color-2"),
        ("greeting-9", None),
        ("greeting-10", "greeting-9"),
    ]


def test_only_a_stop_with_a_real_difference_is_marked() -> None:
    chance, calls = random.Random(5), []
    for number in range(4000):
        new = number % 2 == 1
        last = chance.choice(("start", "card", "account"))
        share = 0.2 if last == "account" and new else 0.4
        outcome = "abandoned_in_flow" if chance.random() < share else "completed"
        day = SPAN.last if new else SPAN.first
        calls.append(Call(day, "bank", [(last, [])], outcome, False, "b" if new else "a", None))

    old, new_version = report_on(map(item, calls), SPAN, [BANK]).versions

    assert all(stop.change is None for stop in old.stops)
    marked = [stop.route for stop in new_version.stops if stop.change and stop.change.significant]
    assert marked == ["account"]


@pytest.mark.parametrize("call_flow", ["bank", None])
def test_a_call_that_trouble_led_to_a_dead_end_counts_as_left_at_both_stops(call_flow: str | None) -> None:
    bank = replace(bank_flow(), call_flow=call_flow)
    silent = item(
        Call(SPAN.first, "bank", [("start", ["silence"] * 3), ("start_no_choice", [])], "", True, None, None)
    )
    silent = {**silent, "outcome": "abandoned_in_flow", "call_flow": call_flow}
    items = [silent] * LEAST_CALLS
    items += [{**silent, "trouble": {}}, {**silent, "outcome": "completed"}]
    items += [{**silent, "stops_visited": ["start", "lost_card"], "call_route": "lost_card"}]

    waterfall = report_on(items, SPAN, [bank]).waterfall
    stops = {stop.route: stop for stop in waterfall.stops}

    assert (stops["start"].silence, stops["start"].continued) == (LEAST_CALLS, 3)
    assert (stops["start_no_choice"].hung_up, stops["start_no_choice"].completed) == (LEAST_CALLS + 1, 1)
    unknown = report_on(items, SPAN, [replace(bank, flow=None)]).waterfall
    assert [stop.continued for stop in unknown.stops if stop.route == "start"] == [LEAST_CALLS + 3]
