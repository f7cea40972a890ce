"""Guards against an input template that is filled in differently than by EventBridge."""

from __future__ import annotations

import json

import pytest

from callroute.aws.pipe_delivery import fill_template
from callroute.errors import InputError


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ('{"a": <$.data>}', '{"a": {"text": "あ\\"<x>", "list": [1, null]}}'),
        ('{"a": <$.data.text>}', '{"a": "あ\\"<x>"}'),
        ('{"a": "<$.data.text>"}', '{"a": "あ\\"<x>"}'),
        ('{"a": "from <$.eventID> on"}', '{"a": "from shard:1 on"}'),
        ("<$.data.list[0]>", "1"),
        ('{"a": "plain"}', '{"a": "plain"}'),
    ],
)
def test_templates_are_filled_as_json(template: str, filled: str) -> None:
    event = {"eventID": "shard:1", "data": {"text": 'あ"<x>', "list": [1, None]}}

    assert json.loads(fill_template(template, event)) == json.loads(filled)


@pytest.mark.parametrize("path", ["$.nowhere", "$.data.list[9]", "$.data.text.deeper", "$.data['text']"])
def test_a_missing_path_is_an_error(path: str) -> None:
    with pytest.raises(InputError, match="the pipe's input template: "):
        fill_template(f"<{path}>", {"data": {"text": "a", "list": [1]}})
