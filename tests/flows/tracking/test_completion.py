"""Tests at which places `call_completed` becomes true."""

from __future__ import annotations

from typing import Any

import pytest

from callroute.flows.lint import check
from callroute.flows.simulation import Environment
from tests.flows.tracking.builders import (
    block,
    compare,
    final_values,
    flow_from,
    flow_of,
    hours,
    menu,
    message,
    queue,
    set_attributes,
    tracked,
)

SERVICE = flow_of(
    menu("main", "sorry", k1="answer", k2="hours", k3="lookup", k4="end"),
    message("answer", "bye", error="trouble"),
    hours("hours", "hold on", "closed"),
    message("hold on", "choose queue"),
    block(
        "choose queue", "UpdateContactTargetQueue", "queue", errors={"NoMatchingError": "full"}, QueueId="q"
    ),
    queue("queue", "full"),
    block(
        "lookup", "InvokeLambdaFunction", "bye", errors={"NoMatchingError": "trouble"}, LambdaFunctionARN="l"
    ),
    message("closed", "bye"),
    message("full", "bye"),
    message("sorry", "bye"),
    message("trouble", "bye"),
    message("bye", "end"),
)
FULL = Environment(queue_is_full=True)
CLOSED = Environment(is_open=False)
NO_AGENT = Environment(agent_answers_after=None)
WORKS = Environment(responses={"lambda": {"*": {}}})
FAILS = Environment(responses={"lambda": {"*": {}}, "errors": {"lookup": "NoMatchingError"}})


@pytest.mark.parametrize(
    ("keys", "environment", "completed"),
    [
        ("1", Environment(), "true"),
        ("2", Environment(), "true"),
        ("2", NO_AGENT, "true"),
        ("2", FULL, "false"),
        ("2", CLOSED, "false"),
        ("3", WORKS, "true"),
        ("3", FAILS, "false"),
        ("4", Environment(), "true"),
        ("timeout", Environment(), "false"),
        ("7", Environment(), "false"),
        ("", Environment(), "false"),
    ],
)
def test_a_call_is_completed_unless_it_ends_after_a_failure(
    keys: str, environment: Environment, completed: str
) -> None:
    assert final_values(SERVICE, *keys.split(), environment=environment)[1] == completed


def test_a_choice_after_a_failed_attempt_can_complete_the_call() -> None:
    tries = block(
        "tries", "Loop", "sorry", {"ContinueLooping": "main", "DoneLooping": "sorry"}, LoopCount="2"
    )
    flow = flow_of(
        tries, menu("main", "tries", k1="answer"), message("answer", "end"), message("sorry", "end")
    )
    assert final_values(flow, "timeout", "1")[1] == "true"
    assert final_values(flow, "timeout", "timeout")[1] == "false"
    assert not [note for note in tracked(flow).notes if "stays false" in note], (
        "running out of attempts is a failure"
    )


def test_an_error_branch_with_the_default_target_is_not_a_failure() -> None:
    same_target = flow_of(message("hello", "bye"), message("bye", "end"))
    other_target = flow_of(message("hello", "bye", error="end"), message("bye", "end"))
    failing = Environment(responses={"errors": {"hello": "NoMatchingError"}})
    assert final_values(same_target)[1] == "true"
    assert final_values(other_target)[1] == "true"
    assert final_values(same_target, environment=failing)[1] == "true"
    assert final_values(other_target, environment=failing)[1] == "false"


def test_returning_from_a_third_party_to_a_menu_resets_completion() -> None:
    failures = dict.fromkeys(("CallFailed", "ConnectionTimeLimitExceeded", "NoMatchingError"), "sorry")
    number: dict[str, Any] = {
        "ThirdPartyPhoneNumber": "+12065550100",
        "ThirdPartyConnectionTimeLimitSeconds": "30",
    }
    dial = block(
        "dial",
        "TransferParticipantToThirdParty",
        "main",
        errors=failures,
        ContinueFlowExecution="True",
        **number,
    )
    flow = flow_of(menu("main", k1="dial"), dial, message("sorry", "end"))
    answered = Environment(responses={"third_party": {"*": "answered"}}, agent_hangs_up=True)
    assert final_values(flow, "1", environment=answered) == ("start", "false")
    failed = Environment(responses={"third_party": {"*": "CallFailed"}})
    assert final_values(flow, "1", environment=failed) == ("1", "false")
    assert "completed-too-early" not in {finding.rule for finding in check(flow_from(tracked(flow)))}


def test_completion_stays_false_with_a_note_if_success_and_failure_are_indistinguishable() -> None:
    lookup = block(
        "lookup", "InvokeLambdaFunction", "ask", errors={"NoMatchingError": "sorry"}, LambdaFunctionARN="l"
    )
    shared = compare("ask", "$.Attributes.kind", "end", k1="main")
    flow = flow_of(lookup, message("sorry", "ask"), shared, menu("main", k1="end"))
    result = tracked(flow)
    assert [note for note in result.notes if "stays false at 'end'" in note]
    assert final_values(flow, environment=WORKS)[1] == "false"


def test_manual_completion_is_preserved() -> None:
    flow = flow_of(
        menu("main", k1="decline", k2="accept"),
        set_attributes("decline", "no", call_completed="false"),
        set_attributes("accept", "yes", call_completed="true"),
        message("no", "end"),
        message("yes", "main"),
    )
    assert final_values(flow, "1")[1] == "false"
    assert final_values(flow, "2")[1] == "true"
