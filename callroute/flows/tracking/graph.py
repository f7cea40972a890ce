"""A flow as tracking sees it: the ways between its blocks, which of them callers choose, and which are errors."""

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
"""Stands for what lies before the first block."""

NEXT = "NextAction"
"""How a route file calls the branch that is neither a condition nor an error."""

# Answers of the caller that a Compare block may look at.
_ANSWERS = frozenset(("StoredCustomerInput", "Lex", "Views"))


@dataclass(frozen=True, slots=True)
class Way:
    """One way from a block to another.

    Attributes:
        source: identifier of the block it leaves; ENTRY for the way into the flow.
        kind: `next`, `condition` or `error`.
        label: what the branch is called: the key, the intent, the error; `NextAction` for the default.
        target: identifier of the block it leads to.
        slots: which branches of the block's Transitions it is: `NextAction`, `Conditions[0].NextAction` …
    """

    source: str
    kind: str
    label: str
    target: str
    slots: tuple[str, ...]


class Graph:
    """The ways of a flow that a call can take.

    Args:
        flow: the flow, without dangling branches.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.entry = Way(ENTRY, "next", NEXT, flow.start, ())
        self._ways = {block: tuple(_ways(flow, action)) for block, action in flow.blocks.items()}
        self._without: dict[str, frozenset[str]] = {}

    def ways(self, block: str) -> tuple[Way, ...]:
        """The ways out of a block; of ENTRY, the one into the flow."""
        return (self.entry,) if block == ENTRY else self._ways[block]

    @cached_property
    def reached(self) -> Mapping[str, int]:
        """The blocks that a call can reach, in the order of how many choices that takes, with that number."""
        depths: dict[str, int] = {}
        pending: deque[tuple[int, str]] = deque([(0, self.flow.start)])
        while pending:
            depth, block = pending.popleft()
            if block in depths:
                continue
            depths[block] = depth
            # What takes no choice comes before what does, and conditions in their order.
            for way in reversed(self._ways[block]):
                if not self.chosen(way):
                    pending.appendleft((depth, way.target))
            for way in self._ways[block]:
                if self.chosen(way):
                    pending.append((depth + 1, way.target))
        return depths

    @cached_property
    def into(self) -> Mapping[str, tuple[Way, ...]]:
        """The ways by which calls come to each block."""
        found: dict[str, list[Way]] = {block: [] for block in self.reached}
        found[self.flow.start].append(self.entry)
        for block in self.flow.blocks:
            if block in self.reached:
                for way in self._ways[block]:
                    found[way.target].append(way)
        return {block: tuple(ways) for block, ways in found.items()}

    @cached_property
    def choosers(self) -> frozenset[str]:
        """The blocks reached in which the caller's choice decides: menus, bots, views, and Compare of an answer."""
        return frozenset(
            block
            for block in self.reached
            if _chooses(self.flow.blocks[block]) and any(way.kind == "condition" for way in self._ways[block])
        )

    def chosen(self, way: Way) -> bool:
        """Whether a way is one of the caller's choices."""
        return (
            way.kind == "condition"
            and way.source in self.flow.blocks
            and _chooses(self.flow.blocks[way.source])
        )

    def is_stop(self, block: str) -> bool:
        """Whether a caller can be in a block when they hang up."""
        row = type_of(self.flow.blocks[block])
        return row is not None and row.stop is not None

    def first_stops(self, start: str) -> frozenset[str]:
        """The stops that a call comes to next from a block, itself included."""
        return frozenset(self._first(start)[0])

    def sole_stop(self, start: str) -> str | None:
        """The stop to which every way from a block leads first; None where there are several, or an end."""
        stops, ends = self._first(start)
        return next(iter(stops)) if len(stops) == 1 and not ends else None

    def _first(self, start: str) -> tuple[set[str], bool]:
        stops: set[str] = set()
        ends = False
        seen = {start}
        pending = [start]
        while pending:
            block = pending.pop()
            if self.is_stop(block):
                stops.add(block)
                continue
            ends = ends or not self._ways[block]
            for way in self._ways[block]:
                if way.target not in seen:
                    seen.add(way.target)
                    pending.append(way.target)
        return stops, ends

    def without(self, barrier: str) -> frozenset[str]:
        """The blocks that a call can reach without passing a block, that block among them."""
        if barrier not in self._without:
            self._without[barrier] = self._reach_without(barrier)
        return self._without[barrier]

    def _reach_without(self, barrier: str) -> frozenset[str]:
        seen = {self.flow.start}
        pending = [self.flow.start]
        while pending:
            block = pending.pop()
            if block != barrier:
                for way in self._ways[block]:
                    if way.target not in seen:
                        seen.add(way.target)
                        pending.append(way.target)
        return frozenset(seen)

    def dominates(self, one: str, other: str) -> bool:
        """Whether every call that comes to the other block has been in the one (a block has been in itself)."""
        return one == other or other not in self.without(one)

    def failure(self, way: Way) -> bool:
        """Whether a way is taken because something went wrong, or because the caller did not get an answer."""
        action = self.flow.blocks.get(way.source)
        if action is None:
            return False
        row = type_of(action)
        if action.type in ("TransferContactToQueue", "TransferToFlow"):
            return True  # the call comes back from there only if the transfer failed
        if action.type == "CheckHoursOfOperation" and way.label == "False":
            return True
        if way.kind == "condition":
            return False
        conditions = any(each.kind == "condition" for each in self._ways[way.source])
        if conditions and (_chooses(action) or (row is not None and row.asks)):
            return True  # silence, another key, nothing understood
        if row is not None and row.stop == "menu" and not conditions:
            return False  # a menu without keys is a pause
        return way.kind == "error" and way.label != NO_CONDITION


def _chooses(action: Block) -> bool:
    if action.type == "Compare":
        path = whole(str(action.parameters.get("ComparisonValue")))
        return path is not None and path[0] in _ANSWERS
    row = type_of(action)
    return row is not None and row.stop in ("menu", "bot", "view")


def _slot(transition: Branch) -> str:
    return transition.path.partition(".Transitions.")[2]


def _ways(flow: Flow, action: Block) -> Iterator[Way]:
    """The ways out of a block.

    Branches that Connect or the flow's author takes for one are one way, and are led anywhere only together: the
    NextAction of a block with conditions (never taken; Compare wants it to lead where NoMatchingCondition does), and
    an error that goes on as if nothing had happened.
    """
    transitions = list(outgoing_branches(flow, action))
    joined: dict[int, list[Branch]] = {}
    following = next((each for each in transitions if each.kind == "next"), None)
    if following is not None:
        same = [each for each in transitions if each.kind != "next" and each.target == following.target]
        errors = [each for each in same if each.kind == "error"]
        row = type_of(action)
        if any(each.kind == "condition" for each in transitions):
            for leader in sorted(same, key=lambda each: (each.kind != "error", each.label != NO_CONDITION))[
                :1
            ]:
                joined[id(leader)] = [following]
        elif row is None or row.stop not in ("queue", "third party", "input"):
            joined[id(following)] = errors
    hidden = {id(each) for others in joined.values() for each in others}
    for each in transitions:
        if id(each) not in hidden:
            branches = [each, *joined.get(id(each), ())]
            yield Way(each.source, each.kind, each.label or NEXT, each.target, tuple(map(_slot, branches)))
