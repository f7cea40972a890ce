"""Guards against operators who lack a permission, or have one that their command does not use.

The stack uses customer managed keys, so the policies contain every possible statement. The emulator evaluates them with one
action removed at a time, and the command must fail and name the action.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from parliament import analyze_policy_string
from policy_sentry.analysis.analyze import analyze_by_access_level

from callroute.aws.deployment_roles import DeploymentTarget, preview_policy, state_grants
from callroute.aws.operator_policies import doctor_policy, redrive_policy
from callroute.aws.permissions import Document
from callroute.local.cloud import PIPE
from callroute.local.emulator import Credentials, Emulator
from callroute.local.stack_config import StackConfig, tracker_options
from callroute.local.stack_runner import Deployment, deploy
from callroute.operations.deployed_pipe import DeployedPipe
from callroute.operations.doctor import CheckedStack, run_checks
from callroute.operations.redrive import Redrive
from tests.operations.fake_connect import FakeConnect
from tests.support.contact_records import contact_record
from tests.support.iam import allows
from tests.support.paths import REPOSITORY

KEY = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000001"
OPTIONS = {"kmsKeyArn": KEY}


def target(**options: Any) -> DeploymentTarget:
    """Returns the deployment target of the local stack."""
    config = StackConfig.read("local", {**OPTIONS, **options}, project=REPOSITORY)
    return DeploymentTarget(
        args=tracker_options(config),
        account_id="111111111111",
        region="ap-northeast-1",
        stack="local",
        repository="your-organization/call-route-tracker",
        state_bucket="your-pulumi-state",
        state_key_arn=f"{KEY[:-1]}2",
    )


STATE = {grant.sid for grant in state_grants(target())}
"""Statements for Pulumi's state, which the emulator does not contain."""

DIFFERENT = {
    "arn:aws:cloudwatch:ap-northeast-1:111111111111:alarm:*": '"*"',
    "sqs:ChangeMessageVisibility": '"sqs:ChangeMessageVisibilityBatch"',
    "sqs:DeleteMessage": '"sqs:DeleteMessageBatch"',
}
"""Resources and actions that the emulator authorizes differently than AWS (docs/fidelity.md)."""


@dataclass
class Bench:
    """A deployed stack, and users with the policies to test."""

    deployment: Deployment

    def user(self, document: Document) -> Credentials:
        """Returns the credentials of a user with this policy."""
        text = json.dumps(document)
        for aws, emulator in DIFFERENT.items():
            text = text.replace(f'"{aws}"', emulator)
        iam = self.deployment.emulator.client("iam")
        name = f"operator-{len(iam.list_users()['Users'])}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=text)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def redrive(self, document: Document) -> None:
        """Redrives a dead letter that points to a record of the stream, and one that does not."""
        root, outputs = self.deployment.emulator.client, self.deployment.outputs
        record = json.dumps(contact_record()).encode()
        put = root("kinesis").put_record(StreamARN=outputs["streamArn"], PartitionKey="a", Data=record)
        for sequence_number in (put["SequenceNumber"], "1"):
            position = {
                "streamArn": outputs["streamArn"],
                "shardId": put["ShardId"],
                "startSequenceNumber": sequence_number,
                "endSequenceNumber": sequence_number,
            }
            root("sqs").send_message(
                QueueUrl=outputs["deadLetterQueueUrl"], MessageBody=json.dumps({"KinesisBatchInfo": position})
            )
        credentials = self.user(document)

        def client(service: str) -> Any:
            return self.deployment.emulator.client(service, credentials)

        pipe = DeployedPipe.describe(client("pipes"), outputs["pipeName"], self.deployment.one(PIPE).inputs)
        queue = outputs["deadLetterQueueUrl"]
        client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
        try:
            report = Redrive(client, pipe, wait_seconds=0).dead_letters(queue)
            assert (report.records["stored"], report.deleted, len(report.kept)) == (1, 1, 1)
        finally:
            root("sqs").purge_queue(QueueUrl=queue)

    def doctor(self, document: Document) -> None:
        """Runs all checks. Fails with the first message about a missing permission."""
        credentials = self.user(document)

        def client(service: str) -> Any:
            client = self.deployment.emulator.client(service, credentials)
            if service != "connect":
                return client
            action = "connect:ListInstanceStorageConfigs"
            allowed = allows(
                document, action, f"arn:aws:connect:ap-northeast-1:111111111111:instance/{INSTANCE}"
            )
            return FakeConnect(client, [], allowed=allowed)

        stack = CheckedStack(
            option="--local",
            outputs=self.deployment.outputs,
            client=client,
            now=datetime.now(UTC),
            registered_pipe=self.deployment.one(PIPE).inputs,
        )
        for finding in run_checks(stack):
            if finding.status == "unknown":
                raise PermissionError(finding.message)


INSTANCE = "00000000-0000-0000-0000-000000000000"
COMMANDS: dict[str, tuple[Callable[[DeploymentTarget], Document], Callable[[Bench, Document], None]]] = {
    "redrive": (redrive_policy, Bench.redrive),
    "doctor": (doctor_policy, Bench.doctor),
}


@pytest.fixture(scope="module")
def bench(emulator: Emulator) -> Iterator[Bench]:
    emulator.reset()
    yield Bench(deploy(emulator, overrides=OPTIONS, project=REPOSITORY))
    emulator.reset()


def used_actions(document: Document) -> list[tuple[str, str]]:
    """Returns all statements and actions except those for Pulumi's state."""
    return [
        (statement["Sid"], action)
        for statement in document["Statement"]
        if statement["Sid"] not in STATE
        for action in statement["Action"]
    ]


def without(document: Document, sid: str, action: str) -> Document:
    """Returns a policy with one action removed from one statement."""
    changed = copy.deepcopy(document)
    for statement in changed["Statement"]:
        if statement["Sid"] == sid:
            statement["Action"].remove(action)
    changed["Statement"] = [each for each in changed["Statement"] if each["Action"]]
    return changed


@pytest.mark.emulator
@pytest.mark.parametrize("command", COMMANDS)
def test_the_policy_is_sufficient(bench: Bench, command: str) -> None:
    policy, run = COMMANDS[command]

    run(bench, policy(target()))


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("command", "sid", "action"),
    [(name, *used) for name, (policy, _) in COMMANDS.items() for used in used_actions(policy(target()))],
)
def test_each_action_is_necessary(bench: Bench, command: str, sid: str, action: str) -> None:
    policy, run = COMMANDS[command]

    with pytest.raises((ClientError, PermissionError), match=action):
        run(bench, without(policy(target()), sid, action))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_outputs_can_be_read_from_the_state(command: str) -> None:
    policy = COMMANDS[command][0](target())
    preview = preview_policy(target())

    state = [each for each in policy["Statement"] if each["Sid"] in STATE]
    assert state == [each for each in preview["Statement"] if each["Sid"] in STATE]


@pytest.mark.parametrize("command", COMMANDS)
def test_policies_name_the_existing_stream_and_have_no_findings(command: str) -> None:
    stream = "arn:aws:kinesis:ap-northeast-1:111111111111:stream/existing"
    key = f"{KEY[:-1]}3"
    policy = COMMANDS[command][0](target(streamArn=stream, streamKmsKeyArn=key))

    text = json.dumps(policy)
    assert stream in text
    assert (key in text) is (command == "redrive")
    assert [finding.issue for finding in analyze_policy_string(text).findings] == []
    assert {each["Sid"] for each in policy["Statement"] if each["Resource"] == "*"} <= {"Metrics"}


def test_the_doctor_changes_nothing_and_reads_no_personal_data() -> None:
    policy = doctor_policy(target())

    for level in ("write", "permissions-management", "tagging"):
        assert analyze_by_access_level(policy, level) == []
    (query,) = [each for each in policy["Statement"] if "dynamodb:Query" in each["Action"]]
    assert query["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"] == [
        "call_date",
        "contact_id",
        "start_time",
    ]


def test_without_customer_managed_keys_no_key_is_used() -> None:
    for policy, _ in COMMANDS.values():
        assert {
            sid for sid, action in used_actions(policy(target(kmsKeyArn=None))) if "kms:" in action
        } == set()
