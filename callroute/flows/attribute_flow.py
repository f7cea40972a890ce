"""Which route a caller has at each stop, over all paths through a flow.

`call_route` and `call_completed` are contact attributes: whoever hangs up leaves on the contact record what was set
last. For each block this module finds every value that an attribute can have when a call enters it: the least fixpoint
of the sets of values that its branches carry, so loops and blocks reached in many ways cost nothing extra.

What is left out, and said so in docs/checks.md: a block that sets an attribute may fail and take its error branch with
the value as it was. No flow can avoid that, so these paths are followed only on request (`failures`). Conditions are not
weighed: any branch may be taken. Lambda functions may change attributes through the API, which no flow shows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callroute.flows.block_types import StopKind, kinds_of, type_of
from callroute.flows.references import paths_in

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Branch, Flow

ROUTE = "call_route"
COMPLETED = "call_completed"
CALL_FLOW = "call_flow"


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A value that is known only while the call lasts.

    Attributes:
        origin: where it comes from: a reference such as `$.External.route`, or other flows.
    """

    origin: str

    def __str__(self) -> str:
        return f"<{self.origin}>"


Value = str | Dynamic | None
"""What an attribute may hold: a text, something known only in the call, or nothing since it was never set."""

CALLING_FLOW = Dynamic("the calling flow")


@dataclass(frozen=True, slots=True)
class Stop:
    """A block in which a caller can be when they hang up.

    Attributes:
        action: the block.
        kind: what the caller does there.
        routes: the values of `call_route` it can be reached with; empty where it is reached only if a block that sets
            `call_route` fails.
        completed: the values of `call_completed` likewise.
        routes_after_failure: the values of `call_route` where blocks that set it may fail; includes `routes`.
    """

    action: Block
    kind: StopKind
    routes: frozenset[Value]
    completed: frozenset[Value]
    routes_after_failure: frozenset[Value]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is known of a flow's tracking.

    Attributes:
        reached: identifiers of the blocks that a call can reach, by any branch.
        routes: by block reached, the values that `call_route` can have on entry, where blocks that set it succeed.
        completed: `call_completed` likewise.
        stops: the stops that a call can reach, in the file's order.
    """

    reached: frozenset[str]
    routes: Mapping[str, frozenset[Value]]
    completed: Mapping[str, frozenset[Value]]
    stops: tuple[Stop, ...]


def analyze(flow: Flow) -> Analysis:
    """Follows every path through a flow. Branches that lead nowhere are passed over."""
    paths = ReachingValues(flow, ROUTE)
    routes, after_failure = paths.values(), paths.values(failures=True)
    completed = ReachingValues(flow, COMPLETED).values()
    nothing: frozenset[Value] = frozenset()
    stops = []
    for identifier, action in flow.blocks.items():
        row = type_of(action)
        if row and row.stop and identifier in after_failure:
            stops.append(
                Stop(
                    action,
                    row.stop,
                    routes.get(identifier, nothing),
                    completed.get(identifier, nothing),
                    after_failure[identifier],
                )
            )
    return Analysis(frozenset(after_failure), routes, completed, tuple(stops))


def inherits(flow: Flow) -> bool:
    """Whether a flow runs only inside calls that come from another one, with the attributes set there.

    Modules, queue, hold and whisper flows run inside a call that has been through a contact flow. A contact flow may be
    the target of a transfer too, but may as well be where calls come in.
    """
    kinds = kinds_of(flow)
    return bool(kinds) and "contact" not in kinds


class ReachingValues:
    """All ways through a flow, with what the blocks on them do to one contact attribute.

    Args:
        flow: the flow.
        attribute: name of the attribute.
    """

    def __init__(self, flow: Flow, attribute: str) -> None:
        self._flow = flow
        self._attribute = attribute
        self._passages: dict[str, _Passage] = {}
        # Sets of values are the bits of a number: a flow of 250 blocks may have as many routes.
        self._numbers: dict[Value, int] = {}

    def values(self, *, failures: bool = False) -> dict[str, frozenset[Value]]:
        """By block reached, the values that the attribute can have when a call enters it.

        Args:
            failures: whether to follow the error branches of the blocks that set the attribute too.
        """
        start: Value = CALLING_FLOW if inherits(self._flow) else None
        return self._spread(self._flow.start, (start,), failures=failures, beyond_stops=True)

    def first_stops(self, start: str, values: Collection[Value]) -> dict[str, frozenset[Value]]:
        """The stops that a call comes to next from a block, itself included, with the attribute's values there.

        Args:
            start: identifier of the block from which to look.
            values: the attribute's values on entering it.
        """
        return self._first(start, values, ends=False)

    def first_places(self, start: str, values: Collection[Value]) -> dict[str, frozenset[Value]]:
        """The stops that a call comes to next, as `first_stops`, and the blocks where it ends without any."""
        return self._first(start, values, ends=True)

    def _first(self, start: str, values: Collection[Value], *, ends: bool) -> dict[str, frozenset[Value]]:
        reached = self._spread(start, values, failures=False, beyond_stops=False)
        return {
            block: found
            for block, found in reached.items()
            if (passage := self._passages[block]).stop or (ends and not passage.targets)
        }

    def _spread(
        self, start: str, values: Collection[Value], *, failures: bool, beyond_stops: bool
    ) -> dict[str, frozenset[Value]]:
        """Carries values along all branches from a block until nothing new arrives anywhere."""
        if start not in self._flow.blocks:
            return {}
        entry = {start: self._bits(values)}
        pending = deque(entry)
        while pending:
            here = pending.popleft()
            passage = self._passages.get(here) or self._passage(here)
            if passage.stop and not beyond_stops:
                continue
            before = entry[here]
            after = passage.added | before if passage.keeps else passage.added
            for targets, arriving in (
                (passage.targets, after),
                (passage.targets_of_failure if failures else (), before),
            ):
                for target in targets:
                    known = entry.get(target)
                    if known is None or arriving & ~known:
                        entry[target] = arriving | (known or 0)
                        pending.append(target)
        sets = {bits: self._values(bits) for bits in set(entry.values())}
        return {block: sets[bits] for block, bits in entry.items()}

    def _passage(self, block: str) -> _Passage:
        action = self._flow.blocks[block]
        written = written_by(action, self._attribute)
        may_fail = bool(written.values) and action.type == "UpdateContactAttributes"
        ways = list(outgoing_branches(self._flow, action))
        failures = [way for way in ways if may_fail and way.kind == "error"]
        row = type_of(action)
        passage = self._passages[block] = _Passage(
            added=self._bits(written.values),
            keeps=written.keeps,
            targets=tuple(dict.fromkeys(way.target for way in ways if way not in failures)),
            targets_of_failure=tuple(dict.fromkeys(way.target for way in failures)),
            stop=row is not None and row.stop is not None,
        )
        return passage

    def _bits(self, values: Collection[Value]) -> int:
        return sum(1 << self._numbers.setdefault(value, len(self._numbers)) for value in set(values))

    def _values(self, bits: int) -> frozenset[Value]:
        return frozenset(value for value, number in self._numbers.items() if bits >> number & 1)


@dataclass(frozen=True, slots=True)
class _Passage:
    """What becomes of a set of values in a block: its bits on leaving it, and the blocks to which it goes on."""

    added: int
    keeps: bool
    targets: tuple[str, ...]
    targets_of_failure: tuple[str, ...]
    stop: bool


def outgoing_branches(flow: Flow, action: Block) -> Iterator[Branch]:
    """The branches by which a call can go on from a block: those that lead to a block, and none where it ends."""
    row = type_of(action)
    if row is None or not row.terminal:
        yield from (transition for transition in action.branches if transition.target in flow.blocks)


@dataclass(frozen=True, slots=True)
class Written:
    """What a block does to an attribute.

    Attributes:
        values: the values that it may give to it.
        keeps: whether the attribute may also stay as it was.
    """

    values: tuple[Value, ...] = ()
    keeps: bool = True


def written_by(action: Block, attribute: str) -> Written:
    """What a block does to a contact attribute when it succeeds."""
    if action.type == "InvokeFlowModule":
        return Written((Dynamic(f"module in {action.identifier}"),))
    attributes = attributes_of(action)
    if attribute in attributes:
        value = attributes[attribute]
        text = value if isinstance(value, str) else str(value)
        return Written((Dynamic(text) if paths_in(text) else text,), keeps=False)
    if any(map(paths_in, attributes)):
        # The name of an attribute may be a reference too, and then any attribute may be meant.
        return Written((Dynamic(f"an attribute named by a reference in {action.identifier}"),))
    return Written()


def attributes_of(action: Block) -> Mapping[str, object]:
    """The contact attributes that a block sets on the call it runs in, as they stand in the file."""
    if (
        action.type != "UpdateContactAttributes"
        or str(action.parameters.get("TargetContact")).lower() == "related"
    ):
        return {}
    attributes = action.parameters.get("Attributes")
    return attributes if isinstance(attributes, Mapping) else {}
