"""Where `call_completed` becomes true: callers have then got what they came for, as far as a flow can tell.

That is before a transfer to a queue, an agent or a third party, and before a disconnect to which calls come in the normal
way. What went wrong on the way (an error branch, no valid choice, closed) makes a way an error path, until the caller
makes a choice again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from callroute.flows.attribute_flow import COMPLETED, attributes_of
from callroute.flows.block_types import type_of

if TYPE_CHECKING:
    from callroute.flows.tracking.graph import Way
    from callroute.flows.tracking.route_assignment import Places

_TRANSFERS = frozenset(
    ("TransferContactToQueue", "TransferContactToAgent", "TransferParticipantToThirdParty")
)
_DISCONNECT = "DisconnectParticipant"


class _State(NamedTuple):
    """What a call has behind it.

    Attributes:
        failed: whether something has gone wrong since the caller last made a choice.
        value: `call_completed`; `hand` where the flow itself has decided on it.
    """

    failed: bool
    value: Literal["false", "true", "hand"]


class Completion:
    """Where `call_completed` has to be set in a flow in which calls start.

    Attributes:
        on_ways: the value to be set on a way, just before its target.
        unclear: the disconnects to which calls come both in the normal way and after an error, and cannot be told
            apart any more; there it stays false.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._graph = places.graph
        self._actions = places.graph.flow.blocks
        self.on_ways: dict[Way, str] = {}
        self.unclear: tuple[str, ...] = ()
        self._before_stops = self._from_start()
        self._final = self._without_menus()
        if not places.starts_calls:
            return
        self._failing = self._fails()
        # One kind of place after the other, each on what the earlier ones have changed.
        for step in (self._at_transfers, self._at_ends, self._after_failures, self._at_menus):
            while found := step(self._states()):
                self.on_ways.update(found)
        self.unclear = self._mixed_ends(self._states())

    # --- Steps: what to set next, given what holds now; nothing where all is well ------------------------------------

    def _at_transfers(self, states: Mapping[Way, set[_State]]) -> dict[Way, str]:
        return {
            way: "true"
            for way, arriving in states.items()
            if self._actions[way.target].type in _TRANSFERS
            and way not in self.on_ways
            and any(state.value == "false" for state in arriving)
        }

    def _at_ends(self, states: Mapping[Way, set[_State]]) -> dict[Way, str]:
        # Calls that went well are marked where they meet calls that did not, or at the end.
        for block in self._graph.reached:
            if block not in self._final:
                continue
            into = [way for way in self._graph.into[block] if way in states]
            undecided = {state.failed for way in into for state in states[way] if state.value == "false"}
            if undecided == {True, False} or self._actions[block].type == _DISCONNECT:
                found = {
                    way: "true"
                    for way in into
                    if way not in self.on_ways
                    and not any(state.failed for state in states[way])
                    and any(state.value == "false" for state in states[way])
                }
                if found:
                    return found
        return {}

    def _after_failures(self, states: Mapping[Way, set[_State]]) -> dict[Way, str]:
        return self._first(
            way
            for way, arriving in states.items()
            if any(state.value == "true" for state in arriving)
            and self._graph.failure(way)
            and self._actions[way.target].type not in _TRANSFERS
            and self._places.matters(way.target, COMPLETED)
        )

    def _at_menus(self, states: Mapping[Way, set[_State]]) -> dict[Way, str]:
        return self._first(
            way
            for way, arriving in states.items()
            if self._asks(way.target) and any(state.value == "true" for state in arriving)
        )

    def _first(self, ways: Iterable[Way]) -> dict[Way, str]:
        way = next((way for way in ways if way not in self.on_ways), None)
        return {} if way is None else {way: "false"}

    def _mixed_ends(self, states: Mapping[Way, set[_State]]) -> tuple[str, ...]:
        return tuple(
            block
            for block in self._graph.reached
            if self._actions[block].type == _DISCONNECT
            and any(
                _State(failed=False, value="false") in states.get(way, ()) for way in self._graph.into[block]
            )
        )

    # --- What holds where --------------------------------------------------------------------------------------------

    def _states(self) -> dict[Way, set[_State]]:
        """What can hold at the end of each way."""
        found: dict[Way, set[_State]] = {}
        entry = self._graph.entry
        pending = deque([(entry, self._after(entry, frozenset((_State(failed=False, value="false"),))))])
        while pending:
            way, arriving = pending.popleft()
            known = found.setdefault(way, set())
            new = arriving - known
            if new:
                known |= new
                for onward in self._graph.ways(way.target):
                    pending.append((onward, self._after(onward, new)))
        return found

    def _after(self, way: Way, states: frozenset[_State]) -> frozenset[_State]:
        return frozenset(
            _State(self._failed_after(way, state.failed), self._value_after(way, state.value))
            for state in states
        )

    def _failed_after(self, way: Way, failed: bool) -> bool:
        if self._makes_good(way):
            return False
        # A loop that some call enters after an error counts tries, and is done when there are no more.
        given_up = way.label == "DoneLooping" and way.source in self._failing
        return failed or given_up or self._graph.failure(way)

    def _value_after(
        self, way: Way, value: Literal["false", "true", "hand"]
    ) -> Literal["false", "true", "hand"]:
        action = self._actions.get(way.source)
        written = attributes_of(action).get(COMPLETED) if action is not None else None
        if written is not None:
            # What a flow says at its beginning is what it says before it knows anything.
            value = "false" if written == "false" and way.source in self._before_stops else "hand"
        planned = self.on_ways.get(way)
        return value if planned is None else "true" if planned == "true" else "false"

    def _makes_good(self, way: Way) -> bool:
        """Whether a way is taken because the caller has given an answer."""
        row = type_of(self._actions[way.source]) if way.source in self._actions else None
        return self._graph.chosen(way) or (row is not None and row.stop == "input" and way.kind == "next")

    def _asks(self, block: str) -> bool:
        row = type_of(self._actions[block])
        return row is not None and row.asks

    def _fails(self) -> frozenset[str]:
        """The blocks that a call can reach after an error, without a choice since."""
        failing: set[str] = set()
        pending = [
            way.target
            for block in self._graph.reached
            for way in self._graph.ways(block)
            if self._graph.failure(way)
        ]
        while pending:
            block = pending.pop()
            if block not in failing:
                failing.add(block)
                pending += [way.target for way in self._graph.ways(block) if not self._makes_good(way)]
        return frozenset(failing)

    def _from_start(self) -> frozenset[str]:
        """The blocks that calls come through before the first stop."""
        seen: set[str] = set()
        pending = [self._graph.flow.start]
        while pending:
            block = pending.pop()
            if block not in seen and not self._graph.is_stop(block):
                seen.add(block)
                pending += [way.target for way in self._graph.ways(block)]
        return frozenset(seen)

    def _without_menus(self) -> frozenset[str]:
        """The blocks after which callers are asked nothing more and transferred nowhere."""
        others = {block for block in self._graph.reached if self._goes_on(block)}
        pending = list(others)
        while pending:
            for way in self._graph.into[pending.pop()]:
                if way.source in self._actions and way.source not in others:
                    others.add(way.source)
                    pending.append(way.source)
        return frozenset(self._graph.reached) - others

    def _goes_on(self, block: str) -> bool:
        row = type_of(self._actions[block])
        return row is not None and (
            row.asks or row.stop in ("queue", "agent", "third party", "other flow", "hold", "wait")
        )
