"""Handlers for blocks that play a prompt, wait for input or wait for a period of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.flows.simulation.environment import resource_names
from callroute.flows.simulation.events import (
    BotAsked,
    BotUnderstood,
    InputAsked,
    InputStored,
    MenuOffered,
    NoEffect,
    Pressed,
    Said,
    TimedOut,
    Waited,
)
from callroute.flows.simulation.handlers import parameters
from callroute.flows.simulation.participants import HANGUP, KEYS, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.flow import Branch
    from callroute.flows.simulation.engine import BlockContext, CallSimulation, Step

# In Connect, these times depend on the caller. Fixed values make the records reproducible.
_REACTION_SECONDS = 1.0
_SPOKEN_ANSWER_SECONDS = 3.0

_MAX_INPUT_LENGTH = 20


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


def _require_key(key: str) -> None:
    if len(key) != 1 or key not in KEYS:
        raise ValueError(f"invalid key {key!r}: use one of {KEYS}, {TIMEOUT!r} or {HANGUP!r}")


def _message(context: BlockContext) -> Step:
    """Plays a message. Keys pressed during the message are ignored unless touchtone buffering is on."""
    speech, next_branch, identifier = parameters.speech(context), context.next(), context.identifier
    can_be_skipped = _is_true(context.block.parameters.get("SkipWhenDTMFBufferEnabled"))

    def step(call: CallSimulation) -> Branch | None:
        if can_be_skipped and call.key_buffer:
            return next_branch
        text, seconds = speech(call)
        message = Said(call.now(), identifier, text)
        call.emit(message)
        reaction = call.caller.listens(message)
        if reaction is False or reaction == HANGUP:
            call.advance(seconds / 2)
            call.end(identifier, "CUSTOMER_DISCONNECT", "message")
            return None
        if isinstance(reaction, str):
            for key in reaction:
                _require_key(key)
                call.press_during_message(identifier, key)
        interrupted = can_be_skipped and call.key_buffer
        call.advance(seconds / 2 if interrupted else seconds)
        return next_branch

    return step


def _message_loop(context: BlockContext) -> Step:
    messages = context.block.parameters.get("Messages")
    if not isinstance(messages, list) or not messages:
        raise context.error("Messages is missing", "Add Messages")
    speeches = [parameters.speech(context, message) for message in messages]
    interval = parameters.number(context, "InterruptFrequencySeconds", "0")

    def step(call: CallSimulation) -> Branch | None:
        if not call.in_queue_flow:
            raise context.error(
                "the messages would repeat forever outside a queue",
                "Simulate this flow as the customer queue flow of another flow",
            )
        for speech in speeches:
            call.emit(Said(call.now(), context.identifier, speech(call)[0]))
        if interval(call) == 0:
            call.advance_to_deadline()
            return None
        call.advance(interval(call))
        return context.condition("MessagesInterrupted")

    return step


def _participant_input(context: BlockContext) -> Step:
    if "EnableDTMFBuffer" in context.block.parameters:
        return _touchtone_buffering(context)
    if _is_true(context.block.parameters.get("StoreInput", "False")):
        return _stored_input(context)
    return _menu(context)


def _touchtone_buffering(context: BlockContext) -> Step:
    """Turns touchtone buffering on, or turns it off and clears the buffer."""
    enabled, next_branch = _is_true(context.block.parameters["EnableDTMFBuffer"]), context.next()
    stores = _is_true(context.block.parameters.get("StoreInput"))

    def step(call: CallSimulation) -> Branch:
        if stores and not enabled:
            call.system["StoredCustomerInput"] = call.key_buffer or ""
        call.key_buffer = (call.key_buffer or "") if enabled else None
        call.emit(NoEffect(call.now(), context.identifier, context.block.type))
        return next_branch

    return step


def _menu(context: BlockContext) -> Step:
    limit, speech = parameters.number(context, "InputTimeLimitSeconds", "5"), parameters.speech(context)
    keys, identifier, branches = context.block.labels("condition"), context.identifier, context.by_result

    def step(call: CallSimulation) -> Branch | None:
        key = call.take_buffered_key()
        if not key:
            text, seconds = speech(call)
            time_limit = limit(call)
            menu = MenuOffered(call.now(), identifier, text, keys, time_limit)
            call.emit(menu)
            key = call.caller.chooses(menu)
            call.advance(seconds + (time_limit if key == TIMEOUT else _REACTION_SECONDS))
        if key == HANGUP:
            call.end(identifier, "CUSTOMER_DISCONNECT", "menu")
            return None
        if key == TIMEOUT:
            call.emit(TimedOut(call.now(), identifier))
            return context.failure("InputTimeLimitExceeded")
        branch = branches.get(key)
        if branch is None:
            _require_key(key)
        call.emit(Pressed(call.now(), identifier, key, branch is not None))
        return branch or context.failure("NoMatchingCondition")

    return step


def _stored_input(context: BlockContext) -> Step:
    """Collects digits until `#`, a timeout or the maximum length. If there are no digits, the input is `Timeout`."""
    limit, speech = parameters.number(context, "InputTimeLimitSeconds", "5"), parameters.speech(context)
    next_branch = context.next()
    validation = context.block.parameters.get("InputValidation")
    validation = validation if isinstance(validation, dict) else {}
    custom = validation.get("CustomValidation")
    custom = custom if isinstance(custom, dict) else {}
    length = str(custom.get("MaximumLength", _MAX_INPUT_LENGTH))
    max_length = int(length) if length.isdecimal() else _MAX_INPUT_LENGTH
    is_phone_number = "PhoneNumberValidation" in validation

    def step(call: CallSimulation) -> Branch | None:
        text, seconds = speech(call)
        time_limit = limit(call)
        asked = InputAsked(call.now(), context.identifier, text, (), time_limit, max_length)
        if not call.key_buffer:
            call.emit(asked)
            call.advance(seconds)
        typed = ""
        while len(typed) < max_length:
            key = call.take_buffered_key()
            if not key:
                key = call.caller.chooses(asked)
                call.advance(time_limit if key == TIMEOUT else _REACTION_SECONDS)
            if key == HANGUP:
                call.end(context.identifier, "CUSTOMER_DISCONNECT", "input")
                return None
            if key in {TIMEOUT, "#"}:
                break
            _require_key(key)
            typed = "" if key == "*" else typed + key
        call.system["StoredCustomerInput"] = typed or "Timeout"
        call.emit(InputStored(call.now(), context.identifier, typed or "Timeout"))
        if is_phone_number and not 3 <= len(typed) <= 15:
            return context.failure("InvalidPhoneNumber")
        return next_branch

    return step


def _bot(context: BlockContext) -> Step:
    speech = parameters.speech(context)
    v2, v1 = context.block.parameters.get("LexV2Bot"), context.block.parameters.get("LexBot")
    name = v2.get("AliasArn", "") if isinstance(v2, dict) else (v1 or {}).get("Name", "")
    bot = parameters.resolver(context, str(name))

    def step(call: CallSimulation) -> Branch | None:
        if call.key_buffer:
            call.key_buffer = ""
        text, seconds = speech(call)
        call.emit(BotAsked(call.now(), context.identifier, text))
        response = call.response(context, "lex", *resource_names(bot(call))[::-1])
        call.advance(seconds + _SPOKEN_ANSWER_SECONDS)
        if response == HANGUP:
            call.end(context.identifier, "CUSTOMER_DISCONNECT", "bot")
            return None
        if response == TIMEOUT:
            call.emit(TimedOut(call.now(), context.identifier))
            return context.failure("InputTimeLimitExceeded")
        result = {"intent": response} if isinstance(response, str) else response
        call.results["Lex"] = {
            "IntentName": result["intent"],
            "Slots": result.get("slots", {}),
            "SessionAttributes": result.get("attributes", {}),
            "IntentConfidence": {"Score": result.get("confidence", "1.0")},
        }
        call.emit(BotUnderstood(call.now(), context.identifier, result["intent"]))
        return context.matching(result["intent"]) or context.failure("NoMatchingCondition")

    return step


def _wait(context: BlockContext) -> Step:
    has_limit = "TimeLimitSeconds" in context.block.parameters
    seconds = parameters.number(context, "TimeLimitSeconds" if has_limit else "TimeoutSeconds")

    def step(call: CallSimulation) -> Branch:
        began = call.now()
        call.advance(seconds(call))
        call.emit(Waited(began, context.identifier, seconds(call)))
        return context.matching("WaitCompleted") or context.next()

    return step


HANDLERS: Mapping[str, Callable[[BlockContext], Step]] = {
    "ConnectParticipantWithLexBot": _bot,
    "GetParticipantInput": _participant_input,
    "MessageParticipant": _message,
    "MessageParticipantIteratively": _message_loop,
    "Wait": _wait,
}
