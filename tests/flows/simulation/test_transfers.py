"""Tests the handlers that transfer or end a call."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callroute.flows.flow import Flow
from callroute.flows.simulation import END, HANGUP, RETURN, STEP_LIMIT
from callroute.flows.simulation.call import ThirdParty
from callroute.flows.simulation.contact_record import contact_records
from callroute.flows.simulation.events import (
    AgentConnected,
    CallbackCreated,
    Ended,
    FlowEntered,
    Queued,
    QueueRefused,
    Transferred,
)
from tests.flows.simulation.builders import START, block, flow, messages, music, run, say, simulation_error

SET_QUEUE = block(
    "choose", "UpdateContactTargetQueue", "transfer", QueueId="arn:q", errors={"NoMatchingError": "end"}
)


TRANSFER = block(
    "transfer",
    "TransferContactToQueue",
    "sorry",
    errors={"QueueAtCapacity": "full", "NoMatchingError": "sorry"},
)


SORRY = [block(name, "MessageParticipant", "end", Text=name) for name in ("full", "sorry")]


def test_the_call_records_when_an_agent_answered() -> None:
    events, call = run(flow(SET_QUEUE, TRANSFER, *SORRY), agent_answers_after=30, talk_seconds=90)
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
def test_the_agent_answers_or_the_caller_leaves_whichever_comes_first(
    answers: float | None, leaves: float | None, answered: bool
) -> None:
    tested = flow(SET_QUEUE, TRANSFER, *SORRY)
    _, call = run(tested, agent_answers_after=answers, leaves_queue_after=leaves)
    assert (call.agent_connected is not None) == answered
    assert call.queue is not None


def test_a_caller_whose_next_key_is_hangup_leaves_the_queue() -> None:
    events, call = run(flow(SET_QUEUE, TRANSFER, *SORRY), HANGUP)
    assert call.agent_connected is None
    assert events[-1] == Ended(START + timedelta(seconds=10), "transfer", "CUSTOMER_DISCONNECT", "queue")


@pytest.mark.parametrize(
    ("blocks", "full", "error", "then"),
    [
        ([SET_QUEUE, TRANSFER], True, "QueueAtCapacity", "full"),
        ([TRANSFER], False, "NoMatchingError", "sorry"),
    ],
)
def test_a_failed_transfer_takes_its_error_branch_and_records_no_queue(
    blocks: list[dict[str, Any]], full: bool, error: str, then: str
) -> None:
    events, call = run(flow(*blocks, *SORRY), queue_is_full=full)
    refused = next(event for event in events if isinstance(event, QueueRefused))
    assert refused.error == error
    assert any(event.block == then for event in events)
    assert call.queue is None


def test_waiting_in_a_queue_forever_is_an_error() -> None:
    assert (
        "never end" in simulation_error(flow(SET_QUEUE, TRANSFER, *SORRY), agent_answers_after=None).problem
    )


MODULE = flow(
    block("in", "UpdateFlowAttributes", "say", FlowAttributes={"x": {"Value": "inner"}}),
    say("say", "module $.FlowAttributes.x", "out"),
    block("out", "EndFlowModuleExecution", None),
    source="module.json",
)


CALLING = flow(
    block("set", "UpdateFlowAttributes", "call", FlowAttributes={"x": {"Value": "outer"}}),
    block("call", "InvokeFlowModule", "after", FlowModuleId="arn:m/greeting"),
    say("after", "after $.FlowAttributes.x"),
)


def test_a_module_returns_and_has_its_own_flow_attributes() -> None:
    events, call = run(CALLING, flows={"greeting": MODULE})
    assert messages(events) == ["module inner", "after outer"]
    assert any(isinstance(event, FlowEntered) and event.flow == "module.json" for event in events)
    assert {branch.source for branch in call.taken["module.json"]} == {"in", "say"}
    assert {branch.source for branch in call.taken["x.json"]} == {"set", "call", "after"}


@pytest.mark.parametrize(("stand_in", "spoken"), [(RETURN, ["after outer"]), (END, [])])
def test_a_module_without_a_file_can_return_or_end_the_call(stand_in: str, spoken: list[str]) -> None:
    events, _ = run(CALLING, flows={"call": stand_in})
    assert messages(events) == spoken


def test_the_error_for_a_missing_module_explains_how_to_provide_it() -> None:
    error = simulation_error(CALLING)
    assert "arn:m/greeting" in error.problem
    assert "--flow-file" in error.fix


def test_a_transfer_to_a_flow_keeps_the_contact_and_its_attributes() -> None:
    there = flow(say("hello", "you are $.Attributes.x"), source="there.json")
    here = flow(
        block("set", "UpdateContactAttributes", "go", Attributes={"x": "known"}),
        block("go", "TransferToFlow", None, ContactFlowId="there"),
    )
    events, call = run(here, flows={"there": there})
    assert messages(events) == ["you are known"]
    assert call.legs == ()


def test_endless_transfers_between_flows_stop_at_the_step_limit() -> None:
    here = flow(block("go", "TransferToFlow", None, ContactFlowId="here"))
    events, call = run(here, flows={"here": here})
    assert sum(isinstance(event, FlowEntered) for event in events) == STEP_LIMIT
    assert call.disconnect_reason == "OTHER"


CHOOSE = block("choose", "UpdateContactTargetQueue", "hook", QueueId="arn:q/first")


HOOK = block("hook", "UpdateContactEventHooks", "queue", EventHooks={"CustomerQueue": "arn:f/waiting"})


QUEUE = block(
    "queue", "TransferContactToQueue", "end", errors={"QueueAtCapacity": "full", "NoMatchingError": "full"}
)


INBOUND = flow(CHOOSE, HOOK, QUEUE, say("full"))


def test_the_customer_queue_flow_runs_until_the_agent_answers() -> None:
    waiting = flow(music(), say("interrupted", "patience", "music"), source="waiting.json")
    events, call = run(INBOUND, flows={"waiting": waiting}, agent_answers_after=50, talk_seconds=10)
    assert messages(events).count("patience") == 2
    assert call.queue is not None
    assert call.queue.left - call.queue.entered == timedelta(seconds=50)
    assert call.ended - call.started == timedelta(seconds=60)


def typed(type_: str, *blocks: dict[str, Any]) -> Flow:
    return replace(flow(*blocks), type=type_)


def test_a_customer_queue_flow_is_played_alone_in_a_queue() -> None:
    events, call = run(
        typed("CUSTOMER_QUEUE", music(), say("interrupted", "patience", "music")),
        leaves_queue_after=50,
        agent_answers_after=None,
    )
    assert isinstance(events[0], Queued)
    assert messages(events).count("patience") == 2
    assert call.queue is not None
    assert events[-1] == Ended(START + timedelta(seconds=50), "music", "CUSTOMER_DISCONNECT", "queue")


def test_a_hold_flow_is_played_alone_until_the_caller_hangs_up() -> None:
    events, call = run(
        typed("CUSTOMER_HOLD", music(), say("interrupted", "patience", "music")), leaves_queue_after=50
    )
    assert messages(events).count("patience") == 2
    assert call.queue is None
    assert events[-1] == Ended(START + timedelta(seconds=50), "music", "CUSTOMER_DISCONNECT", "hold")


def test_a_hold_flow_needs_the_seconds_that_the_caller_waits() -> None:
    error = simulation_error(typed("CUSTOMER_HOLD", music(), say("interrupted", "patience", "music")))
    assert error.problem == "the caller stays on hold forever"


def test_the_flow_of_a_queue_quick_connect_has_its_queue_from_the_start() -> None:
    _, call = run(typed("QUEUE_TRANSFER", TRANSFER, *SORRY), agent_answers_after=5)
    assert call.queue is not None
    assert call.queue.queue == "queue of the quick connect"


def test_a_refused_third_party_takes_the_only_error_branch() -> None:
    third = block(
        "call",
        "TransferParticipantToThirdParty",
        "end",
        errors={"NoMatchingError": "sorry"},
        ThirdPartyPhoneNumber="+12065550100",
        ContinueFlowExecution="False",
    )
    events, _ = run(flow(third, *SORRY), responses={"third_party": {"*": "CallFailed"}})
    assert "sorry" in messages(events)


def test_hanging_up_at_a_menu_of_the_queue_flow_records_the_queue() -> None:
    offer = block(
        "offer",
        "GetParticipantInput",
        "music",
        [("Equals", "1", "end")],
        Text="1 to leave",
        StoreInput="False",
    )
    waiting = flow(music("offer"), offer, source="waiting.json")
    events, call = run(INBOUND, flows={"waiting": waiting}, agent_answers_after=500)
    assert events[-1].block == "offer"
    assert call.queue is not None
    assert call.queue.left == call.ended
    assert call.agent_connected is None


def test_the_caller_keeps_waiting_after_the_queue_flow_ends() -> None:
    waiting = flow(
        say("once", "please wait", "over"), block("over", "EndFlowExecution", None), source="w.json"
    )
    events, call = run(INBOUND, flows={"waiting": waiting}, agent_answers_after=40)
    assert messages(events) == ["please wait"]
    assert call.queue is not None
    assert (call.queue.left - call.queue.entered).total_seconds() == 40
    assert call.agent_connected == call.queue.left


def test_the_customer_whisper_runs_before_the_conversation_and_can_end_the_call() -> None:
    hook = HOOK | {"Parameters": {"EventHooks": {"CustomerWhisper": "arn:f/whisper"}}}
    inbound = flow(CHOOSE, hook, QUEUE, say("full"))
    over = block("over", "EndFlowExecution", None)
    whisper = flow(say("w", "you are connected", "over"), over, source="whisper.json")
    events, call = run(inbound, flows={"whisper": whisper}, talk_seconds=10)
    assert messages(events) == ["you are connected"]
    assert events[-1] == Ended(call.ended, "queue", "CUSTOMER_DISCONNECT", "conversation")
    cut = flow(say("w", "we are sorry"), source="whisper.json")
    events, call = run(inbound, flows={"whisper": cut}, talk_seconds=10)
    assert events[-1] == Ended(call.ended, "end", "CONTACT_FLOW_DISCONNECT", "flow")
    assert sum(isinstance(event, Ended) for event in events) == 1


def test_ending_a_flow_outside_a_queue_disconnects_the_call() -> None:
    events, call = run(flow(block("over", "EndFlowExecution", None)))
    assert call.disconnect_reason == "CONTACT_FLOW_DISCONNECT"
    assert len(events) == 1


def test_moving_to_another_queue_creates_a_linked_contact() -> None:
    move = block("move", "DequeueContactAndTransferToQueue", "end", QueueId="arn:q/second")
    stamp = block("stamp", "UpdateContactAttributes", "move", Attributes={"call_route": "moved"})
    enough = block(
        "seen",
        "Compare",
        "stamp",
        [("Equals", "moved", "music2")],
        ComparisonValue="$.Attributes.call_route",
        errors={"NoMatchingCondition": "stamp"},
    )
    waiting = flow(
        music("seen"),
        enough,
        stamp,
        move,
        music() | {"Identifier": "music2", "Transitions": music("music2")["Transitions"]},
        say("interrupted"),
        source="waiting.json",
    )
    events, call = run(INBOUND, flows={"waiting": waiting}, agent_answers_after=60, talk_seconds=30)
    assert [event.queue for event in events if isinstance(event, Queued)] == ["arn:q/first", "arn:q/second"]
    assert Transferred(START + timedelta(seconds=20), "queue", "QUEUE_TRANSFER", "arn:q/second") in events
    first, second = contact_records(call, contact_id="c-1")
    assert (first["InitiationMethod"], second["InitiationMethod"]) == ("INBOUND", "QUEUE_TRANSFER")
    assert first["NextContactId"] == second["ContactId"] != "c-1"
    assert (second["InitialContactId"], second["PreviousContactId"]) == ("c-1", "c-1")
    assert (first["InitialContactId"], first["PreviousContactId"], second["NextContactId"]) == (None,) * 3
    assert first["Attributes"] == second["Attributes"] == {"call_route": "moved"}
    assert (first["Agent"], first["DisconnectReason"]) == (None, None)
    assert first["Queue"]["Duration"] == 20
    assert second["Queue"]["Name"] == "second"
    assert second["Agent"]["AgentInteractionDuration"] == 30
    assert first["DisconnectTimestamp"] == second["InitiationTimestamp"]


def test_moving_between_queues_fails_outside_a_queue() -> None:
    move = block(
        "move", "DequeueContactAndTransferToQueue", "end", errors={"NoMatchingError": "end"}, QueueId="arn:q"
    )
    events, _ = run(flow(move))
    assert events[0] == QueueRefused(START, "move", "NoMatchingError")


def test_a_transfer_by_an_agent_creates_a_leg() -> None:
    plain = flow(CHOOSE | {"Transitions": {"NextAction": "queue"}}, QUEUE, say("full"))
    _, call = run(plain, agent_answers_after=10, talk_seconds=30, agent_transfers_to="arn:q/experts")
    first, second = contact_records(call, contact_id="c-1")
    assert second["InitiationMethod"] == "TRANSFER"
    assert second["Queue"]["Name"] == "experts"
    assert first["NextContactId"] == second["ContactId"]
    assert first["Agent"] is not None
    assert second["Agent"] is not None
    assert call.legs[0].ended - call.started == timedelta(seconds=10 + 30 + 10 + 30)


def test_a_callback_is_a_separate_contact() -> None:
    blocks = [
        CHOOSE | {"Transitions": {"NextAction": "number"}},
        block(
            "number",
            "UpdateContactCallbackNumber",
            "back",
            errors={"InvalidCallbackNumber": "wrong", "CallbackNumberNotDialable": "wrong"},
            CallbackNumber="$.Attributes.number",
        ),
        block("back", "CreateCallbackContact", InitialCallDelaySeconds="60"),
        say("wrong"),
    ]
    events, call = run(flow(*blocks), attributes={"number": "+12065550100"}, agent_answers_after=5)
    assert CallbackCreated(START, "back", "+12065550100", "arn:q/first") in events
    inbound, callback = contact_records(call, contact_id="c-1")
    assert (callback["InitiationMethod"], callback["PreviousContactId"]) == ("CALLBACK", "c-1")
    assert callback["Queue"]["Duration"] == 5
    assert inbound["DisconnectReason"] == "CONTACT_FLOW_DISCONNECT"
    assert inbound["Queue"] is None
    _, still_waiting = run(flow(*blocks), attributes={"number": "+12065550100"}, agent_answers_after=None)
    assert still_waiting.legs == (), "a callback without an agent has no record yet"
    assert messages(run(flow(*blocks), attributes={"number": "none"})[0]) == ["wrong"]


def dial(**settings: Any) -> Flow:
    errors = {"CallFailed": "failed", "ConnectionTimeLimitExceeded": "late", "NoMatchingError": "failed"}
    number = block(
        "dial",
        "TransferParticipantToThirdParty",
        "back",
        errors=errors,
        ThirdPartyPhoneNumber="+12065550100",
        **settings,
    )
    return flow(number, say("back"), say("failed"), say("late"))


@pytest.mark.parametrize(
    ("outcome", "hangs_up", "settings", "spoken", "reason"),
    [
        ("answered", False, {}, [], "CUSTOMER_DISCONNECT"),
        ("answered", True, {}, ["back"], "CONTACT_FLOW_DISCONNECT"),
        ("answered", True, {"ContinueFlowExecution": "False"}, [], "THIRD_PARTY_DISCONNECT"),
        ("CallFailed", False, {}, ["failed"], "CONTACT_FLOW_DISCONNECT"),
        ("ConnectionTimeLimitExceeded", False, {}, ["late"], "CONTACT_FLOW_DISCONNECT"),
    ],
)
def test_each_outcome_of_a_transfer_to_a_phone_number(
    outcome: str, hangs_up: bool, settings: dict[str, str], spoken: list[str], reason: str
) -> None:
    answers = {"third_party": {"*": outcome}}
    events, call = run(dial(**settings), responses=answers, agent_hangs_up=hangs_up)
    assert messages(events) == spoken
    assert call.disconnect_reason == reason
    record = contact_records(call, contact_id="c")[0]
    if outcome == "answered":
        assert call.third_party == ThirdParty("+12065550100", START)
        assert record["TransferredToEndpoint"] == {"Address": "+12065550100", "Type": "TELEPHONE_NUMBER"}
        assert record["TransferCompletedTimestamp"] == "2026-04-01T01:00:00Z"
    else:
        assert (record["TransferredToEndpoint"], record["TransferCompletedTimestamp"]) == (None, None)


def test_a_transfer_to_a_phone_number_needs_a_response() -> None:
    assert "third_party:+12065550100" in simulation_error(dial()).fix
