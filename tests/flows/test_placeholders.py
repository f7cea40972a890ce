"""Tests that every placeholder is filled and that values cannot change the structure of a flow."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callroute.errors import InputError
from callroute.flows.placeholders import fill, inside_arns, names

TEXT = json.dumps({"QueueId": "${QueueArn}", "Text": "to ${QueueArn} in ${Hours}"})


def test_every_placeholder_is_replaced_by_its_value() -> None:
    filled = fill(TEXT, {"QueueArn": "arn:q", "Hours": "h"}, "x.json", ["QueueArn", "Hours"])
    assert json.loads(filled) == {"QueueId": "arn:q", "Text": "to arn:q in h"}


def test_text_without_placeholders_is_not_changed() -> None:
    assert (
        fill('{"price": "$5 {x} $.Attributes.y"}', {}, "x.json", []) == '{"price": "$5 {x} $.Attributes.y"}'
    )


@settings(deadline=None)
@given(st.text(min_size=1), st.text(min_size=1))
def test_no_value_can_break_out_of_its_string_or_act_as_a_placeholder(first: str, second: str) -> None:
    filled = json.loads(fill('{"a": "${A}", "b": "-${B}-"}', {"A": first, "B": second}, "x.json"))
    assert filled == {"a": first, "b": f"-{second}-"}


def test_a_placeholder_in_a_value_is_not_replaced() -> None:
    assert json.loads(fill('["${A}", "${B}"]', {"A": "${B}", "B": "b"}, "x.json")) == ["${B}", "b"]


def test_names_returns_each_placeholder_once_in_order_of_appearance() -> None:
    assert names(TEXT) == ("QueueArn", "Hours")


@pytest.mark.parametrize(
    ("values", "declared", "place", "problem"),
    [
        ({"QueueArn": "q"}, ["QueueArn", "Hours"], "${Hours}", "has no value"),
        ({"QueueArn": "q", "Hours": "h"}, ["QueueArn"], "${Hours}", "does not declare"),
        ({"QueueArn": "q", "Hours": "h", "Queu": "x"}, ["QueueArn", "Hours"], "Queu", "does not have"),
        ({"QueueArn": "q", "Hours": "h", "Queu": "x"}, None, "Queu", "does not have"),
        ({"QueueArn": "q", "Hours": ""}, ["QueueArn", "Hours"], "Hours", "empty"),
        ({}, None, "${QueueArn}", "has no value"),
    ],
)
def test_an_error_names_the_placeholder(
    values: dict[str, str], declared: list[str] | None, place: str, problem: str
) -> None:
    with pytest.raises(InputError) as rejected:
        fill(TEXT, values, "x.json", declared)
    assert (rejected.value.source, rejected.value.place) == ("x.json", place)
    assert problem in rejected.value.problem


FLOW = json.dumps(
    {
        "Actions": [
            {"Identifier": "start", "Parameters": {"Text": "Hello"}},
            {
                "Identifier": "queue",
                "Parameters": {"QueueId": "arn:aws:connect:${Region}:1:instance/i/queue/${Queue}"},
            },
            {"Identifier": "hold", "Parameters": {"PromptId": "${Prompt}"}},
        ]
    }
)


def test_an_error_names_the_block() -> None:
    with pytest.raises(InputError) as rejected:
        fill(FLOW, {"Region": "us-east-1", "Queue": "q"}, "x.json")
    assert str(rejected.value).startswith("x.json: block 'hold': ${Prompt}: this placeholder has no value")


def test_a_placeholder_inside_an_arn_is_not_given_a_whole_arn() -> None:
    arn = "arn:aws:connect:us-east-1:1:instance/i/queue/q"
    with pytest.raises(
        InputError, match=r"is part of an ARN, but its value 'arn:aws:connect.*' is a whole ARN"
    ) as rejected:
        fill(FLOW, {"Region": "us-east-1", "Queue": arn, "Prompt": arn}, "x.json")
    assert rejected.value.place == "block 'queue': ${Queue}"

    filled = json.loads(fill(FLOW, {"Region": "us-east-1", "Queue": "q", "Prompt": arn}, "x.json"))
    assert filled["Actions"][1]["Parameters"]["QueueId"] == arn
    assert inside_arns(FLOW) == ("Region", "Queue")
