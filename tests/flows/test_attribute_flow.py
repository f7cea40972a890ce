"""Tests that the analysis finds every value of `call_route` that can end up in a contact record."""

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
from tests.flows.tracking.builders import compare, flow_of, menu, message, set_attributes
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


def test_a_stop_has_the_values_of_all_paths_including_none_if_a_path_sets_no_value() -> None:
    hours = block("hours", "CheckHoursOfOperation", {}, "here", "a")
    of = flow(hours, sets("a", "b", call_route="a"), sets("b", "here", other="x"), says("here", "end"))
    assert routes(of, "here") == {"a", None}


def test_values_propagate_around_a_loop() -> None:
    of = flow(
        sets("a", "menu", call_route="a"),
        block("menu", "MessageParticipant", {}, "b", "menu", "end"),
        sets("b", "menu", call_route="b"),
    )
    assert routes(of, "menu") == {"a", "b"}


def test_the_error_branch_of_a_block_that_sets_the_route_is_a_separate_case() -> None:
    of = flow(
        sets("a", "b", call_route="a"),
        sets("b", "here", "sorry", call_route="b"),
        says("here", "end"),
        says("sorry", "end"),
    )
    here, sorry = analyze(of).stops
    assert here.routes == {"b"}
    assert here.routes_after_failure == {"b"}
    assert sorry.routes == frozenset(), "the stop is reached only after a failure"
    assert sorry.routes_after_failure == {"a", None}


def test_the_error_branch_of_a_block_that_sets_another_attribute_is_a_normal_path() -> None:
    of = flow(sets("a", "b", call_route="a"), sets("b", "end", "sorry", other="b"), says("sorry", "end"))
    assert routes(of, "sorry") == {"a"}


def test_attributes_of_a_related_contact_do_not_count() -> None:
    related = sets("a", "here", call_route="a")
    related["Parameters"]["TargetContact"] = "Related"
    assert routes(flow(related, says("here", "end")), "here") == {None}


@pytest.mark.parametrize(
    "reference", ["$.External.route", "$.Attributes.call_route", "$.Lex.IntentName", "1-$.External.x"]
)
def test_a_reference_is_a_dynamic_value(reference: str) -> None:
    assert routes(flow(sets("a", "here", call_route=reference), says("here", "end")), "here") == {
        Dynamic(reference)
    }


def test_an_attribute_named_by_a_reference_can_be_the_route() -> None:
    by_name = sets("b", "here", **{"$.External.name": "x"})
    found = routes(flow(sets("a", "b", call_route="a"), by_name, says("here", "end")), "here")
    assert "a" in found
    assert any(isinstance(value, Dynamic) for value in found)


def test_a_module_can_change_the_route() -> None:
    module = block("m", "InvokeFlowModule", {"FlowModuleId": "m"}, "here", "end")
    found = routes(flow(sets("a", "m", call_route="a"), module, says("here", "end")), "here")
    assert found == {"a", Dynamic("the module in m")}


def test_modules_and_queue_flows_inherit_the_values_of_the_calling_flow() -> None:
    assert routes(flow(says("here", "end"), Settings={}), "here") == {CALLING_FLOW}
    hold = block("here", "MessageParticipantIteratively", {"Messages": [{"Text": "x"}]})
    assert routes(flow(hold), "here") == {CALLING_FLOW}
    assert routes(flow(says("here", "end")), "here") == {None}


def test_unreachable_blocks_are_not_stops() -> None:
    of = flow(says("here", "end"), says("lost", "end"))
    assert [stop.block.identifier for stop in analyze(of).stops] == ["here"]
    assert analyze(of).reached == {"here", "end"}


def test_branches_of_a_block_that_ends_the_call_are_ignored() -> None:
    of = flow(block("hang-up", "DisconnectParticipant", {}, "lost"), says("lost", "end"))
    assert analyze(of).reached == {"hang-up"}


def test_first_stops_returns_the_next_stops_with_the_values_set_before_them() -> None:
    of = flow(
        sets("a", "one", call_route="a"),
        says("one", "b"),
        sets("b", "two", call_route="b"),
        says("two", "end"),
    )
    assert ReachingValues(of, ROUTE).first_stops("a", (None,)) == {"one": {"a"}}
    assert ReachingValues(of, ROUTE).first_stops("b", ("a",)) == {"two": {"b"}}


def test_stops_in_the_flow_definitions_have_one_route_except_at_the_ends_of_routes() -> None:
    shared = {
        (name, stop.block.identifier): stop.routes
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


# --- Comparison with simulated calls ---------------------------------------------------------------------------------


def observed(events: Iterable[Event]) -> Iterator[tuple[str, str, str | None]]:
    """Yields the block, attribute and value at each moment when the caller could hang up."""
    attributes: dict[str, str] = {}
    for event in events:
        if isinstance(event, AttributesSet):
            attributes.update(event.attributes)
        if isinstance(event, Said | MenuOffered | Queued):
            for name in ("call_route", "call_completed"):
                yield event.block, name, attributes.get(name)


@cache
def own_flow(name: str) -> Flow:
    return Flow.load(FLOW_DEFINITIONS / f"{name}.json")


def run(of: Flow, keys: list[str], world: Environment, step_limit: int = 1_000) -> list[Event]:
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
@settings(deadline=None)
@given(keys=ANY_KEYS, world=WORLDS)
def test_calls_through_the_flow_definitions_have_only_predicted_values(
    name: str, keys: list[str], world: Environment
) -> None:
    found = {
        attribute: ReachingValues(own_flow(name), attribute).values()
        for attribute in ("call_route", "call_completed")
    }
    for stop, attribute, value in observed(run(own_flow(name), keys, world)):
        assert value in found[attribute][stop]


@settings(deadline=None)
@given(document=flow_documents(), keys=st.lists(ANY_KEYS, min_size=1, max_size=4), world=WORLDS)
def test_calls_through_generated_flows_have_only_predicted_values(
    document: dict[str, Any], keys: list[list[str]], world: Environment
) -> None:
    of = Flow.parse(json.dumps(document), "x.json")
    found = {
        attribute: ReachingValues(of, attribute).values() for attribute in ("call_route", "call_completed")
    }
    for keys_of_call in keys:
        for stop, attribute, value in observed(run(of, keys_of_call, world, step_limit=100)):
            assert value in found[attribute][stop]


@settings(deadline=None, max_examples=200)
@given(document=flow_documents(), keys=ANY_KEYS, first=st.integers(1, 5))
def test_calls_with_failing_attribute_blocks_have_only_predicted_values_if_failures_are_followed(
    document: dict[str, Any], keys: list[str], first: int
) -> None:
    of = Flow.parse(json.dumps(document), "x.json")
    fails = {"UpdateContactAttributes": ["NoMatchingError"] * first}
    found = {
        attribute: ReachingValues(of, attribute).values(failures=True)
        for attribute in ("call_route", "call_completed")
    }
    for stop, attribute, value in observed(
        run(of, keys, Environment(responses={"errors": fails}), step_limit=100)
    ):
        assert value in found[attribute][stop]


def test_a_comparison_of_the_attribute_separates_its_values() -> None:
    flow = flow_of(
        menu("main", k1="one", k2="two", k3="check"),
        set_attributes("one", "check", call_route="1"),
        set_attributes("two", "check", call_route="2"),
        compare("check", "$.Attributes.call_route", "others", k1="first", k9="never"),
        message("first", "end"),
        message("others", "end"),
        message("never", "end"),
    )
    routes = analyze(flow).routes
    assert routes["first"] == {"1"}
    assert routes["others"] == {"2", None}
    assert routes["never"] == set()
    assert "never" in analyze(flow).reached
