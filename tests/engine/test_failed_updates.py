"""Guards against resources that are created twice, or never, after a failed update."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.engine.aws_resources import REPLACED_BY
from tests.engine.project import Project

pytestmark = pytest.mark.emulator

PHONE_NUMBER_ID = "00000000-0000-0000-0000-000000000009"


def created(project: Project) -> dict[str, list[str]]:
    """Returns the names of all resources in the emulator, by service."""
    assert project.emulator is not None
    client = project.emulator.client
    iam = client("iam")
    roles = [each["RoleName"] for each in iam.list_roles()["Roles"]]
    return {
        "tables": client("dynamodb").list_tables()["TableNames"],
        "streams": client("kinesis").list_streams()["StreamNames"],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "roles": roles,
        "policies": [name for role in roles for name in iam.list_role_policies(RoleName=role)["PolicyNames"]],
        "log groups": [each["logGroupName"] for each in client("logs").describe_log_groups()["logGroups"]],
        "state machines": [
            each["name"] for each in client("stepfunctions").list_state_machines()["stateMachines"]
        ],
        "pipes": [each["Name"] for each in client("pipes").list_pipes()["Pipes"]],
        "alarms": [each["AlarmName"] for each in client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "dashboards": [
            each["DashboardName"] for each in client("cloudwatch").list_dashboards()["DashboardEntries"]
        ],
        "topics": [each["TopicArn"] for each in client("sns").list_topics()["Topics"]],
        "subscriptions": [
            each["SubscriptionArn"] for each in client("sns").list_subscriptions()["Subscriptions"]
        ],
        "Connect": list(project.cloud.connect),
    }


def test_an_update_completes_what_a_failed_one_left_and_creates_nothing_twice(project: Project) -> None:
    project.stack("dev", {"flows[0].phoneNumberId": PHONE_NUMBER_ID, "alarmEmail": "on-call@example.com"})
    project.cloud.failing = set(REPLACED_BY)

    # Each update stops after the first failures, and goes on from there next time.
    for _ in range(len(REPLACED_BY) + 1):
        done = project.pulumi("up", "--yes", "--skip-preview")
        if done.code == 0:
            break
        assert "fails as the test demands" in done.text, done.text

    assert done.code == 0, done.text
    assert project.cloud.failing == set(), "the creation of a resource of each type has failed once"
    assert {service: len(names) for service, names in created(project).items()} == {
        "tables": 1,
        "streams": 1,
        "queues": 2,
        "roles": 2,
        "policies": 2,
        "log groups": 2,
        "state machines": 1,
        "pipes": 1,
        "alarms": 5,
        "dashboards": 1,
        "topics": 1,
        "subscriptions": 1,
        "Connect": 3,
    }
    urns = Counter(each["urn"] for each in project.state())
    assert [urn for urn, number in urns.items() if number > 1] == []
    project.succeed("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes")
