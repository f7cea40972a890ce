"""Tests the simulation engine: caller, time, events, forced errors and the step limit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from callroute.errors import InputError
from callroute.flows.block_types import BLOCK_TYPES
from callroute.flows.simulation import (
    HANGUP,
    STEP_LIMIT,
    TIMEOUT,
    KeyedCaller,
    SimulatedClock,
    read_keys,
    run_simulation,
    simulate,
)
from callroute.flows.simulation.events import (
    Ended,
    Failed,
    MenuOffered,
    NoEffect,
    Said,
)
from callroute.flows.simulation.handlers import HANDLERS
from tests.flows.simulation.builders import START, attributes, block, flow, menu, run, say, simulation_error


def test_without_further_keys_the_caller_hangs_up_at_the_next_menu() -> None:
    events, call = run(flow(block("hello", "MessageParticipant", "menu", Text="hello"), menu()))
    assert [type(event) for event in events] == [Said, MenuOffered, Ended]
    assert events[-1] == Ended(call.ended, "menu", "CUSTOMER_DISCONNECT", "menu")


def test_only_prompts_keys_and_timeouts_take_time() -> None:
    hello = block("hello", "MessageParticipant", "set", Text="あ" * 8 + "a" * 15)
    tested = flow(hello, attributes("set", "menu", x="1"), menu(Text="あ" * 16))
    events, call = run(tested, TIMEOUT, "1")
    seconds = [(event.at - START).total_seconds() for event in events]
    # The message takes 1 s + 1 s, the attributes take 0 s, and the menu takes 2 s plus 10 s until a timeout or 1 s
    # until a key.
    assert seconds == [0, 2, 2, 14, 14, 17, 17]
    assert call.ended - call.started == timedelta(seconds=17)


def test_the_caller_reacts_after_the_event() -> None:
    tested = flow(block("hello", "MessageParticipant", "menu", Text="hello"), menu())
    seen: list[str] = []

    class Recorder(KeyedCaller):
        def listens(self, message: Said) -> bool:
            seen.append(f"asked after {message.block}")
            return True

        def chooses(self, menu: MenuOffered) -> str:
            seen.append(f"asked after {menu.block}")
            return "1"

    call = simulate(
        tested,
        Recorder([]),
        clock=SimulatedClock(START),
        on_event=lambda event: seen.append(event.block),
    )
    assert seen == ["hello", "asked after hello", "menu", "asked after menu", "menu", "end"]
    assert call.disconnect_reason == "CONTACT_FLOW_DISCONNECT"


def test_a_real_time_clock_is_read_for_every_event() -> None:
    class Ticking:
        time = START

        def now(self) -> datetime:
            self.time += timedelta(seconds=1)
            return self.time

        def advance(self, seconds: float) -> None:
            """Does nothing."""

    events, call = run_simulation(flow(menu()), KeyedCaller("1"), clock=Ticking())
    assert [(event.at - START).total_seconds() for event in events] == [2, 3, 4]
    assert call.started == START + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", ()),
        (" ", ()),
        ("1", ("1",)),
        ("1, 2,Timeout ,HANGUP,*,#", ("1", "2", TIMEOUT, HANGUP, "*", "#")),
        ("1,203#", ("1", "2", "0", "3", "#")),
    ],
)
def test_key_lists_are_parsed(text: str, keys: tuple[str, ...]) -> None:
    assert read_keys(text) == keys


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [("1,x", "key 2", "'x'"), ("1a", "key 1", "'1a'"), ("1,,2", "key 2", "empty"), ("１", "key 1", "'１'")],
)
def test_an_invalid_key_list_reports_the_key_and_the_valid_keys(text: str, place: str, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        read_keys(text)
    assert (raised.value.source, raised.value.place) == ("--keys", place)
    assert problem in raised.value.problem
    assert "0-9, *, #, timeout and hangup" in raised.value.fix


def test_an_unknown_block_type_is_an_error() -> None:
    error = simulation_error(flow(block("mystery", "ShowHologram", "end")))
    assert error.place == "block 'mystery' (ShowHologram)"
    assert "MessageParticipant" in error.fix


@pytest.mark.parametrize(
    ("tested", "keys", "problem"),
    [
        (menu(InputTimeLimitSeconds="soon"), (), "InputTimeLimitSeconds is 'soon'"),
        (menu(errors={}), ("7",), "error branch NoMatchingCondition"),
        (menu(errors={}), (TIMEOUT,), "error branch InputTimeLimitExceeded"),
        (block("m", "MessageParticipant", None, Text="x"), (), "NextAction"),
        (block("m", "MessageParticipant", "end"), (), "Text is None"),
        (
            block("m", "MessageParticipant", "end", Text="$.CustomerInput"),
            (),
            "$.CustomerInput",
        ),
        (block("m", "UpdateContactAttributes", "end"), (), "Attributes is missing"),
        (block("m", "UpdateContactAttributes", "end", Attributes={"x": 1}), (), "'x' = 1"),
        (
            block("m", "UpdateContactAttributes", "end", Attributes={}, TargetContact="Related"),
            (),
            "related contact",
        ),
        (block("m", "Loop", "end", LoopCount="-1"), (), "LoopCount is '-1'"),
        (block("m", "Loop", "end", LoopCount="1"), (), "condition ContinueLooping"),
        (block("m", "CheckHoursOfOperation", "end"), (), "condition True"),
        (block("m", "UpdateContactTargetQueue", "end"), (), "QueueId is None"),
    ],
)
def test_unsupported_or_incomplete_blocks_are_errors(
    tested: dict[str, Any], keys: tuple[str, ...], problem: str
) -> None:
    error = simulation_error(flow(tested), *keys)
    assert error.place == f"block {tested['Identifier']!r} ({tested['Type']})"
    assert problem in error.problem


class Silent(KeyedCaller):
    """A caller who stays on the line and never presses a key."""

    def chooses(self, menu: MenuOffered) -> str:
        """Returns TIMEOUT."""
        return TIMEOUT


def test_endless_timeouts_stop_at_the_step_limit() -> None:
    events, call = run_simulation(flow(menu()), Silent([]), clock=SimulatedClock(START))
    assert sum(isinstance(event, MenuOffered) for event in events) == STEP_LIMIT
    assert events[-1] == Ended(call.ended, "menu", "OTHER", "step limit")
    assert call.disconnect_reason == "OTHER"


def test_an_endless_loop_stops_at_the_step_limit() -> None:
    events, call = run(flow(attributes("a", "b", x="1"), attributes("b", "a", x="2")), step_limit=7)
    assert len(events) == 8
    assert call.disconnect_reason == "OTHER"


def test_a_call_may_end_on_the_last_allowed_step() -> None:
    _, call = run(flow(attributes("a", "end", x="1")), step_limit=2)
    assert call.disconnect_reason == "CONTACT_FLOW_DISCONNECT"


def test_only_the_email_block_type_has_no_handler() -> None:
    assert set(BLOCK_TYPES) - set(HANDLERS) == {"LoadContactContent"}
    assert "LoadContactContent" in str(simulation_error(flow(block("mail", "LoadContactContent"))))


@pytest.mark.parametrize(
    "kind",
    [
        "CreateTask",
        "TagContact",
        "UpdateContactRecordingBehavior",
        "UpdateContactData",
        "UpdateContactEventHooks",
    ],
)
def test_blocks_without_effect_produce_an_event(kind: str) -> None:
    events, _ = run(flow(block("b", kind, EventHooks={}, LanguageCode="ja-JP")))
    assert events[0] == NoEffect(START, "b", kind)


def test_errors_can_be_forced_by_block_or_type() -> None:
    blocks = [
        block(
            name,
            "UpdateContactAttributes",
            then,
            errors={"NoMatchingError": then},
            Attributes={"call_route": name},
        )
        for name, then in (("a", "b"), ("b", "end"))
    ]
    by_type = run(flow(*blocks), responses={"errors": {"UpdateContactAttributes": "NoMatchingError"}})
    assert [type(event) for event in by_type[0]] == [Failed, Failed, Ended]
    assert by_type[1].attributes == {}, "a failed block does not set attributes"
    by_block = run(flow(*blocks), responses={"errors": {"a": "NoMatchingError"}})
    assert by_block[1].attributes == {"call_route": "b"}
    loop = [block("a", "TagContact", "a", errors={"NoMatchingError": "end"}, Tags={})]
    events, _ = run(flow(*loop), responses={"errors": {"a": [None, None, "NoMatchingError"]}})
    assert [type(event) for event in events] == [NoEffect, NoEffect, Failed, Ended]


def test_a_forced_error_needs_a_branch() -> None:
    assert (
        "error branch QueueAtCapacity"
        in simulation_error(flow(say("hello")), responses={"errors": {"hello": "QueueAtCapacity"}}).problem
    )
