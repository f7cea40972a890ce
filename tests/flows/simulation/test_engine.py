"""Guards the simulator against answers that Connect would not give, and against passing over what it does not know."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callroute.errors import InputError
from callroute.flows.flow import Flow
from callroute.flows.simulation import (
    HANGUP,
    STEP_LIMIT,
    TIMEOUT,
    Call,
    Environment,
    Event,
    KeyedCaller,
    SimulatedClock,
    SimulationError,
    read_keys,
    run_simulation,
    run_with,
    simulate,
)
from callroute.flows.simulation.events import (
    AgentConnected,
    AttributesSet,
    Ended,
    HoursChecked,
    LoopPassed,
    MenuOffered,
    Pressed,
    Queued,
    QueueRefused,
    Said,
)

START = datetime(2026, 4, 1, 1, tzinfo=UTC)


def block(
    name: str, kind: str, then: str | None = None, conditions: dict[str, str] | None = None, **parameters: Any
) -> dict[str, Any]:
    """A block that leads to `then`, to the blocks in `conditions` by result, and to those in `errors` by error."""
    branches: dict[str, Any] = {} if then is None else {"NextAction": then}
    branches["Conditions"] = [
        {"NextAction": target, "Condition": {"Operator": "Equals", "Operands": [result]}}
        for result, target in (conditions or {}).items()
    ]
    errors = parameters.pop("errors", {})
    branches["Errors"] = [{"NextAction": target, "ErrorType": error} for error, target in errors.items()]
    return {"Identifier": name, "Type": kind, "Parameters": parameters, "Transitions": branches}


END = block("end", "DisconnectParticipant")


def flow(*blocks: dict[str, Any]) -> Flow:
    document = {"Version": "2019-10-30", "StartAction": blocks[0]["Identifier"], "Actions": [*blocks, END]}
    return Flow.parse(json.dumps(document), "x.json")


def menu(name: str = "menu", **changes: Any) -> dict[str, Any]:
    settings = {
        "conditions": {"1": "end"},
        "errors": {"NoMatchingCondition": name, "InputTimeLimitExceeded": name, "NoMatchingError": name},
        "Text": "press 1",
        "StoreInput": "False",
        "InputTimeLimitSeconds": "10",
    }
    return block(name, "GetParticipantInput", name, **(settings | changes))


def attributes(name: str, then: str, **values: str) -> dict[str, Any]:
    return block(name, "UpdateContactAttributes", then, Attributes=values, TargetContact="Current")


def run(
    what: Flow,
    *keys: str,
    environment: Environment | None = None,
    leaves_queue_after: float | None = None,
    **options: Any,
) -> tuple[list[Event], Call]:
    caller = KeyedCaller(keys, leaves_queue_after)
    return run_simulation(what, caller, clock=SimulatedClock(START), environment=environment, **options)


def refusal(what: Flow, *keys: str, **options: Any) -> SimulationError:
    with pytest.raises(SimulationError) as refused:
        run(what, *keys, **options)
    assert refused.value.source == "x.json"
    return refused.value


# --- Caller and time -------------------------------------------------------------------------------------------------


def test_when_the_keys_run_out_the_caller_hangs_up_at_the_next_menu_and_not_during_a_message() -> None:
    events, call = run(flow(block("hello", "MessageParticipant", "menu", Text="hello"), menu()))
    assert [type(event) for event in events] == [Said, MenuOffered, Ended]
    assert events[-1] == Ended(call.ended, "menu", "CUSTOMER_DISCONNECT", "menu")


def test_keys_are_pressed_at_menus_only() -> None:
    events, _ = run(flow(block("hello", "MessageParticipant", "menu", Text="hello"), menu()), "1")
    assert [event.key for event in events if isinstance(event, Pressed)] == ["1"]
    assert events[-1].block == "end"


def test_a_menu_says_which_keys_lead_somewhere_and_how_long_it_waits() -> None:
    events, _ = run(flow(menu(conditions={"2": "end", "*": "end"})))
    assert events[0] == MenuOffered(START, "menu", "press 1", ("2", "*"), 10)


def test_a_key_without_a_branch_and_silence_take_their_error_branches() -> None:
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
def test_an_error_without_a_branch_of_its_own_takes_the_branch_for_any_error(key: str) -> None:
    events, _ = run(flow(menu(errors={"NoMatchingError": "end"})), key)
    assert events[-1].block == "end"


def test_time_passes_with_speech_keys_and_silence_and_with_nothing_else() -> None:
    hello = block("hello", "MessageParticipant", "set", Text="あ" * 8 + "a" * 15)
    what = flow(hello, attributes("set", "menu", x="1"), menu(Text="あ" * 16))
    events, call = run(what, TIMEOUT, "1")
    seconds = [(event.at - START).total_seconds() for event in events]
    # Message: 1 s + 1 s; attributes: none; menu: 2 s, and 10 s of silence or 1 s until the key.
    assert seconds == [0, 2, 2, 14, 14, 17, 17]
    assert call.ended - call.started == timedelta(seconds=17)


def test_the_caller_is_asked_only_after_the_event_was_seen() -> None:
    what = flow(block("hello", "MessageParticipant", "menu", Text="hello"), menu())
    seen: list[str] = []

    class Person(KeyedCaller):
        def listens(self, said: Said) -> bool:
            seen.append(f"asked after {said.block}")
            return True

        def chooses(self, menu: MenuOffered) -> str:
            seen.append(f"asked after {menu.block}")
            return "1"

    call = run_with(
        simulate(what, Person([]), clock=SimulatedClock(START)), lambda event: seen.append(event.block)
    )
    assert seen == ["hello", "asked after hello", "menu", "asked after menu", "menu", "end"]
    assert call.disconnect_reason == "CONTACT_FLOW_DISCONNECT"


def test_a_caller_may_hang_up_during_a_message() -> None:
    class Impatient(KeyedCaller):
        def listens(self, said: Said) -> bool:
            return False

    what = flow(block("hello", "MessageParticipant", "end", Text="あ" * 16))
    events, call = run_simulation(what, Impatient([]), clock=SimulatedClock(START))
    assert events[-1] == Ended(START + timedelta(seconds=1), "hello", "CUSTOMER_DISCONNECT", "message")
    assert call.disconnect_reason == "CUSTOMER_DISCONNECT"


def test_a_clock_that_runs_by_itself_is_read_for_every_event() -> None:
    class Ticking:
        time = START

        def now(self) -> datetime:
            self.time += timedelta(seconds=1)
            return self.time

        def advance(self, seconds: float) -> None:
            """Nothing: time passes without being told."""

    events, call = run_simulation(flow(menu()), KeyedCaller("1"), clock=Ticking())
    assert [(event.at - START).total_seconds() for event in events] == [2, 3, 4]
    assert call.started == START + timedelta(seconds=1)


def test_a_caller_who_presses_what_no_telephone_has_is_a_fault_of_the_program() -> None:
    with pytest.raises(ValueError, match="cannot press '12'"):
        run(flow(menu()), "12")


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
def test_keys_are_read_as_typed(text: str, keys: tuple[str, ...]) -> None:
    assert read_keys(text) == keys


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [("1,x", "key 2", "'x'"), ("1a", "key 1", "'1a'"), ("1,,2", "key 2", "nothing"), ("１", "key 1", "'１'")],
)
def test_a_bad_key_is_named_with_what_is_allowed(text: str, place: str, found: str) -> None:
    with pytest.raises(InputError) as refused:
        read_keys(text)
    assert (refused.value.source, refused.value.place) == ("--keys", place)
    assert found in refused.value.problem
    assert "0-9, *, #, timeout and hangup" in refused.value.fix


# --- Attributes and references ---------------------------------------------------------------------------------------


def test_the_last_value_of_an_attribute_stands_and_each_write_is_told() -> None:
    events, call = run(flow(attributes("a", "b", x="1", y="1"), attributes("b", "end", x="2")))
    assert call.attributes == {"x": "2", "y": "1"}
    assert [event.attributes for event in events if isinstance(event, AttributesSet)] == [
        {"x": "1", "y": "1"},
        {"x": "2"},
    ]


def test_references_are_resolved_in_speech_and_as_whole_values() -> None:
    what = flow(
        attributes("a", "b", x="紛失"),
        attributes("b", "say", y="$.Attributes.x", z="to $.Attributes.x", none="$.Attributes.missing"),
        block("say", "MessageParticipant", "end", Text="「 $.Attributes.y 」 $.Attributes.missing."),
    )
    events, call = run(what)
    # Connect puts no texts together in an attribute's value, but it does in speech.
    assert call.attributes == {"x": "紛失", "y": "紛失", "z": "to $.Attributes.x", "none": ""}
    assert [event.text for event in events if isinstance(event, Said)] == ["「 紛失 」 ."]


def test_values_of_one_block_are_all_taken_before_it_writes() -> None:
    what = flow(
        attributes("a", "b", x="1", y="2"), attributes("b", "end", x="$.Attributes.y", y="$.Attributes.x")
    )
    assert run(what)[1].attributes == {"x": "2", "y": "1"}


def test_markup_of_ssml_is_not_spoken_and_a_recorded_prompt_is_named() -> None:
    what = flow(
        block("ssml", "MessageParticipant", "prompt", SSML="<speak>one<break time='1s'/> two</speak>"),
        block("prompt", "MessageParticipant", "end", PromptId="welcome.wav"),
    )
    events, call = run(what)
    assert [event.text for event in events if isinstance(event, Said)] == ["one two", "[welcome.wav]"]
    assert call.ended - call.started == timedelta(seconds=7 / 15 + 5)


# --- Loops, hours, queues --------------------------------------------------------------------------------------------


def looping(count: str) -> Flow:
    loop = block("loop", "Loop", "done", {"ContinueLooping": "loop", "DoneLooping": "done"}, LoopCount=count)
    done = menu("done", conditions={"1": "loop", "2": "end"})
    return flow(loop, done)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_loop_continues_as_often_as_told_then_is_done_and_begins_again(count: int) -> None:
    events, _ = run(looping(str(count)), "1", "2")
    loops = [(event.passes, event.count, event.done) for event in events if isinstance(event, LoopPassed)]
    once = [(turn, count, False) for turn in range(1, count + 1)] + [(count, count, True)]
    assert loops == once * 2


@pytest.mark.parametrize(("is_open", "end"), [(True, "yes"), (False, "no")])
def test_opening_hours_branch_by_what_the_world_says(is_open: bool, end: str) -> None:
    check = block(
        "check", "CheckHoursOfOperation", "end", {"True": "yes", "False": "no"}, HoursOfOperationId="h"
    )
    what = flow(check, *(block(name, "MessageParticipant", "end", Text=name) for name in ("yes", "no")))
    events, _ = run(what, environment=Environment(is_open=is_open))
    assert events[0] == HoursChecked(START, "check", "h", is_open)
    assert events[1].block == end


QUEUE = block(
    "choose", "UpdateContactTargetQueue", "transfer", QueueId="arn:q", errors={"NoMatchingError": "end"}
)
TRANSFER = block(
    "transfer",
    "TransferContactToQueue",
    "sorry",
    errors={"QueueAtCapacity": "full", "NoMatchingError": "sorry"},
)
SORRY = [block(name, "MessageParticipant", "end", Text=name) for name in ("full", "sorry")]


def test_an_agent_answers_and_the_record_of_times_is_kept() -> None:
    events, call = run(
        flow(QUEUE, TRANSFER, *SORRY), environment=Environment(agent_answers_after=30, talk_seconds=90)
    )
    assert [type(event) for event in events[1:]] == [Queued, AgentConnected, Ended]
    assert call.queue is not None
    assert (call.queue.queue, call.queue.entered, call.queue.left) == (
        "arn:q",
        START,
        START + timedelta(seconds=30),
    )
    assert call.agent_connected == call.queue.left
    assert call.ended == START + timedelta(seconds=120)


@pytest.mark.parametrize(
    ("answers", "leaves", "answered"),
    [(5, 4, False), (4, 5, True), (5, 5, True), (None, 0, False), (0, None, True)],
)
def test_what_comes_first_in_the_queue_happens(
    answers: float | None, leaves: float | None, answered: bool
) -> None:
    environment = Environment(agent_answers_after=answers)
    _, call = run(flow(QUEUE, TRANSFER, *SORRY), environment=environment, leaves_queue_after=leaves)
    assert (call.agent_connected is not None) == answered
    assert call.queue is not None


def test_a_caller_whose_next_key_is_hangup_leaves_the_queue() -> None:
    events, call = run(flow(QUEUE, TRANSFER, *SORRY), HANGUP)
    assert call.agent_connected is None
    assert events[-1] == Ended(START + timedelta(seconds=10), "transfer", "CUSTOMER_DISCONNECT", "queue")


@pytest.mark.parametrize(
    ("blocks", "environment", "error", "then"),
    [
        ([QUEUE, TRANSFER], Environment(queue_is_full=True), "QueueAtCapacity", "full"),
        ([TRANSFER], Environment(), "NoMatchingError", "sorry"),
    ],
)
def test_a_transfer_that_fails_takes_its_error_branch_and_leaves_no_queue_on_the_call(
    blocks: list[dict[str, Any]], environment: Environment, error: str, then: str
) -> None:
    events, call = run(flow(*blocks, *SORRY), environment=environment)
    refused = next(event for event in events if isinstance(event, QueueRefused))
    assert refused.error == error
    assert any(event.block == then for event in events)
    assert call.queue is None


# --- What is refused, and what is bounded ----------------------------------------------------------------------------


def test_an_unknown_type_is_named_with_its_block() -> None:
    error = refusal(flow(block("mystery", "ShowHologram", "end")))
    assert error.place == "block 'mystery' (ShowHologram)"
    assert "MessageParticipant" in error.fix


@pytest.mark.parametrize(
    ("what", "keys", "problem"),
    [
        (menu(InputTimeLimitSeconds="soon"), (), "InputTimeLimitSeconds is 'soon'"),
        (menu(errors={}), ("7",), "error branch NoMatchingCondition"),
        (menu(errors={}), (TIMEOUT,), "error branch InputTimeLimitExceeded"),
        (block("m", "MessageParticipant", Text="x"), (), "NextAction"),
        (block("m", "MessageParticipant", "end"), (), "Text is None"),
        (
            block("m", "MessageParticipant", "end", Text="$.CustomerInput"),
            (),
            "$.CustomerInput",
        ),
        (block("m", "UpdateContactAttributes", "end"), (), "no Attributes"),
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
def test_what_cannot_be_simulated_is_refused_and_not_guessed(
    what: dict[str, Any], keys: tuple[str, ...], problem: str
) -> None:
    error = refusal(flow(what), *keys)
    assert error.place == f"block {what['Identifier']!r} ({what['Type']})"
    assert problem in error.problem


def test_a_queue_that_nobody_leaves_is_refused() -> None:
    assert (
        "never end"
        in refusal(flow(QUEUE, TRANSFER, *SORRY), environment=Environment(agent_answers_after=None)).problem
    )


class Silent(KeyedCaller):
    """Stays on the line and never presses anything."""

    def chooses(self, menu: MenuOffered) -> str:
        """Silence."""
        return TIMEOUT


def test_silence_for_ever_is_cut_off_openly_by_the_step_limit() -> None:
    events, call = run_simulation(flow(menu()), Silent([]), clock=SimulatedClock(START))
    assert sum(isinstance(event, MenuOffered) for event in events) == STEP_LIMIT
    assert events[-1] == Ended(call.ended, "menu", "OTHER", "step limit")
    assert call.disconnect_reason == "OTHER"


def test_a_flow_that_goes_in_circles_by_itself_is_cut_off_too() -> None:
    events, call = run(flow(attributes("a", "b", x="1"), attributes("b", "a", x="2")), step_limit=7)
    assert len(events) == 8
    assert call.disconnect_reason == "OTHER"


def test_a_call_that_ends_on_the_last_step_allowed_is_not_cut_off() -> None:
    _, call = run(flow(attributes("a", "end", x="1")), step_limit=2)
    assert call.disconnect_reason == "CONTACT_FLOW_DISCONNECT"
