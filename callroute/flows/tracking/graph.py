"""The graph of a flow, which classifies edges as choices and failures."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import outgoing_branches
from callroute.flows.block_types import NO_CONDITION, type_of
from callroute.flows.references import whole

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Branch, Flow

ENTRY = ""
"""Source of the edge that enters the flow."""

NEXT = "NextAction"
"""Label for the default branch in route files."""

# Namespaces of references to caller input.
_CALLER_INPUT = frozenset(("StoredCustomerInput", "Lex", "Views"))


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge from one block to another.

    Attributes:
        source: identifier of the block that it leaves; ENTRY for the edge that enters the flow.
        kind: `next`, `condition` or `error`.
        label: the key, intent or error of the branch; `NextAction` for the default branch.
        target: identifier of the target block.
        slots: the branches that it represents, as paths within Transitions, for example `Conditions[0].NextAction`.
    """

    source: str
    kind: str
    label: str
    target: str
    slots: tuple[str, ...]


class FlowGraph:
    """The graph of the edges that a call can take through a flow.

    Args:
        flow: a flow without dangling branches.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.entry = Edge(ENTRY, "next", NEXT, flow.start, ())
        self._outgoing = {identifier: tuple(_edges(flow, block)) for identifier, block in flow.blocks.items()}
        self._reachable_without: dict[str, frozenset[str]] = {}

    def outgoing(self, block: str) -> tuple[Edge, ...]:
        """Returns the edges that leave a block, or the edge into the flow for ENTRY."""
        return (self.entry,) if block == ENTRY else self._outgoing[block]

    @cached_property
    def depths(self) -> Mapping[str, int]:
        """The reachable blocks and the number of choices needed to reach each one, in ascending order."""
        depths: dict[str, int] = {}
        pending: deque[tuple[int, str]] = deque([(0, self.flow.start)])
        while pending:
            depth, block = pending.popleft()
            if block in depths:
                continue
            depths[block] = depth
            # Visit blocks that need no further choice first, and keep conditions in their original order.
            for edge in reversed(self._outgoing[block]):
                if not self.is_choice(edge):
                    pending.appendleft((depth, edge.target))
            for edge in self._outgoing[block]:
                if self.is_choice(edge):
                    pending.append((depth + 1, edge.target))
        return depths

    @cached_property
    def incoming(self) -> Mapping[str, tuple[Edge, ...]]:
        """The incoming edges of each reachable block."""
        incoming: dict[str, list[Edge]] = {block: [] for block in self.depths}
        incoming[self.flow.start].append(self.entry)
        for block in self.flow.blocks:
            if block in self.depths:
                for edge in self._outgoing[block]:
                    incoming[edge.target].append(edge)
        return {block: tuple(edges) for block, edges in incoming.items()}

    @cached_property
    def choice_blocks(self) -> frozenset[str]:
        """The reachable menus, bots, views and Compare blocks on caller input, where callers make choices."""
        return frozenset(
            block
            for block in self.depths
            if _offers_choice(self.flow.blocks[block])
            and any(edge.kind == "condition" for edge in self._outgoing[block])
        )

    def is_choice(self, edge: Edge) -> bool:
        """Returns whether an edge is one of the caller's choices."""
        return (
            edge.kind == "condition"
            and edge.source in self.flow.blocks
            and _offers_choice(self.flow.blocks[edge.source])
        )

    def is_stop(self, block: str) -> bool:
        """Returns whether a caller can hang up in a block."""
        block_type = type_of(self.flow.blocks[block])
        return block_type is not None and block_type.stop is not None

    def sole_stop(self, start: str) -> str | None:
        """Returns the stop that every path from a block reaches first, or None if there is no such stop."""
        stops: set[str] = set()
        seen = {start}
        pending = [start]
        while pending:
            block = pending.pop()
            if self.is_stop(block):
                stops.add(block)
                continue
            if not self._outgoing[block]:
                return None
            for edge in self._outgoing[block]:
                if edge.target not in seen:
                    seen.add(edge.target)
                    pending.append(edge.target)
        return next(iter(stops)) if len(stops) == 1 else None

    def dominates(self, dominator: str, block: str) -> bool:
        """Returns whether every path from the start to a block passes through the given dominator."""
        return dominator == block or block not in self._reachable_around(dominator)

    def _reachable_around(self, barrier: str) -> frozenset[str]:
        """Returns the barrier and all blocks that a call can reach without passing through it."""
        if barrier not in self._reachable_without:
            seen = {self.flow.start}
            pending = [self.flow.start]
            while pending:
                block = pending.pop()
                if block != barrier:
                    for edge in self._outgoing[block]:
                        if edge.target not in seen:
                            seen.add(edge.target)
                            pending.append(edge.target)
            self._reachable_without[barrier] = frozenset(seen)
        return self._reachable_without[barrier]

    def is_failure(self, edge: Edge) -> bool:
        """Returns whether an edge is taken because of an error, missing or invalid input, or closing time."""
        block = self.flow.blocks.get(edge.source)
        if block is None:
            return False
        block_type = type_of(block)
        if block.type in ("TransferContactToQueue", "TransferToFlow"):
            return True  # the call stays in this flow only if the transfer failed
        if block.type == "CheckHoursOfOperation" and edge.label == "False":
            return True
        if edge.kind == "condition":
            return False
        has_conditions = any(each.kind == "condition" for each in self._outgoing[edge.source])
        if has_conditions and (_offers_choice(block) or (block_type is not None and block_type.asks)):
            return True  # timeout, invalid key or unrecognized intent
        if block_type is not None and block_type.stop == "menu" and not has_conditions:
            return False  # a menu without keys is just a pause
        return edge.kind == "error" and edge.label != NO_CONDITION


def _offers_choice(block: Block) -> bool:
    if block.type == "Compare":
        path = whole(str(block.parameters.get("ComparisonValue")))
        return path is not None and path[0] in _CALLER_INPUT
    block_type = type_of(block)
    return block_type is not None and block_type.stop in ("menu", "bot", "view")


def _slot(branch: Branch) -> str:
    return branch.path.partition(".Transitions.")[2]


def _edges(flow: Flow, block: Block) -> Iterator[Edge]:
    """Yields the edges that leave a block.

    Two kinds of branches are combined with another branch into a single edge, so that they are always redirected
    together:

    - the NextAction of a block with conditions, which is never taken. (In a Compare block, it must have the same
      target as NoMatchingCondition.)
    - error branches that have the same target as the default branch.
    """
    branches = list(outgoing_branches(flow, block))
    joined: dict[int, list[Branch]] = {}
    default = next((each for each in branches if each.kind == "next"), None)
    if default is not None:
        same_target = [each for each in branches if each.kind != "next" and each.target == default.target]
        block_type = type_of(block)
        if any(each.kind == "condition" for each in branches):
            same_target.sort(key=lambda each: (each.kind != "error", each.label != NO_CONDITION))
            if same_target:
                joined[id(same_target[0])] = [default]
        elif block_type is None or block_type.stop not in ("queue", "third party", "input"):
            joined[id(default)] = [each for each in same_target if each.kind == "error"]
    hidden = {id(each) for others in joined.values() for each in others}
    for each in branches:
        if id(each) not in hidden:
            slots = tuple(map(_slot, [each, *joined.get(id(each), ())]))
            yield Edge(each.source, each.kind, each.label or NEXT, each.target, slots)
