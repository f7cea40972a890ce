"""Tests the flows in flow_definitions: Connect must accept them, and every stop must have a distinct route.

This module implements Connect's requirements independently of the lint rules. The sources are the documentation and
published live requests, because CreateContactFlow names neither the block nor the property when it rejects a flow.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from callroute.flows.flow import Block, Flow
from callroute.flows.placeholders import names
from callroute.flows.route_catalog import RouteCatalog
from tests.support.paths import FLOW_DEFINITIONS

FLOWS = sorted(FLOW_DEFINITIONS.glob("*.json"))
STOPS = {"MessageParticipant", "GetParticipantInput", "TransferContactToQueue"}

each_flow = pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)

# Required parameters, optional parameters, required error branches and optional error branches, by block type.
RULES: dict[str, tuple[set[str], set[str], set[str], set[str]]] = {
    "UpdateFlowLoggingBehavior": ({"FlowLoggingBehavior"}, set(), set(), set()),
    "UpdateContactTextToSpeechVoice": (
        {"TextToSpeechVoice"},
        {"TextToSpeechEngine", "TextToSpeechStyle"},
        set(),
        {"NoMatchingError"},
    ),
    "UpdateContactAttributes": ({"Attributes", "TargetContact"}, set(), {"NoMatchingError"}, set()),
    "MessageParticipant": ({"Text"}, set(), set(), {"NoMatchingError"}),
    "GetParticipantInput": (
        {"Text", "StoreInput", "InputTimeLimitSeconds"},
        set(),
        {"NoMatchingCondition", "NoMatchingError", "InputTimeLimitExceeded"},
        set(),
    ),
    "Loop": ({"LoopCount"}, set(), set(), {"NoMatchingError"}),
    "CheckHoursOfOperation": (set(), {"HoursOfOperationId"}, {"NoMatchingError"}, set()),
    "UpdateContactTargetQueue": ({"QueueId"}, set(), {"NoMatchingError"}, set()),
    "TransferContactToQueue": (set(), set(), {"QueueAtCapacity", "NoMatchingError"}, set()),
    "DisconnectParticipant": (set(), set(), set(), set()),
}
CONDITIONS = {"Loop": {"ContinueLooping", "DoneLooping"}, "CheckHoursOfOperation": {"True", "False"}}
TERMINAL = {"DisconnectParticipant"}
FORBIDDEN_IDENTIFIERS = {"__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"}


def violations(text: str) -> Iterator[str]:
    """Yields the reasons why Connect would reject a flow."""
    flow = json.loads(text)
    if len(text) > 256_000:
        yield "content too long"
    if set(flow) != {"Version", "StartAction", "Metadata", "Actions"} or flow["Version"] != "2019-10-30":
        yield "top level"
    if len(flow["Actions"]) > 250:
        yield "too many actions"
    identifiers = [action["Identifier"] for action in flow["Actions"]]
    if len(set(identifiers)) != len(identifiers) or flow["StartAction"] not in identifiers:
        yield "identifiers"
    for action in flow["Actions"]:
        name = action["Identifier"]
        if (
            not 1 <= len(name) <= 50
            or re.search(r"[%:(\\/)=$,;\[\]{}]", name)
            or name in FORBIDDEN_IDENTIFIERS
        ):
            yield f"{name}: identifier"
        yield from (f"{name}: {fault}" for fault in block_faults(action, set(identifiers)))


def block_faults(action: dict[str, Any], identifiers: set[str]) -> Iterator[str]:
    if set(action) != {"Identifier", "Type", "Parameters", "Transitions"}:
        yield "keys"
    kind, parameters, transitions = action["Type"], action["Parameters"], action["Transitions"]
    required, allowed, errors_required, errors_allowed = RULES[kind]
    if not required <= set(parameters) <= required | allowed:
        yield "parameters"
    for scalar in scalars([parameters, transitions]):
        if not isinstance(scalar, str):
            yield f"{scalar!r} is not a string"
        elif not scalar:
            yield "empty string"
    if len(parameters.get("Text", "")) > 3000:
        yield "text too long"
    errors = [branch["ErrorType"] for branch in transitions.get("Errors", [])]
    if (
        len(set(errors)) != len(errors)
        or not errors_required <= set(errors) <= errors_required | errors_allowed
    ):
        yield "error branches"
    conditions = [branch["Condition"] for branch in transitions.get("Conditions", [])]
    operands = [operand for condition in conditions for operand in condition["Operands"]]
    if kind == "GetParticipantInput":
        if not operands or len(set(operands)) != len(operands) or not set(operands) <= set("0123456789*#"):
            yield "keys of the menu"
        if (
            parameters.get("StoreInput") != "False"
            or not str(parameters.get("InputTimeLimitSeconds")).isdigit()
        ):
            yield "settings of the menu"
    elif set(operands) != CONDITIONS.get(kind, set()) or len(operands) != len(set(operands)):
        yield "conditions"
    if any(condition["Operator"] != "Equals" or len(condition["Operands"]) != 1 for condition in conditions):
        yield "operators"
    if (transitions == {}) != (kind in TERMINAL):
        yield "transitions"
    if kind not in TERMINAL and "NextAction" not in transitions:
        yield "NextAction"
    branches = [transitions, *transitions.get("Conditions", []), *transitions.get("Errors", [])]
    if any("NextAction" in branch and branch["NextAction"] not in identifiers for branch in branches):
        yield "dangling branch"
    if kind == "UpdateContactAttributes" and parameters.get("TargetContact") not in {"Current", "Related"}:
        yield "target contact"


def scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner)
    else:
        yield value


def test_both_flows_exist() -> None:
    assert [path.name for path in FLOWS] == ["call_route.json", "call_route_with_operator.json"]


@each_flow
def test_connect_would_accept_the_flow(path: Path) -> None:
    assert list(violations(path.read_text(encoding="utf-8"))) == []


def block(flow: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(action for action in flow["Actions"] if action["Type"] == kind)
    return found


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda f: f.update(modules=[]), "top level"),
        (lambda f: f.update(StartAction="gone"), "identifiers"),
        (lambda f: block(f, "DisconnectParticipant").update(Identifier="a/b"), "a/b: identifier"),
        (lambda f: block(f, "DisconnectParticipant").update(Identifier="x" * 51), "identifier"),
        (lambda f: block(f, "MessageParticipant")["Parameters"].update(Text=""), "empty string"),
        (lambda f: block(f, "Loop")["Parameters"].update(LoopCount=3), "3 is not a string"),
        (lambda f: block(f, "UpdateContactAttributes")["Parameters"].pop("TargetContact"), "parameters"),
        (lambda f: block(f, "UpdateContactAttributes")["Parameters"].update(Extra="x"), "parameters"),
        (lambda f: block(f, "UpdateContactAttributes")["Transitions"].pop("Errors"), "error branches"),
        (
            lambda f: block(f, "UpdateFlowLoggingBehavior")["Transitions"].update(
                Errors=[{"NextAction": "disconnect", "ErrorType": "NoMatchingError"}]
            ),
            "error branches",
        ),
        (lambda f: block(f, "Loop")["Transitions"]["Conditions"].pop(), "conditions"),
        (lambda f: block(f, "Loop")["Transitions"].pop("NextAction"), "NextAction"),
        (lambda f: block(f, "GetParticipantInput")["Transitions"]["Errors"].pop(), "error branches"),
        (lambda f: block(f, "GetParticipantInput")["Transitions"].pop("Conditions"), "keys of the menu"),
        (
            lambda f: block(f, "DisconnectParticipant")["Transitions"].update(NextAction="start"),
            "transitions",
        ),
        (
            lambda f: block(f, "MessageParticipant")["Transitions"].update(NextAction="gone"),
            "dangling branch",
        ),
    ],
)
def test_each_violation_is_found(change: Callable[[dict[str, Any]], object], fault: str) -> None:
    flow = copy.deepcopy(
        json.loads((FLOW_DEFINITIONS / "call_route_with_operator.json").read_text(encoding="utf-8"))
    )
    change(flow)
    assert any(fault in found for found in violations(json.dumps(flow)))


@each_flow
def test_no_blocks_overlap_in_the_flow_designer(path: Path) -> None:
    flow = json.loads(path.read_text(encoding="utf-8"))
    metadata = flow["Metadata"]
    assert set(metadata["entryPointPosition"]) == {"x", "y"}
    assert set(metadata["ActionMetadata"]) == {action["Identifier"] for action in flow["Actions"]}
    # A block is about 200 units wide, and each branch adds a line to its height.
    boxes = []
    for action in flow["Actions"]:
        position = metadata["ActionMetadata"][action["Identifier"]]["position"]
        assert set(position) == {"x", "y"}
        transitions = action["Transitions"]
        lines = len(transitions.get("Conditions", [])) + len(transitions.get("Errors", [])) + 1
        boxes.append((action["Identifier"], position["x"], position["y"], 200, 80 + 30 * lines))
    for (one, x1, y1, w1, h1), (other, x2, y2, w2, h2) in combinations(boxes, 2):
        apart = x1 + w1 <= x2 or x2 + w2 <= x1 or y1 + h1 <= y2 or y2 + h2 <= y1
        assert apart, f"{one} and {other} overlap"
    assert all(x >= 0 and y >= 0 for _, x, y, *_ in boxes)


@each_flow
def test_every_block_can_be_reached(path: Path) -> None:
    flow = Flow.load(path)
    reached, frontier = set(), [flow.start]
    while frontier:
        here = frontier.pop()
        if here not in reached:
            reached.add(here)
            frontier += [branch.target for branch in flow.blocks[here].branches]
    assert reached == set(flow.blocks)


def attributes_set(block: Block) -> dict[str, str]:
    """Returns the contact attributes that a block sets."""
    values = block.parameters["Attributes"] if block.type == "UpdateContactAttributes" else {}
    return dict(values)


@each_flow
def test_a_failed_attribute_block_does_not_change_the_path(path: Path) -> None:
    for block in Flow.load(path).blocks.values():
        if attributes_set(block):
            assert block.target("error", "NoMatchingError") == block.target("next"), block.identifier


@each_flow
def test_the_catalog_lists_exactly_the_routes_that_the_flow_sets(path: Path) -> None:
    catalog = RouteCatalog.beside(path)
    assert catalog is not None
    blocks = [attributes_set(block) for block in Flow.load(path).blocks.values()]
    assert {block["call_route"] for block in blocks if "call_route" in block} == set(catalog.routes)
    assert {block.get("call_flow") for block in blocks} - {None} == {catalog.call_flow} - {None}
    assert catalog.flow == path.name


@each_flow
def test_the_catalog_declares_exactly_the_placeholders_that_the_flow_uses(path: Path) -> None:
    catalog = RouteCatalog.beside(path)
    assert catalog is not None
    assert set(names(path.read_text(encoding="utf-8"))) == set(catalog.placeholders)


def attributes_at(flow: Flow, attribute: str) -> dict[str, set[str | None]]:
    """Returns the values that an attribute can have in each block if every block that sets it succeeds."""
    found: dict[str, set[str | None]] = {identifier: set() for identifier in flow.blocks}
    frontier: list[tuple[str, str | None]] = [(flow.start, None)]
    while frontier:
        here, value = frontier.pop()
        value = attributes_set(flow.blocks[here]).get(attribute, value)
        if value not in found[here]:
            found[here].add(value)
            frontier += [(branch.target, value) for branch in flow.blocks[here].branches]
    return found


@each_flow
def test_route_and_completion_are_set_before_the_first_prompt(path: Path) -> None:
    flow = Flow.load(path)
    for attribute in ("call_route", "call_completed"):
        values = attributes_at(flow, attribute)
        for stop in (block for block in flow.blocks.values() if block.type in STOPS):
            assert None not in values[stop.identifier], f"{stop.identifier} is reached without {attribute}"


@each_flow
def test_every_route_identifies_one_place(path: Path) -> None:
    flow = Flow.load(path)
    places: dict[str | None, set[str]] = {}
    for identifier, routes in attributes_at(flow, "call_route").items():
        if flow.blocks[identifier].type in STOPS:
            for route in routes:
                # A menu and the notice that leads back to it count as the same place.
                places.setdefault(route, set()).add(identifier.replace("notice-", "menu-"))
    assert {route: stops for route, stops in places.items() if len(stops) > 1} == {}


@each_flow
def test_calls_are_completed_in_the_queue_but_not_in_menus(path: Path) -> None:
    flow = Flow.load(path)
    completed = attributes_at(flow, "call_completed")
    for block in flow.blocks.values():
        if block.type == "GetParticipantInput":
            assert completed[block.identifier] == {"false"}, block.identifier
        if block.type == "TransferContactToQueue":
            assert completed[block.identifier] == {"true"}, block.identifier


@each_flow
def test_logging_and_the_voice_are_set_before_the_first_prompt(path: Path) -> None:
    flow = Flow.load(path)
    first = flow.blocks[flow.blocks[flow.start].target("next") or ""]  # after the block that sets the version
    second = flow.blocks[first.target("next") or ""]
    assert (first.type, first.parameters["FlowLoggingBehavior"]) == ("UpdateFlowLoggingBehavior", "Enabled")
    assert second.parameters == {"TextToSpeechVoice": "Kazuha", "TextToSpeechEngine": "Neural"}
