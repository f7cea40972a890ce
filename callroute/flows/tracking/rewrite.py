"""Tracking blocks in a flow's JSON: how they look, how they are taken out and put in, and where they stand."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import hypot
from typing import TYPE_CHECKING, Any

from callroute.errors import InputError
from callroute.flows.attribute_flow import COMPLETED
from callroute.flows.block_types import NO_MATCH
from callroute.flows.flow import CONTENT_CHARACTERS, MAX_BLOCKS, Flow
from callroute.flows.lint.content import IDENTIFIER_CHARACTERS
from callroute.flows.tracking.graph import ENTRY, Way

if TYPE_CHECKING:
    from callroute.flows.flow import Block

PREFIX = "track-"

_FORBIDDEN = re.compile("[%:()\\\\/=$,;\\[\\]{}\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MARK = 6

# What a block takes in the designer, in its units: blocks there are of one width, and grow with their branches.
_WIDTH, _HEIGHT, _BRANCH, _GAP = 220, 110, 30, 20
# How many half widths a new block may stand aside of the middle between its neighbours.
_ASIDE = 4


def identifier(*parts: str) -> str:
    """A tracking block's identifier, made of its place: the same place always gives the same one.

    What Connect does not take is replaced, and what is too long is cut; a mark made of the whole then keeps it apart.
    """
    whole = PREFIX + "-".join(parts)
    usable = _FORBIDDEN.sub("_", whole)
    if usable == whole and len(whole) <= IDENTIFIER_CHARACTERS:
        return whole
    mark = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK]
    return f"{usable[: IDENTIFIER_CHARACTERS - _MARK - 1]}-{mark}"


def is_tracking(action: Block) -> bool:
    """Whether a block was put in by tracking and still only sets attributes on the way to one other block."""
    return (
        action.identifier.startswith(PREFIX)
        and action.type == "UpdateContactAttributes"
        and action.parameters.get("TargetContact") == "Current"
        and isinstance(action.parameters.get("Attributes"), Mapping)
        and {transition.kind for transition in action.branches} <= {"next", "error"}
        and len({transition.target for transition in action.branches}) == 1
    )


def strip_tracking(flow: Flow) -> tuple[Flow, dict[str, Block]]:
    """A flow without its tracking blocks, and these by identifier.

    Raises:
        InputError: the flow has nothing but tracking blocks in a circle.
    """
    ours = {action.identifier: action for action in flow.blocks.values() if is_tracking(action)}
    if not ours:
        return flow, {}

    def beyond(target: str) -> str:
        seen: set[str] = set()
        while target in ours:
            if target in seen:
                raise InputError(
                    flow.source,
                    f"block {target!r}",
                    "it leads back to itself without anything in between",
                    "Lead it to the block that is to follow",
                )
            seen.add(target)
            target = ours[target].branches[0].target
        return target

    document = copy.deepcopy(dict(flow.document))
    document["StartAction"] = beyond(flow.start)
    document["Actions"] = [block for block in document["Actions"] if block["Identifier"] not in ours]
    for block in document["Actions"]:
        for holder in _holders(block.get("Transitions") or {}):
            if "NextAction" in holder[1]:
                holder[1]["NextAction"] = beyond(holder[1]["NextAction"])
    return Flow.parse(json.dumps(document), flow.source), ours


@dataclass(slots=True)
class Node:
    """A block to be put in.

    Attributes:
        identifier: its identifier.
        attributes: what it sets.
        target: identifier of the block it leads to.
        sources: the blocks from which calls come to it.
    """

    identifier: str
    attributes: dict[str, str]
    target: str
    sources: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Wiring:
    """What is to be put into a flow.

    Attributes:
        nodes: the blocks.
        targets: where ways lead now, by way.
    """

    nodes: list[Node]
    targets: dict[Way, str]


def wire(
    taken: Iterable[str],
    on_ways: Mapping[Way, dict[str, str]],
    in_front: Mapping[Way, dict[str, str]],
    fixed: Iterable[str],
) -> Wiring:
    """Decides which blocks are needed to set attributes on ways.

    Ways that need the same in front of their common target share a block.

    Args:
        taken: identifiers that other blocks have.
        on_ways: what to set where a way begins, by way.
        in_front: what to set just before a way's target, by way; goes before what was set where it began.
        fixed: the blocks in front of which people want a route.
    """
    taken, fixed = set(taken), set(fixed)
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[Way]] = {}
    for way, attributes in in_front.items():
        groups.setdefault((way.target, tuple(sorted(attributes.items()))), []).append(way)
    wiring = Wiring([], {})

    def add(parts: tuple[str, ...], attributes: dict[str, str], target: str, sources: Iterable[str]) -> str:
        name, number = identifier(*parts), 1
        while name in taken:
            number += 1
            name = identifier(*parts, str(number))
        taken.add(name)
        wiring.nodes.append(Node(name, attributes, target, list(dict.fromkeys(sources))))
        return name

    shared: dict[Way, str] = {}
    merged: set[Way] = set()
    for (target, _), ways in groups.items():
        attributes = in_front[ways[0]]
        if len(ways) == 1 and ways[0] in on_ways and target not in fixed:
            merged.add(ways[0])  # one block can set it all
            continue
        front = add(_front_name(target, attributes, fixed), attributes, target, (way.source for way in ways))
        shared.update(dict.fromkeys(ways, front))
    for way in dict.fromkeys((*on_ways, *in_front)):
        target = shared.get(way, way.target)
        own = dict(on_ways.get(way, {}))
        if way in shared:
            own = {name: value for name, value in own.items() if name not in in_front[way]}
        if way in merged:
            own |= in_front[way]
        wiring.targets[way] = add(_way_name(way), own, target, [way.source]) if own else target
    # What is set where ways begin comes first, so that the file tells of the start before it tells of the end.
    fronts = set(shared.values())
    wiring.nodes.sort(key=lambda node: node.identifier in fronts)
    return wiring


def _way_name(way: Way) -> tuple[str, ...]:
    return ("start",) if way.source == ENTRY else (way.source, way.label)


def branch_identifier(way: Way) -> str:
    """What the block is called that sets something where a way begins."""
    return identifier(*_way_name(way))


def _front_name(target: str, attributes: Mapping[str, str], fixed: set[str]) -> tuple[str, ...]:
    if target in fixed:
        return ("at", target)
    if set(attributes) == {COMPLETED}:
        return ("done" if attributes[COMPLETED] == "true" else "undone", target)
    return ("to", target)


def place_identifier(block: str, *, fixed: bool) -> str:
    """What the block is called that sets a route in front of a block."""
    return identifier("at" if fixed else "to", block)


def insert_blocks(flow: Flow, wiring: Wiring, ours: Mapping[str, Block]) -> dict[str, Any]:
    """The flow's document with tracking blocks.

    Blocks of an earlier run that are still needed stay where they are, in the file and in the designer.

    Args:
        flow: the flow as it was given.
        wiring: what to put in, made from the flow without its tracking blocks.
        ours: the tracking blocks it has.

    Raises:
        InputError: Connect does not take so large a flow.
    """
    document: dict[str, Any] = copy.deepcopy(dict(flow.document))
    nodes = {node.identifier: node for node in wiring.nodes}
    places: dict[tuple[str, str], str] = {}
    for way, target in wiring.targets.items():
        for slot in way.slots:
            places[way.source, slot] = target
        if way.source == ENTRY:
            places[ENTRY, ""] = target

    def beyond(target: str) -> str:
        while target in ours:
            target = ours[target].branches[0].target
        return target

    document["StartAction"] = places.get((ENTRY, ""), beyond(flow.start))
    blocks = []
    for block in document["Actions"]:
        name = block["Identifier"]
        if name in ours:
            if name in nodes:
                blocks.append(_updated(block, nodes.pop(name)))
            continue
        for slot, holder in _holders(block.get("Transitions") or {}):
            if "NextAction" in holder:
                holder["NextAction"] = places.get((name, slot), beyond(holder["NextAction"]))
        blocks.append(block)
    document["Actions"] = blocks + [_updated({}, node) for node in nodes.values()]
    kept = {node.identifier for node in wiring.nodes}
    _place(document, wiring.nodes, [name for name in ours if name not in kept])
    _refuse_too_large(flow, document, len(wiring.nodes))
    return document


def _updated(block: dict[str, Any], node: Node) -> dict[str, Any]:
    parameters = block.get("Parameters", {"Attributes": {}, "TargetContact": "Current"})
    parameters["Attributes"] = node.attributes
    transitions = block.get("Transitions")
    if transitions is None:
        transitions = {
            "NextAction": node.target,
            "Errors": [{"NextAction": node.target, "ErrorType": NO_MATCH}],
        }
    for _, holder in _holders(transitions):
        if "NextAction" in holder:
            holder["NextAction"] = node.target
    return {
        **block,
        "Identifier": node.identifier,
        "Type": "UpdateContactAttributes",
        "Parameters": parameters,
        "Transitions": transitions,
    }


def _holders(transitions: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What names a target in a block's Transitions, each with its slot (see Way)."""
    yield "NextAction", transitions
    for key in ("Conditions", "Errors"):
        for index, holder in enumerate(transitions.get(key) or ()):
            yield f"{key}[{index}].NextAction", holder


def _refuse_too_large(flow: Flow, document: Mapping[str, Any], added: int) -> None:
    blocks = len(document["Actions"])
    if not added:
        return
    if blocks > MAX_BLOCKS:
        raise InputError(
            flow.source,
            "Actions",
            f"tracking needs {added} blocks, which with the flow's own {blocks - added} makes {blocks}, "
            f"and Connect takes {MAX_BLOCKS}",
            "Move a part of the flow into a flow or module of its own, and track each",
        )
    content = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
    if content > CONTENT_CHARACTERS:
        raise InputError(
            flow.source,
            "",
            f"with the {added} blocks that tracking needs it has {content:,} characters, "
            f"and Connect takes {CONTENT_CHARACTERS:,}",
            "Move a part of the flow into a flow or module of its own, and track each",
        )


# --- Positions -------------------------------------------------------------------------------------------------------


def _place(document: dict[str, Any], nodes: Iterable[Node], gone: Iterable[str]) -> None:
    """Gives new blocks a position between their neighbours, on free ground; no other block is moved."""
    metadata = document.get("Metadata")
    settings = metadata.get("ActionMetadata") if isinstance(metadata, dict) else None
    if not isinstance(settings, dict):
        return
    for name in gone:
        settings.pop(name, None)
    branches = {
        block["Identifier"]: len(list(_holders(block.get("Transitions") or {})))
        for block in document["Actions"]
    }
    boxes: dict[str, tuple[float, float, int]] = {
        name: (*at, branches.get(name, 1)) for name, each in settings.items() if (at := _position(each))
    }
    if not boxes:
        return  # a flow without positions is laid out by the designer, as long as no block has one
    entry = (
        _position({"position": metadata.get("entryPointPosition")}) if isinstance(metadata, dict) else None
    )
    # Blocks nearest to the flow's own ones first: a tracking block may lead to another one.
    for node in nodes:
        if node.identifier in boxes:
            continue
        around = [boxes[name][:2] for name in (*node.sources, node.target) if name in boxes]
        if entry is not None and ENTRY in node.sources:
            around.append(entry)
        around = around or [next(iter(boxes.values()))[:2]]
        middle = [sum(at[axis] for at in around) / len(around) for axis in (0, 1)]
        x, y = _free(middle[0], middle[1], boxes.values())
        boxes[node.identifier] = (x, y, 2)
        settings[node.identifier] = settings.get(node.identifier, {}) | {"position": {"x": x, "y": y}}


def _free(x: float, y: float, boxes: Collection[tuple[float, float, int]]) -> tuple[int, int]:
    """The place near another one, to the left, right, above or below, at which a block overlaps no other."""
    height = _height(2)
    free: list[tuple[float, float, float]] = []
    for aside in range(-_ASIDE, _ASIDE + 1):
        here = x + aside * _WIDTH / 2
        column = [
            (top - _GAP - height, top + _height(branches) + _GAP)
            for left, top, branches in boxes
            if abs(left - here) < _WIDTH + _GAP
        ]
        # Between these two heights of each box it would be overlapped.
        heights = [y, *(height for bounds in column for height in bounds)]
        free += [
            (hypot(here - x, each - y), here, each)
            for each in heights
            if all(each <= above or each >= below for above, below in column)
        ]
    _, x, y = min(free)
    return round(x), round(y)


def _height(branches: int) -> int:
    return _HEIGHT + _BRANCH * branches


def _position(settings: Any) -> tuple[float, float] | None:
    position = settings.get("position") if isinstance(settings, Mapping) else None
    if not isinstance(position, Mapping):
        return None
    x, y = position.get("x"), position.get("y")
    if (
        isinstance(x, bool)
        or isinstance(y, bool)
        or not isinstance(x, int | float)
        or not isinstance(y, int | float)
    ):
        return None
    return float(x), float(y)
