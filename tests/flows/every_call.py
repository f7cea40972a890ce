"""Generates calls that together cover every path through a flow. Callers and environments are derived from the flow.

A call is a sequence of decisions, one for each block: a key, an intent, the result of a function, or a failure. Starting
without decisions, each call is extended by everything that can happen in its current block and simulated to find the
branch it takes. The value that a Compare block reads is not decided in that block. It is written into an earlier decision
that the value comes from: the result of a function, a slot, digits, or initial attributes of the contact.
"""

from __future__ import annotations

import copy
import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from callroute.flows.attribute_flow import attributes_of
from callroute.flows.block_types import kinds_of, type_of
from callroute.flows.flow import Block, Branch, Flow
from callroute.flows.references import whole
from callroute.flows.simulation import (
    END,
    HANGUP,
    KEYS,
    RETURN,
    TIMEOUT,
    Call,
    Environment,
    Event,
    LoopPassed,
    Queued,
    SimulatedClock,
    SimulationError,
    run_simulation,
)

if TYPE_CHECKING:
    from callroute.flows.simulation import MenuOffered, Said

START = datetime(2026, 4, 1, 1, tzinfo=UTC)

AROUND = "around"
"""Identifier of the block before the flow that invokes a function."""

_A_DAY = 86_400.0
_SOMETHING = "something"
FULL_INPUT = "1234#"
_NONE_OF_THESE = "none of these"
# Maximum number of calls that are extended for the same branch and the same feature.
_CALLS = 2
# Errors that follow from the environment, so that no decision has to cause them.
_NATURAL = {
    "GetParticipantInput": {"InputTimeLimitExceeded", "NoMatchingCondition", "InvalidPhoneNumber"},
    "ConnectParticipantWithLexBot": {"InputTimeLimitExceeded", "NoMatchingCondition"},
    "Compare": {"NoMatchingCondition"},
    "CheckMetricData": {"NoMatchingCondition"},
    "DistributeByPercentage": {"NoMatchingCondition"},
    "ShowView": {"NoMatchingCondition"},
    "TransferParticipantToThirdParty": {"CallFailed", "ConnectionTimeLimitExceeded"},
}


_ANSWERS = {"External": "lambda", "Customer": "profile", "Lex": "lex", "Views": "view", "DataTables": "table"}
# Blocks that fail if their parameter is empty.
_NEEDS = frozenset(
    (
        "InvokeFlowModule",
        "InvokeLambdaFunction",
        "TransferToFlow",
        "UpdateContactCallbackNumber",
        "UpdateContactTargetQueue",
    )
)


@dataclass(frozen=True, slots=True)
class Decision:
    """An event in a block.

    Attributes:
        kind: `keys`, a kind of response (for example `lex`), `errors`, `value` (read by a Compare block), or `passes`.
        answer: the keys, response, error or value.
    """

    kind: str = "passes"
    answer: Any = None


@dataclass(frozen=True, slots=True)
class Journey:
    """A partial call.

    Attributes:
        blocks: the visited blocks, in order.
        decisions: the decision in each visited block.
        taken: the branch taken from each visited block.
        here: the current block.
    """

    blocks: tuple[str, ...]
    decisions: tuple[Decision, ...]
    taken: tuple[Branch, ...]
    here: str

    @property
    def failed(self) -> set[str]:
        """Blocks that failed."""
        made = zip(self.blocks, self.decisions, strict=True)
        return {block for block, decision in made if decision.kind == "errors"}


class Fixed:
    """A caller who presses given keys and hangs up at a given moment.

    Args:
        keys: keys to press.
        hangs_up_at: index of the moment to hang up at; None for never.
        patience: maximum seconds in a queue; None waits forever. A caller who hangs up in a queue waits 10 seconds.
    """

    def __init__(self, keys: Sequence[str], hangs_up_at: int | None, patience: float | None) -> None:
        self._keys = list(keys)[::-1]
        self._hangs_up_at = hangs_up_at
        self._patience = patience
        self.moments = 0

    def _hangs_up(self) -> bool:
        self.moments += 1
        return self.moments - 1 == self._hangs_up_at

    def listens(self, said: Said) -> bool:
        return not self._hangs_up()

    def chooses(self, menu: MenuOffered) -> str:
        return HANGUP if self._hangs_up() or not self._keys else self._keys.pop()

    def waits(self, queued: Queued) -> float | None:
        return 10.0 if self._hangs_up() else self._patience


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A repeatable call, for the flow it was derived from or for an equivalent one.

    Attributes:
        journey: path of the call.
        world: environment of the call.
        keys: keys that the caller presses.
        hangs_up_at: moment at which the caller hangs up (see `Fixed`).
        patience: maximum seconds in a queue.
    """

    journey: Journey
    world: Environment
    keys: tuple[str, ...]
    hangs_up_at: int | None
    patience: float | None

    def where_fails(self, blocks: Iterable[str]) -> PlannedCall:
        """Returns the same call with blocks that always fail."""
        errors = {**self.world.answers.get("errors", {}), **dict.fromkeys(blocks, "NoMatchingError")}
        return replace(self, world=replace(self.world, answers={**self.world.answers, "errors": errors}))

    def play(self, stage: Stage) -> tuple[list[Event], Call]:
        """Simulates the call."""
        caller = Fixed(self.keys, self.hangs_up_at, self.patience)
        return run_simulation(stage.outer, caller, clock=SimulatedClock(START), world=stage.world(self.world))


class Stage:
    """Runs a flow by itself, or inside another flow if it needs one."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.outer = flow
        kinds = kinds_of(flow)
        # A whisper flow runs only when an agent answers.
        self.whisper = bool(kinds & {"whisper", "outbound whisper"}) and not kinds & {"contact", "transfer"}
        if kinds and not kinds & {"contact", "transfer"}:
            if "module" in kinds:
                outer_blocks = [_block("module", "InvokeFlowModule", "end", FlowModuleId="it")]
            else:
                event = "CustomerWhisper" if self.whisper else "CustomerQueue"
                outer_blocks = [
                    _block("hook", "UpdateContactEventHooks", "choose", EventHooks={event: "it"}),
                    _block("choose", "UpdateContactTargetQueue", "queue", QueueId="q"),
                    _block("queue", "TransferContactToQueue", "end"),
                ]
        elif "$.External." in flow.write():
            # The flow can read the result of a function that an earlier flow invoked.
            outer_blocks = [_block("go", "TransferToFlow", "end", ContactFlowId="it")]
        else:
            return
        then = outer_blocks[0]["Identifier"]
        self.outer = _flow(_block(AROUND, "InvokeLambdaFunction", then, LambdaFunctionARN="f"), *outer_blocks)

    @property
    def blocks_around(self) -> int:
        """Number of blocks that a call visits before it enters the flow."""
        return 0 if self.outer is self.flow else len(self.outer.blocks) - 1

    def world(self, world: Environment) -> Environment:
        """Adds the flow to an environment, under the name that the outer flow uses."""
        if self.outer is self.flow:
            return world
        answers_after = 1.0 if self.whisper else None
        return replace(world, flows={**world.flows, "it": self.flow}, agent_answers_after=answers_after)


def _block(name: str, type_: str, then: str, **parameters: Any) -> dict[str, Any]:
    branches = {"NextAction": then, "Errors": [{"NextAction": "end", "ErrorType": "NoMatchingError"}]}
    return {"Identifier": name, "Type": type_, "Parameters": parameters, "Transitions": branches}


def _flow(*blocks: dict[str, Any]) -> Flow:
    end = {"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}
    first = blocks[0]["Identifier"]
    document = {"Version": "2019-10-30", "StartAction": first, "Actions": [*blocks, end]}
    return Flow.parse(json.dumps(document), "around.json")


# --- Search for calls ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Calls:
    """Calls that cover a flow.

    Attributes:
        planned: calls that end at each reachable stop or end, over several paths.
        reached: reachable blocks.
        taken: branches that calls take.
        refused: messages of simulation errors.
    """

    planned: list[PlannedCall] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)
    taken: set[Branch] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


def every_call(flow: Flow) -> Calls:
    """Returns calls that together reach every reachable block.

    Several calls take each branch, and more if they differ in features that affect later branches: the passes of a Loop
    block, and attributes that a Compare block reads.
    """
    stage, calls = Stage(flow), Calls()
    subjects = {block.parameters.get("ComparisonValue") for block in flow.blocks.values()}
    compared = sorted(
        {
            name
            for block in flow.blocks.values()
            for name, value in attributes_of(block).items()
            if f"$.Attributes.{name}" in subjects and "$." not in str(value)
        }
    )
    seen: Counter[tuple[Branch, tuple[object, ...]]] = Counter()
    pending = deque([Journey((), (), (), flow.start)])
    while pending:
        journey = pending.popleft()
        calls.reached.add(journey.here)
        planned = _planned(stage, journey)
        if planned is not None:
            calls.planned.append(planned)
        for decision in _decisions(flow.blocks[journey.here]):
            blocks, decisions = (*journey.blocks, journey.here), (*journey.decisions, decision)
            keys, world = _surroundings(flow, blocks, decisions)
            try:
                events, call, _ = _play(stage, keys, world, len(blocks))
            except SimulationError as error:
                calls.refused.add(str(error))
                continue
            taken = tuple(call.taken.get(flow.source, ()))
            if taken[:-1] != journey.taken or len(taken) != len(blocks):
                continue  # the call ends here, or this decision changes an earlier branch
            calls.taken.add(taken[-1])
            features = [(taken[-1], feature) for feature in _features(events, call, compared)]
            seen.update(features)
            if any(seen[each] <= _CALLS for each in features):
                pending.append(Journey(blocks, decisions, taken, taken[-1].target))
    return calls


def _features(events: Sequence[Event], call: Call, compared: Sequence[str]) -> list[tuple[object, ...]]:
    """Returns the features of a call, one by one. Combinations of features would be far too many."""
    passes = {event.block: (event.passes, event.done) for event in events if isinstance(event, LoopPassed)}
    return [(), *passes.items(), *((name, call.attributes.get(name)) for name in compared)]


def _play(
    stage: Stage, keys: Sequence[str], world: Environment, blocks: int
) -> tuple[list[Event], Call, Fixed]:
    """Simulates this many blocks of the flow."""
    caller = Fixed(keys, None, _A_DAY)
    clock = SimulatedClock(START)
    limit = blocks + stage.blocks_around
    events, call = run_simulation(
        stage.outer, caller, clock=clock, world=stage.world(world), step_limit=limit
    )
    return events, call, caller


def _planned(stage: Stage, journey: Journey) -> PlannedCall | None:
    """Returns the call that ends in the current block of a journey, or None if no call can end there."""
    block = stage.flow.blocks[journey.here]
    row = type_of(block)
    if row is None or (row.stop is None and not row.terminal) or row.stop in ("view", "wait"):
        return None  # a chat block, in which the simulated caller cannot hang up
    last = {"bot": Decision("lex", HANGUP), "third party": Decision("third_party", "answered")}
    blocks, decisions = journey.blocks, journey.decisions
    hangs_up = row.stop not in (None, "hold", "other flow", *last)
    if row.stop in last:
        blocks, decisions = (*blocks, journey.here), (*decisions, last[row.stop])
    keys, world = _surroundings(stage.flow, blocks, decisions)
    if row.stop == "other flow":
        if journey.here in journey.blocks:
            return None  # the call has been there before and returned
        world = replace(world, flows={**world.flows, journey.here: END})
    talks = Decision("third_party", "answered") in journey.decisions
    if talks and row.stop == "third party":
        return None  # whether third parties hang up is one setting for all of them
    world = replace(world, agent_hangs_up=talks)
    events, _, caller = _play(stage, keys, world, len(journey.blocks))
    patience: float | None = _A_DAY
    if row.stop == "hold":
        queued = next(event.at for event in events if isinstance(event, Queued))
        patience = (events[-1].at - queued).total_seconds() + 1
    planned = PlannedCall(journey, world, keys, caller.moments if hangs_up else None, patience)
    if row.stop == "queue" and not _ends_here(planned, stage):
        return None  # no queue was set, so no caller can wait here
    return planned


def _ends_here(planned: PlannedCall, stage: Stage) -> bool:
    try:
        _, call = planned.play(stage)
    except SimulationError:
        return False  # the call continued to a block without a decision
    return tuple(call.taken[stage.flow.source]) == planned.journey.taken


# --- Decisions in a block --------------------------------------------------------------------------------------------


def _decisions(block: Block) -> Iterator[Decision]:
    yield from _outcomes(block)
    natural = _NATURAL.get(block.type, set())
    for error in block.labels("error"):
        if error not in natural:
            yield Decision("errors", error)


def _outcomes(block: Block) -> Iterator[Decision]:
    labels = block.labels("condition")
    match block.type:
        case "GetParticipantInput" if "EnableDTMFBuffer" not in block.parameters:
            if str(block.parameters.get("StoreInput", "False")).lower() == "true":
                # Two digits are not a valid phone number.
                yield from (Decision("keys", typed) for typed in (FULL_INPUT, "12#", TIMEOUT))
            else:
                others = [key for key in KEYS if key not in labels][:1]
                keys = [label for label in labels if label in KEYS]
                yield from (Decision("keys", key) for key in (*keys, *others, TIMEOUT))
        case "ConnectParticipantWithLexBot":
            answers = (*labels, _NONE_OF_THESE, TIMEOUT)
            yield from (
                Decision("lex", answer if answer == TIMEOUT else {"intent": answer}) for answer in answers
            )
        case "CheckHoursOfOperation":
            yield from (Decision("hours", answer) for answer in (True, False))
        case "Compare":
            yield from (Decision("value", value) for value in _values(labels))
        case "CheckMetricData":
            yield from (Decision("metrics", value) for value in _values(labels))
        case "DistributeByPercentage":
            numbers = [int(value) for value in _values(labels) if value.isdigit()]
            yield from (Decision("split", number) for number in numbers if 1 <= number <= 100)
        case "InvokeLambdaFunction":
            yield Decision("lambda", {})
        case "GetCustomerProfile" | "GetCustomerProfileObject" | "GetCalculatedAttributesForCustomerProfile":
            yield Decision("profile", {})
        case "CheckVoiceId" | "CheckOutboundCallStatus":
            yield from (Decision("status", label) for label in labels)
        case "EvaluateDataTableValues" | "ListDataTableValues":
            yield Decision("table", {})
        case "ShowView":
            yield from (Decision("view", {"action": label}) for label in (*labels, _NONE_OF_THESE))
        case "TransferParticipantToThirdParty":
            answers = ("answered", "CallFailed", "ConnectionTimeLimitExceeded")
            yield from (Decision("third_party", answer) for answer in answers)
        case _:
            yield Decision()


def _values(labels: Sequence[str]) -> list[str]:
    """Returns values such that each condition is met by one of them, and one value meets none."""
    values = [_NONE_OF_THESE]
    for label in labels:
        operand = label.partition(" ")[2] or label
        values.append(operand)
        if label != operand:
            values.append(label)  # the operand of Equals can have several words
        if operand.lstrip("-").isdigit():
            values += [str(int(operand) + more) for more in (-1, 1)]
    return list(dict.fromkeys(values))


# --- Environments ----------------------------------------------------------------------------------------------------


def _surroundings(
    flow: Flow, blocks: Sequence[str], decisions: Sequence[Decision]
) -> tuple[tuple[str, ...], Environment]:
    """Returns keys and an environment that make a call follow the decisions."""
    past = _Past(flow, blocks, decisions)
    metrics: dict[str, list[str]] = {}
    for index, (identifier, decision) in enumerate(zip(blocks, decisions, strict=True)):
        if decision.kind == "value":
            path = whole(str(flow.blocks[identifier].parameters["ComparisonValue"]))
            if path is not None and path[0] == "Metrics":
                metrics.setdefault(identifier, []).append(decision.answer)
            elif path is not None:
                past.put(index, path, decision.answer)
    for index, (identifier, decision) in enumerate(zip(blocks, decisions, strict=True)):
        block = flow.blocks[identifier]
        if decision.kind != "errors" and block.type in _NEEDS:
            # Gives the parameter a value: a phone number or a name.
            needed = "+12065550100" if block.type == "UpdateContactCallbackNumber" else _SOMETHING
            for value in block.parameters.values():
                path = whole(value) if isinstance(value, str) else None
                if path is not None:
                    past.put(index, path, needed, anew=False)
    answers: dict[str, dict[str, Any]] = {
        "lambda": {AROUND: past.around.get("External", {})},
        "metrics": {"*": "0", **metrics},
    }
    keys: list[str] = []
    for identifier, decision in zip(blocks, past.decisions, strict=True):
        errors = answers.setdefault("errors", {}).setdefault(identifier, [])
        errors.append(decision.answer if decision.kind == "errors" else None)
        if decision.kind == "keys":
            keys += [TIMEOUT] if decision.answer == TIMEOUT else list(decision.answer)
        elif decision.kind not in ("errors", "value", "passes"):
            answers.setdefault(decision.kind, {}).setdefault(identifier, []).append(decision.answer)
    world = Environment(
        agent_answers_after=None,
        agent_hangs_up=True,
        talk_seconds=5,
        attributes=past.around.get("Attributes", {}),
        answers=answers,
        flows={
            block.identifier: RETURN if block.type == "InvokeFlowModule" else END
            for block in flow.blocks.values()
            if block.type in ("InvokeFlowModule", "TransferToFlow")
        },
    )
    return tuple(keys), world


class _Past:
    """Earlier decisions of a call, extended with values that references in later blocks read.

    The first value for a reference wins, even if a later block needs another one.
    """

    def __init__(self, flow: Flow, blocks: Sequence[str], decisions: Sequence[Decision]) -> None:
        self._flow = flow
        self._blocks = blocks
        self.decisions = [
            replace(each, answer=copy.deepcopy(each.answer)) if isinstance(each.answer, dict) else each
            for each in decisions
        ]
        self.around: dict[str, dict[str, str]] = {}

    def put(self, before: int, path: tuple[str, ...], value: str, *, anew: bool = True) -> None:
        """Gives a reference a value on entry to a block, if an earlier decision controls it.

        Args:
            before: index of the block.
            path: the reference.
            value: the value.
            anew: whether the value replaces digits that were already decided.
        """
        name, *rest = path
        for index in range(before - 1, -1, -1):
            block, decision = self._flow.blocks[self._blocks[index]], self.decisions[index]
            if decision.kind == "errors":
                continue
            written = _written(block, name)
            if rest and rest[0] in written:
                source = whole(str(written[rest[0]]))
                if source is not None:
                    self.put(index, source, value, anew=anew)
                return
            if name == "StoredCustomerInput" and decision.kind == "keys" and _stores(block):
                typed = value.lstrip("+")
                digits = f"{typed}#" if typed.isdecimal() else "9#"
                if anew or decision.answer == FULL_INPUT:
                    self.decisions[index] = replace(decision, answer=digits)
                return
            if _ANSWERS.get(name) == decision.kind and isinstance(decision.answer, dict):
                _put(decision.answer, _within(name, rest), value)
                return
        if name in ("Attributes", "External") and rest:
            self.around.setdefault(name, {}).setdefault(rest[0], value)


def _within(namespace: str, rest: Sequence[str]) -> list[str]:
    """Returns the path inside a response that a reference points to."""
    named = {
        ("Lex", "Slots"): "slots",
        ("Lex", "SessionAttributes"): "attributes",
        ("Views", "ViewResultData"): "data",
    }
    return [named.get((namespace, part), part) for part in rest[:1]] + list(rest[1:])


def _put(holder: dict[str, Any], path: Sequence[str], value: str) -> None:
    for part in path[:-1]:
        holder = holder.setdefault(part, {})
    if path:
        holder.setdefault(path[-1], value)


def _written(block: Block, namespace: str) -> Mapping[str, object]:
    if namespace == "Attributes":
        return attributes_of(block)
    if namespace == "FlowAttributes" and block.type == "UpdateFlowAttributes":
        given = block.parameters["FlowAttributes"]
        return {name: each.get("Value") if isinstance(each, dict) else each for name, each in given.items()}
    return {}


def _stores(block: Block) -> bool:
    return str(block.parameters.get("StoreInput", "")).lower() == "true"
