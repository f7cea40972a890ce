"""Data-flow analysis that computes which contact attribute values can reach each block.

`call_route` and `call_completed` are contact attributes, so the contact record contains the last values set before
the caller hung up. For each block, this module computes every value that an attribute can have when a call enters the
block. The analysis is a least fixpoint over sets of values, so loops and shared blocks need no special handling.

Limitations (docs/checks.md): A block that sets an attribute can fail and take its error branch, leaving the old value
in place. No flow can prevent that, so these paths are followed only on request (`failures`). Only conditions that compare the
attribute itself are evaluated. Every other branch counts as possible. Lambda functions can change attributes through the API,
which is not visible in the flow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callroute.flows.block_types import StopKind, kinds_of, type_of
from callroute.flows.flow import is_readable
from callroute.flows.references import paths_in, whole

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Branch, Flow

ROUTE = "call_route"
COMPLETED = "call_completed"
CALL_FLOW = "call_flow"
FLOW_VERSION = "flow_version"
ARM = "arm"


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A value that is known only during the call.

    Attributes:
        origin: the source of the value, for example a reference such as `$.External.route`, a module or the calling
            flow.
    """

    origin: str

    def __str__(self) -> str:
        return f"<{self.origin}>"


Value = str | Dynamic | None
"""Possible value of an attribute: a string, a dynamic value, or None if it was never set."""

CALLING_FLOW = Dynamic("the calling flow")


def constants(values: Iterable[frozenset[Value]]) -> set[str]:
    """Returns all strings that appear in any of the sets of possible values."""
    return {value for found in values for value in found if isinstance(value, str)}


@dataclass(frozen=True, slots=True)
class Stop:
    """A block where callers can hang up.

    Attributes:
        block: the block.
        kind: what the caller does in the block.
        routes: values of `call_route` on entry; empty if calls reach the block only after a block that sets
            `call_route` has failed, or not at all because of comparisons with `call_route`.
        completed: values of `call_completed` on entry.
        routes_after_failure: values of `call_route` on entry if blocks that set it can fail; includes `routes`.
    """

    block: Block
    kind: StopKind
    routes: frozenset[Value]
    completed: frozenset[Value]
    routes_after_failure: frozenset[Value]


@dataclass(frozen=True, slots=True)
class Analysis:
    """Result of the tracking analysis of a flow.

    Attributes:
        reached: identifiers of all blocks that calls can reach.
        routes: values of `call_route` on entry to each reached block, if the blocks that set it succeed.
        completed: values of `call_completed` on entry, under the same assumption.
        stops: the reachable stops, in document order.
    """

    reached: frozenset[str]
    routes: Mapping[str, frozenset[Value]]
    completed: Mapping[str, frozenset[Value]]
    stops: tuple[Stop, ...]


def analyze(flow: Flow) -> Analysis:
    """Follows every path through a flow, skipping branches whose target does not exist."""
    reaching = ReachingValues(flow, ROUTE)
    routes, after_failure = reaching.values(), reaching.values(failures=True)
    completed = ReachingValues(flow, COMPLETED).values()
    unset: frozenset[Value] = frozenset()
    stops = []
    for identifier, block in flow.blocks.items():
        row = type_of(block)
        if row and row.stop and identifier in after_failure:
            stops.append(
                Stop(
                    block,
                    row.stop,
                    routes.get(identifier, unset),
                    completed.get(identifier, unset),
                    after_failure[identifier],
                )
            )
    return Analysis(frozenset(after_failure), routes, completed, tuple(stops))


def inherits(flow: Flow) -> bool:
    """Returns whether every call enters the flow from another flow, inheriting the attributes set there.

    This is true of modules and of queue, hold and whisper flows. A contact flow can also be the target of a transfer,
    but inbound calls can start in it.
    """
    kinds = kinds_of(flow)
    return bool(kinds) and "contact" not in kinds


class ReachingValues:
    """Data-flow analysis of one contact attribute.

    Args:
        flow: the flow.
        attribute: name of the attribute.
    """

    def __init__(self, flow: Flow, attribute: str) -> None:
        self._flow = flow
        self._attribute = attribute
        self._transfers: dict[str, _Transfer] = {}
        # Sets of values are stored as bit sets, because a large flow can have hundreds of routes.
        self._bit_numbers: dict[Value, int] = {}

    def values(self, *, failures: bool = False) -> dict[str, frozenset[Value]]:
        """Returns the attribute's possible values on entry to each reachable block.

        Args:
            failures: whether to follow the error branches of blocks that set the attribute as well.
        """
        initial: Value = CALLING_FLOW if inherits(self._flow) else None
        return self._propagate(self._flow.start, (initial,), failures=failures, beyond_stops=True)

    def first_stops(self, start: str, values: Collection[Value]) -> dict[str, frozenset[Value]]:
        """Returns the first stops reached from a block (possibly the block itself) and the attribute's values there.

        Args:
            start: identifier of the block to start from.
            values: the attribute's values on entry to that block.
        """
        return self._first(start, values, ends=False)

    def first_places(self, start: str, values: Collection[Value]) -> dict[str, frozenset[Value]]:
        """Returns the result of `first_stops`, plus the blocks where a call ends before reaching a stop."""
        return self._first(start, values, ends=True)

    def _first(self, start: str, values: Collection[Value], *, ends: bool) -> dict[str, frozenset[Value]]:
        reached = self._propagate(start, values, failures=False, beyond_stops=False)
        return {
            identifier: found
            for identifier, found in reached.items()
            if (transfer := self._transfers[identifier]).is_stop or (ends and not transfer.targets)
        }

    def _propagate(
        self, start: str, values: Collection[Value], *, failures: bool, beyond_stops: bool
    ) -> dict[str, frozenset[Value]]:
        """Propagates values along all branches until a fixpoint is reached."""
        if start not in self._flow.blocks:
            return {}
        entry = {start: self._to_bits(values)}
        pending = deque(entry)
        while pending:
            identifier = pending.popleft()
            transfer = self._transfers.get(identifier) or self._add_transfer(identifier)
            if transfer.is_stop and not beyond_stops:
                continue
            before = entry[identifier]
            for target, arriving in self._arriving(transfer, before, failures=failures):
                known = entry.get(target)
                if known is None or arriving & ~known:
                    entry[target] = arriving | (known or 0)
                    pending.append(target)
        sets = {bits: self._from_bits(bits) for bits in set(entry.values())}
        return {identifier: sets[bits] for identifier, bits in entry.items()}

    def _comparisons(self, block: Block, branches: Iterable[Branch]) -> tuple[tuple[str, str | None], ...]:
        """Returns the targets of a block that compares the attribute, with the value that leads to each, or None."""
        if block.type != "Compare" or whole(str(block.parameters.get("ComparisonValue"))) != (
            "Attributes",
            self._attribute,
        ):
            return ()
        found = [(branch.target, branch.label if branch.kind == "condition" else None) for branch in branches]
        exact = all(branch.operator == "Equals" for branch in block.branches if branch.kind == "condition")
        return tuple(found) if exact else ()

    def _arriving(self, transfer: _Transfer, values: int, *, failures: bool) -> Iterator[tuple[str, int]]:
        """Yields the targets of a block, each with the values that arrive there."""
        operands = {operand: self._to_bits((operand,)) for _, operand in transfer.comparisons if operand}
        others = values & ~sum(operands.values())
        dynamic = operands and any(isinstance(value, Dynamic) for value in self._from_bits(others))
        for target, operand in transfer.comparisons:
            bit = operands.get(operand or "", 0)
            yield target, others if operand is None else bit if dynamic else values & bit
        if transfer.comparisons:
            return
        after = transfer.generated | values if transfer.keeps else transfer.generated
        for target in transfer.targets:
            yield target, after
        for target in transfer.targets_of_failure if failures else ():
            yield target, values

    def _add_transfer(self, identifier: str) -> _Transfer:
        block = self._flow.blocks[identifier]
        assignment = assignment_of(block, self._attribute)
        may_fail = bool(assignment.values) and block.type == "UpdateContactAttributes"
        branches = list(outgoing_branches(self._flow, block))
        failures = [branch for branch in branches if may_fail and branch.kind == "error"]
        row = type_of(block)
        transfer = self._transfers[identifier] = _Transfer(
            generated=self._to_bits(assignment.values),
            keeps=assignment.keeps,
            targets=tuple(dict.fromkeys(branch.target for branch in branches if branch not in failures)),
            targets_of_failure=tuple(dict.fromkeys(branch.target for branch in failures)),
            is_stop=row is not None and row.stop is not None,
            comparisons=self._comparisons(block, branches),
        )
        return transfer

    def _to_bits(self, values: Collection[Value]) -> int:
        return sum(1 << self._bit_numbers.setdefault(value, len(self._bit_numbers)) for value in set(values))

    def _from_bits(self, bits: int) -> frozenset[Value]:
        return frozenset(value for value, number in self._bit_numbers.items() if bits >> number & 1)


@dataclass(frozen=True, slots=True)
class _Transfer:
    """Transfer function of a block: the values that it generates, as a bit set, and the blocks that follow it.

    If the block compares the attribute, each target has the value that leads to it, or None for all other values.
    """

    generated: int
    keeps: bool
    targets: tuple[str, ...]
    targets_of_failure: tuple[str, ...]
    is_stop: bool
    comparisons: tuple[tuple[str, str | None], ...]


def outgoing_branches(flow: Flow, block: Block) -> Iterator[Branch]:
    """Yields the branches that a call can take out of a block. Branches of terminal blocks are ignored."""
    row = type_of(block)
    if row is None or not row.terminal:
        yield from (branch for branch in block.branches if branch.target in flow.blocks)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Effect of a block on an attribute.

    Attributes:
        values: values that the block can assign.
        keeps: whether the attribute can also keep its old value.
    """

    values: tuple[Value, ...] = ()
    keeps: bool = True


def assignment_of(block: Block, attribute: str) -> Assignment:
    """Returns the effect of a block on a contact attribute when the block succeeds."""
    if block.type == "InvokeFlowModule":
        return Assignment((Dynamic(_module(block)),))
    attributes = attributes_of(block)
    if attribute in attributes:
        value = attributes[attribute]
        text = value if isinstance(value, str) else str(value)
        return Assignment((Dynamic(text) if paths_in(text) else text,), keeps=False)
    if any(map(paths_in, attributes)):
        # If the attribute's name is itself a reference, the block can set any attribute.
        return Assignment((Dynamic(f"an attribute named by a reference in {block.identifier}"),))
    return Assignment()


def _module(block: Block) -> str:
    """Describes the module that a block invokes."""
    return f"the module in {block.identifier}" if is_readable(block.identifier) else "a flow module"


def attributes_of(block: Block) -> Mapping[str, object]:
    """Returns the contact attributes that a block sets on the current contact, unevaluated."""
    if (
        block.type != "UpdateContactAttributes"
        or str(block.parameters.get("TargetContact")).lower() == "related"
    ):
        return {}
    attributes = block.parameters.get("Attributes")
    return attributes if isinstance(attributes, Mapping) else {}
