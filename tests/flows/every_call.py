"""Calls through a flow that take, together, every way that a call can take: callers and worlds made from the flow itself.

A call is a row of decisions, one for each block it comes to: a key, an intent, what a function returns, that a block
fails. Beginning with no decision, each call is continued by everything that can happen in the block where it stands, and
played to see which branch that takes. What a Compare block looks at is not decided there: it is put into what was decided
before (the function's result, the slot, the digits, the attributes that the contact had from the beginning), wherever
the value comes from.
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
"""The block in front of a flow that asks a function."""

_A_DAY = 86_400.0
_SOMETHING = "something"
FULL_INPUT = "1234#"
_NONE_OF_THESE = "none of these"
# How many calls that take the same branch, and are alike in a respect, are continued.
_CALLS = 2
# What fails by itself, where something outside is so: no error has to be decided on.
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
# Blocks that fail where what they work with is empty.
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
    """What happens in a block.

    Attributes:
        kind: `keys`, a kind of answer (such as `lex`), `errors`, `value` (of what a Compare looks at), or `passes`.
        answer: the keys, answer, error or value.
    """

    kind: str = "passes"
    answer: Any = None


@dataclass(frozen=True, slots=True)
class Journey:
    """A call as far as it is decided.

    Attributes:
        blocks: the blocks it has been in, in order.
        decisions: what happened in each of them.
        taken: the branch taken from each of them.
        here: the block where it stands.
    """

    blocks: tuple[str, ...]
    decisions: tuple[Decision, ...]
    taken: tuple[Branch, ...]
    here: str

    @property
    def failed(self) -> set[str]:
        """The blocks in which something went wrong."""
        made = zip(self.blocks, self.decisions, strict=True)
        return {block for block, decision in made if decision.kind == "errors"}


class Fixed:
    """A caller who presses given keys, and hangs up at one of the moments in which a caller can.

    Args:
        keys: what is pressed.
        hangs_up_at: number of the moment, counted from 0; None for never.
        patience: seconds in a queue, None for never leaving it; who hangs up there leaves after 10.
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
    """A call that can be played again and again, through the flow it was made for or through one that is to be equal.

    Attributes:
        journey: its way.
        environment: what lies outside the flow.
        keys: what the caller presses.
        hangs_up_at: the moment at which the caller hangs up (see `Fixed`).
        patience: seconds for which the caller stays in a queue.
    """

    journey: Journey
    environment: Environment
    keys: tuple[str, ...]
    hangs_up_at: int | None
    patience: float | None

    def where_fails(self, blocks: Iterable[str]) -> PlannedCall:
        """The same call, while some blocks fail each time."""
        errors = {**self.environment.responses.get("errors", {}), **dict.fromkeys(blocks, "NoMatchingError")}
        return replace(
            self,
            environment=replace(self.environment, responses={**self.environment.responses, "errors": errors}),
        )

    def play(self, stage: Stage) -> tuple[list[Event], Call]:
        """Plays it."""
        caller = Fixed(self.keys, self.hangs_up_at, self.patience)
        return run_simulation(
            stage.outer, caller, clock=SimulatedClock(START), environment=stage.environment(self.environment)
        )


class Stage:
    """What a flow is played in: by itself, or inside a call that comes to it from another flow."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.outer = flow
        kinds = kinds_of(flow)
        # A whisper is heard only when an agent answers.
        self.whisper = bool(kinds & {"whisper", "outbound whisper"}) and not kinds & {"contact", "transfer"}
        if kinds and not kinds & {"contact", "transfer"}:
            if "module" in kinds:
                comes = [_block("module", "InvokeFlowModule", "end", FlowModuleId="it")]
            else:
                event = "CustomerWhisper" if self.whisper else "CustomerQueue"
                comes = [
                    _block("hook", "UpdateContactEventHooks", "choose", EventHooks={event: "it"}),
                    _block("choose", "UpdateContactTargetQueue", "queue", QueueId="q"),
                    _block("queue", "TransferContactToQueue", "end"),
                ]
        elif "$.External." in flow.write():
            # It may look at what a function returned in the flow before.
            comes = [_block("go", "TransferToFlow", "end", ContactFlowId="it")]
        else:
            return
        then = comes[0]["Identifier"]
        self.outer = _flow(_block(AROUND, "InvokeLambdaFunction", then, LambdaFunctionARN="f"), *comes)

    @property
    def blocks_around(self) -> int:
        """How many blocks a call has been in before it comes to the flow."""
        return 0 if self.outer is self.flow else len(self.outer.blocks) - 1

    def environment(self, environment: Environment) -> Environment:
        """The environment in which the flow is at hand under the name by which the outer one calls it."""
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


# --- Finding all calls -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Calls:
    """All calls through a flow.

    Attributes:
        planned: calls that end in each place to which calls come, in each of several ways there.
        reached: the blocks to which calls come.
        taken: the branches they take.
        refused: what the simulator could not follow, in words.
    """

    planned: list[PlannedCall] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)
    taken: set[Branch] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


def every_call(flow: Flow) -> Calls:
    """Calls through a flow that come, together, to all blocks to which a call can come.

    Each branch is taken by several calls, and more where they differ in what decides how the flow goes on: how often a
    Loop block was passed, and what the flow has written into attributes that a Compare block looks at.
    """
    stage, calls = Stage(flow), Calls()
    subjects = {action.parameters.get("ComparisonValue") for action in flow.blocks.values()}
    compared = sorted(
        {
            name
            for action in flow.blocks.values()
            for name, value in attributes_of(action).items()
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
            keys, environment = _surroundings(flow, blocks, decisions)
            try:
                events, call, _ = _play(stage, keys, environment, len(blocks))
            except SimulationError as error:
                calls.refused.add(str(error))
                continue
            taken = tuple(call.taken.get(flow.source, ()))
            if taken[:-1] != journey.taken or len(taken) != len(blocks):
                continue  # it ends here, or does not come so far when this is to happen
            calls.taken.add(taken[-1])
            respects = [(taken[-1], respect) for respect in _respects(events, call, compared)]
            seen.update(respects)
            if any(seen[each] <= _CALLS for each in respects):
                pending.append(Journey(blocks, decisions, taken, taken[-1].target))
    return calls


def _respects(events: Sequence[Event], call: Call, compared: Sequence[str]) -> list[tuple[object, ...]]:
    """In what calls differ that take the same branch, one by one: all of it together would be far too much."""
    passes = {event.block: (event.passes, event.done) for event in events if isinstance(event, LoopPassed)}
    return [(), *passes.items(), *((name, call.attributes.get(name)) for name in compared)]


def _play(
    stage: Stage, keys: Sequence[str], environment: Environment, blocks: int
) -> tuple[list[Event], Call, Fixed]:
    """Plays as many blocks of the flow."""
    caller = Fixed(keys, None, _A_DAY)
    clock = SimulatedClock(START)
    limit = blocks + stage.blocks_around
    events, call = run_simulation(
        stage.outer, caller, clock=clock, environment=stage.environment(environment), step_limit=limit
    )
    return events, call, caller


def _planned(stage: Stage, journey: Journey) -> PlannedCall | None:
    """The call in which the caller hangs up where a journey stands, or which ends there; None where neither is so."""
    action = stage.flow.blocks[journey.here]
    row = type_of(action)
    if row is None or (row.stop is None and not row.terminal) or row.stop in ("view", "wait"):
        return None  # chat's own, in which the simulated caller cannot hang up
    last = {"bot": Decision("lex", HANGUP), "third party": Decision("third_party", "answered")}
    blocks, decisions = journey.blocks, journey.decisions
    hangs_up = row.stop not in (None, "hold", "other flow", *last)
    if row.stop in last:
        blocks, decisions = (*blocks, journey.here), (*decisions, last[row.stop])
    keys, environment = _surroundings(stage.flow, blocks, decisions)
    if row.stop == "other flow":
        if journey.here in journey.blocks:
            return None  # the call has been there before, and come back
        environment = replace(environment, flows={**environment.flows, journey.here: END})
    talks = Decision("third_party", "answered") in journey.decisions
    if talks and row.stop == "third party":
        return None  # either all of them hang up by themselves, or none
    environment = replace(environment, agent_hangs_up=talks)
    events, _, caller = _play(stage, keys, environment, len(journey.blocks))
    patience: float | None = _A_DAY
    if row.stop == "hold":
        queued = next(event.at for event in events if isinstance(event, Queued))
        patience = (events[-1].at - queued).total_seconds() + 1
    planned = PlannedCall(journey, environment, keys, caller.moments if hangs_up else None, patience)
    if row.stop == "queue" and not _ends_here(planned, stage):
        return None  # no queue was chosen before, so nobody can wait here
    return planned


def _ends_here(planned: PlannedCall, stage: Stage) -> bool:
    try:
        _, call = planned.play(stage)
    except SimulationError:
        return False  # it went on to what was not decided
    return tuple(call.taken[stage.flow.source]) == planned.journey.taken


# --- What can happen in a block --------------------------------------------------------------------------------------


def _decisions(action: Block) -> Iterator[Decision]:
    yield from _ways_through(action)
    natural = _NATURAL.get(action.type, set())
    for error in action.labels("error"):
        if error not in natural:
            yield Decision("errors", error)


def _ways_through(action: Block) -> Iterator[Decision]:
    labels = action.labels("condition")
    match action.type:
        case "GetParticipantInput" if "EnableDTMFBuffer" not in action.parameters:
            if str(action.parameters.get("StoreInput", "False")).lower() == "true":
                # No phone number has two digits.
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
    """Values of which, for each condition, one fulfils it, and one fulfils none: whatever the operator."""
    values = [_NONE_OF_THESE]
    for label in labels:
        operand = label.partition(" ")[2] or label
        values.append(operand)
        if label != operand:
            values.append(label)  # Equals, of several words
        if operand.lstrip("-").isdigit():
            values += [str(int(operand) + more) for more in (-1, 1)]
    return list(dict.fromkeys(values))


# --- The environment in which all that happens -----------------------------------------------------------------------------


def _surroundings(
    flow: Flow, blocks: Sequence[str], decisions: Sequence[Decision]
) -> tuple[tuple[str, ...], Environment]:
    """What the caller presses, and what lies outside the flow, so that a call goes as decided."""
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
        if decision.kind != "errors" and action.type in _NEEDS:
            # What it works with is there: a number, or a name of something.
            needed = "+12065550100" if action.type == "UpdateContactCallbackNumber" else _SOMETHING
            for value in action.parameters.values():
                path = whole(value) if isinstance(value, str) else None
                if path is not None:
                    past.put(index, path, needed, anew=False)
    answers: dict[str, dict[str, Any]] = {
        "lambda": {AROUND: past.around.get("External", {})},
        "metrics": {"*": "0", **metrics},
    }
    keys: list[str] = []
    for block, decision in zip(blocks, past.decisions, strict=True):
        errors = answers.setdefault("errors", {}).setdefault(block, [])
        errors.append(decision.answer if decision.kind == "errors" else None)
        if decision.kind == "keys":
            keys += [TIMEOUT] if decision.answer == TIMEOUT else list(decision.answer)
        elif decision.kind not in ("errors", "value", "passes"):
            answers.setdefault(decision.kind, {}).setdefault(block, []).append(decision.answer)
    environment = Environment(
        agent_answers_after=None,
        agent_hangs_up=True,
        talk_seconds=5,
        attributes=past.around.get("Attributes", {}),
        responses=answers,
        flows={
            action.identifier: RETURN if action.type == "InvokeFlowModule" else END
            for action in flow.blocks.values()
            if action.type in ("InvokeFlowModule", "TransferToFlow")
        },
    )
    return tuple(keys), environment


class _Past:
    """What was decided in a call, into which values are put where references of later blocks find them.

    The first value that is put into a place stays there: a later block that needs another one finds it otherwise.
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
        """Sees to it that a reference has a value on entering a block, as far as anything decides on that.

        Args:
            before: number of the block.
            path: the reference.
            value: the value.
            anew: whether it goes before digits that were decided on already.
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
                    self.put(index, source, value, anew=anew)
                return
            if name == "StoredCustomerInput" and decision.kind == "keys" and _stores(action):
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
    """Where an answer has what a reference leads to."""
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
