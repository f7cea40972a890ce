"""Inserts tracking blocks into the JSON of a flow."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import hypot
from typing import TYPE_CHECKING, Any

from callroute.errors import InputError
from callroute.flows.attribute_flow import COMPLETED
from callroute.flows.block_types import NO_MATCH
from callroute.flows.flow import CONTENT_CHARACTERS, IDENTIFIER_CHARACTERS, MAX_BLOCKS, Flow
from callroute.flows.tracking.graph import ENTRY, Edge
from callroute.flows.tracking_blocks import PREFIX, json_branches

if TYPE_CHECKING:
    from callroute.flows.flow import Block

_FORBIDDEN = re.compile("[%:()\\\\/=$,;\\[\\]{}\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_HASH_LENGTH = 6

# Estimated size of a block in the flow designer. The width is fixed, and the height depends on the number of
# branches.
_WIDTH, _HEIGHT, _BRANCH_HEIGHT, _GAP = 220, 110, 30, 20
# Maximum horizontal distance between a new block and its ideal position, in half block widths.
_MAX_OFFSET = 4


# --- Identifiers -----------------------------------------------------------------------------------------------------


def make_identifier(*parts: str) -> str:
    """Returns an identifier for a tracking block. The same parts always produce the same identifier.

    Characters that Connect rejects are replaced and long identifiers are truncated. In both cases, a hash of the
    original keeps the identifier unique.
    """
    original = PREFIX + "-".join(parts)
    valid = _FORBIDDEN.sub("_", original)
    if valid == original and len(original) <= IDENTIFIER_CHARACTERS:
        return original
    digest = hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    return f"{valid[: IDENTIFIER_CHARACTERS - _HASH_LENGTH - 1]}-{digest}"


def edge_identifier(edge: Edge) -> str:
    """Returns the identifier of the tracking block at the start of an edge."""
    return make_identifier(*_edge_parts(edge))


def block_identifier(block: str, *, named: bool) -> str:
    """Returns the identifier of the tracking block that sets a route in front of a block."""
    return make_identifier("at" if named else "to", block)


def _edge_parts(edge: Edge) -> tuple[str, ...]:
    return ("start",) if edge.source == ENTRY else (edge.source, edge.label)


def _front_parts(target: str, attributes: Mapping[str, str], named: set[str]) -> tuple[str, ...]:
    if target in named:
        return ("at", target)
    if set(attributes) == {COMPLETED}:
        return ("done" if attributes[COMPLETED] == "true" else "undone", target)
    return ("to", target)


# --- Insertion -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class TrackingBlock:
    """A tracking block to insert.

    Attributes:
        identifier: its identifier.
        attributes: the attributes that it sets.
        target: identifier of the next block.
        sources: identifiers of the blocks that lead to it.
    """

    identifier: str
    attributes: dict[str, str]
    target: str
    sources: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Insertions:
    """The planned changes to a flow.

    Attributes:
        blocks: the blocks to insert.
        targets: the new target of each redirected edge.
    """

    blocks: list[TrackingBlock]
    targets: dict[Edge, str]


def plan_insertions(
    identifiers: Iterable[str],
    at_edge_start: Mapping[Edge, dict[str, str]],
    at_edge_end: Mapping[Edge, dict[str, str]],
    named: Iterable[str],
) -> Insertions:
    """Plans the tracking blocks that set attributes on edges.

    Edges with the same target and the same attributes at their end share a block.

    Args:
        identifiers: identifiers already in use.
        at_edge_start: attributes to set at the start of an edge.
        at_edge_end: attributes to set just before an edge's target. They override those set at its start.
        named: blocks named in the route file.
    """
    used, named = set(identifiers), set(named)
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[Edge]] = {}
    for edge, attributes in at_edge_end.items():
        groups.setdefault((edge.target, tuple(sorted(attributes.items()))), []).append(edge)
    insertions = Insertions([], {})

    def add(parts: tuple[str, ...], attributes: dict[str, str], target: str, sources: Iterable[str]) -> str:
        identifier, number = make_identifier(*parts), 1
        while identifier in used:
            number += 1
            identifier = make_identifier(*parts, str(number))
        used.add(identifier)
        sources = list(dict.fromkeys(sources))
        insertions.blocks.append(TrackingBlock(identifier, attributes, target, sources))
        return identifier

    shared: dict[Edge, str] = {}
    merged: set[Edge] = set()
    for (target, _), edges in groups.items():
        attributes = at_edge_end[edges[0]]
        if len(edges) == 1 and edges[0] in at_edge_start and target not in named:
            merged.add(edges[0])  # a single block sets both
            continue
        parts = _front_parts(target, attributes, named)
        shared.update(dict.fromkeys(edges, add(parts, attributes, target, (edge.source for edge in edges))))
    for edge in dict.fromkeys((*at_edge_start, *at_edge_end)):
        target = shared.get(edge, edge.target)
        own = dict(at_edge_start.get(edge, {}))
        if edge in shared:
            own = {name: value for name, value in own.items() if name not in at_edge_end[edge]}
        if edge in merged:
            own |= at_edge_end[edge]
        insertions.targets[edge] = add(_edge_parts(edge), own, target, [edge.source]) if own else target
    # Blocks at the start of edges come first, so that the values set at the start of the call are first in the file.
    shared_identifiers = set(shared.values())
    insertions.blocks.sort(key=lambda block: block.identifier in shared_identifiers)
    return insertions


def insert_blocks(flow: Flow, insertions: Insertions, existing: Mapping[str, Block]) -> dict[str, Any]:
    """Returns the flow's document with the tracking blocks inserted.

    Existing tracking blocks that are still needed keep their positions in the file and in the designer.

    Args:
        flow: the original flow.
        insertions: the blocks to insert, planned for the flow without its tracking blocks.
        existing: the tracking blocks of the original flow.

    Raises:
        InputError: the result would be too large for Connect.
    """
    document: dict[str, Any] = copy.deepcopy(dict(flow.document))
    needed = {block.identifier: block for block in insertions.blocks}
    targets: dict[tuple[str, str], str] = {}
    for edge, target in insertions.targets.items():
        for slot in edge.slots:
            targets[edge.source, slot] = target
        if edge.source == ENTRY:
            targets[ENTRY, ""] = target

    def skip(target: str) -> str:
        while target in existing:
            target = existing[target].branches[0].target
        return target

    document["StartAction"] = targets.get((ENTRY, ""), skip(flow.start))
    blocks = []
    for block in document["Actions"]:
        identifier = block["Identifier"]
        if identifier in existing:
            if identifier in needed:
                blocks.append(_updated(block, needed.pop(identifier)))
            continue
        for slot, branch in json_branches(block.get("Transitions") or {}):
            if "NextAction" in branch:
                branch["NextAction"] = targets.get((identifier, slot), skip(branch["NextAction"]))
        blocks.append(block)
    document["Actions"] = blocks + [_updated({}, block) for block in needed.values()]
    kept = {block.identifier for block in insertions.blocks}
    position_blocks(
        document, insertions.blocks, [identifier for identifier in existing if identifier not in kept]
    )
    _check_size(flow, document, len(insertions.blocks))
    return document


def _updated(json_block: dict[str, Any], block: TrackingBlock) -> dict[str, Any]:
    parameters = json_block.get("Parameters", {"Attributes": {}, "TargetContact": "Current"})
    parameters["Attributes"] = block.attributes
    transitions = json_block.get("Transitions")
    if transitions is None:
        transitions = {
            "NextAction": block.target,
            "Errors": [{"NextAction": block.target, "ErrorType": NO_MATCH}],
        }
    for _, branch in json_branches(transitions):
        if "NextAction" in branch:
            branch["NextAction"] = block.target
    return {
        **json_block,
        "Identifier": block.identifier,
        "Type": "UpdateContactAttributes",
        "Parameters": parameters,
        "Transitions": transitions,
    }


def _check_size(flow: Flow, document: Mapping[str, Any], added: int) -> None:
    if not added:
        return
    blocks = len(document["Actions"])
    fix = "Move part of the flow into another flow or module, and track both"
    if blocks > MAX_BLOCKS:
        raise InputError(
            flow.source,
            "Actions",
            f"with {added} tracking blocks the flow would have {blocks} blocks; the maximum is {MAX_BLOCKS}",
            fix,
        )
    characters = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
    if characters > CONTENT_CHARACTERS:
        raise InputError(
            flow.source,
            "",
            f"with {added} tracking blocks the flow would have {characters:,} characters; "
            f"the maximum is {CONTENT_CHARACTERS:,}",
            fix,
        )


# --- Positions -------------------------------------------------------------------------------------------------------


def position_blocks(
    document: dict[str, Any], blocks: Iterable[TrackingBlock], removed: Iterable[str]
) -> None:
    """Positions new blocks between their neighbors without overlaps. Other blocks do not move."""
    metadata = document.get("Metadata")
    settings = metadata.get("ActionMetadata") if isinstance(metadata, dict) else None
    if not isinstance(settings, dict):
        return
    for identifier in removed:
        settings.pop(identifier, None)
    branches = {
        block["Identifier"]: len(list(json_branches(block.get("Transitions") or {})))
        for block in document["Actions"]
    }
    boxes: dict[str, tuple[float, float, int]] = {
        identifier: (*position, branches.get(identifier, 1))
        for identifier, each in settings.items()
        if (position := _position(each))
    }
    if not boxes:
        return  # the designer arranges a flow itself only if no block has a position
    entry = (
        _position({"position": metadata.get("entryPointPosition")}) if isinstance(metadata, dict) else None
    )
    # Position blocks at the start of edges first, because those at the end are positioned relative to them.
    for block in blocks:
        if block.identifier in boxes:
            continue
        neighbors = [boxes[each][:2] for each in (*block.sources, block.target) if each in boxes]
        if entry is not None and ENTRY in block.sources:
            neighbors.append(entry)
        neighbors = neighbors or [next(iter(boxes.values()))[:2]]
        center = [sum(position[axis] for position in neighbors) / len(neighbors) for axis in (0, 1)]
        x, y = _nearest_free(center[0], center[1], boxes.values())
        boxes[block.identifier] = (x, y, 2)
        settings[block.identifier] = settings.get(block.identifier, {}) | {"position": {"x": x, "y": y}}


def _nearest_free(x: float, y: float, boxes: Collection[tuple[float, float, int]]) -> tuple[int, int]:
    """Returns the nearest position where a tracking block does not overlap any box."""
    own_height = _height(2)
    free: list[tuple[float, float, float]] = []
    for offset in range(-_MAX_OFFSET, _MAX_OFFSET + 1):
        left = x + offset * _WIDTH / 2
        # Ranges of vertical positions in which the block would overlap a box.
        blocked = [
            (box_top - _GAP - own_height, box_top + _height(branches) + _GAP)
            for box_left, box_top, branches in boxes
            if abs(box_left - left) < _WIDTH + _GAP
        ]
        candidates = [y, *(limit for limits in blocked for limit in limits)]
        free += [
            (hypot(left - x, top - y), left, top)
            for top in candidates
            if all(top <= above or top >= below for above, below in blocked)
        ]
    _, left, top = min(free)
    return round(left), round(top)


def _height(branches: int) -> int:
    return _HEIGHT + _BRANCH_HEIGHT * branches


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
