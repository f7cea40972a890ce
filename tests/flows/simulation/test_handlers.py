"""Guards what each type of block does in a simulated call: branches that Connect would not take, answers made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callroute.flows.block_types import BLOCK_TYPES
from callroute.flows.flow import Flow
from callroute.flows.simulation import (
    END,
    HANGUP,
    RETURN,
    STEP_LIMIT,
    TIMEOUT,
    Call,
    Environment,
    Event,
    KeyedCaller,
    SimulatedClock,
    SimulationError,
    run_simulation,
)
from callroute.flows.simulation.call import ThirdParty
from callroute.flows.simulation.contact_record import contact_records
from callroute.flows.simulation.events import (
    AttributesSet,
    CallbackCreated,
    Compared,
    Ended,
    Failed,
    Fetched,
    FlowEntered,
    InputStored,
    NoEffect,
    Queued,
    QueueRefused,
    Said,
    Transferred,
)

START = datetime(2026, 4, 1, 1, tzinfo=UTC)
Errors = dict[str, str]


def block(
    name: str,
    kind: str,
    then: str | None = "end",
    conditions: list[tuple[str, str, str]] | None = None,
    errors: Errors | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """A block; conditions are (operator, operand, target)."""
    branches: dict[str, Any] = {} if then is None else {"NextAction": then}
    branches["Conditions"] = [
        {"NextAction": target, "Condition": {"Operator": operator, "Operands": [operand]}}
        for operator, operand, target in conditions or []
    ]
    branches["Errors"] = [
        {"NextAction": target, "ErrorType": error} for error, target in (errors or {}).items()
    ]
    return {"Identifier": name, "Type": kind, "Parameters": parameters, "Transitions": branches}


def say(name: str, text: str | None = None, then: str = "end") -> dict[str, Any]:
    return block(name, "MessageParticipant", then, Text=text or name)


DISCONNECT = block("end", "DisconnectParticipant", None)


def flow(*blocks: dict[str, Any], source: str = "x.json") -> Flow:
    document = {
        "Version": "2019-10-30",
        "StartAction": blocks[0]["Identifier"],
        "Actions": [*blocks, DISCONNECT],
    }
    return Flow.parse(json.dumps(document), source)


def run(
    what: Flow, *keys: str, leaves_queue_after: float | None = None, **environment: Any
) -> tuple[list[Event], Call]:
    caller = KeyedCaller(keys, leaves_queue_after)
    return run_simulation(what, caller, clock=SimulatedClock(START), environment=Environment(**environment))


def heard(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Said)]


def refusal(what: Flow, *keys: str, **environment: Any) -> SimulationError:
    with pytest.raises(SimulationError) as refused:
        run(what, *keys, **environment)
    return refused.value


# --- Comparing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "operand", "value", "holds"),
    [
        ("Equals", "gold", "gold", True),
        ("Equals", "gold", "Gold", False),
        ("Equals", "NumberLessThan", "NumberLessThan", True),
        ("TextStartsWith", "+81", "+815000000001", True),
        ("TextEndsWith", "01", "+815000000001", True),
        ("TextContains", "and more", "this and more", True),
        ("TextContains", "x", "", False),
        ("NumberGreaterThan", "0", "1", True),
        ("NumberGreaterThan", "1", "1", False),
        ("NumberGreaterOrEqualTo", "1", "1.0", True),
        ("NumberLessThan", "10", "9", True),
        ("NumberLessOrEqualTo", "10", "11", False),
        ("NumberLessOrEqualTo", "10", "10", True),
        ("NumberLessThan", "10", "10", False),
        ("NumberLessThan", "10", "", False),
        ("NumberLessThan", "10", "many", False),
        ("Equals", "$.Attributes.other", "same", True),
    ],
)
def test_a_comparison_takes_the_branch_whose_condition_holds(
    operator: str, operand: str, value: str, holds: bool
) -> None:
    check = block(
        "check",
        "Compare",
        "no",
        [(operator, operand, "yes")],
        {"NoMatchingCondition": "no"},
        ComparisonValue="$.Attributes.x",
    )
    events, _ = run(flow(check, say("yes"), say("no")), attributes={"x": value, "other": "same"})
    assert heard(events) == ["yes" if holds else "no"]


@pytest.mark.parametrize("operator", ["GreaterThan", "Exists", "KeyExists", "NumberLess than"])
def test_an_operator_that_is_not_known_is_named_and_not_taken_for_another(operator: str) -> None:
    conditions = [(operator, "1", "yes")]
    check = block(
        "check", "Compare", "no", conditions, {"NoMatchingCondition": "no"}, ComparisonValue="$.Attributes.x"
    )
    with pytest.raises(SimulationError, match=f"block 'check' .*the operator '{operator}'"):
        run(flow(check, say("yes"), say("no")), attributes={"x": f"{operator} 1"})


def test_what_was_never_set_matches_nothing() -> None:
    errors = {"NoMatchingCondition": "no"}
    check = block("check", "Compare", "no", [("Equals", "x", "yes")], errors, ComparisonValue="$.External.x")
    assert heard(run(flow(check, say("yes"), say("no")))[0]) == ["no"]


def test_the_first_condition_that_holds_decides() -> None:
    conditions = [("NumberLessThan", "31", "first"), ("NumberLessThan", "61", "second")]
    split = block("split", "DistributeByPercentage", "rest", conditions, {"NoMatchingCondition": "rest"})
    what = flow(split, say("first"), say("second"), say("rest"))
    for drawn, branch in {
        1: "first",
        30: "first",
        31: "second",
        60: "second",
        61: "rest",
        100: "rest",
    }.items():
        events, _ = run(what, responses={"split": {"*": drawn}})
        assert heard(events) == [branch], drawn


def test_an_operator_that_is_not_known_is_refused() -> None:
    # It must stay recognisable: a made-up operator would otherwise pass for text to be equal to.
    check = block("c", "Compare", "end", [("NumberNear", "1", "end")], ComparisonValue="$.Attributes.x")
    assert "NumberNear" in refusal(flow(check)).problem


# --- Answers from outside --------------------------------------------------------------------------------------------

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
def test_a_lambda_result_is_found_by_block_name_or_arn_and_fills_references(place: str) -> None:
    events, _ = run(flow(LAMBDA, HELLO, say("sorry")), responses={"lambda": {place: CUSTOMER}})
    assert heard(events) == ["Hello Hana, you are gold."]
    assert Fetched(START, "ask", "lambda lookup", CUSTOMER) in events


def test_a_missing_answer_names_the_block_and_both_ways_to_give_it() -> None:
    error = refusal(flow(LAMBDA, HELLO, say("sorry")))
    assert error.place == "block 'ask' (InvokeLambdaFunction)"
    assert "lookup" in error.problem
    assert "--answer 'lambda:lookup=…'" in error.fix
    assert "`lambda: {lookup: …}`" in error.fix


def test_a_list_gives_one_answer_for_each_time_and_is_then_used_up() -> None:
    again = block(
        "again", "Loop", "end", [("Equals", "ContinueLooping", "ask"), ("Equals", "DoneLooping", "end")]
    )
    again["Parameters"] = {"LoopCount": "2"}
    what = flow(
        LAMBDA | {"Transitions": {"NextAction": "hello"}}, say("hello", "$.External.n", "again"), again
    )
    events, _ = run(what, responses={"lambda": {"*": [{"n": "1"}, {"n": "2"}, {"n": "3"}]}})
    assert heard(events) == ["1", "2", "3"]
    assert "lookup" in refusal(what, responses={"lambda": {"*": [{"n": "1"}, {"n": "2"}]}}).problem


def test_only_the_last_lambda_result_counts() -> None:
    second = LAMBDA | {"Identifier": "second"}
    first = LAMBDA | {"Transitions": {"NextAction": "second"}}
    answers = {"lambda": {"ask": {"name": "old"}, "second": {"more": {"tier": ["x"]}}}}
    events, _ = run(flow(first, second, HELLO, say("sorry")), responses=answers)
    assert heard(events) == ["Hello , you are x."]


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
def test_an_answer_that_cannot_be_is_refused_with_what_can(kind: str, answer: Any) -> None:
    blocks = {
        "lambda": LAMBDA,
        "lex": block("ask", "ConnectParticipantWithLexBot", Text="?", LexV2Bot={"AliasArn": "bot"}),
        "hours": block("ask", "CheckHoursOfOperation"),
        "split": block("ask", "DistributeByPercentage"),
        "metrics": block("ask", "CheckMetricData", MetricType="NumberOfAgentsOnline"),
        "third_party": block("ask", "TransferParticipantToThirdParty", ThirdPartyPhoneNumber="+12065550100"),
    }
    error = refusal(flow(blocks[kind], HELLO, say("sorry")), responses={kind: {"*": answer}})
    assert repr(answer) in error.problem


def test_hours_of_one_block_may_differ_from_the_rest() -> None:
    checks = [
        block(name, "CheckHoursOfOperation", None, [("Equals", "True", then), ("Equals", "False", "closed")])
        for name, then in (("shop", "office"), ("office", "end"))
    ]
    events, _ = run(flow(*checks, say("closed")), responses={"hours": {"office": False}})
    assert heard(events) == ["closed"]


def test_queue_metrics_are_compared_and_referred_to_by_name() -> None:
    staffed = block(
        "staffed",
        "CheckMetricData",
        None,
        [("NumberGreaterThan", "0", "get")],
        {"NoMatchingCondition": "nobody", "NoMatchingError": "nobody"},
        MetricType="NumberOfAgentsOnline",
    )
    get = block("get", "GetMetricData", "tell")
    what = flow(staffed, get, say("tell", "$.Metrics.Queue.Size are waiting"), say("nobody"))
    metrics: dict[str, Any] = {"NumberOfAgentsOnline": 2, "Queue.Size": 5}
    assert heard(run(what, responses={"metrics": metrics})[0]) == ["5 are waiting"]
    assert heard(run(what, responses={"metrics": metrics | {"NumberOfAgentsOnline": 0}})[0]) == ["nobody"]
    assert "Queue.Size" in refusal(what, responses={"metrics": {"NumberOfAgentsOnline": 1}}).problem


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
def test_a_bot_branches_by_what_it_understands(understood: Any, spoken: list[str]) -> None:
    events, call = run(flow(BOT, *BOT_ENDS), responses={"lex": {"bot": understood}})
    assert heard(events) == spoken
    assert (call.disconnect_reason == "CUSTOMER_DISCONNECT") == (understood == HANGUP)


def test_a_customer_profile_fills_references() -> None:
    find = block("find", "GetCustomerProfile", "tell", errors={"NoneFoundError": "tell"})
    what = flow(find, say("tell", "Hello $.Customer.FirstName"))
    assert heard(run(what, responses={"profile": {"*": {"FirstName": "Hana"}}})[0]) == ["Hello Hana"]


@pytest.mark.parametrize("kind", ["GetCustomerProfileObject", "GetCalculatedAttributesForCustomerProfile"])
def test_objects_and_calculated_attributes_add_to_the_profile(kind: str) -> None:
    what = flow(
        block("find", "GetCustomerProfile", "more"),
        block("more", kind, "tell"),
        say("tell", "$.Customer.FirstName $.Customer.CalculatedAttributes.calls"),
    )
    profile = {"find": {"FirstName": "Hana"}, "more": {"CalculatedAttributes": {"calls": 3}}}
    assert heard(run(what, responses={"profile": profile})[0]) == ["Hana 3"]


@pytest.mark.parametrize(
    ("kind", "found", "spoken"),
    [
        ("CheckVoiceId", "Authenticated", ["known"]),
        ("CheckVoiceId", "Inconclusive", ["sorry"]),
        ("CheckOutboundCallStatus", "VoicemailBeep", ["sorry"]),
    ],
)
def test_a_check_of_voice_or_call_progress_branches_by_what_was_found(
    kind: str, found: str, spoken: list[str]
) -> None:
    known = [("Equals", "Authenticated", "known")]
    check = block("check", kind, "end", known, {"NoMatchingError": "sorry"}, CheckVoiceIdOption="x")
    what = flow(check, say("known"), say("sorry"))
    assert heard(run(what, responses={"status": {"check": found}})[0]) == spoken
    assert "--answer 'status:check=…'" in refusal(what).fix


def test_what_a_data_table_gave_is_gone_with_the_next_and_unknown_to_other_flows() -> None:
    text = "$.DataTables.stores.city $.DataTables.hours['opens at']"
    module = flow(say("inside", text, "out"), block("out", "EndFlowModuleExecution", None), source="m.json")
    what = flow(
        block("one", "EvaluateDataTableValues", "call"),
        block("call", "InvokeFlowModule", "tell", FlowModuleId="m"),
        say("tell", text, "two"),
        block("two", "ListDataTableValues", "tell again"),
        say("tell again", text),
    )
    tables = {"one": {"stores": {"city": "Osaka"}}, "two": {"hours": {"opens at": 9}}}
    events, _ = run(what, responses={"table": tables}, flows={"m": module})
    assert heard(events) == [" ", "Osaka ", " 9"]


@pytest.mark.parametrize("kind", ["AuthenticateParticipant", "CreatePersistentContactAssociation"])
def test_calls_take_the_error_branch_of_blocks_for_chats(kind: str) -> None:
    what = flow(block("chat", kind, "wrong", errors={"NoMatchingError": "right"}), say("wrong"), say("right"))
    events, _ = run(what)
    assert events[0] == Failed(START, "chat", "NoMatchingError")
    assert heard(events) == ["right"]


def test_of_the_blocks_that_are_known_only_those_of_email_are_not_simulated() -> None:
    assert set(BLOCK_TYPES) - set(HANDLERS) == {"LoadContactContent"}
    assert "LoadContactContent" in str(refusal(flow(block("mail", "LoadContactContent"))))


def test_a_view_branches_by_the_action_taken() -> None:
    show = block("show", "ShowView", None, [("Equals", "Next", "tell")], {"NoMatchingCondition": "end"})
    what = flow(show, say("tell", "$.Views.ViewResultData.form.size"))
    view = {"action": "Next", "data": {"form": {"size": 3}}}
    assert heard(run(what, responses={"view": {"show": view}})[0]) == ["3"]
    assert heard(run(what, responses={"view": {"show": "Back"}})[0]) == []


# --- References and attributes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("$.CustomerEndpoint.Address", "+12065550100"),
        ("$.SystemEndpoint.Address", "+442079460999"),
        ("$.Channel, $['Channel']", "VOICE, VOICE"),
        ("$.ContactId", "c-1"),
        ("$.AwsRegion", "ap-northeast-1"),
        ("$.Attributes.name.", "Hana."),
        ("$.Attributes.nameさん", "Hanaさん"),
        ("$.Attributes['full name']/$.Attributes.['full name']", "Hana S/Hana S"),
        ("$['Attributes']['full name']/$['Attributes'].name", "Hana S/Hana"),
        ("$.Attributes.never_set!", "!"),
        ("$.StoredCustomerInput", ""),
        ("$5 and $.50", "$5 and $.50"),
        ("$.SegmentAttributes['connect:Subtype']", "connect:Telephony"),
    ],
)
def test_references_stand_for_what_connect_knows_of_the_call(text: str, resolved: str) -> None:
    events, _ = run(
        flow(say("tell", text)),
        attributes={"name": "Hana", "full name": "Hana S"},
        customer_number="+12065550100",
        system_number="+442079460999",
        contact_id="c-1",
    )
    assert heard(events) == [resolved]


def test_a_withheld_number_is_anonymous_to_the_flow_too() -> None:
    assert heard(run(flow(say("t", "$.CustomerEndpoint.Address")), customer_number=None)[0]) == ["anonymous"]


def test_attribute_names_may_be_references_and_an_empty_one_names_nothing() -> None:
    setting = block(
        "set",
        "UpdateContactAttributes",
        Attributes={"$.Attributes.key": "$.Attributes.value", "$.Attributes.none": "x", "plain": "y"},
    )
    _, call = run(flow(setting), attributes={"key": "tier", "value": "gold"})
    assert call.attributes == {"key": "tier", "value": "gold", "tier": "gold", "plain": "y"}


def test_flow_attributes_are_the_flows_and_never_reach_the_record() -> None:
    setting = block("set", "UpdateFlowAttributes", "tell", FlowAttributes={"x": {"Value": "1"}})
    events, call = run(flow(setting, say("tell", "$.FlowAttributes.x")))
    assert heard(events) == ["1"]
    assert call.attributes == {}


def test_the_queue_set_is_known_to_the_flow_and_an_empty_one_fails() -> None:
    choose = block(
        "choose",
        "UpdateContactTargetQueue",
        "tell",
        errors={"NoMatchingError": "sorry"},
        QueueId="$.Attributes.queue",
    )
    what = flow(choose, say("tell", "$.Queue.Name"), say("sorry"))
    assert heard(run(what, attributes={"queue": "arn:q/sales"})[0]) == ["sales"]
    events, _ = run(what)
    assert events[0] == Failed(START, "choose", "NoMatchingError")
    assert heard(events) == ["sorry"]


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
def test_what_the_caller_does_not_notice_is_passed_openly(kind: str) -> None:
    events, _ = run(flow(block("b", kind, EventHooks={}, LanguageCode="ja-JP")))
    assert events[0] == NoEffect(START, "b", kind)


def test_errors_are_followed_on_request_by_block_or_type_and_as_often_as_told() -> None:
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
    assert by_type[1].attributes == {}, "an attribute keeps its value where writing it fails"
    by_block = run(flow(*blocks), responses={"errors": {"a": "NoMatchingError"}})
    assert by_block[1].attributes == {"call_route": "b"}
    loop = [block("a", "TagContact", "a", errors={"NoMatchingError": "end"}, Tags={})]
    events, _ = run(flow(*loop), responses={"errors": {"a": [None, None, "NoMatchingError"]}})
    assert [type(event) for event in events] == [NoEffect, NoEffect, Failed, Ended]


def test_an_error_for_which_a_block_has_no_branch_is_refused() -> None:
    assert (
        "error branch QueueAtCapacity"
        in refusal(flow(say("hello")), responses={"errors": {"hello": "QueueAtCapacity"}}).problem
    )


# --- Stored input ----------------------------------------------------------------------------------------------------


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
def test_digits_are_stored_until_the_hash_silence_or_the_greatest_length(keys: Any, stored: str) -> None:
    what = flow(ask(CustomValidation={"MaximumLength": "4"}), *INPUT_ENDS)
    events, _ = run(what, *keys)
    assert InputStored(events[1].at, "ask", stored) == events[1]
    assert heard(events) == [stored]


def test_who_hangs_up_while_typing_has_hung_up() -> None:
    events, call = run(flow(ask(), *INPUT_ENDS), "1", "2")
    assert events[-1] == Ended(call.ended, "ask", "CUSTOMER_DISCONNECT", "input")


@pytest.mark.parametrize(("keys", "end"), [("0500000001#", "0500000001"), ("12#", "wrong")])
def test_a_telephone_number_must_look_like_one(keys: str, end: str) -> None:
    what = flow(ask(PhoneNumberValidation={"NumberFormat": "Local", "CountryCode": "JP"}), *INPUT_ENDS)
    assert heard(run(what, *keys)[0]) == [end]


# --- Other flows -----------------------------------------------------------------------------------------------------

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


def test_a_module_is_played_and_comes_back_and_keeps_its_flow_attributes_to_itself() -> None:
    events, call = run(CALLING, flows={"greeting": MODULE})
    assert heard(events) == ["module inner", "after outer"]
    assert any(isinstance(event, FlowEntered) and event.flow == "module.json" for event in events)
    assert {branch.source for branch in call.taken["module.json"]} == {"in", "say"}
    assert {branch.source for branch in call.taken["x.json"]} == {"set", "call", "after"}


@pytest.mark.parametrize(("stand_in", "spoken"), [(RETURN, ["after outer"]), (END, [])])
def test_a_module_that_is_not_at_hand_may_be_passed_over_or_end_the_call(
    stand_in: str, spoken: list[str]
) -> None:
    events, _ = run(CALLING, flows={"call": stand_in})
    assert heard(events) == spoken


def test_a_module_that_nobody_gave_is_named_with_the_ways_to_give_it() -> None:
    error = refusal(CALLING)
    assert "arn:m/greeting" in error.problem
    assert "--flow-file" in error.fix


def test_a_transfer_to_a_flow_goes_on_there_as_the_same_contact_with_its_attributes() -> None:
    there = flow(say("hello", "you are $.Attributes.x"), source="there.json")
    here = flow(
        block("set", "UpdateContactAttributes", "go", Attributes={"x": "known"}),
        block("go", "TransferToFlow", None, ContactFlowId="there"),
    )
    events, call = run(here, flows={"there": there})
    assert heard(events) == ["you are known"]
    assert call.legs == ()


def test_two_flows_that_send_a_call_back_and_forth_are_cut_off() -> None:
    here = flow(block("go", "TransferToFlow", None, ContactFlowId="here"))
    events, call = run(here, flows={"here": here})
    assert sum(isinstance(event, FlowEntered) for event in events) == STEP_LIMIT
    assert call.disconnect_reason == "OTHER"


# --- Queues ----------------------------------------------------------------------------------------------------------

CHOOSE = block("choose", "UpdateContactTargetQueue", "hook", QueueId="arn:q/first")
HOOK = block("hook", "UpdateContactEventHooks", "queue", EventHooks={"CustomerQueue": "arn:f/waiting"})
QUEUE = block(
    "queue", "TransferContactToQueue", "end", errors={"QueueAtCapacity": "full", "NoMatchingError": "full"}
)
INBOUND = flow(CHOOSE, HOOK, QUEUE, say("full"))


def music(then: str = "interrupted", **settings: Any) -> dict[str, Any]:
    return block(
        "music",
        "MessageParticipantIteratively",
        "music",
        [("Equals", "MessagesInterrupted", then)],
        Messages=[{"PromptId": "arn:p/music"}],
        InterruptFrequencySeconds="20",
        **settings,
    )


def test_the_customer_queue_flow_is_played_until_the_agent_answers() -> None:
    waiting = flow(music(), say("interrupted", "patience", "music"), source="waiting.json")
    events, call = run(INBOUND, flows={"waiting": waiting}, agent_answers_after=50, talk_seconds=10)
    assert heard(events).count("patience") == 2
    assert call.queue is not None
    assert call.queue.left - call.queue.entered == timedelta(seconds=50)
    assert call.ended - call.started == timedelta(seconds=60)


def test_who_hangs_up_at_a_menu_in_the_queue_was_in_the_queue() -> None:
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


def test_a_queue_flow_may_end_and_leave_the_caller_waiting() -> None:
    waiting = flow(
        say("once", "please wait", "over"), block("over", "EndFlowExecution", None), source="w.json"
    )
    events, call = run(INBOUND, flows={"waiting": waiting}, agent_answers_after=40)
    assert heard(events) == ["please wait"]
    assert call.queue is not None
    assert (call.queue.left - call.queue.entered).total_seconds() == 40
    assert call.agent_connected == call.queue.left


def test_the_customer_whisper_is_heard_before_the_conversation_and_may_end_the_call() -> None:
    hook = HOOK | {"Parameters": {"EventHooks": {"CustomerWhisper": "arn:f/whisper"}}}
    inbound = flow(CHOOSE, hook, QUEUE, say("full"))
    over = block("over", "EndFlowExecution", None)
    whisper = flow(say("w", "you are connected", "over"), over, source="whisper.json")
    events, call = run(inbound, flows={"whisper": whisper}, talk_seconds=10)
    assert heard(events) == ["you are connected"]
    assert events[-1] == Ended(call.ended, "queue", "CUSTOMER_DISCONNECT", "conversation")
    cut = flow(say("w", "we are sorry"), source="whisper.json")
    events, call = run(inbound, flows={"whisper": cut}, talk_seconds=10)
    assert events[-1] == Ended(call.ended, "end", "CONTACT_FLOW_DISCONNECT", "flow")
    assert sum(isinstance(event, Ended) for event in events) == 1


def test_music_outside_a_queue_would_never_end_and_is_refused() -> None:
    assert "outside a queue" in refusal(flow(music(), say("interrupted"))).problem


def test_a_wait_takes_its_time_and_then_goes_on() -> None:
    wait = block("wait", "Wait", None, [("Equals", "WaitCompleted", "then")], TimeLimitSeconds="30")
    events, _ = run(flow(wait, say("then")))
    assert heard(events) == ["then"]
    assert events[1].at - START == timedelta(seconds=30)


def test_outside_a_queue_the_end_of_a_flow_disconnects() -> None:
    events, call = run(flow(block("over", "EndFlowExecution", None)))
    assert call.disconnect_reason == "CONTACT_FLOW_DISCONNECT"
    assert len(events) == 1


def test_leaving_for_another_queue_makes_a_new_contact_with_the_attributes_and_linked_records() -> None:
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


def test_outside_a_queue_a_move_between_queues_fails() -> None:
    move = block(
        "move", "DequeueContactAndTransferToQueue", "end", errors={"NoMatchingError": "end"}, QueueId="arn:q"
    )
    events, _ = run(flow(move))
    assert events[0] == QueueRefused(START, "move", "NoMatchingError")


def test_an_agent_may_pass_the_caller_on_which_makes_a_transfer_leg() -> None:
    plain = flow(CHOOSE | {"Transitions": {"NextAction": "queue"}}, QUEUE, say("full"))
    _, call = run(plain, agent_answers_after=10, talk_seconds=30, agent_transfers_to="arn:q/experts")
    first, second = contact_records(call, contact_id="c-1")
    assert second["InitiationMethod"] == "TRANSFER"
    assert second["Queue"]["Name"] == "experts"
    assert first["NextContactId"] == second["ContactId"]
    assert first["Agent"] is not None
    assert second["Agent"] is not None
    assert call.legs[0].ended - call.started == timedelta(seconds=10 + 30 + 10 + 30)


def test_a_callback_is_a_contact_of_its_own_that_ends_when_an_agent_has_called() -> None:
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
    assert still_waiting.legs == (), "a callback that nobody takes has no record yet"
    assert heard(run(flow(*blocks), attributes={"number": "none"})[0]) == ["wrong"]


# --- People outside Connect ------------------------------------------------------------------------------------------


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
def test_a_transfer_to_a_telephone_number_has_each_of_its_outcomes(
    outcome: str, hangs_up: bool, settings: dict[str, str], spoken: list[str], reason: str
) -> None:
    answers = {"third_party": {"*": outcome}}
    events, call = run(dial(**settings), responses=answers, agent_hangs_up=hangs_up)
    assert heard(events) == spoken
    assert call.disconnect_reason == reason
    record = contact_records(call, contact_id="c")[0]
    if outcome == "answered":
        assert call.third_party == ThirdParty("+12065550100", START)
        assert record["TransferredToEndpoint"] == {"Address": "+12065550100", "Type": "TELEPHONE_NUMBER"}
        assert record["TransferCompletedTimestamp"] == "2026-04-01T01:00:00Z"
    else:
        assert (record["TransferredToEndpoint"], record["TransferCompletedTimestamp"]) == (None, None)


def test_whether_anyone_answers_at_a_telephone_number_is_never_guessed() -> None:
    assert "third_party:+12065550100" in refusal(dial()).fix


# --- What stays out of the way ---------------------------------------------------------------------------------------


def test_attributes_given_from_the_beginning_belong_to_the_contact() -> None:
    events, call = run(flow(say("hello", "$.Attributes.x")), attributes={"x": "1"})
    assert (heard(events), call.attributes) == (["1"], {"x": "1"})
    assert not any(isinstance(event, AttributesSet | Compared) for event in events)
