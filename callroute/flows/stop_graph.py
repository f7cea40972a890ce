"""Graph of a flow's stops: where the keys at each stop lead, and what happens after silence, wrong keys and errors.

A stop is a value of `call_route`. Blocks in which callers make no choice are skipped, and passes through Loop blocks are
counted. A check that does not depend on the caller, such as opening hours, can take any branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from callroute.flows.attribute_flow import (
    COMPLETED,
    ROUTE,
    ReachingValues,
    attributes_of,
    outgoing_branches,
)
from callroute.flows.block_types import NO_CONDITION, NO_MATCH, type_of
from callroute.flows.references import paths_in

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Branch, Flow

_TO_QUEUE = ("TransferContactToQueue", "TransferContactToAgent", "DequeueContactAndTransferToQueue")
_ERRORS = {"silence": "InputTimeLimitExceeded", "wrong_key": NO_CONDITION, "error": NO_MATCH}
"""Error branch of a prompt for each kind of trouble (docs/record.md)."""

Passes = tuple[tuple[str, int], ...]
"""Passes through each Loop block."""
_State = tuple[str, Passes, bool]
"""Block, passes through each Loop block, and whether the call is completed."""


class Destination(NamedTuple):
    """A place that a call can reach next.

    Attributes:
        kind: `stop` for another stop, `prompt` for a block of the same stop that waits for input, `end` for the end of the
            call.
        name: the route, the block, or the kind of end: `completed`, `queue` or `incomplete` (the flow ends the call before
            it is completed).
        passes: passes through Loop blocks before a prompt.
    """

    kind: Literal["stop", "prompt", "end"]
    name: str
    passes: Passes = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that waits for input.

    Attributes:
        choices: places to which keys, intents or other input lead.
        trouble: places to which each kind of trouble leads. There are several if a check decides between them.
    """

    choices: frozenset[Destination]
    trouble: Mapping[str, frozenset[Destination]]


@dataclass(frozen=True)
class StopNode:
    """A stop, its prompts, and the places that calls can reach from it.

    Attributes:
        first: places that callers at the stop can reach first.
        prompts: all prompts of the stop.
        exits: all stops and ends that calls can reach from here, even if a block fails, for example because a queue is full.
    """

    first: frozenset[Destination]
    prompts: Mapping[Destination, Prompt]
    exits: frozenset[Destination]

    @cached_property
    def choices(self) -> frozenset[Destination]:
        """Stops and ends that callers can reach without running out of attempts."""
        return _outside((self.first, *(prompt.choices for prompt in self.prompts.values())))

    @cached_property
    def out_of_attempts(self) -> frozenset[Destination]:
        """Stops and ends that callers reach after running out of attempts."""
        return _outside(places for prompt in self.prompts.values() for places in prompt.trouble.values())

    @property
    def usual_exits(self) -> frozenset[Destination]:
        """Stops and ends that callers can reach if no block fails."""
        return self.choices | self.out_of_attempts

    @cached_property
    def counts_attempts(self) -> bool:
        """True if callers always reach the same prompt first and its attempts can be counted.

        This requires that no key leads to another prompt of the same stop, and that trouble leads to exactly one place.
        """
        if [place.kind for place in self.first] != ["prompt"]:
            return False
        return not any(
            any(place.kind == "prompt" for place in prompt.choices)
            or any(
                len(places) != 1 or Destination("end", "queue") in places
                for places in prompt.trouble.values()
            )
            for prompt in self.prompts.values()
        )

    @property
    def first_prompt(self) -> Destination:
        """First prompt of a stop whose attempts can be counted."""
        return next(iter(self.first))

    def after_trouble(self, prompt: Destination, kind: str) -> Destination:
        """Returns where a kind of trouble leads at a stop whose attempts can be counted."""
        return next(iter(self.prompts[prompt].trouble[kind]))

    def attempts_allowed(self, limit: int) -> int:
        """Returns the number of attempts at a stop whose attempts can be counted, up to a limit."""
        allowed = 0
        for kind in _ERRORS:
            place, number = self.first_prompt, 0
            while place.kind == "prompt" and number < limit:
                place, number = self.after_trouble(place, kind), number + 1
            allowed = max(allowed, number)
        return allowed

    def attempts(self, renamed: Mapping[str, str]) -> object:
        """Returns a value that is equal for two stops if they repeat their prompts in the same way.

        Args:
            renamed: new names of stops.
        """
        numbers: dict[Destination, int] = {}
        found: list[object] = []

        def numbered(places: Iterable[Destination]) -> frozenset[object]:
            return frozenset(
                numbers.setdefault(place, len(numbers))
                if place.kind == "prompt"
                else (place.kind, renamed.get(place.name, place.name) if place.kind == "stop" else place.name)
                for place in sorted(places)
            )

        start = numbered(place for place in self.first if place.kind == "prompt")
        while len(found) < len(numbers):
            prompt = self.prompts[list(numbers)[len(found)]]
            inner = numbered(place for place in prompt.choices if place.kind == "prompt")
            found.append((inner, [numbered(prompt.trouble[kind]) for kind in _ERRORS]))
        return start, found


def _outside(places: Iterable[frozenset[Destination]]) -> frozenset[Destination]:
    """Returns the places outside the current stop, that is, all except its own prompts."""
    return frozenset(place for each in places for place in each if place.kind != "prompt")


class StopGraph:
    """The stops of a flow.

    Attributes:
        first: routes of the stops at which calls start.
        stops: the stops by route, in document order.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._completed = ReachingValues(flow, COMPLETED).values()
        entries: dict[str, list[str]] = {}
        for identifier in flow.blocks:
            if identifier in self._completed and (route := self._route_set_in(identifier)) is not None:
                entries.setdefault(route, []).append(identifier)
        self.stops = {route: self._stop(route, blocks) for route, blocks in entries.items()}
        started = self._follow("", {(flow.start, (), False)}, prompts=False)
        self.first = frozenset(place.name for place in started if place.kind == "stop")

    def dead_ends(self) -> Iterator[tuple[str, str]]:
        """Yields pairs of stops: one with trouble, and one without prompts that callers reach only after this trouble."""
        for route, stop in self.stops.items():
            for place in sorted(stop.out_of_attempts - stop.choices):
                if place.kind == "stop" and not self.stops[place.name].prompts:
                    yield route, place.name

    def _stop(self, route: str, entries: list[str]) -> StopNode:
        starts: set[_State] = {
            (entry, (), value == "true") for entry in entries for value in self._completed[entry]
        }
        first = self._follow(route, starts)
        prompts: dict[Destination, Prompt] = {}
        pending = [place for place in first if place.kind == "prompt"]
        while pending:
            place = pending.pop()
            if place not in prompts:
                prompts[place] = prompt = self._prompt(route, place)
                for places in (prompt.choices, *prompt.trouble.values()):
                    pending += [each for each in places if each.kind == "prompt"]
        anywhere = self._follow(route, starts, prompts=False, failures=True)
        return StopNode(first, prompts, _outside([anywhere]))

    def _prompt(self, route: str, place: Destination) -> Prompt:
        block = self._flow.blocks[place.name]
        branches = list(outgoing_branches(self._flow, block))
        kind = "condition" if any(branch.kind == "condition" for branch in branches) else "next"
        trouble = {}
        for name, error in _ERRORS.items():
            target = block.target("error", error) or block.target("error", NO_MATCH)
            trouble[name] = self._after(route, place, [target] if target in self._flow.blocks else [])
        chosen = [branch.target for branch in branches if branch.kind == kind]
        return Prompt(self._after(route, place, chosen), trouble)

    def _after(
        self, route: str, prompt: Destination, targets: Iterable[str | None]
    ) -> frozenset[Destination]:
        completed = {value == "true" for value in self._completed[prompt.name]}
        starts = {(target, prompt.passes, each) for target in targets if target for each in completed}
        return self._follow(route, starts)

    def _follow(
        self,
        route: str,
        starts: set[_State],
        *,
        prompts: bool = True,
        failures: bool = False,
    ) -> frozenset[Destination]:
        """Returns the next places on all paths.

        Args:
            route: route of the stop.
            starts: blocks to start from, each with the passes through Loop blocks and whether the call is completed.
            prompts: whether to end at prompts. Otherwise, their branches are followed.
            failures: whether to follow the branches of blocks that fail.
        """
        found: set[Destination] = set()
        pending, seen = list(starts), set(starts)
        while pending:
            identifier, passes, completed = pending.pop()
            block = self._flow.blocks[identifier]
            reached = self._route_set_in(identifier)
            if reached is not None and reached != route:
                found.add(Destination("stop", reached))
                continue
            attributes = attributes_of(block)
            if COMPLETED in attributes:
                completed = str(attributes[COMPLETED]) == "true"
            if prompts and _is_prompt(block):
                found.add(Destination("prompt", identifier, passes))
                continue
            after = dict(passes)
            branches = list(self._branches(block, after, failures=failures))
            if block.type in _TO_QUEUE:
                found.add(Destination("end", "queue"))
            elif not branches or block.type == "TransferToFlow":
                found.add(Destination("end", "completed" if completed else "incomplete"))
            for branch in branches:
                state = (branch.target, tuple(sorted(after.items())), completed)
                if state not in seen:
                    seen.add(state)
                    pending.append(state)
        return frozenset(found)

    def _branches(self, block: Block, passes: dict[str, int], *, failures: bool) -> Iterator[Branch]:
        """Yields the branches that a call can take from a block, and counts the passes through a Loop block."""
        branches = list(outgoing_branches(self._flow, block))
        if block.type == "Loop" and str(block.parameters.get("LoopCount")).isdecimal():
            done = passes.get(block.identifier, 0) >= int(block.parameters["LoopCount"])
            if done:
                passes.pop(block.identifier, None)
            else:
                passes[block.identifier] = passes.get(block.identifier, 0) + 1
            label = "DoneLooping" if done else "ContinueLooping"
            yield from (branch for branch in branches if branch.label == label)
            return
        row = type_of(block)
        decides = any(branch.kind == "condition" for branch in branches)
        for branch in branches:
            if block.type in (*_TO_QUEUE, "TransferToFlow"):
                usual = False  # the call stays in this flow only if the transfer failed
            elif branch.kind == "next":
                usual = not decides  # with conditions, the default branch is never taken
            else:
                usual = (
                    branch.kind == "condition" or branch.label == NO_CONDITION or (row is None or row.asks)
                )
            if usual or (failures and branch.kind != "next" and not attributes_of(block)):
                yield branch

    def _route_set_in(self, identifier: str) -> str | None:
        value = attributes_of(self._flow.blocks[identifier]).get(ROUTE)
        return None if value is None or paths_in(str(value)) else str(value)


def _is_prompt(block: Block) -> bool:
    """Returns whether a block waits for input. A menu without keys is just a pause."""
    row = type_of(block)
    if row is None or not row.asks or row.stop in ("wait", "view"):
        return False
    return row.stop != "menu" or bool(block.labels("condition"))
