"""Determines where `call_completed` becomes true.

It becomes true before a transfer to a queue, an agent or a third party, and before a disconnect that is reached
without a failure. A failure (an error branch, no valid input, or closed hours) counts until the caller makes another
choice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from callroute.flows.attribute_flow import COMPLETED, attributes_of
from callroute.flows.block_types import type_of

if TYPE_CHECKING:
    from callroute.flows.tracking.graph import Edge
    from callroute.flows.tracking.route_assignment import RouteAssignment

_TRANSFERS = frozenset(
    ("TransferContactToQueue", "TransferContactToAgent", "TransferParticipantToThirdParty")
)
_DISCONNECT = "DisconnectParticipant"

_Value = Literal["false", "true", "manual"]


class _State(NamedTuple):
    """State of a call on an edge.

    Attributes:
        failed: whether a failure has occurred since the caller's last choice.
        value: value of `call_completed`, or `manual` if one of the flow's own blocks has set it.
    """

    failed: bool
    value: _Value


class Completion:
    """The values of `call_completed` set by tracking.

    Attributes:
        at_edge_end: the value to set just before the target of an edge, by edge.
        ambiguous_ends: disconnects where `call_completed` stays false, because successful and failed calls
            reach them over the same edges.
    """

    def __init__(self, assignment: RouteAssignment) -> None:
        self._assignment = assignment
        self._graph = assignment.graph
        self._blocks = assignment.graph.flow.blocks
        self.at_edge_end: dict[Edge, str] = {}
        self.ambiguous_ends: tuple[str, ...] = ()
        self._before_first_stop = self._find_before_first_stop()
        self._closing = self._find_closing()
        if not assignment.starts_calls:
            return
        self._after_failure = self._find_after_failure()
        # The steps run in this order because each depends on the values set by the previous ones.
        for step in (self._at_transfers, self._at_ends, self._after_failures, self._at_menus):
            while values := step(self._states()):
                self.at_edge_end.update(values)
        self.ambiguous_ends = self._find_ambiguous_ends(self._states())

    # --- Steps: each returns the next values to set, given the current states, or nothing when it is done ------------

    def _at_transfers(self, states: Mapping[Edge, set[_State]]) -> dict[Edge, str]:
        return {
            edge: "true"
            for edge, arriving in states.items()
            if self._blocks[edge.target].type in _TRANSFERS
            and edge not in self.at_edge_end
            and any(state.value == "false" for state in arriving)
        }

    def _at_ends(self, states: Mapping[Edge, set[_State]]) -> dict[Edge, str]:
        # Mark successful calls where they merge with failed ones, or at the disconnect.
        for block in self._graph.depths:
            if block not in self._closing:
                continue
            incoming = [edge for edge in self._graph.incoming[block] if edge in states]
            undecided = {
                state.failed for edge in incoming for state in states[edge] if state.value == "false"
            }
            if undecided == {True, False} or self._blocks[block].type == _DISCONNECT:
                values = {
                    edge: "true"
                    for edge in incoming
                    if edge not in self.at_edge_end
                    and not any(state.failed for state in states[edge])
                    and any(state.value == "false" for state in states[edge])
                }
                if values:
                    return values
        return {}

    def _after_failures(self, states: Mapping[Edge, set[_State]]) -> dict[Edge, str]:
        return self._reset_first(
            edge
            for edge, arriving in states.items()
            if any(state.value == "true" for state in arriving)
            and self._graph.is_failure(edge)
            and self._blocks[edge.target].type not in _TRANSFERS
            and self._assignment.is_needed(edge.target, COMPLETED)
        )

    def _at_menus(self, states: Mapping[Edge, set[_State]]) -> dict[Edge, str]:
        return self._reset_first(
            edge
            for edge, arriving in states.items()
            if self._asks(edge.target) and any(state.value == "true" for state in arriving)
        )

    def _reset_first(self, edges: Iterable[Edge]) -> dict[Edge, str]:
        edge = next((edge for edge in edges if edge not in self.at_edge_end), None)
        return {} if edge is None else {edge: "false"}

    def _find_ambiguous_ends(self, states: Mapping[Edge, set[_State]]) -> tuple[str, ...]:
        return tuple(
            block
            for block in self._graph.depths
            if self._blocks[block].type == _DISCONNECT
            and any(
                _State(failed=False, value="false") in states.get(edge, ())
                for edge in self._graph.incoming[block]
            )
        )

    # --- Analysis ----------------------------------------------------------------------------------------------------

    def _states(self) -> dict[Edge, set[_State]]:
        """Returns the possible states at the end of each edge."""
        states: dict[Edge, set[_State]] = {}
        entry = self._graph.entry
        pending = deque([(entry, self._after(entry, frozenset((_State(failed=False, value="false"),))))])
        while pending:
            edge, arriving = pending.popleft()
            known = states.setdefault(edge, set())
            new = arriving - known
            if new:
                known |= new
                for following in self._graph.outgoing(edge.target):
                    pending.append((following, self._after(following, new)))
        return states

    def _after(self, edge: Edge, states: frozenset[_State]) -> frozenset[_State]:
        return frozenset(
            _State(self._failed_after(edge, state.failed), self._value_after(edge, state.value))
            for state in states
        )

    def _failed_after(self, edge: Edge, failed: bool) -> bool:
        if self._has_answer(edge):
            return False
        # If a loop can be entered after a failure, it counts attempts, so running out of them is a failure.
        out_of_attempts = edge.label == "DoneLooping" and edge.source in self._after_failure
        return failed or out_of_attempts or self._graph.is_failure(edge)

    def _value_after(self, edge: Edge, value: _Value) -> _Value:
        block = self._blocks.get(edge.source)
        own_value = attributes_of(block).get(COMPLETED) if block is not None else None
        if own_value is not None:
            # Setting `false` before the first stop only initializes the attribute and does not count as manual
            # completion.
            is_start_value = own_value == "false" and edge.source in self._before_first_stop
            value = "false" if is_start_value else "manual"
        planned = self.at_edge_end.get(edge)
        return value if planned is None else "true" if planned == "true" else "false"

    def _has_answer(self, edge: Edge) -> bool:
        """Returns whether an edge is taken because the caller made a choice or entered input."""
        block_type = type_of(self._blocks[edge.source]) if edge.source in self._blocks else None
        return self._graph.is_choice(edge) or (
            block_type is not None and block_type.stop == "input" and edge.kind == "next"
        )

    def _asks(self, block: str) -> bool:
        block_type = type_of(self._blocks[block])
        return block_type is not None and block_type.asks

    def _find_after_failure(self) -> frozenset[str]:
        """Returns the blocks that a call can reach after a failure without another choice in between."""
        found: set[str] = set()
        pending = [
            edge.target
            for block in self._graph.depths
            for edge in self._graph.outgoing(block)
            if self._graph.is_failure(edge)
        ]
        while pending:
            block = pending.pop()
            if block not in found:
                found.add(block)
                pending += [edge.target for edge in self._graph.outgoing(block) if not self._has_answer(edge)]
        return frozenset(found)

    def _find_before_first_stop(self) -> frozenset[str]:
        """Returns the blocks that a call can reach before the first stop."""
        found: set[str] = set()
        pending = [self._graph.flow.start]
        while pending:
            block = pending.pop()
            if block not in found and not self._graph.is_stop(block):
                found.add(block)
                pending += [edge.target for edge in self._graph.outgoing(block)]
        return frozenset(found)

    def _find_closing(self) -> frozenset[str]:
        """Returns the blocks after which the flow no longer asks for input, transfers the call or waits."""
        others = {block for block in self._graph.depths if self._continues_call(block)}
        pending = list(others)
        while pending:
            for edge in self._graph.incoming[pending.pop()]:
                if edge.source in self._blocks and edge.source not in others:
                    others.add(edge.source)
                    pending.append(edge.source)
        return frozenset(self._graph.depths) - others

    def _continues_call(self, block: str) -> bool:
        block_type = type_of(self._blocks[block])
        return block_type is not None and (
            block_type.asks
            or block_type.stop in ("queue", "agent", "third party", "other flow", "hold", "wait")
        )
