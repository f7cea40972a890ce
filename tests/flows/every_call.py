"""Generates calls that together cover a flow. The callers and environments are derived from the flow.

A call is a sequence of decisions, one per block: a key, an intent, the result of a function or an error. The search
starts without any decisions. It extends each call by every possible decision in the current block and simulates the
call to find the branch taken. If a Compare block reads a value, the decision from which the value comes is adjusted:
the result of a function, a slot, digits, or the initial contact attributes.
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
    SimulatedClock,
    SimulationError,
    run_simulation,
)
from callroute.flows.simulation.events import LoopPassed, Queued

if TYPE_CHECKING:
    from callroute.flows.simulation.events import MenuOffered, Said

START = datetime(2026, 4, 1, 1, tzinfo=UTC)

AROUND = "around"
"""Block that calls a Lambda function before the flow starts."""

_DAY_SECONDS = 86_400.0
_ANY_NAME = "something"
FULL_INPUT = "1234#"
_NO_MATCH_VALUE = "none of these"
# Number of calls to extend among those that take the same branch and have one aspect in common.
_CALLS = 2
# Errors that result from other decisions, so they do not have to be forced.
_NATURAL_ERRORS = {
    "GetParticipantInput": {"InputTimeLimitExceeded", "NoMatchingCondition", "InvalidPhoneNumber"},
    "ConnectParticipantWithLexBot": {"InputTimeLimitExceeded", "NoMatchingCondition"},
    "Compare": {"NoMatchingCondition"},
    "CheckMetricData": {"NoMatchingCondition"},
    "DistributeByPercentage": {"NoMatchingCondition"},
    "ShowView": {"NoMatchingCondition"},
    "TransferParticipantToThirdParty": {"CallFailed", "ConnectionTimeLimitExceeded"},
}

_RESPONSE_KINDS = {
    "External": "lambda",
    "Customer": "profile",
    "Lex": "lex",
    "Views": "view",
    "DataTables": "table",
}
# Block types that fail if the value that they use is empty.
_TYPES_NEEDING_A_VALUE = frozenset(
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
    """A decision for one visit to a block.

    Attributes:
        kind: `keys`, a kind of response (for example `lex`), `errors`, `value` (read by a Compare block) or `passes`.
        answer: the keys, response, error or value.
    """

    kind: str = "passes"
    answer: Any = None


@dataclass(frozen=True, slots=True)
class Journey:
    """The first part of a call.

    Attributes:
        blocks: blocks visited, in order.
        decisions: the decision in each block.
        taken: the branch taken from each block.
        here: the current block.
    """

    blocks: tuple[str, ...]
    decisions: tuple[Decision, ...]
    taken: tuple[Branch, ...]
    here: str

    @property
    def failed(self) -> set[str]:
        """The blocks that failed."""
        made = zip(self.blocks, self.decisions, strict=True)
        return {block for block, decision in made if decision.kind == "errors"}


class ScriptedCaller:
    """A caller who presses the given keys and can hang up at a given opportunity.

    Args:
        keys: keys to press.
        hangs_up_at: index of the opportunity, or None to stay on the line.
        patience: seconds until the caller leaves a queue, or None to wait. A caller who hangs up in a queue does so
            after 10 seconds.
    """

    def __init__(self, keys: Sequence[str], hangs_up_at: int | None, patience: float | None) -> None:
        self._keys = list(keys)[::-1]
        self._hangs_up_at = hangs_up_at
        self._patience = patience
        self.opportunities = 0

    def _hangs_up(self) -> bool:
        self.opportunities += 1
        return self.opportunities - 1 == self._hangs_up_at

    def listens(self, message: Said) -> bool:
        return not self._hangs_up()

    def chooses(self, menu: MenuOffered) -> str:
        return HANGUP if self._hangs_up() or not self._keys else self._keys.pop()

    def waits(self, queued: Queued) -> float | None:
        return 10.0 if self._hangs_up() else self._patience


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that can be repeated in the flow for which it was generated or in an equivalent flow.

    Attributes:
        journey: blocks and branches of the call.
        environment: conditions outside the flow.
        keys: keys that the caller presses.
        hangs_up_at: opportunity at which the caller hangs up (see `ScriptedCaller`).
        patience: seconds until the caller leaves a queue.
    """

    journey: Journey
    environment: Environment
    keys: tuple[str, ...]
    hangs_up_at: int | None
    patience: float | None

    def where_fails(self, blocks: Iterable[str]) -> PlannedCall:
        """Returns the same call in an environment where the given blocks always fail."""
        errors = {**self.environment.responses.get("errors", {}), **dict.fromkeys(blocks, "NoMatchingError")}
        return replace(
            self,
            environment=replace(self.environment, responses={**self.environment.responses, "errors": errors}),
        )

    def play(self, stage: Stage) -> tuple[list[Event], Call]:
        """Simulates the call."""
        caller = ScriptedCaller(self.keys, self.hangs_up_at, self.patience)
        return run_simulation(
            stage.outer, caller, clock=SimulatedClock(START), environment=stage.environment(self.environment)
        )


class Stage:
    """Simulates a flow, either on its own or entered from an outer flow."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.outer = flow
        kinds = kinds_of(flow)
        # A whisper flow runs only when an agent answers.
        self.whisper = bool(kinds & {"whisper", "outbound whisper"}) and not kinds & {"contact", "transfer"}
        if kinds and not kinds & {"contact", "transfer"}:
            if "module" in kinds:
                entry = [_block("module", "InvokeFlowModule", "end", FlowModuleId="it")]
            else:
                event = "CustomerWhisper" if self.whisper else "CustomerQueue"
                entry = [
                    _block("hook", "UpdateContactEventHooks", "choose", EventHooks={event: "it"}),
                    _block("choose", "UpdateContactTargetQueue", "queue", QueueId="q"),
                    _block("queue", "TransferContactToQueue", "end"),
                ]
        elif "$.External." in flow.write():
            # The flow may read the result of a function called by an earlier flow.
            entry = [_block("go", "TransferToFlow", "end", ContactFlowId="it")]
        else:
            return
        then = entry[0]["Identifier"]
        self.outer = _flow(_block(AROUND, "InvokeLambdaFunction", then, LambdaFunctionARN="f"), *entry)

    @property
    def blocks_around(self) -> int:
        """Number of blocks before the call enters the flow."""
        return 0 if self.outer is self.flow else len(self.outer.blocks) - 1

    def environment(self, environment: Environment) -> Environment:
        """Returns the environment with the flow under the name that the outer flow uses."""
        if self.outer is self.flow:
            return environment
        answers_after = 1.0 if self.whisper else None
        return replace(
            environment, flows={**environment.flows, "it": self.flow}, agent_answers_after=answers_after
        )


def _block(name: str, type_: str, then: str, **parameters: Any) -> dict[str, Any]:
    branches = {"NextAction": then, "Errors": [{"NextAction": "end", "ErrorType": "NoMatchingError"}]}
    return {"Identifier": name, "Type": type_, "Parameters": parameters, "Transitions": branches}


def _flow(*blocks: dict[str, Any]) -> Flow:
    end = {"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}
    first = blocks[0]["Identifier"]
    document = {"Version": "2019-10-30", "StartAction": first, "Actions": [*blocks, end]}
    return Flow.parse(json.dumps(document), "around.json")


# --- Generating calls ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Calls:
    """The calls through a flow.

    Attributes:
        planned: calls that end at each place where a call can end, on several paths.
        reached: blocks that calls reach.
        taken: branches that calls take.
        errors: messages of simulation errors.
    """

    planned: list[PlannedCall] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)
    taken: set[Branch] = field(default_factory=set)
    errors: set[str] = field(default_factory=set)


def every_call(flow: Flow) -> Calls:
    """Generates calls that together reach every reachable block.

    Each branch is taken by several calls. More calls are generated if they differ in state that affects later blocks:
    the passes of a Loop block, or attributes that a Compare block reads.
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
            keys, environment = _keys_and_environment(flow, blocks, decisions)
            try:
                events, call, _ = _play(stage, keys, environment, len(blocks))
            except SimulationError as error:
                calls.errors.add(str(error))
                continue
            taken = tuple(call.taken.get(flow.source, ()))
            if taken[:-1] != journey.taken or len(taken) != len(blocks):
                continue  # the call ended, or the decision prevents it from getting this far
            calls.taken.add(taken[-1])
            aspects = [(taken[-1], aspect) for aspect in _aspects(events, call, compared)]
            seen.update(aspects)
            if any(seen[each] <= _CALLS for each in aspects):
                pending.append(Journey(blocks, decisions, taken, taken[-1].target))
    return calls


def _aspects(events: Sequence[Event], call: Call, compared: Sequence[str]) -> list[tuple[object, ...]]:
    """Returns the aspects, one at a time, in which calls that take the same branch can differ."""
    passes = {event.block: (event.passes, event.done) for event in events if isinstance(event, LoopPassed)}
    return [(), *passes.items(), *((name, call.attributes.get(name)) for name in compared)]


def _play(
    stage: Stage, keys: Sequence[str], environment: Environment, blocks: int
) -> tuple[list[Event], Call, ScriptedCaller]:
    """Simulates the given number of blocks of the flow."""
    caller = ScriptedCaller(keys, None, _DAY_SECONDS)
    clock = SimulatedClock(START)
    limit = blocks + stage.blocks_around
    events, call = run_simulation(
        stage.outer, caller, clock=clock, environment=stage.environment(environment), step_limit=limit
    )
    return events, call, caller


def _planned(stage: Stage, journey: Journey) -> PlannedCall | None:
    """Returns the call that ends in a journey's current block, or None if no call can end there."""
    action = stage.flow.blocks[journey.here]
    row = type_of(action)
    if row is None or (row.stop is None and not row.terminal) or row.stop in ("view", "wait"):
        return None  # the simulated caller cannot hang up here
    last = {"bot": Decision("lex", HANGUP), "third party": Decision("third_party", "answered")}
    blocks, decisions = journey.blocks, journey.decisions
    hangs_up = row.stop not in (None, "hold", "other flow", *last)
    if row.stop in last:
        blocks, decisions = (*blocks, journey.here), (*decisions, last[row.stop])
    keys, environment = _keys_and_environment(stage.flow, blocks, decisions)
    if row.stop == "other flow":
        if journey.here in journey.blocks:
            return None  # the call already returned from that flow
        environment = replace(environment, flows={**environment.flows, journey.here: END})
    talks = Decision("third_party", "answered") in journey.decisions
    if talks and row.stop == "third party":
        return None  # either all third parties hang up or none do
    environment = replace(environment, agent_hangs_up=talks)
    events, _, caller = _play(stage, keys, environment, len(journey.blocks))
    patience: float | None = _DAY_SECONDS
    if row.stop == "hold":
        queued = next(event.at for event in events if isinstance(event, Queued))
        patience = (events[-1].at - queued).total_seconds() + 1
    planned = PlannedCall(journey, environment, keys, caller.opportunities if hangs_up else None, patience)
    if row.stop == "queue" and not _ends_here(planned, stage):
        return None  # no queue was set
    return planned


def _ends_here(planned: PlannedCall, stage: Stage) -> bool:
    try:
        _, call = planned.play(stage)
    except SimulationError:
        return False  # the call needs another decision
    return tuple(call.taken[stage.flow.source]) == planned.journey.taken


# --- Possible decisions ----------------------------------------------------------------------------------------------


def _decisions(block: Block) -> Iterator[Decision]:
    yield from _decisions_without_error(block)
    natural = _NATURAL_ERRORS.get(block.type, set())
    for error in block.labels("error"):
        if error not in natural:
            yield Decision("errors", error)


def _decisions_without_error(block: Block) -> Iterator[Decision]:
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
            answers = (*labels, _NO_MATCH_VALUE, TIMEOUT)
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
            yield from (Decision("view", {"action": label}) for label in (*labels, _NO_MATCH_VALUE))
        case "TransferParticipantToThirdParty":
            answers = ("answered", "CallFailed", "ConnectionTimeLimitExceeded")
            yield from (Decision("third_party", answer) for answer in answers)
        case _:
            yield Decision()


def _values(labels: Sequence[str]) -> list[str]:
    """Returns values such that each condition matches at least one, and at least one matches no condition."""
    values = [_NO_MATCH_VALUE]
    for label in labels:
        operand = label.partition(" ")[2] or label
        values.append(operand)
        if label != operand:
            values.append(label)  # an Equals operand with several words
        if operand.lstrip("-").isdigit():
            values += [str(int(operand) + more) for more in (-1, 1)]
    return list(dict.fromkeys(values))


# --- Keys and environment --------------------------------------------------------------------------------------------


def _keys_and_environment(
    flow: Flow, blocks: Sequence[str], decisions: Sequence[Decision]
) -> tuple[tuple[str, ...], Environment]:
    """Returns the keys and the environment that lead to the given decisions."""
    past = _Past(flow, blocks, decisions)
    metrics: dict[str, list[str]] = {}
    for index, (block, decision) in enumerate(zip(blocks, decisions, strict=True)):
        if decision.kind == "value":
            path = whole(str(flow.blocks[block].parameters["ComparisonValue"]))
            if path is not None and path[0] == "Metrics":
                metrics.setdefault(block, []).append(decision.answer)
            elif path is not None:
                past.put(index, path, decision.answer)
    for index, (block, decision) in enumerate(zip(blocks, decisions, strict=True)):
        action = flow.blocks[block]
        if decision.kind != "errors" and action.type in _TYPES_NEEDING_A_VALUE:
            # Provide the value that the block uses: a number or a name.
            needed = "+12065550100" if action.type == "UpdateContactCallbackNumber" else _ANY_NAME
            for value in action.parameters.values():
                path = whole(value) if isinstance(value, str) else None
                if path is not None:
                    past.put(index, path, needed, replace_digits=False)
    responses: dict[str, dict[str, Any]] = {
        "lambda": {AROUND: past.around.get("External", {})},
        "metrics": {"*": "0", **metrics},
    }
    keys: list[str] = []
    for block, decision in zip(blocks, past.decisions, strict=True):
        errors = responses.setdefault("errors", {}).setdefault(block, [])
        errors.append(decision.answer if decision.kind == "errors" else None)
        if decision.kind == "keys":
            keys += [TIMEOUT] if decision.answer == TIMEOUT else list(decision.answer)
        elif decision.kind not in ("errors", "value", "passes"):
            responses.setdefault(decision.kind, {}).setdefault(block, []).append(decision.answer)
    environment = Environment(
        agent_answers_after=None,
        agent_hangs_up=True,
        talk_seconds=5,
        attributes=past.around.get("Attributes", {}),
        responses=responses,
        flows={
            action.identifier: RETURN if action.type == "InvokeFlowModule" else END
            for action in flow.blocks.values()
            if action.type in ("InvokeFlowModule", "TransferToFlow")
        },
    )
    return tuple(keys), environment


class _Past:
    """The decisions of a call. Values can be added to them for use by references in later blocks.

    If several values are added at a place, the first one is kept.
    """

    def __init__(self, flow: Flow, blocks: Sequence[str], decisions: Sequence[Decision]) -> None:
        self._flow = flow
        self._blocks = blocks
        self.decisions = [
            replace(each, answer=copy.deepcopy(each.answer)) if isinstance(each.answer, dict) else each
            for each in decisions
        ]
        self.around: dict[str, dict[str, str]] = {}

    def put(self, before: int, path: tuple[str, ...], value: str, *, replace_digits: bool = True) -> None:
        """Gives a reference a value by changing the earlier decision that determines it, if there is one.

        Args:
            before: index of the block.
            path: the reference.
            value: the value.
            replace_digits: whether to replace digits that have already been decided.
        """
        name, *rest = path
        for index in range(before - 1, -1, -1):
            action, decision = self._flow.blocks[self._blocks[index]], self.decisions[index]
            if decision.kind == "errors":
                continue
            written = _written(action, name)
            if rest and rest[0] in written:
                source = whole(str(written[rest[0]]))
                if source is not None:
                    self.put(index, source, value, replace_digits=replace_digits)
                return
            if name == "StoredCustomerInput" and decision.kind == "keys" and _stores(action):
                typed = value.lstrip("+")
                digits = f"{typed}#" if typed.isdecimal() else "9#"
                if replace_digits or decision.answer == FULL_INPUT:
                    self.decisions[index] = replace(decision, answer=digits)
                return
            if _RESPONSE_KINDS.get(name) == decision.kind and isinstance(decision.answer, dict):
                _put(decision.answer, _within(name, rest), value)
                return
        if name in ("Attributes", "External") and rest:
            self.around.setdefault(name, {}).setdefault(rest[0], value)


def _within(namespace: str, rest: Sequence[str]) -> list[str]:
    """Returns the path that a reference reads inside a response."""
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


def _written(action: Block, namespace: str) -> Mapping[str, object]:
    if namespace == "Attributes":
        return attributes_of(action)
    if namespace == "FlowAttributes" and action.type == "UpdateFlowAttributes":
        given = action.parameters["FlowAttributes"]
        return {name: each.get("Value") if isinstance(each, dict) else each for name, each in given.items()}
    return {}


def _stores(action: Block) -> bool:
    return str(action.parameters.get("StoreInput", "")).lower() == "true"
