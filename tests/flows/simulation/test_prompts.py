"""Tests the handlers that play prompts and wait for input."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from callroute.flows.simulation import HANGUP, TIMEOUT, Call, KeyedCaller, SimulatedClock, run_simulation
from callroute.flows.simulation.events import (
    Ended,
    Event,
    InputStored,
    KeyBuffered,
    KeyIgnored,
    MenuOffered,
    NoEffect,
    Pressed,
    Said,
)
from callroute.flows.simulation.participants import unused_keys_message
from tests.flows.simulation.builders import (
    START,
    block,
    flow,
    menu,
    messages,
    music,
    run,
    say,
    simulation_error,
)


def test_keys_are_pressed_at_menus_and_not_during_messages() -> None:
    events, _ = run(flow(block("hello", "MessageParticipant", "menu", Text="hello"), menu()), "1")
    assert [event.key for event in events if isinstance(event, Pressed)] == ["1"]
    assert events[-1].block == "end"


def test_the_menu_event_lists_the_keys_and_the_time_limit() -> None:
    events, _ = run(flow(menu(conditions={"2": "end", "*": "end"})))
    assert events[0] == MenuOffered(START, "menu", "press 1", ("2", "*"), 10)


def test_an_invalid_key_and_a_timeout_take_their_error_branches() -> None:
    notice = block("notice", "MessageParticipant", "menu", Text="again")
    late = block("late", "MessageParticipant", "menu", Text="late")
    errors = {"NoMatchingCondition": "notice", "InputTimeLimitExceeded": "late", "NoMatchingError": "end"}
    events, _ = run(flow(menu(errors=errors), notice, late), "7", TIMEOUT, "1")
    assert [event.block for event in events] == [
        *("menu", "menu", "notice"),
        *("menu", "menu", "late"),
        *("menu", "menu", "end"),
    ]
    pressed = [(event.key, event.accepted) for event in events if isinstance(event, Pressed)]
    assert pressed == [("7", False), ("1", True)]


@pytest.mark.parametrize("key", ["7", TIMEOUT])
def test_an_error_without_its_own_branch_takes_the_branch_for_any_error(key: str) -> None:
    events, _ = run(flow(menu(errors={"NoMatchingError": "end"})), key)
    assert events[-1].block == "end"


def test_a_caller_can_hang_up_during_a_message() -> None:
    class ImpatientCaller(KeyedCaller):
        def listens(self, message: Said) -> bool:
            return False

    tested = flow(block("hello", "MessageParticipant", "end", Text="あ" * 16))
    events, call = run_simulation(tested, ImpatientCaller([]), clock=SimulatedClock(START))
    assert events[-1] == Ended(START + timedelta(seconds=1), "hello", "CUSTOMER_DISCONNECT", "message")
    assert call.disconnect_reason == "CUSTOMER_DISCONNECT"


def test_an_invalid_key_from_a_caller_raises_value_error() -> None:
    with pytest.raises(ValueError, match="invalid key '12'"):
        run(flow(menu()), "12")


def test_ssml_is_shown_as_text_with_marks_and_a_recorded_prompt_is_named() -> None:
    ssml = "<speak>Q&amp;A<break time='1s'/> <audio src='a.wav'/><emphasis>two</emphasis></speak>"
    tested = flow(
        block("ssml", "MessageParticipant", "prompt", SSML=ssml),
        block("prompt", "MessageParticipant", "end", PromptId="welcome.wav"),
    )
    events, call = run(tested)
    assert [event.text for event in events if isinstance(event, Said)] == [
        "Q&A … [audio] two",
        "[welcome.wav]",
    ]
    assert call.ended - call.started > timedelta(seconds=5)


BOT = block(
    "bot",
    "ConnectParticipantWithLexBot",
    "sorry",
    [("Equals", "Balance", "balance")],
    {"NoMatchingCondition": "other", "InputTimeLimitExceeded": "silent", "NoMatchingError": "sorry"},
    Text="How can I help?",
    LexV2Bot={"AliasArn": "arn:aws:lex:ap-northeast-1:111111111111:bot-alias/B/A"},
)


BOT_ENDS = [
    say("balance", "$.Lex.IntentName of $.Lex.Slots.account"),
    say("other"),
    say("silent"),
    say("sorry"),
]


@pytest.mark.parametrize(
    ("understood", "spoken"),
    [
        ({"intent": "Balance", "slots": {"account": "42"}}, ["Balance of 42"]),
        ("Fallback", ["other"]),
        (TIMEOUT, ["silent"]),
        (HANGUP, []),
    ],
)
def test_a_bot_selects_the_branch_of_the_intent(understood: Any, spoken: list[str]) -> None:
    events, call = run(flow(BOT, *BOT_ENDS), responses={"lex": {"bot": understood}})
    assert messages(events) == spoken
    assert (call.disconnect_reason == "CUSTOMER_DISCONNECT") == (understood == HANGUP)


def ask(**validation: Any) -> dict[str, Any]:
    return block(
        "ask",
        "GetParticipantInput",
        "tell",
        errors={"NoMatchingError": "sorry", "InvalidPhoneNumber": "wrong"},
        Text="number?",
        StoreInput="True",
        InputTimeLimitSeconds="5",
        InputValidation=validation,
    )


INPUT_ENDS = [say("tell", "$.StoredCustomerInput"), say("sorry"), say("wrong")]


@pytest.mark.parametrize(
    ("keys", "stored"),
    [
        ("123#", "123"),
        (["1", "2", TIMEOUT], "12"),
        ("12345", "1234"),
        ("12*34#", "34"),
        ([TIMEOUT], "Timeout"),
        ("#", "Timeout"),
    ],
)
def test_input_ends_with_the_hash_key_a_timeout_or_the_maximum_length(keys: Any, stored: str) -> None:
    tested = flow(ask(CustomValidation={"MaximumLength": "4"}), *INPUT_ENDS)
    events, _ = run(tested, *keys)
    assert InputStored(events[1].at, "ask", stored) == events[1]
    assert messages(events) == [stored]


def test_a_caller_can_hang_up_during_input() -> None:
    events, call = run(flow(ask(), *INPUT_ENDS), "1", "2")
    assert events[-1] == Ended(call.ended, "ask", "CUSTOMER_DISCONNECT", "input")


@pytest.mark.parametrize(("keys", "end"), [("0500000001#", "0500000001"), ("12#", "wrong")])
def test_a_phone_number_is_validated(keys: str, end: str) -> None:
    tested = flow(ask(PhoneNumberValidation={"NumberFormat": "Local", "CountryCode": "JP"}), *INPUT_ENDS)
    assert messages(run(tested, *keys)[0]) == [end]


def test_repeated_messages_outside_a_queue_are_an_error() -> None:
    assert "outside a queue" in simulation_error(flow(music(), say("interrupted"))).problem


def test_a_wait_block_takes_time() -> None:
    wait = block("wait", "Wait", None, [("Equals", "WaitCompleted", "then")], TimeLimitSeconds="30")
    events, _ = run(flow(wait, say("then")))
    assert messages(events) == ["then"]
    assert events[1].at - START == timedelta(seconds=30)


# --- Keys pressed during a message -----------------------------------------------------------------------------------


class TypesAhead(KeyedCaller):
    """A caller who presses keys during the first message and then at prompts.

    Args:
        early: keys pressed during the first message.
        keys: keys pressed at prompts.
    """

    def __init__(self, early: str, *keys: str) -> None:
        super().__init__(keys)
        self._early = early

    def listens(self, message: Said) -> bool | str:
        """Returns the early keys on the first call."""
        early, self._early = self._early, ""
        return early or True


def buffering(enabled: bool, then: str, **more: Any) -> dict[str, Any]:
    return block("buffer", "GetParticipantInput", then, EnableDTMFBuffer=str(enabled), **more)


def call_by(caller: KeyedCaller, *blocks: dict[str, Any]) -> tuple[list[Event], Call]:
    return run_simulation(flow(*blocks), caller, clock=SimulatedClock(START))


def test_a_key_during_a_message_is_ignored_without_buffering() -> None:
    events, call = call_by(TypesAhead("1"), say("hello", "あ" * 16, "menu"), menu())
    assert events[:2] == [Said(START, "hello", "あ" * 16), KeyIgnored(START, "hello", "1")]
    assert isinstance(events[2], MenuOffered)
    assert events[2].at == START + timedelta(seconds=2), "the message plays to its end"
    assert events[-1] == Ended(call.ended, "menu", "CUSTOMER_DISCONNECT", "menu")


def test_with_buffering_the_next_menu_uses_the_key_without_playing_its_prompt() -> None:
    events, _ = call_by(TypesAhead("1"), buffering(True, "hello"), say("hello", then="menu"), menu())
    assert [type(event) for event in events] == [NoEffect, Said, KeyBuffered, Pressed, Ended]
    assert events[-1].block == "end"


def test_buffered_keys_can_start_an_input_that_the_caller_completes() -> None:
    blocks = (buffering(True, "hello"), say("hello", then="ask"), ask(), *INPUT_ENDS)
    events, _ = call_by(TypesAhead("12", "3", "#"), *blocks)
    assert [event.digits for event in events if isinstance(event, InputStored)] == ["123"]


@pytest.mark.parametrize(("skippable", "seconds"), [("False", 2), ("True", 1)])
def test_a_buffered_key_interrupts_a_message_that_can_be_skipped(skippable: str, seconds: int) -> None:
    message = say("hello", "あ" * 16, "next", SkipWhenDTMFBufferEnabled=skippable)
    skipped = say("next", then="menu", SkipWhenDTMFBufferEnabled="True")
    events, _ = call_by(TypesAhead("1"), buffering(True, "hello"), message, skipped, menu())
    assert messages(events) == ["あ" * 16], "the second message is skipped"
    assert next(event.at for event in events if isinstance(event, Pressed)) == START + timedelta(
        seconds=seconds
    )


def test_turning_buffering_off_clears_the_buffer_and_can_store_it() -> None:
    off = buffering(False, "tell", StoreInput="True") | {"Identifier": "off"}
    blocks = (buffering(True, "hello"), say("hello", then="off"), off)
    events, _ = call_by(TypesAhead("42"), *blocks, say("tell", "$.StoredCustomerInput", "menu"), menu())
    assert messages(events) == ["hello", "42"]
    assert isinstance(events[-1], Ended)
    assert events[-1].during == "menu", "the menu waits for a key of its own"


def test_the_buffer_holds_30_keys() -> None:
    blocks = (buffering(True, "hello"), say("hello", then="menu"), menu(conditions={"2": "end"}))
    events, _ = call_by(TypesAhead("1" * 30 + "2"), *blocks)
    assert [event.key for event in events if isinstance(event, Pressed)] == ["1"] * 30


def test_a_caller_can_return_hangup_during_a_message() -> None:
    events, _ = call_by(TypesAhead(HANGUP), say("hello"))
    assert isinstance(events[-1], Ended)
    assert events[-1].during == "message"


def test_keys_that_no_prompt_waits_for_are_reported_as_unused() -> None:
    caller = KeyedCaller(["1", "2", TIMEOUT, HANGUP])
    call_by(caller, menu())
    assert caller.unused_keys == ("2", TIMEOUT), "a hangup after the end of the call is not a mistake"
    assert unused_keys_message(caller.unused_keys, "end") == (
        "keys 2, timeout were never pressed: the call ended in block 'end', and no further prompt waited for a key"
    )
