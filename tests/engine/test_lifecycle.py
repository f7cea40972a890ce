"""Guards against a program that Pulumi's real engine cannot deploy, refresh, repair or destroy.

The tests run in this order, on one stack.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from callroute.flows.simulation import KeyedCaller, SimulatedClock
from callroute.local.cloud import pipe_of
from callroute.local.dialer import Dialer, put_records
from callroute.local.pipe import Pipe
from callroute.local.stack_runner import Deployment
from tests.engine.aws_resources import (
    CONTACT_FLOW,
    DASHBOARD,
    LOG_GROUP,
    METRIC_ALARM,
    PIPE,
    QUEUE,
    RESOURCES,
    ROLE,
    ROLE_POLICY,
    STATE_MACHINE,
    STREAM,
    TABLE,
    TOPIC,
)
from tests.engine.project import Project
from tests.support.contact_records import contact_record

pytestmark = pytest.mark.emulator

START = datetime(2026, 4, 17, 23, 47, 52, tzinfo=UTC)
CHANGED_BY_HAND = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def item(project: Project, contact_id: str) -> dict[str, dict[str, str]]:
    """Returns the item of a contact in the stack's table, as DynamoDB writes it."""
    assert project.emulator is not None
    table = project.deployment("dev").one(TABLE).outputs["name"]
    answer = project.emulator.client("dynamodb").get_item(
        TableName=table, Key={"contact_id": {"S": contact_id}}
    )
    found: dict[str, dict[str, str]] = answer.get("Item", {})
    return found


@pytest.fixture(scope="module")
def deployment(dev: Project) -> Deployment:
    return dev.deployment("dev")


@pytest.fixture(scope="module")
def pipe(deployment: Deployment) -> Pipe:
    return pipe_of(deployment)


def test_a_contact_record_on_the_stream_becomes_an_item(dev: Project, pipe: Pipe) -> None:
    assert dev.emulator is not None
    record = contact_record()

    put_records(dev.emulator, pipe.settings.stream_arn, [json.dumps(record).encode()])
    handled = list(pipe.drain())

    assert [each.outcome for each in handled] == ["delivered"]
    assert item(dev, record["ContactId"])["call_route"] == {"S": "1"}


def test_a_call_to_the_deployed_flow_becomes_an_item(
    dev: Project, deployment: Deployment, pipe: Pipe
) -> None:
    Dialer(deployment).call(
        "call-route-dev", KeyedCaller("1"), clock=SimulatedClock(START), contact_id="call"
    )

    list(pipe.drain())

    assert item(dev, "call")["call_route"]["S"].startswith("1")


def test_a_second_update_and_a_refresh_change_nothing(dev: Project) -> None:
    dev.succeed("up", "--yes", "--skip-preview", "--expect-no-changes")
    dev.succeed("refresh", "--yes", "--skip-preview", "--expect-no-changes")


def change_by_hand(project: Project) -> set[str]:
    """Changes a resource of each type, and returns the names of the properties."""
    deployment, client = project.deployment("dev"), project.cloud.client
    role = next(each for each in deployment.all(ROLE) if each.name.endswith("-recorder-role"))
    policy = next(each for each in deployment.all(ROLE_POLICY) if each.inputs["role"] == role.id)
    document = json.loads(policy.inputs["policy"])
    document["Statement"][0]["Resource"] = "*"
    wider = json.dumps(document)
    iam = client("iam")
    iam.update_assume_role_policy(RoleName=role.id, PolicyDocument=json.dumps(CHANGED_BY_HAND))
    iam.put_role_policy(RoleName=role.id, PolicyName=policy.inputs["name"], PolicyDocument=wider)

    dynamodb, table = client("dynamodb"), deployment.one(TABLE).id
    off = {"PointInTimeRecoveryEnabled": False}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=off)
    stream = deployment.one(STREAM).outputs["name"]
    client("kinesis").increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=48)
    attributes = {"MessageRetentionPeriod": "60"}
    client("sqs").set_queue_attributes(QueueUrl=deployment.all(QUEUE)[0].id, Attributes=attributes)
    group = deployment.all(LOG_GROUP)[0].id
    client("logs").put_retention_policy(logGroupName=group, retentionInDays=365)
    states, machine = client("stepfunctions"), deployment.one(STATE_MACHINE).id
    logs = states.describe_state_machine(stateMachineArn=machine)["loggingConfiguration"]
    quiet = {**logs, "level": "OFF"}
    states.update_state_machine(stateMachineArn=machine, loggingConfiguration=quiet)

    pipe = deployment.one(PIPE)
    client("pipes").update_pipe(
        Name=pipe.id,
        RoleArn=pipe.inputs["roleArn"],
        DesiredState="STOPPED",
        TargetParameters={"InputTemplate": "<$.data>"},
        LogConfiguration={"Level": "OFF"},
    )
    alarms = {each.id.removeprefix("call-route-tracker-dev-"): each for each in deployment.all(METRIC_ALARM)}
    failed = alarms["executions-failed"].inputs
    client("cloudwatch").put_metric_alarm(
        AlarmName=failed["name"],
        AlarmDescription=failed["alarmDescription"],
        Namespace=failed["namespace"],
        MetricName=failed["metricName"],
        Dimensions=[],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1000,
        ComparisonOperator=failed["comparisonOperator"],
        ActionsEnabled=False,
    )
    client("cloudwatch").put_dashboard(DashboardName=deployment.one(DASHBOARD).id, DashboardBody="{}")
    topic = deployment.one(TOPIC).id
    client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=wider)
    flow = deployment.one(CONTACT_FLOW).id
    project.cloud.connect[flow] = {**project.cloud.connect[flow], "description": "Changed by hand"}
    return {
        *("assumeRolePolicy", "policy", "pointInTimeRecovery", "retentionPeriod", "messageRetentionSeconds"),
        *("retentionInDays", "loggingConfiguration", "desiredState", "targetParameters", "logConfiguration"),
        *("statistic", "period", "evaluationPeriods", "threshold", "actionsEnabled", "alarmActions"),
        *("dimensions", "treatMissingData", "dashboardBody", "description"),
    }


def in_aws(project: Project) -> dict[str, Any]:
    """Returns what the provider reads of each resource."""
    return {
        each.name: RESOURCES[each.type].read(project.cloud, each.id, each.outputs)
        for each in project.deployment("dev").resources
    }


def test_a_refresh_shows_what_was_changed_by_hand_and_an_update_restores_it(dev: Project) -> None:
    before = in_aws(dev)
    properties = change_by_hand(dev)

    refreshed = dev.succeed("refresh", "--yes", "--skip-preview", "--diff")
    shown = set(re.findall(r"^ *[~+-] (\w+) *:", refreshed.out, re.MULTILINE))
    assert properties - shown == set(), refreshed.out
    assert "ec2.amazonaws.com" in refreshed.out
    assert "12 updated" in refreshed.out

    dev.succeed("up", "--yes", "--skip-preview")
    assert in_aws(dev) == before


def test_a_pipe_that_was_deleted_by_hand_is_created_again_after_an_update_that_failed(dev: Project) -> None:
    assert dev.emulator is not None
    pipes = dev.emulator.client("pipes")
    name = dev.deployment("dev").one(PIPE).id
    pipes.delete_pipe(Name=name)
    dev.cloud.failing = {(PIPE, "")}

    failed = dev.pulumi("up", "--yes", "--skip-preview", "--refresh")
    assert "fails as the test demands" in failed.text
    dev.succeed("up", "--yes", "--skip-preview")

    assert pipes.describe_pipe(Name=name)["Name"] == name


def test_an_exported_state_can_be_audited_without_access_to_the_stack(dev: Project, tmp_path: Path) -> None:
    exported = tmp_path / "state.json"
    dev.succeed("stack", "export", "--file", str(exported))

    audited = dev.succeed("policy", "analyze", "--file", str(exported), "--policy-pack", "policy")
    assert "call-route-tracker@" in audited.out
    assert "mandatory" not in audited.out

    wider = exported.read_text(encoding="utf-8").replace("dynamodb:UpdateItem", "dynamodb:*")
    exported.write_text(wider, encoding="utf-8")
    found = dev.pulumi("policy", "analyze", "--file", str(exported), "--policy-pack", "policy")
    assert found.code != 0
    assert "iam-no-wildcard-actions" in found.text


def test_a_stack_without_protection_is_destroyed(dev: Project) -> None:
    dev.succeed("destroy", "--yes", "--skip-preview")

    assert dev.state() == []
