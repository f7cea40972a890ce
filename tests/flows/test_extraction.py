"""Tests that placeholders do not change a flow and that no ARNs are left in it."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callroute.errors import InputError
from callroute.flows.extraction import Resource, extract
from callroute.flows.placeholders import fill
from callroute.formats.files import read_text
from tests.support import corpus

INSTANCE = "arn:aws:connect:ap-northeast-1:111111111111:instance/00000000-0000-0000-0000-000000000000"
QUEUE = f"{INSTANCE}/queue/00000000-0000-0000-0000-000000000001"
MODULE_ID = "00000000-0000-0000-0000-000000000002"
FUNCTION = "arn:aws:lambda:ap-northeast-1:111111111111:function:look-up:prod"
NAMES = {QUEUE: Resource("Queue", "Sales queue"), MODULE_ID: Resource("Module", "口座")}


def resource(text: str) -> Resource | None:
    return NAMES.get(text) or (Resource("Function", "look-up") if text.startswith("arn:") else None)


def template_of(value: object, known_names: dict[str, str] | None = None) -> tuple[object, dict[str, str]]:
    found = extract(json.dumps(value), "menu", resource, known_names)
    return json.loads(found.text), dict(found.values)


def test_arns_and_ids_become_placeholders_named_after_the_resources() -> None:
    text, values = template_of({"a": QUEUE, "b": [f"to {QUEUE}, then {FUNCTION}."], "c": MODULE_ID})

    assert text == {
        "a": "${SalesQueueArn}",
        "b": ["to ${SalesQueueArn}, then ${LookUpFunctionArn}."],
        "c": "${口座ModuleId}",
    }
    assert values == {"SalesQueueArn": QUEUE, "LookUpFunctionArn": FUNCTION, "口座ModuleId": MODULE_ID}


def test_different_values_with_the_same_name_get_different_placeholders() -> None:
    text, _ = template_of([FUNCTION, f"{FUNCTION}-2"])

    assert text == ["${LookUpFunctionArn}", "${LookUpFunctionArn2}"]


def test_the_names_in_the_stack_configuration_are_kept() -> None:
    assert template_of(QUEUE, {QUEUE: "OperatorQueueArn"}) == (
        "${OperatorQueueArn}",
        {"OperatorQueueArn": QUEUE},
    )


@pytest.mark.parametrize("version", ["$LATEST", "$SAVED", "3"])
def test_a_version_is_part_of_the_value(version: str) -> None:
    flow = f"{INSTANCE}/flow-module/{MODULE_ID}:{version}"

    assert template_of(flow)[1].popitem()[1] == flow


def test_an_arn_that_contains_a_reference_is_kept() -> None:
    arn = "arn:aws:lambda:$.AwsRegion:111111111111:function:look-up"
    found = extract(json.dumps([arn]), "menu", resource)

    assert (json.loads(found.text), found.values, found.dynamic) == ([arn], {}, (arn,))


def test_text_that_would_be_read_as_a_placeholder_is_rejected() -> None:
    with pytest.raises(InputError, match=re.escape("${, which would be read as the start of a placeholder")):
        extract('{"Text": "Hello ${name}"}', "menu", resource)


PIECES = st.sampled_from(
    [QUEUE, FUNCTION, MODULE_ID, "arn:aws:s3:::", ":$LATEST", "$.Attributes.a", "ª", "/x", "${", "}"]
)
STRINGS = st.lists(PIECES | st.text(max_size=3), max_size=4).map("".join)


@settings(deadline=None, max_examples=100)
@given(st.lists(STRINGS | st.dictionaries(STRINGS, STRINGS, max_size=2), max_size=4))
def test_filling_in_the_values_gives_the_original(value: object) -> None:
    content = json.dumps(value)
    try:
        found = extract(content, "menu", resource)
    except InputError:  # the text contains a placeholder
        return

    assert json.loads(fill(found.text, found.values, "menu")) == value


@pytest.mark.skipif(corpus.CORPUS is None, reason=corpus.MISSING)
def test_real_flows_stay_the_same() -> None:
    extracted = 0
    for path in corpus.flows():
        content = read_text(path)
        try:
            found = extract(content, path.name, resource)
        except InputError:  # a template for another tool
            continue
        assert json.loads(fill(found.text, found.values, path.name)) == json.loads(content), path
        assert found.dynamic or "arn:aws" not in found.text, path
        extracted += bool(found.values)
    assert extracted
