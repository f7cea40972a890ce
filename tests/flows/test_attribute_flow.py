"""Guards the tracking guarantee: a value of `call_route` that a caller can leave behind must not be overlooked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callroute.flows.attribute_flow import CALLING_FLOW, ROUTE, Dynamic, ReachingValues, Value, analyze
from callroute.flows.flow import Flow
from callroute.flows.simulation import (
    HANGUP,
    KEYS,
    TIMEOUT,
    Environment,
    Event,
    KeyedCaller,
    SimulatedClock,
    run_simulation,
)
from callroute.flows.simulation.events import AttributesSet, MenuOffered, Queued, Said
from tests.flows.generated import flow_documents
from tests.support.paths import FLOW_DEFINITIONS

BLOCK_KEYS = ("Identifier", "Type", "Parameters", "Transitions")


def block(name: str, kind: str, parameters: dict[str, Any], target: str = "", *errors: str) -> dict[str, Any]:
    transitions: dict[str, Any] = {"NextAction": target} if target else {}
    if errors:
        transitions["Errors"] = [{"NextAction": error, "ErrorType": "NoMatchingError"} for error in errors]
    return dict(zip(BLOCK_KEYS, (name, kind, parameters, transitions), strict=True))


def sets(name: str, target: str, error: str = "", **attributes: str) -> dict[str, Any]:
    parameters = {"Attributes": attributes, "TargetContact": "Current"}
    return block(name, "UpdateContactAttributes", parameters, target, error or target)


def says(name: str, target: str) -> dict[str, Any]:
    return block(name, "MessageParticipant", {"Text": name}, target)


END = block("end", "DisconnectParticipant", {})


def flow(*blocks: dict[str, Any], **more: Any) -> Flow:
    document = {"Version": "2019-10-30", "StartAction": blocks[0]["Identifier"], "Actions": [*blocks, END]}
    return Flow.parse(json.dumps(document | more), "x.json")


def routes(of: Flow, identifier: str) -> frozenset[Value]:
    return analyze(of).routes[identifier]


def test_a_stop_has_the_values_of_all_paths_to_it_and_none_where_one_sets_nothing() -> None:
    hours = block("hours", "CheckHoursOfOperation", {}, "here", "a")
    of = flow(hours, sets("a", "b", call_route="a"), sets("b", "here", other="x"), says("here", "end"))
    assert routes(of, "here") == {"a", None}


def test_a_value_goes_round_a_loop_and_meets_itself() -> None:
    of = flow(
        sets("a", "menu", call_route="a"),
        block("menu", "MessageParticipant", {}, "b", "menu", "end"),
        sets("b", "menu", call_route="b"),
    )
    assert routes(of, "menu") == {"a", "b"}


def test_the_error_branch_of_a_tracking_block_is_kept_apart() -> None:
    of = flow(
        sets("a", "b", call_route="a"),
        sets("b", "here", "sorry", call_route="b"),
        says("here", "end"),
        says("sorry", "end"),
    )
    here, sorry = analyze(of).stops
    assert here.routes == {"b"}
    assert here.routes_after_failure == {"b"}
    assert sorry.routes == frozenset(), "only a failure leads there"
    assert sorry.routes_after_failure == {"a", None}


def test_the_error_branch_of_a_block_that_sets_something_else_is_a_path_like_any_other() -> None:
    of = flow(sets("a", "b", call_route="a"), sets("b", "end", "sorry", other="b"), says("sorry", "end"))
    assert routes(of, "sorry") == {"a"}


def test_what_is_set_on_a_related_contact_is_not_set_on_the_call() -> None:
    related = sets("a", "here", call_route="a")
    related["Parameters"]["TargetContact"] = "Related"
    assert routes(flow(related, says("here", "end")), "here") == {None}


@pytest.mark.parametrize(
    "reference", ["$.External.route", "$.Attributes.call_route", "$.Lex.IntentName", "1-$.External.x"]
)
def test_a_reference_is_a_value_of_its_own_and_not_a_text(reference: str) -> None:
    assert routes(flow(sets("a", "here", call_route=reference), says("here", "end")), "here") == {
        Dynamic(reference)
    }


def test_an_attribute_named_by_a_reference_may_be_the_route() -> None:
    by_name = sets("b", "here", **{"$.External.name": "x"})
    found = routes(flow(sets("a", "b", call_route="a"), by_name, says("here", "end")), "here")
    assert "a" in found
    assert any(isinstance(value, Dynamic) for value in found)


def test_after_a_module_the_route_may_be_the_modules() -> None:
    module = block("m", "InvokeFlowModule", {"FlowModuleId": "m"}, "here", "end")
    found = routes(flow(sets("a", "m", call_route="a"), module, says("here", "end")), "here")
    assert found == {"a", Dynamic("module in m")}


def test_a_module_or_queue_flow_begins_with_what_the_calling_flow_has_set() -> None:
    assert routes(flow(says("here", "end"), Settings={}), "here") == {CALLING_FLOW}
    hold = block("here", "MessageParticipantIteratively", {"Messages": [{"Text": "x"}]})
    assert routes(flow(hold), "here") == {CALLING_FLOW}
    assert routes(flow(says("here", "end")), "here") == {None}


def test_blocks_that_no_call_reaches_are_not_among_the_stops() -> None:
    of = flow(says("here", "end"), says("lost", "end"))
    assert [stop.action.identifier for stop in analyze(of).stops] == ["here"]
    assert analyze(of).reached == {"here", "end"}


def test_nothing_follows_a_block_that_ends_the_call_even_where_the_file_says_so() -> None:
    of = flow(block("hang-up", "DisconnectParticipant", {}, "lost"), says("lost", "end"))
    assert analyze(of).reached == {"hang-up"}


def test_the_next_stops_are_found_with_the_values_set_on_the_way_and_no_further_ones() -> None:
    of = flow(
        sets("a", "one", call_route="a"),
        says("one", "b"),
        sets("b", "two", call_route="b"),
        says("two", "end"),
    )
    assert ReachingValues(of, ROUTE).first_stops("a", (None,)) == {"one": {"a"}}
    assert ReachingValues(of, ROUTE).first_stops("b", ("a",)) == {"two": {"b"}}


def test_our_stops_have_one_route_each_but_for_those_at_which_routes_end() -> None:
    shared = {
        (name, stop.action.identifier): stop.routes
        for name in ("call_route", "call_route_with_operator")
        for stop in analyze(Flow.load(FLOW_DEFINITIONS / f"{name}.json")).stops
        if len(stop.routes) != 1
    }
    assert shared == {
        ("call_route", "closing"): {"1-1", "1-2", "2-1", "2-2"},
        ("call_route_with_operator", "transfer-operator"): {
            "lost_card_operator",
            "open_account_consult_operator",
            "other_operator",
        },
    }


# --- Against the simulator -------------------------------------------------------------------------------------------


def seen(events: Iterable[Event]) -> Iterator[tuple[str, str, str | None]]:
    """Block, attribute and its value, at each place of a call where the caller might have hung up."""
    attributes: dict[str, str] = {}
    for event in events:
        if isinstance(event, AttributesSet):
            attributes.update(event.attributes)
        if isinstance(event, Said | MenuOffered | Queued):
            for name in ("call_route", "call_completed"):
                yield event.block, name, attributes.get(name)


@cache
def ours(name: str) -> Flow:
    return Flow.load(FLOW_DEFINITIONS / f"{name}.json")


def play(of: Flow, keys: list[str], world: Environment, step_limit: int = 1_000) -> list[Event]:
    clock = SimulatedClock(datetime(2026, 4, 1, tzinfo=UTC))
    return run_simulation(of, KeyedCaller(keys, 30), clock=clock, environment=world, step_limit=step_limit)[0]


ANY_KEYS = st.lists(st.sampled_from([*KEYS, TIMEOUT, HANGUP]), max_size=40)
WORLDS = st.builds(
    Environment,
    is_open=st.booleans(),
    queue_is_full=st.booleans(),
    agent_answers_after=st.sampled_from((None, 20)),
)


@pytest.mark.parametrize("name", ["call_route", "call_route_with_operator"])
@settings(deadline=None)  # how busy the machine is proves nothing about flows
@given(keys=ANY_KEYS, world=WORLDS)
def test_in_our_flows_no_call_has_a_value_at_a_stop_that_was_not_foreseen(
    name: str, keys: list[str], world: Environment
) -> None:
    found = {
        attribute: ReachingValues(ours(name), attribute).values()
        for attribute in ("call_route", "call_completed")
    }
    for stop, attribute, value in seen(play(ours(name), keys, world)):
        assert value in found[attribute][stop]


@settings(deadline=None)
@given(document=flow_documents(), keys=st.lists(ANY_KEYS, min_size=1, max_size=4), world=WORLDS)
def test_in_made_up_flows_no_call_has_a_value_at_a_stop_that_was_not_foreseen(
    document: dict[str, Any], keys: list[list[str]], world: Environment
) -> None:
    of = Flow.parse(json.dumps(document), "x.json")
    found = {
        attribute: ReachingValues(of, attribute).values() for attribute in ("call_route", "call_completed")
    }
    for some in keys:
        for stop, attribute, value in seen(play(of, some, world, step_limit=100)):
            assert value in found[attribute][stop]


@settings(deadline=None, max_examples=200)
@given(document=flow_documents(), keys=ANY_KEYS, first=st.integers(1, 5))
def test_not_even_where_tracking_blocks_fail_as_long_as_failures_are_followed(
    document: dict[str, Any], keys: list[str], first: int
) -> None:
    of = Flow.parse(json.dumps(document), "x.json")
    fails = {"UpdateContactAttributes": ["NoMatchingError"] * first}
    found = {
        attribute: ReachingValues(of, attribute).values(failures=True)
        for attribute in ("call_route", "call_completed")
    }
    for stop, attribute, value in seen(
        play(of, keys, Environment(responses={"errors": fails}), step_limit=100)
    ):
        assert value in found[attribute][stop]
