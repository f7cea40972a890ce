"""Guards against a doctor that misses a defect of a stack, or reports one that does not exist."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callroute.local.cloud import PIPE
from callroute.local.emulator import ROOT, Credentials, Emulator
from callroute.local.stack_runner import Deployment, deploy
from callroute.operations.doctor import CHECKS, CheckedStack, Finding, run_checks
from tests.operations.fake_connect import FakeConnect
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.emulator

NAME = "call-route-tracker-local"
Change = Callable[["Bench"], None]


class Bench:
    """A stack that checks are run on."""

    hours = itertools.count()
    """Each test happens in another hour, because the emulator keeps all metrics."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.outputs = deployment.outputs
        self.storage_configs: list[dict[str, Any]] = [stream_config(self.outputs["streamArn"])]
        self.credentials: Credentials | None = None
        self.stack = CheckedStack(
            option="--stack prod",
            outputs=self.outputs,
            client=self.client,
            now=datetime.now(UTC) - timedelta(days=9) + timedelta(hours=next(self.hours)),
            registered_pipe=deployment.one(PIPE).inputs,
        )

    def client(self, service: str) -> Any:
        client = self.deployment.emulator.client(service, self.credentials or ROOT)
        if service != "connect":
            return client
        return FakeConnect(client, self.storage_configs, allowed=self.credentials is None)

    def aws(self, service: str) -> Any:
        """Returns a client with all permissions."""
        return self.deployment.emulator.client(service)

    def set(self, **changes: Any) -> None:
        self.stack = replace(self.stack, **changes)

    def set_pipe(self, **kinesis: Any) -> None:
        arguments = json.loads(json.dumps(self.stack.registered_pipe))
        arguments["sourceParameters"]["kinesisStreamParameters"] |= kinesis
        self.set(registered_pipe=arguments)

    def role(self, kind: str) -> str:
        return str(self.deployment.one("aws:iam/role:Role", f"{kind}-role").outputs["name"])

    def finding(self, name: str) -> Finding:
        (finding,) = [each for each in run_checks(self.stack) if each.name == name]
        return finding


def stream_config(arn: str) -> dict[str, Any]:
    return {"StorageType": "KINESIS_STREAM", "KinesisStreamConfig": {"StreamArn": arn}}


@pytest.fixture(scope="module")
def deployment(emulator: Emulator) -> Iterator[Deployment]:
    emulator.reset()
    yield deploy(emulator, project=REPOSITORY)
    emulator.reset()


@pytest.fixture
def bench(deployment: Deployment) -> Bench:
    """A healthy stack."""
    bench = Bench(deployment)
    bench.aws("pipes").start_pipe(Name=NAME)
    for queue in ("deadLetterQueueUrl", "quarantineQueueUrl"):
        bench.aws("sqs").purge_queue(QueueUrl=bench.outputs[queue])
    set_iterator_age(bench, 12)
    store_call(bench)
    set_alarm(bench, f"{NAME}-dead-letters", "OK")
    for kind in ("recorder", "pipe"):
        registered = deployment.one("aws:iam/rolePolicy:RolePolicy", f"{kind}-policy")
        put_policy(bench, kind, json.loads(registered.inputs["policy"]))
    return bench


# Changes of the stack.


def set_iterator_age(bench: Bench, seconds: float) -> None:
    metric = {
        "MetricName": "GetRecords.IteratorAgeMilliseconds",
        "Dimensions": [{"Name": "StreamName", "Value": bench.outputs["streamName"]}],
        "Timestamp": bench.stack.now - timedelta(minutes=2),
        "Value": seconds * 1000,
    }
    bench.aws("cloudwatch").put_metric_data(Namespace="AWS/Kinesis", MetricData=[metric])


def store_call(bench: Bench) -> None:
    """Stores a call that started an hour ago."""
    start = (bench.stack.now - timedelta(hours=1)).astimezone(ZoneInfo("Asia/Tokyo"))
    bench.aws("dynamodb").put_item(
        TableName=bench.outputs["tableName"],
        Item={
            "contact_id": {"S": "a"},
            "call_date": {"S": str(start.date())},
            "start_time": {"S": start.isoformat(timespec="seconds")},
            "phone_number": {"S": "+815000000001"},
        },
    )


def set_alarm(bench: Bench, name: str, state: str) -> None:
    cloudwatch = bench.aws("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Statistic="Maximum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")


def send(bench: Bench, queue: str) -> None:
    bench.aws("sqs").send_message(QueueUrl=bench.outputs[queue], MessageBody="+815000000001")


def put_policy(bench: Bench, kind: str, document: Mapping[str, Any]) -> None:
    iam, role = bench.aws("iam"), bench.role(kind)
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def change_policy(kind: str, old: str, new: str) -> Change:
    """Returns a change that replaces a text in the policy of a role."""

    def change(bench: Bench) -> None:
        registered = bench.deployment.one("aws:iam/rolePolicy:RolePolicy", f"{kind}-policy").inputs["policy"]
        assert old in registered
        put_policy(bench, kind, json.loads(registered.replace(old, new, 1)))

    return change


PROBLEMS: list[tuple[str, Change, str, str]] = [
    (
        "pipe",
        lambda bench: bench.aws("pipes").stop_pipe(Name=NAME),
        "STOPPED",
        f"Find the cause in its log, then run `aws pipes start-pipe --name {NAME}`",
    ),
    (
        "contact records",
        lambda bench: bench.storage_configs.clear(),
        "the instance does not send them to a Kinesis data stream",
        "Set `streamContactRecords` to true and deploy the stack",
    ),
    (
        "contact records",
        lambda bench: bench.storage_configs.__setitem__(0, stream_config("arn:other")),
        "the instance sends them to arn:other",
        "Set `streamArn` to this stream",
    ),
    (
        "retention",
        lambda bench: bench.set_pipe(maximumRecordAgeInSeconds=86_400),
        "the stream keeps records for 24 hours, and the pipe gives up after 24 hours",
        "Increase `streamRetentionHours` or reduce `maximumRecordAgeSeconds`",
    ),
    (
        "retention",
        lambda bench: bench.set_pipe(maximumRecordAgeInSeconds=-1),
        "the stream keeps records for 24 hours, and the pipe retries them indefinitely",
        "Set `maximumRecordAgeSeconds`",
    ),
    (
        "dead-letter queue",
        lambda bench: send(bench, "deadLetterQueueUrl"),
        "1 message",
        "Fix the cause, then run `callroute redrive --stack prod`",
    ),
    (
        "quarantine queue",
        lambda bench: send(bench, "quarantineQueueUrl"),
        "1 message",
        "`callroute redrive --stack prod --quarantined --dry-run` prints the reasons",
    ),
    (
        "iterator age",
        lambda bench: set_iterator_age(bench, 4000),
        "the pipe was at most 4,000 s behind in the last 15 minutes",
        "Find the cause in the logs",
    ),
    (
        "iterator age",
        lambda bench: bench.set(now=bench.stack.now + timedelta(minutes=30)),
        "the stream was not read in the last 15 minutes",
        "Find the cause in the pipe's log",
    ),
    (
        "last call",
        lambda bench: bench.set(now=bench.stack.now + timedelta(days=8)),
        "none in the last 7 days",
        "Place a test call, and check the tracking of your flows",
    ),
    (
        "alarms",
        lambda bench: set_alarm(bench, f"{NAME}-dead-letters", "ALARM"),
        f"active: {NAME}-dead-letters",
        "See the description of each alarm",
    ),
    (
        "alarms",
        lambda bench: bench.set(outputs={**bench.outputs, "pipeName": "other"}),
        "no alarm has a name that starts with other",
        "Set `alarms` to true and deploy the stack",
    ),
    (
        "state machine's role",
        change_policy("recorder", '"dynamodb:UpdateItem"', '"dynamodb:PutItem"'),
        "lacks dynamodb:UpdateItem on arn:aws:dynamodb:ap-northeast-1:111111111111:table/call-records; "
        "has dynamodb:PutItem on arn:aws:dynamodb:ap-northeast-1:111111111111:table/call-records, which is not needed",
        "Deploy the stack again with `pulumi up --refresh`",
    ),
    (
        "pipe's role",
        change_policy("pipe", '"kinesis:GetRecords"', '"kinesis:*"'),
        "has kinesis:* on arn:aws:kinesis:",
        "Deploy the stack again with `pulumi up --refresh`",
    ),
    (
        "pipe's role",
        change_policy("pipe", '"Effect": "Allow"', '"Effect": "Deny"'),
        "has deny kinesis:DescribeStream on arn:aws:kinesis:",
        "Deploy the stack again with `pulumi up --refresh`",
    ),
]


@pytest.mark.parametrize("name", CHECKS)
def test_a_healthy_stack_has_no_problem(bench: Bench, name: str) -> None:
    finding = bench.finding(name)

    assert (finding.status, finding.fix) == ("ok", ""), finding
    assert finding.message


@pytest.mark.parametrize(
    ("name", "change", "message", "fix"),
    PROBLEMS,
    ids=[f"{name}: {message[:30]}" for name, _, message, _ in PROBLEMS],
)
def test_a_problem_is_reported_with_its_fix(
    bench: Bench, name: str, change: Change, message: str, fix: str
) -> None:
    change(bench)

    finding = bench.finding(name)

    assert finding.status == "problem"
    assert message in finding.message
    assert finding.fix.startswith(fix)


def test_each_resource_is_described_once(bench: Bench) -> None:
    described: list[str] = []

    def record(model: Any, **_: Any) -> None:
        described.append(model.name)

    def client(service: str) -> Any:
        created = bench.client(service)
        if service in ("pipes", "kinesis", "sqs"):
            created.meta.events.register("before-call", record, unique_id="described")
        return created

    bench.set(client=client)
    list(run_checks(bench.stack))

    assert sorted(described) == ["DescribePipe", "DescribeStreamSummary", *["GetQueueAttributes"] * 2]


def test_every_check_is_tested() -> None:
    assert {name for name, *_ in PROBLEMS} == set(CHECKS)


def test_an_attached_policy_is_a_problem(bench: Bench) -> None:
    arn = "arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"
    bench.aws("iam").attach_role_policy(RoleName=bench.role("recorder"), PolicyArn=arn)
    try:
        finding = bench.finding("state machine's role")
    finally:
        bench.aws("iam").detach_role_policy(RoleName=bench.role("recorder"), PolicyArn=arn)

    assert (finding.status, f"has the policy {arn}" in finding.message) == ("problem", True)


def test_a_missing_permission_affects_only_its_own_check(bench: Bench) -> None:
    iam = bench.aws("iam")
    iam.create_user(UserName="doctor")
    key = iam.create_access_key(UserName="doctor")["AccessKey"]
    bench.credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    findings = list(run_checks(bench.stack))

    assert {each.status for each in findings} == {"unknown"}
    assert [each.message.removeprefix("your credentials lack ") for each in findings] == [
        "pipes:DescribePipe",
        "connect:ListInstanceStorageConfigs",
        "pipes:DescribePipe",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueAttributes",
        "cloudwatch:GetMetricData",
        "dynamodb:Query",
        "cloudwatch:DescribeAlarms",
        "states:DescribeStateMachine",
        "sqs:GetQueueAttributes",
    ]


def test_a_missing_resource_affects_only_its_own_checks(bench: Bench) -> None:
    bench.set(outputs={**bench.outputs, "deadLetterQueueUrl": bench.outputs["deadLetterQueueUrl"] + "-other"})

    found = {each.name: each for each in run_checks(bench.stack) if each.status == "problem"}

    assert set(found) == {"dead-letter queue", "pipe's role"}
    assert found["dead-letter queue"].message.startswith("GetQueueAttributes failed: ")
    assert found["dead-letter queue"].fix == "Run `pulumi refresh` to compare the stack with AWS"


def test_the_local_cloud_has_no_instance_and_no_metrics(bench: Bench) -> None:
    bench.set(is_local=True)

    skipped = [each.name for each in run_checks(bench.stack) if each.status == "skipped"]

    assert skipped == ["contact records", "iterator age"]


def test_no_finding_contains_personal_data(bench: Bench) -> None:
    send(bench, "quarantineQueueUrl")

    assert "815000000001" not in str(list(run_checks(bench.stack)))
