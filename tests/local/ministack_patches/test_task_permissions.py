"""Guards against a state machine that can do more in the local cloud than on AWS."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from callroute.local.emulator import Emulator

SEND = "arn:aws:states:::sqs:sendMessage"


class Machine:
    """A state machine with one Task, its role, and the queue that it sends to."""

    def __init__(self, emulator: Emulator, **state: Any) -> None:
        self._emulator = emulator
        self.name = f"task-{uuid.uuid4().hex}"
        self.url = emulator.client("sqs").create_queue(QueueName=self.name)["QueueUrl"]
        self.queue_arn = f"arn:aws:sqs:{emulator.region}:{emulator.account_id}:{self.name}"
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        self.role_arn = emulator.client("iam").create_role(
            RoleName=self.name, AssumeRolePolicyDocument=trust
        )["Role"]["Arn"]
        task = {
            "Type": "Task",
            "Resource": SEND,
            "Arguments": {"QueueUrl": self.url, "MessageBody": "a"},
            "End": True,
            **state,
        }
        self.arn = emulator.client("stepfunctions").create_state_machine(
            name=self.name,
            type="EXPRESS",
            roleArn=self.role_arn,
            definition=json.dumps({"QueryLanguage": "JSONata", "StartAt": "Do", "States": {"Do": task}}),
        )["stateMachineArn"]

    def allow(self, action: str, resource: str | None = None) -> Machine:
        """Allows the role to perform an action, by default on the queue."""
        self._emulator.client("iam").put_role_policy(
            RoleName=self.name,
            PolicyName=uuid.uuid4().hex,
            PolicyDocument=policy(action, resource or self.queue_arn),
        )
        return self

    def run(self) -> tuple[str, str, str]:
        """Runs the state machine. Returns status, error and cause of the execution."""
        answer = self._emulator.client("stepfunctions").start_sync_execution(
            stateMachineArn=self.arn, input="{}"
        )
        return answer["status"], answer.get("error", ""), answer.get("cause", "")


def policy(action: str, resource: str, effect: str = "Allow", **more: Any) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_task_with_permission_succeeds(emulator: Emulator) -> None:
    assert Machine(emulator).allow("sqs:SendMessage").run()[0] == "SUCCEEDED"


@pytest.mark.parametrize("granted", [None, "sqs:ReceiveMessage"])
def test_a_task_without_permission_fails_with_the_error_of_aws(
    emulator: Emulator, granted: str | None
) -> None:
    machine = Machine(emulator)
    if granted:
        machine.allow(granted)

    status, error, cause = machine.run()

    assert (status, error) == ("FAILED", "SQS.AmazonSQSException")
    assert f":assumed-role/{machine.name}/" in cause
    assert f"is not authorized to perform: sqs:SendMessage on resource: {machine.queue_arn} " in cause


def test_a_permission_for_another_queue_is_not_enough(emulator: Emulator) -> None:
    machine = Machine(emulator)
    machine.allow("sqs:SendMessage", f"{machine.queue_arn}-other")

    assert machine.run()[0] == "FAILED"


def test_a_denied_write_fails_with_the_error_of_the_dynamodb_integration(emulator: Emulator) -> None:
    key = {"contact_id": {"S": "a"}}
    machine = Machine(
        emulator,
        Resource="arn:aws:states:::dynamodb:updateItem",
        Arguments={"TableName": "none", "Key": key},
    )

    status, error, cause = machine.run()

    assert (status, error) == ("FAILED", "DynamoDB.AmazonDynamoDBException")
    assert (
        "dynamodb:UpdateItem on resource: arn:aws:dynamodb:ap-northeast-1:111111111111:table/none " in cause
    )
    assert "Error Code: AccessDeniedException" in cause


def test_a_permissions_boundary_limits_the_roles_policies(emulator: Emulator) -> None:
    machine, iam = Machine(emulator).allow("sqs:SendMessage"), emulator.client("iam")
    boundary = iam.create_policy(PolicyName=machine.name, PolicyDocument=policy("sqs:ReceiveMessage", "*"))[
        "Policy"
    ]
    iam.put_role_permissions_boundary(RoleName=machine.name, PermissionsBoundary=boundary["Arn"])

    assert machine.run()[:2] == ("FAILED", "SQS.AmazonSQSException")


def test_the_resource_based_policy_of_the_queue_applies_too(emulator: Emulator) -> None:
    machine = Machine(emulator).allow("sqs:SendMessage")
    deny = policy("sqs:SendMessage", machine.queue_arn, "Deny", Principal="*")
    emulator.client("sqs").set_queue_attributes(QueueUrl=machine.url, Attributes={"Policy": deny})

    assert machine.run()[:2] == ("FAILED", "SQS.AmazonSQSException")


def test_a_task_without_permission_on_the_queues_customer_managed_key_fails(emulator: Emulator) -> None:
    machine = Machine(emulator).allow("sqs:SendMessage").allow("kms:GenerateDataKey", "*")
    key = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000001"
    emulator.client("sqs").set_queue_attributes(QueueUrl=machine.url, Attributes={"KmsMasterKeyId": key})

    status, error, cause = machine.run()

    assert (status, error) == ("FAILED", "SQS.AmazonSQSException")
    assert f"is not authorized to perform: kms:Decrypt on resource: {key} " in cause
    assert machine.allow("kms:Decrypt", key).run()[0] == "SUCCEEDED"


def test_a_task_with_a_timeout_needs_permission_too(emulator: Emulator) -> None:
    assert Machine(emulator, TimeoutSeconds=5).run()[:2] == ("FAILED", "SQS.AmazonSQSException")


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:states:::sns:publish",
        "arn:aws:states:::aws-sdk:dynamodb:updateItem",
        f"{SEND}.waitForTaskToken",
        "arn:aws:lambda:ap-northeast-1:111111111111:function:f",
    ],
)
def test_a_task_with_an_unsupported_resource_fails(emulator: Emulator, resource: str) -> None:
    status, error, cause = Machine(emulator, Resource=resource).allow("*", "*").run()

    assert (status, error) == ("FAILED", "States.Runtime")
    assert f"does not support a Task with Resource '{resource}'" in cause
