"""Recognizes tracking blocks and removes them."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from callroute.errors import InputError
from callroute.flows.attribute_flow import ROUTE, attributes_of
from callroute.flows.block_types import NO_CONDITION, NO_MATCH
from callroute.flows.flow import Flow

if TYPE_CHECKING:
    from callroute.flows.flow import Block

PREFIX = "track-"
"""Prefix of tracking block identifiers."""

DETAIL = "call_detail"
"""Attribute that marks the calls of a flow with detail."""

CURRENT_ROUTE = f"$.Attributes.{ROUTE}"

_STOP_OF_KEY = re.compile(r"call_(?:from|(?:silence|wrong_key|error)[123])_(.+)", re.DOTALL)
_VERSION_LENGTH = 12


def is_tracking(block: Block) -> bool:
    """Returns whether this block was added by tracking and still does nothing but set attributes and continue."""
    return (
        _sets_attributes(block)
        and block.parameters.get("TargetContact") == "Current"
        and {branch.kind for branch in block.branches} <= {"next", "error"}
        and len({branch.target for branch in block.branches}) == 1
    )


def stop_of_key(attribute: str) -> str | None:
    """Returns the stop that a detail attribute belongs to, or None for other attributes."""
    found = _STOP_OF_KEY.fullmatch(attribute)
    return found[1] if found else None


def is_detail_key(attribute: str) -> bool:
    """Returns whether this attribute is set only by detail."""
    return attribute == DETAIL or stop_of_key(attribute) is not None


def detail_keys(flow: Flow) -> frozenset[str]:
    """Returns the detail attributes that the tracking blocks of a flow set."""
    return frozenset(
        name
        for block in flow.blocks.values()
        if _sets_attributes(block)
        for name in attributes_of(block)
        if is_detail_key(name)
    )


def flow_version(flow: Flow) -> str:
    """Returns the digest of a flow without tracking. The order of its blocks and their positions do not affect it."""
    content = {key: value for key, value in flow.document.items() if key != "Metadata"}
    content["Actions"] = sorted(content["Actions"], key=lambda block: str(block["Identifier"]))
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_VERSION_LENGTH]


def strip_tracking(flow: Flow) -> tuple[Flow, dict[str, Block]]:
    """Returns the flow without its tracking blocks, and a mapping of identifiers to the removed blocks.

    Raises:
        InputError: tracking blocks form a cycle.
    """
    flow, removed = strip_detail(flow)
    targets = {
        block.identifier: block.branches[0].target for block in flow.blocks.values() if is_tracking(block)
    }
    if not targets:
        return flow, removed
    removed = removed | {identifier: flow.blocks[identifier] for identifier in targets}
    return _parsed(flow, _without(flow, targets)), removed


def strip_detail(flow: Flow) -> tuple[Flow, dict[str, Block]]:
    """Removes the detail from a flow but keeps its tracking. Returns the flow, and the removed blocks by identifier.

    Raises:
        InputError: tracking blocks form a cycle.
    """
    if not detail_keys(flow):
        return flow, {}
    targets = dict(_detail_blocks(flow))
    document = _without(flow, targets)
    for block in document["Actions"]:
        if block["Identifier"] in flow.blocks and _sets_attributes(flow.blocks[block["Identifier"]]):
            attributes = block["Parameters"]["Attributes"]
            for name in [name for name in attributes if is_detail_key(name)]:
                del attributes[name]
    settings = (document.get("Metadata") or {}).get("ActionMetadata")
    if isinstance(settings, dict):
        for identifier in targets:
            settings.pop(identifier, None)
    return _parsed(flow, document), {identifier: flow.blocks[identifier] for identifier in targets}


def _detail_blocks(flow: Flow) -> Iterator[tuple[str, str]]:
    """Yields the blocks that exist only for detail, each with the block that follows once detail is removed."""
    for block in flow.blocks.values():
        names = set(attributes_of(block))
        following, copied = block.target("next"), block.target("error", NO_MATCH)
        if block.type == "Compare" and block.identifier.startswith(PREFIX):
            otherwise = block.target("error", NO_CONDITION)
            if block.parameters.get("ComparisonValue") == CURRENT_ROUTE and otherwise is not None:
                yield block.identifier, otherwise
                own = _own_names(flow, otherwise)
                for target in {branch.target for branch in block.branches} - {otherwise}:
                    if len(own) > 1 and own == _names(flow, target):
                        yield target, flow.blocks[target].target("next") or otherwise
        elif not _sets_attributes(block) or following is None:
            continue
        elif names and not _own_names(flow, block.identifier):
            yield block.identifier, following
        elif (
            copied
            and copied != following
            and any(map(is_detail_key, names))
            and _names(flow, copied) == names
        ):
            yield copied, flow.blocks[copied].target("next") or following


def _names(flow: Flow, identifier: str) -> set[str]:
    """Returns the names of the attributes that a tracking block sets."""
    block = flow.blocks.get(identifier)
    return set(attributes_of(block)) if block and _sets_attributes(block) else set()


def _own_names(flow: Flow, identifier: str) -> set[str]:
    """Returns the names of the attributes that a tracking block sets, apart from detail."""
    return {name for name in _names(flow, identifier) if not is_detail_key(name)}


def _sets_attributes(block: Block) -> bool:
    return (
        block.identifier.startswith(PREFIX)
        and block.type == "UpdateContactAttributes"
        and isinstance(block.parameters.get("Attributes"), Mapping)
    )


def _without(flow: Flow, targets: Mapping[str, str]) -> dict[str, Any]:
    """Returns the document without some blocks. Branches to a removed block lead to its target instead."""

    def skip(target: str) -> str:
        seen: set[str] = set()
        while target in targets:
            if target in seen:
                raise InputError(
                    flow.source,
                    f"block {target!r}",
                    "the block is part of a cycle of tracking blocks",
                    "Connect one of them to the block that should follow",
                )
            seen.add(target)
            target = targets[target]
        return target

    document = copy.deepcopy(dict(flow.document))
    document["StartAction"] = skip(flow.start)
    document["Actions"] = [block for block in document["Actions"] if block["Identifier"] not in targets]
    for block in document["Actions"]:
        for _, branch in json_branches(block.get("Transitions") or {}):
            if "NextAction" in branch:
                branch["NextAction"] = skip(branch["NextAction"])
    return document


def _parsed(flow: Flow, document: Mapping[str, Any]) -> Flow:
    return Flow.parse(json.dumps(document), flow.source, flow.type)


def json_branches(transitions: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the JSON objects that contain a NextAction, each with its slot (see Edge)."""
    yield "NextAction", transitions
    for key in ("Conditions", "Errors"):
        for index, branch in enumerate(transitions.get(key) or ()):
            yield f"{key}[{index}].NextAction", branch
