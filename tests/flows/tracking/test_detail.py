"""Tests the detail that tracking records on request: visited stops and trouble."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from callroute.errors import InputError
from callroute.flows.attribute_flow import ARM, FLOW_VERSION, ROUTE, analyze, attributes_of, inherits
from callroute.flows.flow import MAX_BLOCKS, Flow
from callroute.flows.lint import check
from callroute.flows.references import whole
from callroute.flows.simulation import Environment, SimulationError
from callroute.flows.simulation.events import Ended
from callroute.flows.tracking import RouteNames, TrackedFlow, add_tracking
from callroute.flows.tracking_blocks import PREFIX, flow_version, stop_of_key, strip_tracking
from tests.flows.every_call import Stage, every_call
from tests.flows.tracking import detail_replay
from tests.flows.tracking.builders import (
    TWO_LEVELS,
    block,
    flow_from,
    flow_of,
    menu,
    message,
    set_attributes,
    simulated,
    tracked,
)
from tests.flows.tracking.invariants import (
    ERRORS,
    MANUALLY_TRACKED,
    any_flow,
    manually_tracked,
    positions,
    visible_events,
)
from tests.support import corpus

CORPUS_FLOWS = corpus.readable_flows()
EMPTY, FAILS = Environment(), Environment(missing_attributes_fail=True)


def detailed(flow: Flow, *without: str, detail: bool | None = True, fit: bool = False) -> TrackedFlow:
    return add_tracking(flow, file="x.json", call_flow="x", detail=detail, without=without, fit=fit)


def unnameable(flow: Flow) -> list[str]:
    """Returns the routes of a tracked flow that cannot be part of an attribute's name."""
    routes = {attributes_of(each).get(ROUTE) for each in flow.blocks.values()}
    return sorted(
        route
        for route in routes
        if isinstance(route, str) and not route.startswith("$") and not re.fullmatch("[A-Za-z0-9_-]+", route)
    )


def path_of(flow: Flow, *keys: str, environment: Environment = EMPTY) -> detail_replay.Path:
    _, call = simulated(flow_from(detailed(flow)), *keys, environment=environment)
    assert call is not None
    return detail_replay.from_attributes(call.attributes)


# --- Any flow --------------------------------------------------------------------------------------------------------


def assert_detail_is_right(flow: Flow) -> None:
    """Asserts that detail changes nothing for callers, can be removed, and agrees with a replay of each call."""
    plain = tracked(flow)
    before = flow_from(plain)
    without = unnameable(before)
    result = detailed(flow, *without)
    after = flow_from(result)

    again = detailed(after, detail=None)
    assert json.dumps(again.document) == json.dumps(result.document)
    assert again.added == 0
    assert again.blocks == result.blocks
    removed = detailed(after, detail=False)
    assert json.dumps(removed.document) == json.dumps(plain.document)
    assert strip_tracking(after)[0].blocks == strip_tracking(before)[0].blocks
    rules = {finding.rule for finding in check(after)} - {finding.rule for finding in check(before)}
    assert not rules & (ERRORS | {"unreachable-block", "dead-end", "outdated-version"})
    assert [(stop.block.identifier, stop.routes, stop.completed) for stop in analyze(after).stops] == [
        (stop.block.identifier, stop.routes, stop.completed) for stop in analyze(before).stops
    ]
    for fails in (False, True):
        assert_calls_agree(flow, before, after, set(without), fails=fails)


def assert_calls_agree(flow: Flow, before: Flow, after: Flow, left_out: set[str], *, fails: bool) -> None:
    stage_before, stage_after = Stage(before), Stage(after)
    added = {
        name
        for name, each in after.blocks.items()
        if name.startswith(PREFIX) and each.labels("error") == ("NoMatchingError",)
    }
    for planned in every_call(flow).planned:
        planned = replace(planned, environment=replace(planned.environment, missing_attributes_fail=fails))
        try:
            events_before, call_before = planned.play(stage_before)
        except SimulationError:
            continue  # the call was planned for the other behavior of AWS
        if isinstance(last := events_before[-1], Ended) and last.during == "step limit":
            continue  # the caller is in an endless loop
        events_after, call_after = planned.play(stage_after)
        assert visible_events(events_before) == visible_events(events_after)
        if not fails:
            events_on_failure, _ = planned.where_fails(added).play(stage_after)
            assert visible_events(events_before) == visible_events(events_on_failure)
        if _sets_a_route(before, planned.journey.failed):
            continue  # the previous route of a block that fails is recorded, and the first one may be missing
        own = [name for name in call_after.attributes if not name.startswith("call_")]
        assert {name: call_before.attributes.get(name) for name in own} == {
            name: call_after.attributes[name] for name in own
        }
        assert call_after.attributes.get(ROUTE) == call_before.attributes.get(ROUTE)
        expected = detail_replay.from_events(before, events_before, planned.environment.attributes.get(ROUTE))
        found = detail_replay.from_attributes(call_after.attributes)
        assert expected.stops - left_out <= found.stops
        assert found.stops <= expected.stops | {call_before.attributes.get(ROUTE)}
        known = set(_routes(before)) - left_out
        assert found.trouble == {stop: each for stop, each in expected.trouble.items() if stop in known}
        if not left_out and not inherits(before) and found.last_visits:
            assert found.last_visits[-1] == expected.last_visits[-1]


def _sets_a_route(flow: Flow, blocks: set[str]) -> bool:
    return any(ROUTE in attributes_of(flow.blocks[name]) for name in blocks if name in flow.blocks)


def _routes(flow: Flow) -> Iterator[str]:
    for each in flow.blocks.values():
        if ROUTE in attributes_of(each):
            yield str(attributes_of(each)[ROUTE])


@settings(deadline=None, max_examples=25)  # each example simulates every call of a flow in four ways
@given(flow=any_flow())
def test_detail_of_any_flow_agrees_with_a_replay_and_changes_nothing_for_callers(flow: Flow) -> None:
    compares_route = "$.Attributes.call_route" in [
        each.parameters.get("ComparisonValue") for each in flow.blocks.values()
    ]
    if not compares_route:
        assert_detail_is_right(flow)


@pytest.mark.skipif(not CORPUS_FLOWS, reason=corpus.MISSING)
@pytest.mark.parametrize("path", CORPUS_FLOWS, ids=lambda path: path.stem)
def test_detail_of_every_corpus_flow_agrees_with_a_replay(path: Path) -> None:
    flow = Flow.load(path)
    try:
        assert_detail_is_right(flow)
    except InputError as error:
        assert "Leave out" in str(error)  # noqa: PT017 - the flow is too large


# --- Stops and trouble -----------------------------------------------------------------------------------------------

RETRIED = flow_of(
    menu("main", "sorry", k1="sub", k9="end"),
    message("sorry", "main"),
    menu("sub", "sub sorry", k1="end", k9="main"),
    message("sub sorry", "sub"),
)


@pytest.mark.parametrize("environment", [EMPTY, FAILS], ids=["empty value", "error branch"])
def test_stops_and_trouble_are_counted_whatever_a_missing_attribute_does(environment: Environment) -> None:
    path = path_of(
        RETRIED, "timeout", "5", "timeout", "1", "7", "7", "7", "7", "hangup", environment=environment
    )
    assert path.last_visits == ["start", "1"]
    assert path.stops == {"start", "1"}
    assert path.trouble == {"start": {"silence": 2, "wrong_key": 1}, "1": {"wrong_key": 3}}


def test_each_number_of_silences_up_to_three_is_counted() -> None:
    for times in range(6):
        expected = {"start": {"silence": min(times, 3)}} if times else {}
        assert path_of(RETRIED, *["timeout"] * times, "hangup").trouble == expected


def test_the_first_stop_is_not_lost_when_its_successor_is_visited_again() -> None:
    flow = flow_of(menu("main", k1="one"), menu("one", k1="two"), menu("two", k1="one", k2="end"))
    path = path_of(flow, "1", "1", "1", "hangup")
    assert path.stops == {"start", "1", "1-1"}
    assert path.last_visits == ["1-1", "1"]


def test_a_retry_through_a_shared_message_does_not_record_the_stop_as_its_own_predecessor() -> None:
    # Callers of both menus hear the same message and then return to the first menu.
    flow = flow_of(menu("main", "sorry", k1="sub"), menu("sub", "sorry", k1="end"), message("sorry", "main"))
    result = flow_from(detailed(flow))
    assert "track-again-to-main" in result.blocks
    assert path_of(flow, "1", "timeout", "timeout", "hangup").last_visits == ["1", "start"]


def test_an_error_of_an_input_block_is_counted() -> None:
    environment = Environment(responses={"errors": {"main": ["NoMatchingError"]}})
    assert path_of(RETRIED, "hangup", environment=environment).trouble == {"start": {"error": 1}}


def test_trouble_at_a_block_with_several_routes_is_counted_at_the_current_one() -> None:
    flow = flow_of(
        menu("main", k1="one", k2="two"),
        set_attributes("one", "input", call_route="a"),
        set_attributes("two", "input", call_route="b"),
        block(
            "input",
            "GetParticipantInput",
            "end",
            errors={"NoMatchingError": "input"},
            Text="Your number",
            StoreInput="True",
            InputTimeLimitSeconds="5",
            InputValidation={"CustomValidation": {"MaximumLength": "2"}},
        ),
    )
    environment = Environment(responses={"errors": {"input": ["NoMatchingError"]}})
    assert path_of(flow, "2", "hangup", environment=environment).trouble == {"b": {"error": 1}}


@pytest.mark.parametrize("name", MANUALLY_TRACKED)
def test_a_flow_that_sets_its_own_routes_gets_detail(name: str) -> None:
    flow = manually_tracked(name)
    result = detailed(flow)
    after = flow_from(result)
    assert positions(after).keys() >= after.blocks.keys()
    assert_calls_agree(flow, flow, after, set(), fails=False)
    assert strip_tracking(after)[0].document == strip_tracking(flow)[0].document
    assert result.detail is not None
    assert result.detail.notes == ()


def test_a_route_that_is_known_only_during_a_call_has_no_detail() -> None:
    flow = flow_of(
        menu("main", k1="dynamic"),
        set_attributes("dynamic", "sub", call_route="$.External.route"),
        menu("sub", k1="main"),
    )
    detail = detailed(flow).detail
    assert detail is not None
    assert any("known only during a call" in note and "'dynamic'" in note for note in detail.notes)
    assert any("unknown route" in note and "'sub'" in note for note in detail.notes)


def test_a_module_records_where_calls_come_from_even_if_no_route_was_set() -> None:
    flow = flow_of(menu("main", k1="end"), Settings={})
    result = add_tracking(
        flow, RouteNames.parse("blocks: {main: ask}", "names.yaml"), file="x.json", call_flow="x", detail=True
    )
    for environment in (EMPTY, FAILS):
        for before, stops in (("", {"ask"}), ("hello", {"ask", "hello"})):
            attributes = {ROUTE: before} if before else {}
            _, call = simulated(
                flow_from(result), "hangup", environment=replace(environment, attributes=attributes)
            )
            assert call is not None
            assert call.attributes[ROUTE] == "ask"
            assert detail_replay.from_attributes(call.attributes).stops == stops


# --- Stops without detail, and limits --------------------------------------------------------------------------------


def test_stops_left_out_stay_left_out_until_detail_is_requested_again() -> None:
    first = detailed(TWO_LEVELS, "1")
    keys = attributes_in(flow_from(first))
    assert not any(stop_of_key(key) == "1" for key in keys)
    again = detailed(flow_from(first), detail=None)
    assert again.document == first.document
    assert detailed(flow_from(first)).document == detailed(TWO_LEVELS).document
    with pytest.raises(InputError, match="no route '3'"):
        detailed(TWO_LEVELS, "3")
    with pytest.raises(InputError, match="Add --detail"):
        detailed(TWO_LEVELS, "1", detail=None)


def test_a_new_stop_of_a_flow_with_detail_gets_detail() -> None:
    document = json.loads(json.dumps(detailed(TWO_LEVELS, "2").document))
    main = next(each for each in document["Actions"] if each["Identifier"] == "main")
    condition = {"Operator": "Equals", "Operands": ["3"]}
    main["Transitions"]["Conditions"].append({"NextAction": "deep", "Condition": condition})
    keys = attributes_in(flow_from(detailed(flow_from(document), detail=None)))
    assert "call_from_3" in keys
    assert "call_from_2" not in keys


def attributes_in(flow: Flow) -> set[str]:
    return {name for each in flow.blocks.values() for name in attributes_of(each)}


def test_a_route_that_cannot_be_part_of_an_attribute_name_is_rejected() -> None:
    flow = flow_of(menu("main", **{"k*": "sub", "k1": "end"}), menu("sub", k1="end"))
    with pytest.raises(InputError, match=re.escape("cannot contain the routes '*', '*-1'")) as error:
        detailed(flow)
    assert "--without-detail '*' --without-detail '*-1'" in error.value.fix
    detailed(flow, "*", "*-1")


def test_the_stops_to_leave_out_of_a_large_flow_are_named() -> None:
    menus = [menu(f"menu{number}", f"sorry{number}", k1=f"menu{number + 1}") for number in range(33)]
    messages = [message(f"sorry{number}", f"menu{number}") for number in range(33)]
    flow = flow_of(*menus, message("menu33", "end"), *messages)
    with pytest.raises(InputError, match=f"blocks, [0-9]+ more than the maximum of {MAX_BLOCKS}") as error:
        detailed(flow)
    found = re.match(r"Leave out ([0-9]+) of [0-9]+ stops: add --fit", error.value.fix)
    assert found, error.value.fix
    assert len(error.value.fix) < 300
    fitting = detailed(flow, fit=True)
    assert fitting.detail
    stops = fitting.detail.omitted
    assert len(stops) == int(found[1])
    assert len(fitting.document["Actions"]) <= MAX_BLOCKS
    assert detailed(flow, *stops).document == fitting.document
    assert detailed(flow_from(fitting), detail=None).document == fitting.document, "they remain left out"
    with pytest.raises(
        InputError, match=r"Leave out 1 of [0-9]+ stops, for example --without-detail "
    ) as error:
        detailed(flow, *stops[:-1])
    assert detailed(flow, *stops[:-1], error.value.fix.split()[-1].rstrip(".")).detail


def test_stops_can_be_left_out_by_a_pattern() -> None:
    flow = flow_of(menu("main", **{"k*": "end", "k1": "sub", "k2": "sub"}), menu("sub", k1="end"))
    keys = attributes_in(flow_from(detailed(flow, "1*", "*")))
    assert {stop for key in keys if (stop := stop_of_key(key))} == {"start", "2"}, (
        "the route * is not a pattern"
    )
    with pytest.raises(InputError, match=re.escape("no route '3*'")):
        detailed(flow, "3*", "[*]")


def test_attributes_that_do_not_fit_on_a_contact_are_rejected() -> None:
    keys = "0123456789"
    parts = [menu("main", **{f"k{key}": f"{key}" * 45 for key in keys})]
    parts += [menu(f"{key}" * 45, k1="end") for key in keys]
    names = {"routes": {key: key * 1_000 for key in keys}}
    route_names = RouteNames.parse(json.dumps(names), "names.yaml")
    with pytest.raises(
        InputError, match=r"bytes of attributes per contact, [0-9,]+ more than the maximum of 32,768"
    ) as error:
        add_tracking(flow_of(*parts), route_names, file="x.json", call_flow="x", detail=True)
    assert re.match("Leave out [0-9]+ of [0-9]+ stops", error.value.fix)


@pytest.mark.parametrize("environment", [EMPTY, FAILS], ids=["empty", "fails"])
def test_a_call_keeps_its_stops_if_the_block_that_sets_the_first_route_fails_once(
    environment: Environment,
) -> None:
    flow = flow_from(detailed(TWO_LEVELS))
    failing = replace(environment, responses={"errors": {flow.start: ["NoMatchingError"]}})
    (_, call), (_, usual) = (simulated(flow, "1", "1", environment=each) for each in (failing, environment))
    assert call
    assert usual
    assert call.attributes == usual.attributes


def test_the_largest_attributes_of_a_call_are_not_larger_than_the_bound() -> None:
    result = detailed(RETRIED)
    _, call = simulated(
        flow_from(result),
        *["timeout"] * 3,
        *["5"] * 3,
        "1",
        *["timeout"] * 3,
        *["5"] * 3,
        "9",
        "1",
        "9",
        "hangup",
    )
    assert call is not None
    size = sum(len(name.encode()) + len(value.encode()) for name, value in call.attributes.items())
    assert result.detail is not None
    assert size <= result.detail.attribute_bytes


def test_positions_and_the_place_of_detail_blocks_are_kept() -> None:
    document = json.loads(json.dumps(detailed(manually_tracked(MANUALLY_TRACKED[0])).document))
    document["Actions"].reverse()
    document["Metadata"]["ActionMetadata"]["track-silence-1"]["position"]["x"] += 1_000
    assert detailed(flow_from(document), detail=None).document == document


# --- Versions and arms -----------------------------------------------------------------------------------------------


def test_the_version_depends_only_on_the_flow_without_tracking() -> None:
    document = json.loads(json.dumps(detailed(TWO_LEVELS).document))
    version = flow_version(TWO_LEVELS)
    assert re.fullmatch("[0-9a-f]{12}", version)
    document["Actions"].reverse()
    document["Metadata"] = {"entryPointPosition": {"x": 1, "y": 2}}
    assert flow_version(strip_tracking(flow_from(document))[0]) == version
    next(each for each in document["Actions"] if each["Identifier"] == "deep")["Parameters"]["Text"] = "new"
    edited = strip_tracking(flow_from(document))[0]
    assert flow_version(edited) != version
    assert attributes_of(flow_from(tracked(flow_from(document))).blocks["track-start"])[FLOW_VERSION] == (
        flow_version(edited)
    )


def test_the_version_of_a_deployed_flow_is_kept() -> None:
    flow = flow_of(message("hello ${Name}", "end"))
    deployed = flow_from(json.loads(json.dumps(tracked(flow).document).replace("${Name}", "Ann")))
    result = add_tracking(deployed, file="x.json", call_flow="x", detail=True, keep_version=True)
    assert attributes_of(flow_from(result).blocks["track-start"])[FLOW_VERSION] == flow_version(flow)


def split(name: str, *targets: str) -> dict[str, Any]:
    """Returns a block that distributes calls evenly."""
    *others, last = targets
    conditions = [
        {
            "NextAction": target,
            "Condition": {
                "Operator": "NumberLessThan",
                "Operands": [str(1 + 100 * number // len(targets))],
            },
        }
        for number, target in enumerate(others, 1)
    ]
    found = block(name, "DistributeByPercentage", last, errors={"NoMatchingCondition": last})
    found["Transitions"]["Conditions"] = conditions
    return found


def test_each_branch_of_a_percentage_block_sets_an_arm() -> None:
    flow = flow_of(split("greeting", "short", "long"), message("short", "end"), message("long", "end"))
    result = flow_from(tracked(flow))
    for drawn, arm in ((1, "greeting-1"), (50, "greeting-1"), (51, "greeting-2")):
        environment = Environment(responses={"split": {"greeting": drawn}})
        _, call = simulated(result, environment=environment)
        assert call is not None
        assert call.attributes[ARM] == arm


def test_renamed_arms_are_kept_and_new_ones_are_different() -> None:
    uuid = "0a241baa-fd33-462e-b139-770784784819"
    document = json.loads(
        json.dumps(
            tracked(
                flow_of(split(uuid, "short", "long"), message("short", "end"), message("long", "end"))
            ).document
        )
    )
    arms = {
        each["Identifier"]: each["Parameters"]["Attributes"]
        for each in document["Actions"]
        if ARM in json.dumps(each)
    }
    assert [values[ARM] for values in arms.values() if ARM in values] == ["split1-1", "split1-2"]
    next(values for values in arms.values() if values.get(ARM) == "split1-1")[ARM] = "short"
    again = tracked(flow_from(document))
    assert again.document == document
    # A new branch between the two others gets an arm that is not in use.
    branches = next(each for each in document["Actions"] if each["Identifier"] == uuid)["Transitions"]
    branches["Conditions"].append(
        {"NextAction": "long", "Condition": {"Operator": "NumberLessThan", "Operands": ["76"]}}
    )
    values = [
        attributes_of(each)[ARM]
        for each in flow_from(tracked(flow_from(document))).blocks.values()
        if ARM in attributes_of(each)
    ]
    assert sorted(map(str, values)) == ["short", "split1-2", "split1-3"]


def test_a_flow_that_sets_its_own_arm_gets_none() -> None:
    flow = flow_of(split("s", "a", "b"), set_attributes("a", "end", arm="mine"), message("b", "end"))
    arms = {
        name: attributes_of(each)[ARM]
        for name, each in flow_from(tracked(flow)).blocks.items()
        if ARM in attributes_of(each)
    }
    assert arms == {"a": "mine"}


def test_the_order_in_which_a_block_sets_its_attributes_does_not_matter() -> None:
    before = {ROUTE: "start", "call_silence1_1": "0", "call_silence2_1": "0", "call_silence3_1": "1"}
    for each in flow_from(detailed(RETRIED)).blocks.values():
        given = {name: str(value) for name, value in attributes_of(each).items()}
        if not any(map(stop_of_key, given)):
            continue
        results = []
        for order in (list(given), sorted(given)):
            attributes = dict(before)
            for name in order:
                path = whole(given[name])
                attributes[name] = attributes.get(path[1], "") if path else given[name]
            results.append(attributes)
        paths = {name: whole(value) for name, value in given.items()}
        at_once = {name: before.get(path[1], "") if path else given[name] for name, path in paths.items()}
        assert results == [before | at_once] * 2
