"""Tests the handlers that look up data, and responses from the environment."""

from __future__ import annotations

from typing import Any

import pytest

from callroute.flows.simulation.events import (
    Failed,
    Fetched,
)
from tests.flows.simulation.builders import START, block, flow, messages, run, say, simulation_error

LAMBDA = block(
    "ask",
    "InvokeLambdaFunction",
    "hello",
    errors={"NoMatchingError": "sorry"},
    LambdaFunctionARN="arn:aws:lambda:ap-northeast-1:111111111111:function:lookup:7",
)


HELLO = say("hello", "Hello $.External.name, you are $.External.more.tier[0]$.External.missing.")


CUSTOMER = {"name": "Hana", "more": {"tier": ["gold"]}}


@pytest.mark.parametrize(
    "place", ["ask", "lookup", "*", "arn:aws:lambda:ap-northeast-1:111111111111:function:lookup:7"]
)
def test_a_lambda_response_can_be_given_by_block_name_or_arn(place: str) -> None:
    events, _ = run(flow(LAMBDA, HELLO, say("sorry")), responses={"lambda": {place: CUSTOMER}})
    assert messages(events) == ["Hello Hana, you are gold."]
    assert Fetched(START, "ask", "lambda lookup", CUSTOMER) in events


def test_the_error_for_a_missing_response_names_the_block_and_both_options() -> None:
    error = simulation_error(flow(LAMBDA, HELLO, say("sorry")))
    assert error.place == "block 'ask' (InvokeLambdaFunction)"
    assert "lookup" in error.problem
    assert "--answer 'lambda:lookup=…'" in error.fix
    assert "`lambda: {lookup: …}`" in error.fix


def test_a_list_provides_one_response_for_each_request() -> None:
    again = block(
        "again", "Loop", "end", [("Equals", "ContinueLooping", "ask"), ("Equals", "DoneLooping", "end")]
    )
    again["Parameters"] = {"LoopCount": "2"}
    tested = flow(
        LAMBDA | {"Transitions": {"NextAction": "hello"}}, say("hello", "$.External.n", "again"), again
    )
    events, _ = run(tested, responses={"lambda": {"*": [{"n": "1"}, {"n": "2"}, {"n": "3"}]}})
    assert messages(events) == ["1", "2", "3"]
    assert "lookup" in simulation_error(tested, responses={"lambda": {"*": [{"n": "1"}, {"n": "2"}]}}).problem


def test_only_the_last_lambda_result_is_available() -> None:
    second = LAMBDA | {"Identifier": "second"}
    first = LAMBDA | {"Transitions": {"NextAction": "second"}}
    answers = {"lambda": {"ask": {"name": "old"}, "second": {"more": {"tier": ["x"]}}}}
    events, _ = run(flow(first, second, HELLO, say("sorry")), responses=answers)
    assert messages(events) == ["Hello , you are x."]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("lambda", "gold"),
        ("lex", {"slots": {}}),
        ("hours", "yes"),
        ("split", 0),
        ("split", True),
        ("metrics", True),
        ("third_party", "busy"),
    ],
)
def test_an_invalid_response_is_an_error(kind: str, answer: Any) -> None:
    blocks = {
        "lambda": LAMBDA,
        "lex": block("ask", "ConnectParticipantWithLexBot", Text="?", LexV2Bot={"AliasArn": "bot"}),
        "hours": block("ask", "CheckHoursOfOperation"),
        "split": block("ask", "DistributeByPercentage"),
        "metrics": block("ask", "CheckMetricData", MetricType="NumberOfAgentsOnline"),
        "third_party": block("ask", "TransferParticipantToThirdParty", ThirdPartyPhoneNumber="+12065550100"),
    }
    error = simulation_error(flow(blocks[kind], HELLO, say("sorry")), responses={kind: {"*": answer}})
    assert repr(answer) in error.problem


def test_a_customer_profile_can_be_referenced() -> None:
    find = block("find", "GetCustomerProfile", "tell", errors={"NoneFoundError": "tell"})
    tested = flow(find, say("tell", "Hello $.Customer.FirstName"))
    assert messages(run(tested, responses={"profile": {"*": {"FirstName": "Hana"}}})[0]) == ["Hello Hana"]


@pytest.mark.parametrize("kind", ["GetCustomerProfileObject", "GetCalculatedAttributesForCustomerProfile"])
def test_profile_objects_and_calculated_attributes_are_added_to_the_profile(kind: str) -> None:
    tested = flow(
        block("find", "GetCustomerProfile", "more"),
        block("more", kind, "tell"),
        say("tell", "$.Customer.FirstName $.Customer.CalculatedAttributes.calls"),
    )
    profile = {"find": {"FirstName": "Hana"}, "more": {"CalculatedAttributes": {"calls": 3}}}
    assert messages(run(tested, responses={"profile": profile})[0]) == ["Hana 3"]


@pytest.mark.parametrize(
    ("kind", "found", "spoken"),
    [
        ("CheckVoiceId", "Authenticated", ["known"]),
        ("CheckVoiceId", "Inconclusive", ["sorry"]),
        ("CheckOutboundCallStatus", "VoicemailBeep", ["sorry"]),
    ],
)
def test_a_status_check_selects_the_branch_of_the_status(kind: str, found: str, spoken: list[str]) -> None:
    known = [("Equals", "Authenticated", "known")]
    check = block("check", kind, "end", known, {"NoMatchingError": "sorry"}, CheckVoiceIdOption="x")
    tested = flow(check, say("known"), say("sorry"))
    assert messages(run(tested, responses={"status": {"check": found}})[0]) == spoken
    assert "--answer 'status:check=…'" in simulation_error(tested).fix


def test_data_table_values_are_replaced_by_the_next_read_and_local_to_the_flow() -> None:
    text = "$.DataTables.stores.city $.DataTables.hours['opens at']"
    module = flow(say("inside", text, "out"), block("out", "EndFlowModuleExecution", None), source="m.json")
    tested = flow(
        block("one", "EvaluateDataTableValues", "call"),
        block("call", "InvokeFlowModule", "tell", FlowModuleId="m"),
        say("tell", text, "two"),
        block("two", "ListDataTableValues", "tell again"),
        say("tell again", text),
    )
    tables = {"one": {"stores": {"city": "Osaka"}}, "two": {"hours": {"opens at": 9}}}
    events, _ = run(tested, responses={"table": tables}, flows={"m": module})
    assert messages(events) == [" ", "Osaka ", " 9"]


@pytest.mark.parametrize("kind", ["AuthenticateParticipant", "CreatePersistentContactAssociation"])
def test_calls_take_the_error_branch_of_chat_blocks(kind: str) -> None:
    tested = flow(
        block("chat", kind, "wrong", errors={"NoMatchingError": "right"}), say("wrong"), say("right")
    )
    events, _ = run(tested)
    assert events[0] == Failed(START, "chat", "NoMatchingError")
    assert messages(events) == ["right"]
