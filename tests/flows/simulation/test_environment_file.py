"""Tests environments in YAML and the --answer option."""

from __future__ import annotations

from typing import Any

import pytest

from callroute.errors import InputError
from callroute.flows.flow import Flow
from callroute.flows.simulation import Environment
from callroute.flows.simulation.environment_file import read_environment, with_response
from callroute.formats.yaml_document import YamlNode


@pytest.mark.parametrize(
    ("text", "kind", "place", "response"),
    [
        ("lambda:lookup={tier: gold, age: 3}", "lambda", "lookup", {"tier": "gold", "age": 3}),
        ('lambda:*={"since": "2026-01-02"}', "lambda", "*", {"since": "2026-01-02"}),
        ("lambda:arn:aws:lambda:x={a: b=c}", "lambda", "arn:aws:lambda:x", {"a": "b=c"}),
        ("lambda:dated={day: 2026-01-02}", "lambda", "dated", {"day": "2026-01-02"}),
        ("split:s=[1, 100]", "split", "s", [1, 100]),
        ("errors:b=[null, NoMatchingError]", "errors", "b", [None, "NoMatchingError"]),
        ("hours:h=false", "hours", "h", False),
    ],
)
def test_a_response_option_has_a_kind_a_place_and_a_yaml_value(
    text: str, kind: str, place: str, response: Any
) -> None:
    assert with_response(Environment(), text, "--answer").responses == {kind: {place: response}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lambda", "KIND:PLACE=VALUE"),
        ("lambda:=x", "KIND:PLACE=VALUE"),
        ("lamda:x={}", "did you mean 'lambda'"),
        ("split:x=0", "1 to 100"),
        ("lambda:x={", "not valid YAML"),
    ],
)
def test_an_invalid_response_option_is_rejected(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_response(Environment(), text, "--answer")


def test_responses_are_merged() -> None:
    environment = read_environment(
        YamlNode.parse("{split: {a: 1}, open: false}", "environment.yaml"), Flow.load
    )
    environment = with_response(with_response(environment, "split:b=2", "--answer"), "split:a=3", "--answer")
    assert (environment.responses, environment.is_open) == ({"split": {"a": 3, "b": 2}}, False)
