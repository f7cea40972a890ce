"""Tests that a flow is loaded with its catalog and filled with the right values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callroute.errors import InputError
from callroute.flows.load import load_flow
from tests.support.paths import FLOW_DEFINITIONS

OPERATOR = FLOW_DEFINITIONS / "call_route_with_operator.json"
VALUES = {"OperatorQueueArn": "queue-arn", "OperatorHoursArn": "hours-arn"}


def test_a_flow_is_loaded_with_its_catalog_and_unfilled_placeholders() -> None:
    loaded = load_flow(OPERATOR)

    assert loaded.catalog is not None
    assert set(loaded.catalog.placeholders) == set(VALUES)
    assert "${OperatorQueueArn}" in loaded.filled
    assert loaded.text == OPERATOR.read_text(encoding="utf-8")


def test_placeholders_are_filled_and_the_content_has_no_white_space() -> None:
    loaded = load_flow(OPERATOR, VALUES)

    assert "${" not in loaded.content
    assert json.loads(loaded.content) == json.loads(loaded.filled)
    assert '": ' not in loaded.content


def test_a_missing_placeholder_value_is_an_error() -> None:
    with pytest.raises(InputError, match="OperatorHoursArn"):
        load_flow(OPERATOR, {"OperatorQueueArn": "queue-arn"})


def test_lenient_loading_lists_defects_that_strict_loading_rejects(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    document = {"Version": "2019-10-30", "StartAction": "missing", "Actions": []}
    path.write_text(json.dumps(document), encoding="utf-8")

    assert [defect.rule for defect in load_flow(path, lenient=True).flow.defects] == ["no-start"]
    with pytest.raises(InputError, match="missing"):
        load_flow(path)
