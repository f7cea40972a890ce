"""Tests of the estimate of `callroute whatif`. The truth is computed from simulated calls with the same behavior."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import pytest

from callroute.errors import InputError
from callroute.flows.flow import Flow
from callroute.flows.load import load_flow
from callroute.flows.stop_graph import StopGraph
from callroute.flows.tracking import add_tracking
from callroute.reports.behavior import Journey, Visit, journey
from callroute.reports.call_database import CallDatabase
from callroute.reports.report import OUTCOMES, Span
from callroute.reports.whatif import Range, WhatIf, what_if
from tests.support.made_up_calls import BANK, made_up_items
from tests.support.menus import Attempt, Menu, every_call, every_journey, menu_flow
from tests.support.oracle import call_detail

BEHAVIOR: Mapping[str, Attempt] = {
    "start": {"a": 0.3, "b": 0.2, "c": 0.15, "silence": 0.12, "wrong_key": 0.08, "leave": 0.15},
    "a": {"a1": 0.4, "a2": 0.2, "silence": 0.2, "wrong_key": 0.1, "leave": 0.1},
}
START, A = Menu({"1": "a", "2": "b", "3": "c"}, 2, "none"), Menu({"1": "a1", "2": "a2"})
MENUS = {"start": START, "a": A}


def graph(menus: Mapping[str, Menu]) -> StopGraph:
    return StopGraph(menu_flow(menus, queues=["c"], ends=["none"]))


def calls_of(menus: Mapping[str, Menu], behavior: Mapping[str, Attempt] = BEHAVIOR) -> dict[Journey, float]:
    return every_journey(menu_flow(menus, queues=["c"], ends=["none"]), menus, behavior)


@pytest.fixture(scope="module")
def observed() -> dict[Journey, float]:
    """Probability of each call through MENUS."""
    return calls_of(MENUS)


def estimate(
    observed: Mapping[Journey, float],
    menus: Mapping[str, Menu],
    assumptions: Sequence[str] = (),
    *,
    old: Mapping[str, Menu] = MENUS,
    detail: bool = True,
    samples: int = 0,
    seed: int = 1,
) -> WhatIf:
    calls = {call: 1_000_000 * probability for call, probability in observed.items()}
    return what_if(
        calls,
        graph(old),
        graph(menus),
        assumptions,
        detail=detail,
        samples=samples,
        seed=seed,
    )


def outcomes(calls: Mapping[Journey, float]) -> dict[str, float]:
    """Returns the share of each outcome."""
    total = sum(calls.values())
    return {
        outcome: sum(number for call, number in calls.items() if call.outcome == outcome) / total
        for outcome in OUTCOMES
    }


# --- Expected outcomes -----------------------------------------------------------------------------------------------

MORE_A = {**BEHAVIOR["start"], "a": 0.3 + 0.6 * 0.15, "leave": 0.15 + 0.4 * 0.15}
A_WITH_C = {"a1": 0.36, "a2": 0.18, "c": 0.07, "silence": 0.2, "wrong_key": 0.1, "leave": 0.09}


@pytest.mark.parametrize(
    ("menus", "assumptions", "behavior"),
    [
        pytest.param(
            {"start": replace(START, keys={"1": "c", "5": "a", "3": "b"}), "a": A}, [], {}, id="other keys"
        ),
        pytest.param({"start": replace(START, tries=3), "a": A}, [], {}, id="more attempts"),
        pytest.param({"start": replace(START, tries=1), "a": A}, [], {}, id="fewer attempts"),
        pytest.param({"start": replace(START, tries=None), "a": A}, [], {}, id="unlimited attempts"),
        pytest.param(
            {"start": START, "a": replace(A, tries=2, otherwise="none")}, [], {}, id="limited attempts"
        ),
        pytest.param(
            {"start": START, "a": replace(A, tries=1, otherwise="c")}, [], {}, id="trouble leads to the queue"
        ),
        pytest.param(
            {"start": replace(START, keys={"1": "a", "2": "b"}), "a": A},
            ["start/c=a=60%,leave=40%"],
            {"start": {key: share for key, share in MORE_A.items() if key != "c"}},
            id="removed choice",
        ),
        pytest.param(
            {
                "start": replace(START, keys={"1": "b", "2": "a"}, tries=3),
                "a": replace(A, keys={**A.keys, "3": "c"}),
            },
            ["start/c=a=60%,leave=40%", "a/c=10%"],
            {"start": {key: share for key, share in MORE_A.items() if key != "c"}, "a": A_WITH_C},
            id="choice moved to another menu, with more attempts",
        ),
        pytest.param(
            {"language": Menu({"1": "start"}), **MENUS},
            ["language=start=95%,leave=5%"],
            {"language": {"start": 0.95, "leave": 0.05, "silence": 0, "wrong_key": 0}},
            id="another first menu",
        ),
        pytest.param(
            {"start": replace(START, keys={"1": "x", "2": "b", "3": "c"}), "x": A},
            ["x=a"],
            {"start": {**BEHAVIOR["start"], "x": 0.3}, "x": BEHAVIOR["a"]},
            id="renamed stop",
        ),
    ],
)
def test_the_expected_outcomes_are_those_of_simulated_callers(
    observed: dict[Journey, float],
    menus: dict[str, Menu],
    assumptions: list[str],
    behavior: dict[str, Attempt],
) -> None:
    after = calls_of(menus, {**BEHAVIOR, **behavior})

    found = estimate(observed, menus, assumptions)

    assert {each: found.outcomes[each].after.value for each in OUTCOMES} == pytest.approx(
        outcomes(after), abs=1e-3
    )
    assert {each: found.outcomes[each].before for each in OUTCOMES} == pytest.approx(outcomes(observed))
    reached: Counter[str] = Counter()
    for call, probability in after.items():
        reached.update(dict.fromkeys((visit.stop for visit in call.visits), probability))
    assert {stop.route: stop.reached.after.value for stop in found.stops if stop.reached.after.value} == (
        pytest.approx(reached, abs=1e-3)
    )


def test_callers_who_choose_a_stop_are_distinguished_from_those_who_run_out_of_attempts() -> None:
    old = {"start": replace(START, otherwise="c"), "a": A}
    new = {"start": replace(START, keys={"1": "a", "2": "b"}, otherwise="c"), "a": A}
    behavior = {"a": 0.3, "b": 0.2, "silence": 0.12, "wrong_key": 0.08, "leave": 0.3}

    found = estimate(calls_of(old), new, ["start/c=leave"], old=old)

    truth = outcomes(calls_of(new, {**BEHAVIOR, "start": behavior}))
    assert {each: found.outcomes[each].after.value for each in OUTCOMES} == pytest.approx(truth, abs=1e-3)
    assert estimate(calls_of(old), old, old=old).outcomes["answered"].change.value == pytest.approx(0)


def test_items_with_detail_contain_the_paths_of_simulated_callers() -> None:
    flow = menu_flow(MENUS, queues=["c"], ends=["none"])
    document = add_tracking(flow, file="menus.json", call_flow="menus", detail=True).document
    tracked = Flow.parse(json.dumps(document), "menus.json")
    made = list(every_call(tracked, MENUS, BEHAVIOR))
    items = [
        {
            "call_route": call.attributes["call_route"],
            "outcome": call.journey.outcome,
            "call_date": "2026-04-06",
            "start_time": "2026-04-06T10:00:00+09:00",
            **call_detail(call.attributes),
        }
        for call in made
    ]

    with CallDatabase(Span(date(2026, 4, 6), date(2026, 4, 6)), compared=False) as database:
        database.load_items(items)
        counts = database.journeys()

    found: Counter[Journey] = Counter()
    for each in counts:
        found[journey(each.route, each.outcome, each.visits, None)] += each.calls
    assert found == Counter(call.journey for call in made)
    assert len(found) > 100
    before, after = graph(MENUS), StopGraph(tracked)
    assert before.stops.keys() == after.stops.keys()
    for route, stop in before.stops.items():
        assert stop.attempts({}) == after.stops[route].attempts({})
        assert (stop.choices, stop.exits) == (after.stops[route].choices, after.stops[route].exits)


def test_a_flow_compared_with_itself_changes_nothing() -> None:
    loaded = load_flow(BANK)
    bank = StopGraph(loaded.flow)
    span = Span(date(2026, 4, 6), date(2026, 4, 8))
    calls = Counter(
        journey(item["call_route"], item["outcome"], None, loaded.catalog) for item in made_up_items(span, 50)
    )
    # Paths that the flow does not explain: callers who returned to a menu, and a route of a module.
    calls[Journey((Visit("balance", 1), Visit("start", 3, 2), Visit("other")), "abandoned_in_flow")] = 7
    calls[Journey((Visit("start"), Visit("module"), Visit("balance", 0, 0, 3)), "completed")] = 5

    found = what_if(calls, bank, bank, detail=True, samples=20)

    assert {each: found.outcomes[each].before for each in OUTCOMES} == pytest.approx(outcomes(calls))
    assert all(visited in {stop.route for stop in found.stops} for visited in ("module", "start", "closed"))
    for comparison in (
        *found.outcomes.values(),
        *(each for stop in found.stops for each in (stop.reached, stop.left)),
    ):
        assert comparison.after.value == pytest.approx(comparison.before)
        assert [each or 0.0 for each in comparison.change] == pytest.approx([0, 0, 0], abs=1e-9)


def test_the_shares_of_a_stop_are_those_of_the_calls_that_reached_it(observed: dict[Journey, float]) -> None:
    (a,) = [stop for stop in estimate(observed, MENUS).stops if stop.route == "a"]

    reached = sum(
        share for call, share in observed.items() if any(visit.stop == "a" for visit in call.visits)
    )
    left = sum(
        share
        for call, share in observed.items()
        if call.visits[-1].stop == "a" and call.outcome == "abandoned_in_flow"
    )
    assert a.reached.before == pytest.approx(reached / sum(observed.values()))
    assert a.left.before == pytest.approx(left / reached)


def contains(interval: Range, value: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= value <= interval.high


# --- Intervals -------------------------------------------------------------------------------------------------------


def test_a_90_percent_interval_contains_the_truth_in_about_90_of_100_worlds(
    observed: dict[Journey, float],
) -> None:
    menus = {"start": replace(START, keys={"1": "b", "2": "a"}, tries=3), "a": A}
    behavior = {**BEHAVIOR, "start": {key: share for key, share in MORE_A.items() if key != "c"}}
    before, after = outcomes(observed), outcomes(calls_of(menus, behavior))
    old, new = graph(MENUS), graph(menus)
    calls, shares = list(observed), list(observed.values())
    hits: Counter[str] = Counter()

    for world in range(100):
        week = Counter(random.Random(world).choices(calls, shares, k=250))
        found = what_if(week, old, new, ["start/c=a=60%,leave=40%"], detail=True, samples=60, seed=world)
        for outcome in ("abandoned_in_flow", "completed"):
            value, change = found.outcomes[outcome].after, found.outcomes[outcome].change
            truth = after[outcome]
            hits[outcome] += contains(value, truth)
            hits[f"change of {outcome}"] += contains(change, truth - before[outcome])

    # Of 100 intervals that contain the truth with a probability of 90%, 82 to 97 do in 99% of cases.
    assert len(hits) == 4
    assert all(82 <= number <= 97 for number in hits.values()), hits


def test_the_same_seed_gives_the_same_intervals() -> None:
    calls = {
        Journey((Visit("start"), Visit("b")), "completed"): 3,
        Journey((Visit("start"),), "abandoned_in_flow"): 2,
    }

    first, same, other = (
        what_if(calls, graph(MENUS), graph(MENUS), detail=True, samples=20, seed=seed) for seed in (1, 1, 2)
    )

    assert first == same
    assert first.outcomes["completed"].after != other.outcomes["completed"].after
    assert contains(first.outcomes["completed"].after, 0.6)


# --- Assumptions -----------------------------------------------------------------------------------------------------


def test_all_missing_assumptions_are_listed_with_their_options(observed: dict[Journey, float]) -> None:
    menus = {
        "start": replace(START, keys={"1": "new", "2": "b", "3": "a"}),
        "a": replace(A, keys={"1": "a1"}),
        "new": Menu({"1": "c"}, 1, "none"),
    }

    with pytest.raises(InputError) as raised:
        estimate(observed, menus)

    lines = str(raised.value).splitlines()
    assert lines[0] == "callroute whatif: 4 assumptions are missing. Add:"
    assert [line.strip() for line in lines[1::2]] == [
        "--assume start/c=NAME or --assume start/c=leave=…%,a=…%,b=…%,new=…%,none=…%",
        "--assume start/new=…%",
        "--assume a/a2=NAME or --assume a/a2=leave=…%,a1=…%",
        "--assume new=STOP or --assume new=leave=…%,c=…%,none=…%",
    ]

    found = estimate(observed, menus, ["start/c=new", "a/a2=leave", "new=c=90%,none=10%"])

    assert [stop.route for stop in found.stops] == ["start", "a", "new", "b", "none", "a1", "c", "a2"]


def test_changed_attempts_need_calls_with_detail(observed: dict[Journey, float]) -> None:
    menus = {"start": replace(START, tries=3), "a": A}

    with pytest.raises(InputError, match="no call has detail") as raised:
        estimate(observed, menus, detail=False)

    assert "--assume start=leave=…%,a=…%,b=…%,c=…%,none=…%" in str(raised.value)
    found = estimate(observed, menus, ["start=leave=50%,b=50%"], detail=False)
    assert found.outcomes["completed"].after.value == pytest.approx(0.5)


def test_attempts_that_no_caller_made_are_an_assumption(observed: dict[Journey, float]) -> None:
    found = estimate(observed, {"start": replace(START, tries=3), "a": A})

    assert [(remark.key, remark.values) for remark in found.remarks] == [
        ("attempts", {"stop": "start"}),
        ("unseen_attempt", {"stop": "start", "attempts": 2}),
    ]


def test_a_call_can_end_in_another_way_only_with_an_assumption(observed: dict[Journey, float]) -> None:
    old, new = graph(MENUS), StopGraph(menu_flow(MENUS, queues=["c", "b"], ends=["none"]))
    calls = {call: round(1e6 * share) for call, share in observed.items()}

    with pytest.raises(
        InputError, match=r"an assumption is missing. Add:\s+--assume b=leave=…%,completed=…%,answered=…%"
    ):
        what_if(calls, old, new, detail=True, samples=0)


@pytest.mark.parametrize(
    ("assumption", "problem"),
    [
        ("a", "is not an assumption"),
        ("=a", "is not an assumption"),
        ("x=a", "the new flow has no stop 'x'. Use a, a1,"),
        ("a=x", "the old flow has no stop 'x'"),
        ("a=x=100%", "'x' is not a stop"),
        ("a=leave=100%,a1", "'a1' is not a share"),
        ("a=leave=100,a1=0%", "'100' is not a share from 0% to 100%"),
        ("a=leave=-1%,a1=101%", "'-1%' is not a share"),
        ("a=leave=nan%,a1=50%", "'nan%' is not a share"),
        ("a=leave=50%,a1=49%", "the shares add up to 99%. Make them add up to 100%"),
        ("a=leave=50%,leave=50%", "'leave' occurs twice"),
        ("a=b=100%", "the new flow has no way from a to b. Choose from leave, a1, a2"),
        ("start/c=x", "'x' is not a stop"),
        ("@start=leave=100%", "the new flow has no way from @start to leave. Choose from start"),
        ("start/x=b", "'x' is not a stop"),
        ("start/c=120%", "'120%' is not a share"),
    ],
)
def test_an_unusable_assumption_is_an_error(
    observed: dict[Journey, float], assumption: str, problem: str
) -> None:
    with pytest.raises(InputError) as raised:
        estimate(observed, MENUS, [assumption])

    assert str(raised.value).startswith("--assume: ")
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    "assumptions",
    [("x=a", "x=b"), ("a=leave=100%", "a=a1=100%"), ("start/c=a", "start/c=b"), ("a/a1=1%", "a/a1=2%")],
)
def test_contradicting_assumptions_are_an_error(
    observed: dict[Journey, float], assumptions: tuple[str, str]
) -> None:
    menus = {"start": replace(START, keys={"1": "x", "2": "b", "3": "a"}), "a": A, "x": A}

    with pytest.raises(InputError, match="contradicts an earlier assumption about"):
        estimate(observed, menus, assumptions)


def test_calls_that_never_end_are_an_error(observed: dict[Journey, float]) -> None:
    menus = {
        "start": replace(START, keys={"1": "a", "2": "b", "3": "c"}),
        "a": replace(A, keys={"1": "a1", "2": "start"}),
    }

    with pytest.raises(InputError, match=r"again and never end\. Assume that some callers leave"):
        estimate(observed, menus, ["start=a=100%", "a=start=100%"])
