"""Properties of every tracked flow, and flows with which to check them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence, Set
from functools import cache
from typing import Any

from hypothesis import strategies as st

from callroute.flows.attribute_flow import (
    ARM,
    CALL_FLOW,
    COMPLETED,
    FLOW_VERSION,
    ROUTE,
    Dynamic,
    Stop,
    analyze,
    attributes_of,
    inherits,
)
from callroute.flows.flow import Block, Flow
from callroute.flows.lint import RULES, check
from callroute.flows.simulation import Call, Event
from callroute.flows.simulation.events import AttributesSet, Ended
from callroute.flows.tracking import TrackedFlow
from callroute.flows.tracking_blocks import PREFIX, strip_tracking
from tests.flows.every_call import Stage, every_call
from tests.flows.generated import flow_documents
from tests.flows.tracking.builders import block, compare, flow_from, queue, set_attributes, tracked
from tests.support.paths import FLOW_DEFINITIONS

MANUALLY_TRACKED = ("call_route.json", "call_route_with_operator.json")
ERRORS = {rule.id for rule in RULES if rule.severity == "error"}
IDENTIFIER = r"[^%:()\\/=$,;\[\]{}]{1,50}"
# Smaller than the block size that tracking assumes.
WIDTH, HEIGHT = 200, 140

# --- Flows -----------------------------------------------------------------------------------------------------------


@cache
def manually_tracked(name: str) -> Flow:
    """Returns a flow from this repository, which has manual tracking."""
    return Flow.load(FLOW_DEFINITIONS / name)


@cache
def untracked(name: str) -> Flow:
    """Returns a flow from this repository without its tracking."""
    return without_manual_tracking(manually_tracked(name))


@cache
def retracked(name: str) -> Flow:
    """Returns a flow from this repository with generated tracking instead of manual tracking."""
    return flow_from(tracked(untracked(name)))


def without_manual_tracking(flow: Flow) -> Flow:
    """Removes the blocks that set only tracking attributes."""
    document = copy.deepcopy(dict(flow.document))
    removed = {
        block.identifier: block.target("next") or ""
        for block in flow.blocks.values()
        if attributes_of(block) and set(attributes_of(block)) <= {ROUTE, COMPLETED, CALL_FLOW, FLOW_VERSION}
    }

    def skip(target: str) -> str:
        return skip(removed[target]) if target in removed else target

    document["StartAction"] = skip(flow.start)
    document["Actions"] = [each for each in document["Actions"] if each["Identifier"] not in removed]
    for branch in json_branches(document):
        branch["NextAction"] = skip(branch["NextAction"])
    for name in removed:
        del document["Metadata"]["ActionMetadata"][name]
    return Flow.parse(json.dumps(document), flow.source)


def json_branches(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns all JSON objects in a document that have a NextAction."""
    found = []
    for each in document["Actions"]:
        transitions = each["Transitions"]
        found += [transitions, *transitions.get("Conditions", ()), *transitions.get("Errors", ())]
    return [branch for branch in found if "NextAction" in branch]


@st.composite
def any_flow(draw: st.DrawFn) -> Flow:
    """Generates a flow with all kinds of blocks that tracking handles."""
    document = draw(flow_documents())
    for each in document["Actions"]:
        if each["Type"] != "MessageParticipant":
            continue
        name, branches = each["Identifier"], each["Transitions"]
        then, error = branches["NextAction"], branches["Errors"][0]["NextAction"]
        changed = draw(
            st.sampled_from(
                (
                    each,
                    each,
                    queue(name, then),
                    block(
                        name,
                        "ConnectParticipantWithLexBot",
                        then,
                        {"Yes": then, "No": error},
                        {"NoMatchingCondition": then, "NoMatchingError": error},
                        Text=name,
                        LexV2Bot={"AliasArn": "bot"},
                    ),
                    block(
                        name,
                        "GetParticipantInput",
                        then,
                        errors={"NoMatchingError": error},
                        Text=name,
                        StoreInput="True",
                        InputTimeLimitSeconds="5",
                        InputValidation={"CustomValidation": {"MaximumLength": "2"}},
                    ),
                    compare(name, "$.StoredCustomerInput", then, k1=error, k2=then),
                    compare(name, "$.External.found", then, yes=error),
                    compare(name, "$.Attributes.kind", then, vip=error),
                    set_attributes(name, then, kind="vip"),
                    block(
                        name,
                        "InvokeLambdaFunction",
                        then,
                        errors={"NoMatchingError": error},
                        LambdaFunctionARN="function",
                    ),
                    block(
                        name,
                        "UpdateContactTargetQueue",
                        then,
                        errors={"NoMatchingError": error},
                        QueueId="queue",
                    ),
                    block(
                        name, "InvokeFlowModule", then, errors={"NoMatchingError": error}, FlowModuleId="m"
                    ),
                    compare(name, "$.Attributes.call_route", then, k1=error),
                    block(
                        name,
                        "TransferParticipantToThirdParty",
                        then,
                        errors=dict.fromkeys(
                            ("CallFailed", "ConnectionTimeLimitExceeded", "NoMatchingError"), error
                        ),
                        ThirdPartyPhoneNumber="+12065550100",
                        ThirdPartyConnectionTimeLimitSeconds="30",
                        ContinueFlowExecution="True",
                    ),
                    block(
                        name, "TransferToFlow", then, errors={"NoMatchingError": error}, ContactFlowId="flow"
                    ),
                )
            )
        )
        each.update(changed)
    return flow_from(document)


# --- Properties ------------------------------------------------------------------------------------------------------


def assert_sound(flow: Flow, result: TrackedFlow, names: str | None = None) -> Flow:
    """Asserts that tracking adds no lint findings, is stable and can be removed to restore the original flow."""
    after = flow_from(result)
    rules_before = {finding.rule for finding in check(flow)}
    rules_after = {finding.rule for finding in check(after, result.catalog)}
    assert not rules_after & {"not-tracked", "untracked-stop", "completion-unset", "unset-route"}
    assert not (rules_after - rules_before) & (
        ERRORS | {"completed-too-early", "unreachable-block", "dead-end"}
    )
    assert_stable(after, result, names)

    bare, blocks = strip_tracking(after)
    if not any(name.startswith(PREFIX) for name in flow.blocks):
        assert json.dumps(bare.document) == json.dumps(dict(flow.document) | _metadata(flow, bare))
        assert len(blocks) == result.blocks
    assert all(re.fullmatch(IDENTIFIER, name) for name in blocks)
    return after


def assert_stable(after: Flow, result: TrackedFlow, names: str | None = None) -> None:
    """Asserts that a second run changes nothing."""
    second = tracked(after, names, result.catalog)
    assert json.dumps(second.document) == json.dumps(result.document)
    assert second.catalog == result.catalog
    assert second.added == 0


def _metadata(flow: Flow, bare: Flow) -> dict[str, Any]:
    """Returns the metadata after removal, which may still contain positions of tracking blocks."""
    metadata = copy.deepcopy(bare.document.get("Metadata"))
    if not isinstance(metadata, dict):
        return {}
    for name in list(metadata.get("ActionMetadata", {})):
        if name.startswith(PREFIX):
            del metadata["ActionMetadata"][name]
    assert json.dumps(metadata) == json.dumps(flow.document["Metadata"])
    return {"Metadata": bare.document["Metadata"]}


def visible_events(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    """Returns the events outside tracking blocks, without the attributes of the call."""
    fields = ("text", "key", "open", "error", "value", "queue", "reason", "during")
    return [
        (
            type(event).__name__,
            event.block,
            *(getattr(event, name) for name in fields if hasattr(event, name)),
        )
        for event in events
        if not event.block.startswith(PREFIX)
    ]


def assert_unchanged_for_callers(before: Flow, after: Flow) -> None:
    """Asserts that calls differ only in tracking attributes, whose values must match the analysis."""
    stage_before, stage_after = Stage(before), Stage(after)
    tracking_blocks = after.blocks.keys() - before.blocks.keys()
    # Attributes that tracking sets, and copies that the flow makes of them.
    tracking = {ROUTE, COMPLETED, CALL_FLOW, FLOW_VERSION, ARM}
    tracking |= {
        name
        for block in before.blocks.values()
        for name, value in attributes_of(block).items()
        if value in (f"$.Attributes.{ROUTE}", f"$.Attributes.{COMPLETED}")
    }
    stops = {stop.block.identifier: stop for stop in analyze(after).stops}
    for planned in every_call(before).planned:
        events_before, call_before = planned.play(stage_before)
        events_after, call_after = planned.play(stage_after)
        assert visible_events(events_before) == visible_events(events_after)
        events_on_failure, _ = planned.where_fails(tracking_blocks).play(stage_after)
        assert visible_events(events_before) == visible_events(events_on_failure)
        own = call_before.attributes.keys() - tracking
        assert call_after.attributes.keys() - tracking == own
        assert all(call_after.attributes[name] == call_before.attributes[name] for name in own)
        assert [leg.disconnect_reason for leg in (call_before, *call_before.legs)] == [
            leg.disconnect_reason for leg in (call_after, *call_after.legs)
        ]
        if inherits(before):
            continue  # the calling flow sets the route
        if any(_may_set(before.blocks[name], tracking) for name in planned.journey.failed):
            continue  # a manual block that sets the route failed
        assert_every_stop_has_a_route(events_after)
        stop = stops.get(planned.journey.here)
        if stop is not None:
            assert_analysis_matches(stop, call_after)


def _may_set(block: Block, attributes: Set[str]) -> bool:
    return any(name in attributes or name.startswith("$.") for name in attributes_of(block))


def assert_every_stop_has_a_route(events: Sequence[Event]) -> None:
    route = None
    for event in events:
        if isinstance(event, AttributesSet):
            route = event.attributes.get(ROUTE, route)
        elif hasattr(event, "text") or isinstance(event, Ended):
            assert route, f"the caller reached {event.block} without a route"


def assert_analysis_matches(stop: Stop, call: Call) -> None:
    """Asserts that the analysis lists the final values of a call for its last stop."""
    for name, values in ((ROUTE, stop.routes), (COMPLETED, stop.completed)):
        assert call.attributes.get(name) in values or any(isinstance(value, Dynamic) for value in values)


def positions(flow: Flow) -> dict[str, tuple[float, float]]:
    return {
        name: (each["position"]["x"], each["position"]["y"])
        for name, each in flow.document.get("Metadata", {}).get("ActionMetadata", {}).items()
        if "position" in each
    }


def assert_positions(before: Flow, after: Flow) -> None:
    """Asserts that no block has moved and that new blocks have positions without overlaps."""
    old, new = positions(before), positions(after)
    assert old == {name: position for name, position in new.items() if name in old}
    if not old:
        assert new == {}
        return
    added = new.keys() - old.keys()
    assert added == {name for name in after.blocks if name.startswith(PREFIX)}
    for name in added:
        for other, (x, y) in new.items():
            overlap = abs(new[name][0] - x) < WIDTH and abs(new[name][1] - y) < HEIGHT
            assert other == name or not overlap, (name, other)
