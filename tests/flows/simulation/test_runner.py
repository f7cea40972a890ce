"""Tests how scenarios are run and failed expectations are reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callroute.flows.flow import Flow
from tests.flows.simulation.builders import block
from tests.flows.simulation.shop import BLOCKS, result_of


@pytest.mark.parametrize(
    ("expectation", "failure"),
    [
        ("keys: 1, hears: [1 or 2, Thank you]", ""),
        ("keys: 1, hears: Sorry", "hears 'Sorry': no prompt contains it"),
        ("keys: 1, never_hears: Sorry", ""),
        ("keys: timeout, never_hears: [x, orr]", "never_hears 'orr': the prompt 'Sorry.' contains it"),
        ("keys: 1, reaches: [to_sales, thanks, menu, end]", ""),
        ("keys: hangup, reaches: to_sales", "reaches 'to_sales': the call did not reach it"),
        ("keys: hangup, never_reaches: [to_sales, sales]", ""),
        ("keys: 2, never_reaches: sales", "never_reaches 'sales': the call reached it"),
        ("keys: 1, attributes: {call_route: to_sales, call_completed: true}", ""),
        (
            "keys: 1, attributes: {call_route: To_sales}",
            "attribute call_route is 'To_sales': it is 'to_sales'",
        ),
        ("attributes: {call_route: to_sales}", "attribute call_route is 'to_sales': it is not set"),
        ("keys: 1, ends: CONTACT_FLOW_DISCONNECT", ""),
        (
            "keys: 1, ends: CUSTOMER_DISCONNECT",
            "ends CUSTOMER_DISCONNECT: it ended with CONTACT_FLOW_DISCONNECT",
        ),
        ("keys: 1, hangs_up_during: Thank, ends: CUSTOMER_DISCONNECT", ""),
        ("keys: [timeout, 2], hears: [Sorry, Thank you]", ""),
        (
            "keys: 1, world: {errors: {sales: NoMatchingError}}, attributes: {call_route: to_sales}",
            "attribute call_route is 'to_sales': it is not set",
        ),
    ],
)
def test_a_failed_expectation_reports_what_happened(flow: Flow, expectation: str, failure: str) -> None:
    failures = result_of(flow, expectation).failures
    assert failures[:1] == ((failure,) if failure else ())
    assert len(failures) == (2 if failure else 0), "the second message contains the path of the call"


def test_a_failure_reports_the_path_of_the_call(flow: Flow) -> None:
    path = "path of the call: menu → sales → thanks → end"
    assert result_of(flow, "keys: 1, hears: no").failures[-1] == path


def test_a_failure_reports_keys_that_were_never_pressed(flow: Flow) -> None:
    message = result_of(flow, "keys: 15, hears: no").failures[-1]
    assert message.startswith("key 5 was never pressed: the call ended in block 'end'")
    assert result_of(flow, "keys: 15, hears: Thank you").failures == (), "unused keys alone are not a failure"


def test_a_simulation_error_fails_the_scenario(flow: Flow) -> None:
    other = [block("ask", "InvokeLambdaFunction", "end", LambdaFunctionARN="lookup"), BLOCKS[-1]]
    text = json.dumps({"Version": "2019-10-30", "StartAction": "ask", "Actions": other})
    result = result_of(Flow.parse(text, flow.source), "reaches: end")
    assert "lambda" in result.failures[0]
    assert result.taken == {}


def test_the_expected_end_does_not_refer_to_a_callback(tmp_path: Path) -> None:
    wrong = {"InvalidCallbackNumber": "end", "CallbackNumberNotDialable": "end"}
    blocks = [
        block("queue", "UpdateContactTargetQueue", "number", QueueId="arn:q/first"),
        block("number", "UpdateContactCallbackNumber", "back", errors=wrong, CallbackNumber="+12065550100"),
        block("back", "CreateCallbackContact", "end", InitialCallDelaySeconds="60"),
        BLOCKS[-1],
    ]
    text = json.dumps({"Version": "2019-10-30", "StartAction": "queue", "Actions": blocks})
    flow = Flow.parse(text, str(tmp_path / "shop.json"))
    assert result_of(flow, "ends: CONTACT_FLOW_DISCONNECT, reaches: back").failures == ()
