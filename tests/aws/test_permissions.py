"""Guards against a role that may do more, or less, than the definitions use."""

from __future__ import annotations

import json
from typing import Any

import pytest
from parliament import analyze_policy_string
from policy_sentry.querying.actions import get_action_data

from callroute.aws.permissions import pipe_policy, state_machine_policy, task_needs, trust_policy
from callroute.aws.state_machine import RecordFormat, definition

ACCOUNT = "arn:aws:{}:ap-northeast-1:111111111111:{}"
TABLE = ACCOUNT.format("dynamodb", "table/call-records")
QUARANTINE = ACCOUNT.format("sqs", "quarantine")
DEAD_LETTERS = ACCOUNT.format("sqs", "dead-letters")
STREAM = ACCOUNT.format("kinesis", "stream/contact-records")
MACHINE = ACCOUNT.format("states", "stateMachine:recorder")
KEY = ACCOUNT.format("kms", "key/00000000-0000-0000-0000-000000000001")


def the_definition() -> dict[str, Any]:
    return definition(
        table_name="call-records",
        quarantine_queue_url="https://sqs.ap-northeast-1.amazonaws.com/111111111111/quarantine",
        record=RecordFormat(),
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


def test_the_state_machine_may_do_what_its_tasks_do_and_deliver_logs() -> None:
    data_grants = {
        grant for grant in grants(documents(None)["state machine"]) if not grant[0].startswith("logs:")
    }

    assert data_grants == {("dynamodb:UpdateItem", TABLE), ("sqs:SendMessage", QUARANTINE)}


def test_the_pipe_may_read_its_stream_call_its_target_and_keep_what_failed() -> None:
    assert grants(documents(None)["pipe"]) == {
        ("kinesis:DescribeStream", STREAM),
        ("kinesis:DescribeStreamSummary", STREAM),
        ("kinesis:GetRecords", STREAM),
        ("kinesis:GetShardIterator", STREAM),
        ("kinesis:ListShards", STREAM),
        ("states:StartSyncExecution", MACHINE),
        ("sqs:SendMessage", DEAD_LETTERS),
    }


@pytest.mark.parametrize("who", ["state machine", "pipe"])
def test_a_customer_key_may_be_used_only_through_the_services_that_encrypt_with_it(who: str) -> None:
    plain, with_key = documents(None)[who], documents(KEY)[who]
    added = [each for each in with_key["Statement"] if each not in plain["Statement"]]

    assert plain["Statement"] == [each for each in with_key["Statement"] if each not in added]
    assert {each["Resource"] for each in added} == {KEY}
    for statement in added:
        assert all(action.startswith("kms:") for action in statement["Action"])
        assert list(statement["Condition"]["StringEquals"]) == ["kms:ViaService"]


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("who", ["state machine", "pipe"])
def test_parliament_finds_nothing_to_say(who: str, key: str | None) -> None:
    findings = analyze_policy_string(json.dumps(documents(key)[who])).findings

    assert findings == []


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("who", ["state machine", "pipe"])
def test_every_star_is_for_actions_that_know_no_resource(who: str, key: str | None) -> None:
    for action, resource in grants(documents(key)[who]):
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


def test_a_task_on_another_table_is_not_granted_silently() -> None:
    with pytest.raises(
        ValueError, match=r"'Store' acts on 'call-records', but the permission would be for .*other"
    ):
        state_machine_policy(
            the_definition(),
            table_arn=ACCOUNT.format("dynamodb", "table/other"),
            quarantine_queue_arn=QUARANTINE,
        )


def test_a_task_of_an_unknown_kind_is_refused_by_name() -> None:
    machine = {
        "States": {"Tell": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Arguments": {}}}
    }

    with pytest.raises(
        ValueError, match=r"'Tell': no permission is known for 'arn:aws:states:::sns:publish'"
    ):
        task_needs(machine)


def test_a_target_computed_at_run_time_is_refused() -> None:
    machine = {
        "States": {
            "Write": {
                "Type": "Task",
                "Resource": "arn:aws:states:::dynamodb:updateItem",
                "Arguments": {"TableName": "{% $states.input.table %}"},
            }
        }
    }

    with pytest.raises(ValueError, match=r"TableName must be a plain name"):
        task_needs(machine)


def test_tasks_inside_branches_are_found() -> None:
    send = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Arguments": {"QueueUrl": "q"}}
    machine = {
        "States": {
            "Both": {"Type": "Parallel", "Branches": [{"States": {"One": send}}, {"States": {"Two": send}}]}
        }
    }

    assert [need.state for need in task_needs(machine)] == ["One", "Two"]


def test_tasks_inside_a_map_are_found_by_its_older_name_too() -> None:
    send = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Arguments": {"QueueUrl": "q"}}
    machine = {
        "States": {
            "New": {"Type": "Map", "ItemProcessor": {"States": {"One": send}}},
            "Old": {"Type": "Map", "Iterator": {"States": {"Two": send}}},
        }
    }

    assert [need.state for need in task_needs(machine)] == ["One", "Two"]


@pytest.mark.parametrize(
    ("elements", "what"),
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
def test_what_needs_permissions_that_are_not_known_is_refused_by_name(
    elements: dict[str, object], what: str
) -> None:
    with pytest.raises(ValueError, match=f"'Each': no permission is known for {what}"):
        task_needs({"States": {"Each": {"Type": "Map", **elements}}})


def test_a_role_is_assumed_by_one_service_for_one_resource_of_one_account() -> None:
    (statement,) = trust_policy("pipes.amazonaws.com", account_id="111111111111", source_arn="arn:pipe")[
        "Statement"
    ]

    assert statement["Principal"] == {"Service": "pipes.amazonaws.com"}
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111111111111", "aws:SourceArn": "arn:pipe"}
    }
