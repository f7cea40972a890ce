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


FLOW = {
    "Version": "2019-10-30",
    "StartAction": "end",
    "Actions": [{"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}],
}


def described(
    tmp_path: Path, type_: str | None = "CUSTOMER_QUEUE", catalog: str = "", **more: object
) -> Path:
    """Writes the output of `aws connect describe-contact-flow`, or a plain flow if there is no type."""
    path = tmp_path / "flow.json"
    flow = {**FLOW, **more}
    document = flow if type_ is None else {"ContactFlow": {"Type": type_, "Content": json.dumps(flow)}}
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    if catalog:
        routes = "routes:\n  - {route: main, en: Main, ja: メイン}\n"
        (tmp_path / "flow.routes.yaml").write_text(
            f"flow: flow.json\ntype: {catalog}\n{routes}", encoding="utf-8"
        )
    return path


def test_the_output_of_describe_contact_flow_contains_the_flow_and_its_type(tmp_path: Path) -> None:
    loaded = load_flow(described(tmp_path))

    assert list(loaded.flow.blocks) == ["end"]
    assert loaded.flow.type == "CUSTOMER_QUEUE"
    assert json.loads(loaded.text) == FLOW
    assert loaded.positions["$"].line == 4  # of Content


def test_the_output_of_describe_contact_flow_module_is_a_module(tmp_path: Path) -> None:
    path = tmp_path / "module.json"
    path.write_text(json.dumps({"ContactFlowModule": {"Content": json.dumps(FLOW)}}), encoding="utf-8")

    assert load_flow(path).flow.is_module


def test_the_type_in_the_route_catalog_is_used(tmp_path: Path) -> None:
    assert load_flow(described(tmp_path, None, catalog="AGENT_WHISPER")).flow.type == "AGENT_WHISPER"


def test_the_given_type_takes_precedence_with_a_note(tmp_path: Path) -> None:
    loaded = load_flow(described(tmp_path, catalog="CUSTOMER_QUEUE"), type_="CONTACT_FLOW")

    assert loaded.flow.type == "CONTACT_FLOW"
    assert len(loaded.notes) == 2
    assert (
        "used as CONTACT_FLOW, although its route catalog contains the type CUSTOMER_QUEUE" in loaded.notes[1]
    )


def test_a_given_type_that_agrees_needs_no_note(tmp_path: Path) -> None:
    assert load_flow(described(tmp_path), type_="CUSTOMER_QUEUE").notes == ()


@pytest.mark.parametrize(
    ("type_", "catalog", "more", "message"),
    [
        (
            "CONTACT_FLOW",
            "CUSTOMER_QUEUE",
            {},
            "its output of `aws connect` contains the type CONTACT_FLOW, but its route catalog",
        ),
        ("CONTACT_FLOW", "", {"Settings": {}}, None),
        (
            None,
            "CONTACT_FLOW",
            {"Metadata": {"type": "customerQueue"}},
            "its content has the type CUSTOMER_QUEUE, but its route catalog",
        ),
        (None, "CONTACT_FLOWS", {}, "'CONTACT_FLOWS' is unknown .did you mean 'CONTACT_FLOW'"),
        ("CALL", "", {}, "'CALL' is not a type of flow"),
    ],
)
def test_disagreeing_and_unknown_types_are_errors(
    tmp_path: Path, type_: str | None, catalog: str, more: dict[str, object], message: str | None
) -> None:
    with pytest.raises(InputError, match=message or "its content has the type MODULE, but its output"):
        load_flow(described(tmp_path, type_, catalog, **more))


def test_an_output_without_content_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_text('{"ContactFlow": {"Id": "1"}}', encoding="utf-8")

    with pytest.raises(InputError, match="has no flow in Content"):
        load_flow(path)
