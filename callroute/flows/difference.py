"""Compares the blocks, branches and routes of two versions of a flow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from callroute.flows.attribute_flow import Value, analyze, constants
from callroute.flows.tracking_blocks import strip_tracking
from callroute.formats.json_document import member

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Flow

_PROMPTS = ("Text", "SSML", "PromptId")


@dataclass(frozen=True)
class ParameterChange:
    """A difference in a block's parameters.

    Attributes:
        path: JSON path below `Parameters`, for example `DTMFConfiguration.InterdigitTimeLimitSeconds`.
        old: the old value, or None if it was added.
        new: the new value, or None if it was removed.
    """

    path: str
    old: Any
    new: Any

    @property
    def is_prompt(self) -> bool:
        """True if callers hear the value."""
        return self.path.rpartition(".")[2] in _PROMPTS


@dataclass(frozen=True)
class BranchChange:
    """A branch that was added, removed or redirected.

    Attributes:
        name: kind and label, for example `condition 1`.
        old: identifier of the old target, or None if the branch was added.
        new: identifier of the new target, or None if the branch was removed.
    """

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class BlockChange:
    """A block that was added, removed or changed.

    Attributes:
        change: what happened to the block.
        block: identifier of the block.
        type: new type of the block; the old type if it was removed.
        old_type: the old type if it differs, otherwise None.
        parameters: differing parameters of a changed block.
        branches: differing branches of a changed block.
    """

    change: Literal["added", "removed", "changed"]
    block: str
    type: str
    old_type: str | None = None
    parameters: tuple[ParameterChange, ...] = ()
    branches: tuple[BranchChange, ...] = ()


@dataclass(frozen=True)
class RouteChanges:
    """The effect of a change on call records.

    Attributes:
        new_stops: stops that callers could not reach before.
        removed_stops: stops that callers can no longer reach.
        lost: stops at which some callers have no route, if the stop is new or all callers had one there
            before.
        added: routes that no call could have before.
        removed: routes that no call can have anymore, so they vanish from reports.
    """

    new_stops: tuple[str, ...] = ()
    removed_stops: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """The difference between two versions of a flow, ignoring positions in the designer and tracking blocks.

    Attributes:
        start: the old and the new first block, if they differ.
        blocks: changes of blocks, in the order of the new flow, followed by removed blocks.
        routes: the effect on the records of calls.
    """

    start: tuple[str, str] | None
    blocks: tuple[BlockChange, ...]
    routes: RouteChanges

    def __bool__(self) -> bool:
        """True if the versions differ."""
        return self.start is not None or bool(self.blocks) or self.routes != RouteChanges()


def compare(old: Flow | None, new: Flow | None) -> Difference:
    """Compares two versions of a flow.

    Args:
        old: the old version, or None if the flow is new.
        new: the new version, or None if the flow was removed.
    """
    before, after = _untracked(old), _untracked(new)
    old_blocks: Mapping[str, Block] = before.blocks if before else {}
    new_blocks: Mapping[str, Block] = after.blocks if after else {}
    changes = []
    for identifier, block in new_blocks.items():
        if identifier not in old_blocks:
            changes.append(BlockChange("added", identifier, block.type))
        elif changed := _changed(old_blocks[identifier], block):
            changes.append(changed)
    changes += [
        BlockChange("removed", identifier, block.type)
        for identifier, block in old_blocks.items()
        if identifier not in new_blocks
    ]
    moved = (before.start, after.start) if before and after and before.start != after.start else None
    return Difference(moved, tuple(changes), _route_changes(old, new))


def _untracked(flow: Flow | None) -> Flow | None:
    return strip_tracking(flow)[0] if flow else None


def _changed(old: Block, new: Block) -> BlockChange | None:
    before, after = dict(_values(old.parameters)), dict(_values(new.parameters))
    parameters = tuple(
        ParameterChange(path.removeprefix("$."), *values) for path, *values in _differing(before, after)
    )
    old_targets, new_targets = (
        {branch.name: branch.target for branch in block.branches} for block in (old, new)
    )
    branches = tuple(BranchChange(name, *targets) for name, *targets in _differing(old_targets, new_targets))
    old_type = None if old.type == new.type else old.type
    if not parameters and not branches and old_type is None:
        return None
    return BlockChange("changed", new.identifier, new.type, old_type, parameters, branches)


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yields the keys with different values, each with its old and new value; None represents a missing value."""
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)


def _values(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """Yields the non-object values in an object, with their JSON paths."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _values(inner, member(path, name))
    else:
        yield path, value


def _route_changes(old: Flow | None, new: Flow | None) -> RouteChanges:
    before, after = _routes_by_stop(old), _routes_by_stop(new)
    old_routes, new_routes = constants(before.values()), constants(after.values())
    return RouteChanges(
        new_stops=tuple(stop for stop in after if stop not in before),
        removed_stops=tuple(stop for stop in before if stop not in after),
        lost=tuple(
            stop for stop, routes in after.items() if None in routes and None not in before.get(stop, ())
        ),
        added=tuple(sorted(new_routes - old_routes)),
        removed=tuple(sorted(old_routes - new_routes)),
    )


def _routes_by_stop(flow: Flow | None) -> dict[str, frozenset[Value]]:
    return {stop.block.identifier: stop.routes for stop in analyze(flow).stops} if flow else {}


def shown(value: Any) -> str:
    """Returns a parameter's value for messages: strings in quotes, other values as JSON."""
    return json.dumps(value, ensure_ascii=False)
