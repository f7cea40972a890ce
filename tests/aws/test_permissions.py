"""Tests that roles have exactly the permissions that the definitions need."""

from __future__ import annotations

import json
from typing import Any

import pytest
from parliament import analyze_policy_string
from policy_sentry.querying.actions import get_action_data

from callroute.aws.permissions import pipe_policy, state_machine_policy, task_needs, trust_policy
from callroute.aws.state_machine import definition
from tests.support.options import tracker_args

ACCOUNT = "arn:aws:{}:ap-northeast-1:111111111111:{}"
TABLE = ACCOUNT.format("dynamodb", "table/call-records")
QUARANTINE = ACCOUNT.format("sqs", "quarantine")
DEAD_LETTERS = ACCOUNT.format("sqs", "dead-letters")
STREAM = ACCOUNT.format("kinesis", "stream/contact-records")
MACHINE = ACCOUNT.format("states", "stateMachine:recorder")
KEY = ACCOUNT.format("kms", "key/00000000-0000-0000-0000-000000000001")


def the_definition() -> dict[str, Any]:
    return definition(
        tracker_args(),
        table_name="call-records",
        quarantine_queue_url="https://sqs.ap-northeast-1.amazonaws.com/111111111111/quarantine",
    )


def documents(key: str | None) -> dict[str, dict[str, Any]]:
    return {
        "state machine": state_machine_policy(
            the_definition(), table_arn=TABLE, quarantine_queue_arn=QUARANTINE, kms_key_arn=key
        ),
        "pipe": pipe_policy(
            stream_arn=STREAM,
            state_machine_arn=MACHINE,
            dead_letter_queue_arn=DEAD_LETTERS,
            kms_key_arn=key,
            stream_kms_key_arn=key,
        ),
    }


def grants(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(action, each["Resource"]) for each in document["Statement"] for action in each["Action"]}


def test_the_state_machine_has_the_permissions_of_its_tasks() -> None:
    data_grants = {
        grant for grant in grants(documents(None)["state machine"]) if not grant[0].startswith("logs:")
    }

    assert data_grants == {("dynamodb:UpdateItem", TABLE), ("sqs:SendMessage", QUARANTINE)}


def test_the_pipe_can_read_its_stream_call_its_target_and_send_dead_letters() -> None:
    assert grants(documents(None)["pipe"]) == {
        ("kinesis:DescribeStream", STREAM),
        ("kinesis:DescribeStreamSummary", STREAM),
        ("kinesis:GetRecords", STREAM),
        ("kinesis:GetShardIterator", STREAM),
        ("kinesis:ListShards", STREAM),
        ("states:StartSyncExecution", MACHINE),
        ("sqs:SendMessage", DEAD_LETTERS),
    }


@pytest.mark.parametrize("owner", ["state machine", "pipe"])
def test_a_customer_managed_key_can_be_used_only_through_the_encrypting_service(owner: str) -> None:
    plain, with_key = documents(None)[owner], documents(KEY)[owner]
    added = [each for each in with_key["Statement"] if each not in plain["Statement"]]

    assert plain["Statement"] == [each for each in with_key["Statement"] if each not in added]
    assert {each["Resource"] for each in added} == {KEY}
    for statement in added:
        assert all(action.startswith("kms:") for action in statement["Action"])
        assert list(statement["Condition"]["StringEquals"]) == ["kms:ViaService"]


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("owner", ["state machine", "pipe"])
def test_parliament_reports_nothing(owner: str, key: str | None) -> None:
    findings = analyze_policy_string(json.dumps(documents(key)[owner])).findings

    assert findings == []


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("owner", ["state machine", "pipe"])
def test_wildcard_resources_are_only_used_for_actions_without_resource_types(
    owner: str, key: str | None
) -> None:
    for action, resource in grants(documents(key)[owner]):
        if resource == "*":
            service, name = action.split(":")
            known = get_action_data(service, name)
            assert known, f"{action} is not an action of IAM"
            assert {each["resource_arn_format"] for each in known[service]} == {"*"}, (
                f"{action} could be narrower"
            )


def test_statements_have_distinct_sids() -> None:
    for document in documents(KEY).values():
        sids = [each["Sid"] for each in document["Statement"]]
        assert len(sids) == len(set(sids))


def test_a_task_on_another_table_is_rejected() -> None:
    with pytest.raises(
        ValueError, match=r"'Store' acts on 'call-records', but the permission would be for .*other"
    ):
        state_machine_policy(
            the_definition(),
            table_arn=ACCOUNT.format("dynamodb", "table/other"),
            quarantine_queue_arn=QUARANTINE,
        )


def test_a_task_with_an_unknown_integration_is_rejected() -> None:
    machine = {
        "States": {"Notify": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Arguments": {}}}
    }

    with pytest.raises(
        ValueError, match=r"'Notify': no permission is known for 'arn:aws:states:::sns:publish'"
    ):
        task_needs(machine)


def test_a_target_computed_at_run_time_is_rejected() -> None:
    machine = {
        "States": {
            "Write": {
                "Type": "Task",
                "Resource": "arn:aws:states:::dynamodb:updateItem",
                "Arguments": {"TableName": "{% $states.input.table %}"},
            }
        }
    }

    with pytest.raises(ValueError, match=r"TableName must be a constant"):
        task_needs(machine)


def test_tasks_inside_branches_are_found() -> None:
    send = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Arguments": {"QueueUrl": "q"}}
    machine = {
        "States": {
            "Both": {"Type": "Parallel", "Branches": [{"States": {"One": send}}, {"States": {"Two": send}}]}
        }
    }

    assert [need.state for need in task_needs(machine)] == ["One", "Two"]


def test_tasks_inside_a_map_are_found_under_both_names_of_its_processor() -> None:
    send = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Arguments": {"QueueUrl": "q"}}
    machine = {
        "States": {
            "New": {"Type": "Map", "ItemProcessor": {"States": {"One": send}}},
            "Old": {"Type": "Map", "Iterator": {"States": {"Two": send}}},
        }
    }

    assert [need.state for need in task_needs(machine)] == ["One", "Two"]


@pytest.mark.parametrize(
    ("elements", "reported"),
    [
        ({"Credentials": {"RoleArn": "arn:aws:iam::222222222222:role/other"}}, "Credentials"),
        ({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject"}}, "ItemReader"),
        ({"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject"}}, "ResultWriter"),
        *(
            ({name: {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "States": {}}}, "the ProcessorConfig.Mode")
            for name in ("ItemProcessor", "Iterator")
        ),
    ],
)
def test_an_element_that_needs_unknown_permissions_is_rejected(
    elements: dict[str, object], reported: str
) -> None:
    with pytest.raises(ValueError, match=f"'Each': no permission is known for {reported}"):
        task_needs({"States": {"Each": {"Type": "Map", **elements}}})


def test_a_role_trusts_one_service_on_behalf_of_one_resource() -> None:
    (statement,) = trust_policy("pipes.amazonaws.com", account_id="111111111111", source_arn="arn:pipe")[
        "Statement"
    ]

    assert statement["Principal"] == {"Service": "pipes.amazonaws.com"}
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111111111111", "aws:SourceArn": "arn:pipe"}
    }
