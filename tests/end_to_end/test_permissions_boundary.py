"""Guards against a permissions boundary that blocks the pipeline, or that a change to the roles' policies can bypass."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from callroute.aws.deployment_roles import DeploymentTarget, boundary_policy
from callroute.local.cloud import pipe_of
from callroute.local.emulator import Emulator
from callroute.local.stack_runner import Deployment, deploy
from tests.support.contact_records import contact_record
from tests.support.options import tracker_args
from tests.support.paths import REPOSITORY

FULL_ACCESS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture(scope="module")
def deployment(emulator: Emulator) -> Iterator[Deployment]:
    """Deploys a stack whose roles have the boundary, and replaces their policies with full access."""
    emulator.reset()
    target = DeploymentTarget(
        args=tracker_args(),
        account_id=emulator.account_id,
        region=emulator.region,
        stack="local",
        repository="your-organisation/call-route-tracker",
        state_bucket="your-pulumi-state",
        state_key_arn="arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000001",
    )
    iam = emulator.client("iam")
    arn = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(boundary_policy(target)))[
        "Policy"
    ]["Arn"]
    deployment = deploy(emulator, overrides={"permissionsBoundaryArn": arn}, project=REPOSITORY)
    for policy in deployment.all("aws:iam/rolePolicy:RolePolicy"):
        iam.put_role_policy(
            RoleName=policy.inputs["role"],
            PolicyName=policy.outputs["name"],
            PolicyDocument=json.dumps(FULL_ACCESS),
        )
    yield deployment
    emulator.reset()


def test_the_pipeline_works_within_the_boundary(deployment: Deployment) -> None:
    kinesis = deployment.emulator.client("kinesis")
    stream = deployment.one("aws:kinesis/stream:Stream").outputs["arn"]
    for record in (contact_record(), contact_record(ContactId=None)):
        kinesis.put_record(StreamARN=stream, PartitionKey="a", Data=json.dumps(record).encode())

    assert [handled.output for handled in pipe_of(deployment).drain()] == ["stored", "quarantined"]


def test_the_boundary_limits_a_pipe_with_full_access(deployment: Deployment) -> None:
    pipe = deployment.one("aws:pipes/pipe:Pipe")
    credentials = deployment.assume_role(
        pipe.inputs["roleArn"], service="pipes.amazonaws.com", source_arn=pipe.outputs["arn"]
    )

    with pytest.raises(ClientError, match="not authorized to perform: dynamodb:Scan"):
        deployment.emulator.client("dynamodb", credentials).scan(TableName="call-records")


def test_the_boundary_limits_a_state_machine_with_full_access(deployment: Deployment) -> None:
    client = deployment.emulator.client
    role = deployment.one("aws:sfn/stateMachine:StateMachine").inputs["roleArn"]
    url = client("sqs").create_queue(QueueName="elsewhere")["QueueUrl"]
    send = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}
    machine = {
        "StartAt": "Send",
        "States": {"Send": {**send, "Parameters": {"QueueUrl": url, "MessageBody": "a"}}},
    }
    arn = client("stepfunctions").create_state_machine(
        name="elsewhere", type="EXPRESS", roleArn=role, definition=json.dumps(machine)
    )["stateMachineArn"]

    answer = client("stepfunctions").start_sync_execution(stateMachineArn=arn, input="{}")

    assert (answer["status"], answer["error"]) == ("FAILED", "SQS.AmazonSQSException")
    assert "not authorized to perform: sqs:SendMessage on resource: " in answer["cause"]
