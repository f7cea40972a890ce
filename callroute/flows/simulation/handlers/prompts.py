"""Blocks in which the caller hears something, or is asked something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.flows.simulation.environment import names_of
from callroute.flows.simulation.events import (
    BotAsked,
    BotUnderstood,
    InputAsked,
    InputStored,
    MenuOffered,
    Pressed,
    Said,
    TimedOut,
    Waited,
)
from callroute.flows.simulation.handlers import parameters
from callroute.flows.simulation.handlers.updates import no_effect
from callroute.flows.simulation.participants import HANGUP, KEYS, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.flow import Branch
    from callroute.flows.simulation.engine import BlockContext, CallSimulation, Step, Steps

# How long things take. Connect leaves this to voice and caller; fixed values make records reproducible.
_REACTION_SECONDS = 1.0
_SPOKEN_ANSWER_SECONDS = 3.0

_LONGEST_INPUT = 20


def _message(block: BlockContext) -> Step:
    speech, onward, identifier = parameters.speech(block), block.next(), block.identifier

    def step(call: CallSimulation) -> Steps:
        text, seconds = speech(call)
        said = Said(call.now(), identifier, text)
        yield said
        if not call.caller.listens(said):
            call.spend(seconds / 2)
            yield call.end(identifier, "CUSTOMER_DISCONNECT", "message")
            return None
        call.spend(seconds)
        return onward

    return step


def _messages_in_turn(block: BlockContext) -> Step:
    messages = block.action.parameters.get("Messages")
    if not isinstance(messages, list) or not messages:
        raise block.error("it has no Messages", "Give the Messages to play")
    speeches = [parameters.speech(block, message) for message in messages]
    interval = parameters.number(block, "InterruptFrequencySeconds", "0")

    def step(call: CallSimulation) -> Steps:
        if not call.aside_of_a_queue:
            raise block.error(
                "it plays for ever outside a queue", "Simulate it as the customer queue flow of another flow"
            )
        for speech in speeches:
            yield Said(call.now(), block.identifier, speech(call)[0])
        if interval(call) == 0:
            call.spend_all()
            return None
        call.spend(interval(call))
        return block.condition("MessagesInterrupted")

    return step


def _participant_input(block: BlockContext) -> Step:
    if "EnableDTMFBuffer" in block.action.parameters:
        return no_effect(block)  # it only says whether keys pressed early count
    stored = str(block.action.parameters.get("StoreInput", "False")).lower() == "true"
    return _stored_input(block) if stored else _menu(block)


def _menu(block: BlockContext) -> Step:
    limit, speech, identifier = (
        parameters.number(block, "InputTimeLimitSeconds", "5"),
        parameters.speech(block),
        block.identifier,
    )
    keys = block.action.labels("condition")

    def step(call: CallSimulation) -> Steps:
        text, seconds = speech(call)
        patience = limit(call)
        menu = MenuOffered(call.now(), identifier, text, keys, patience)
        yield menu
        key = call.caller.chooses(menu)
        call.spend(seconds + (patience if key == TIMEOUT else _REACTION_SECONDS))
        if key == HANGUP:
            yield call.end(identifier, "CUSTOMER_DISCONNECT", "menu")
            return None
        if key == TIMEOUT:
            yield TimedOut(call.now(), identifier)
            return block.failure("InputTimeLimitExceeded")
        branch = block.matching(key)
        if branch is None:
            _require_key(key)
        yield Pressed(call.now(), identifier, key, branch is not None)
        return branch or block.failure("NoMatchingCondition")

    return step


def _require_key(key: str) -> None:
    if len(key) != 1 or key not in KEYS:
        raise ValueError(f"a caller cannot press {key!r}: allowed are {KEYS}, {TIMEOUT!r} and {HANGUP!r}")


def _stored_input(block: BlockContext) -> Step:
    """Digits until `#`, silence or the greatest length. Silence is no error: the input is then `Timeout`."""
    limit, speech, onward = (
        parameters.number(block, "InputTimeLimitSeconds", "5"),
        parameters.speech(block),
        block.next(),
    )
    validation = block.action.parameters.get("InputValidation")
    validation = validation if isinstance(validation, dict) else {}
    custom = validation.get("CustomValidation")
    longest = str(custom.get("MaximumLength", _LONGEST_INPUT)) if isinstance(custom, dict) else _LONGEST_INPUT
    most = int(longest) if str(longest).isdecimal() else _LONGEST_INPUT
    must_be_number = "PhoneNumberValidation" in validation

    def step(call: CallSimulation) -> Steps:
        text, seconds = speech(call)
        patience = limit(call)
        asked = InputAsked(call.now(), block.identifier, text, (), patience, most)
        yield asked
        call.spend(seconds)
        typed = ""
        while len(typed) < most:
            key = call.caller.chooses(asked)
            call.spend(patience if key == TIMEOUT else _REACTION_SECONDS)
            if key == HANGUP:
                yield call.end(block.identifier, "CUSTOMER_DISCONNECT", "input")
                return None
            if key in {TIMEOUT, "#"}:
                break
            _require_key(key)
            typed = "" if key == "*" else typed + key
        call.system["StoredCustomerInput"] = typed or "Timeout"
        yield InputStored(call.now(), block.identifier, typed or "Timeout")
        if must_be_number and not 3 <= len(typed) <= 15:
            return block.failure("InvalidPhoneNumber")
        return onward

    return step


def _bot(block: BlockContext) -> Step:
    speech = parameters.speech(block)
    v2 = block.action.parameters.get("LexV2Bot")
    v1 = block.action.parameters.get("LexBot")
    bot = parameters.resolver(
        block, str((v2 or {}).get("AliasArn", "") if isinstance(v2, dict) else (v1 or {}).get("Name", ""))
    )

    def step(call: CallSimulation) -> Steps:
        text, seconds = speech(call)
        yield BotAsked(call.now(), block.identifier, text)
        answer = call.answer(block, "lex", *names_of(bot(call))[::-1])
        call.spend(seconds + _SPOKEN_ANSWER_SECONDS)
        if answer == HANGUP:
            yield call.end(block.identifier, "CUSTOMER_DISCONNECT", "bot")
            return None
        if answer == TIMEOUT:
            yield TimedOut(call.now(), block.identifier)
            return block.failure("InputTimeLimitExceeded")
        heard = {"intent": answer} if isinstance(answer, str) else answer
        call.answered["Lex"] = {
            "IntentName": heard["intent"],
            "Slots": heard.get("slots", {}),
            "SessionAttributes": heard.get("attributes", {}),
            "IntentConfidence": {"Score": heard.get("confidence", "1.0")},
        }
        yield BotUnderstood(call.now(), block.identifier, heard["intent"])
        return block.matching(heard["intent"]) or block.failure("NoMatchingCondition")

    return step


def _wait(block: BlockContext) -> Step:
    given = "TimeLimitSeconds" in block.action.parameters
    seconds = parameters.number(block, "TimeLimitSeconds" if given else "TimeoutSeconds")

    def step(call: CallSimulation) -> tuple[Waited, Branch]:
        began = call.now()
        call.spend(seconds(call))
        return Waited(began, block.identifier, seconds(call)), block.matching("WaitCompleted") or block.next()

    return step


STEPS: Mapping[str, Callable[[BlockContext], Step]] = {
    "ConnectParticipantWithLexBot": _bot,
    "GetParticipantInput": _participant_input,
    "MessageParticipant": _message,
    "MessageParticipantIteratively": _messages_in_turn,
    "Wait": _wait,
}
