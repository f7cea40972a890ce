"""Guards against a state machine that may do more in the local cloud than its role may do on AWS."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest

from callroute.local import emulator as module
from callroute.local.emulator import Emulator, EmulatorError

SEND = "arn:aws:states:::sqs:sendMessage"


class Machine:
    """A state machine of one Task, the queue that it sends to, and its role."""

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

    def may(self, action: str, resource: str | None = None) -> Machine:
        """Lets its role do one thing."""
        self._emulator.client("iam").put_role_policy(
            RoleName=self.name,
            PolicyName=uuid.uuid4().hex,
            PolicyDocument=allow(action, resource or self.queue_arn),
        )
        return self

    def run(self) -> tuple[str, str, str]:
        """Status, error and cause of an execution."""
        answer = self._emulator.client("stepfunctions").start_sync_execution(
            stateMachineArn=self.arn, input="{}"
        )
        return answer["status"], answer.get("error", ""), answer.get("cause", "")


def allow(action: str, resource: str, effect: str = "Allow", **more: Any) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_task_does_what_the_role_may_do(emulator: Emulator) -> None:
    assert Machine(emulator).may("sqs:SendMessage").run()[0] == "SUCCEEDED"


@pytest.mark.parametrize("given", [None, "sqs:ReceiveMessage"])
def test_a_task_without_its_permission_fails_by_name_as_on_aws(emulator: Emulator, given: str | None) -> None:
    machine = Machine(emulator)
    if given:
        machine.may(given)

    status, error, cause = machine.run()

    assert (status, error) == ("FAILED", "SQS.AmazonSQSException")
    assert f":assumed-role/{machine.name}/" in cause
    assert f"is not authorized to perform: sqs:SendMessage on resource: {machine.queue_arn} " in cause


def test_a_permission_for_another_queue_does_not_help(emulator: Emulator) -> None:
    machine = Machine(emulator)
    machine.may("sqs:SendMessage", f"{machine.queue_arn}-other")

    assert machine.run()[0] == "FAILED"


def test_a_refused_write_has_the_error_of_the_dynamodb_integration(emulator: Emulator) -> None:
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


def test_a_boundary_holds_whatever_the_roles_policies_say(emulator: Emulator) -> None:
    machine, iam = Machine(emulator).may("sqs:SendMessage"), emulator.client("iam")
    boundary = iam.create_policy(PolicyName=machine.name, PolicyDocument=allow("sqs:ReceiveMessage", "*"))[
        "Policy"
    ]
    iam.put_role_permissions_boundary(RoleName=machine.name, PermissionsBoundary=boundary["Arn"])

    assert machine.run()[:2] == ("FAILED", "SQS.AmazonSQSException")


def test_the_queues_own_policy_holds_as_well(emulator: Emulator) -> None:
    machine = Machine(emulator).may("sqs:SendMessage")
    refusal = allow("sqs:SendMessage", machine.queue_arn, "Deny", Principal="*")
    emulator.client("sqs").set_queue_attributes(QueueUrl=machine.url, Attributes={"Policy": refusal})

    assert machine.run()[:2] == ("FAILED", "SQS.AmazonSQSException")


def test_a_task_that_may_not_use_the_queues_customer_key_fails_by_name(emulator: Emulator) -> None:
    machine = Machine(emulator).may("sqs:SendMessage").may("kms:GenerateDataKey", "*")
    key = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000001"
    emulator.client("sqs").set_queue_attributes(QueueUrl=machine.url, Attributes={"KmsMasterKeyId": key})

    status, error, cause = machine.run()

    assert (status, error) == ("FAILED", "SQS.AmazonSQSException")
    assert f"is not authorized to perform: kms:Decrypt on resource: {key} " in cause
    assert machine.may("kms:Decrypt", key).run()[0] == "SUCCEEDED"


def test_with_a_time_limit_of_its_own_a_task_is_judged_too(emulator: Emulator) -> None:
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
def test_a_task_whose_permission_is_not_known_is_an_error_that_names_it(
    emulator: Emulator, resource: str
) -> None:
    status, error, cause = Machine(emulator, Resource=resource).may("*", "*").run()

    assert (status, error) == ("FAILED", "States.Runtime")
    assert f"does not know the permission of a Task with Resource '{resource}'" in cause


@pytest.mark.parametrize(
    "change",
    [
        "del stepfunctions._invoke_resource",
        "stepfunctions._execute_task = lambda state, execution: None",
        "stepfunctions._create_state_machine = lambda name, definition: None",
        "from ministack.core import iam_evaluator; iam_evaluator.enforce = lambda request: None",
        "stepfunctions._run_execution = lambda execution: None",
        "from jsonata.parser import Parser; Parser.parse = lambda self, text: None",
    ],
)
def test_an_emulator_with_other_insides_does_not_start(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        f"from ministack.services import stepfunctions; {change}\n"
        "from callroute.local.ministack_patches.__main__ import main; main()"
    )
    monkeypatch.setattr(module, "CHILD", ("-c", program))
    monkeypatch.setattr(module, "START_ATTEMPTS", 1)
    with pytest.raises(EmulatorError, match=r"UnknownInsidesError: .*mend callroute.local") as raised:
        Emulator().__enter__()

    log = re.search(r"Its log is (\S+) and ends with", str(raised.value))
    assert log
    shutil.rmtree(Path(log[1]).parent)
