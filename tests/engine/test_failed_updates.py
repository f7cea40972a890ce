"""Guards against resources that are created twice, or never, after a failed update.

A program has one tracker for each type of resource. The creation of that tracker's resource of that type fails once.

All failures happen in one `up --continue-on-error`, because 17 failed updates and 17 repairs would take a minute of CPU time. The
trackers do not depend on each other, so each sees one failure, and its resources that depend on the failed one are not created.
Without the option, the engine also starts no other creation after the failure, so its state contains fewer resources and none
in another form. test_lifecycle.py tests this for a pipe.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.engine.aws_resources import (
    CONTACT_FLOW,
    CONTACT_FLOW_MODULE,
    DASHBOARD,
    LOG_GROUP,
    METRIC_ALARM,
    PHONE_NUMBER,
    PIPE,
    QUEUE,
    REPLACED_BY,
    ROLE,
    ROLE_POLICY,
    STATE_MACHINE,
    STORAGE_CONFIG,
    STREAM,
    TABLE,
    TOPIC,
    TOPIC_POLICY,
    TOPIC_SUBSCRIPTION,
)
from tests.engine.project import Project
from tests.engine.test_updates import MENU, NUMBER, UNMONITORED, deploy

pytestmark = pytest.mark.emulator

MONITORED = {"alarmEmail": "on-call@example.com"}
OPTIONS: dict[str, dict[str, Any]] = {
    CONTACT_FLOW_MODULE: {"flows": [{**MENU, "type": "MODULE"}]},
    PHONE_NUMBER: {"flows": [{**MENU, **NUMBER}]},
    **dict.fromkeys((METRIC_ALARM, DASHBOARD, TOPIC, TOPIC_POLICY, TOPIC_SUBSCRIPTION), MONITORED),
}
"""Options of the trackers whose resource of a type is optional."""


LISTS = {
    TABLE: ("dynamodb", "list_tables", "TableNames"),
    STREAM: ("kinesis", "list_streams", "StreamNames"),
    QUEUE: ("sqs", "list_queues", "QueueUrls"),
    ROLE: ("iam", "list_roles", "Roles"),
    LOG_GROUP: ("logs", "describe_log_groups", "logGroups"),
    STATE_MACHINE: ("stepfunctions", "list_state_machines", "stateMachines"),
    PIPE: ("pipes", "list_pipes", "Pipes"),
    METRIC_ALARM: ("cloudwatch", "describe_alarms", "MetricAlarms"),
    DASHBOARD: ("cloudwatch", "list_dashboards", "DashboardEntries"),
    TOPIC: ("sns", "list_topics", "Topics"),
    TOPIC_SUBSCRIPTION: ("sns", "list_subscriptions", "Subscriptions"),
}
"""Service, operation and key in the answer that list the resources of a type."""
CONNECT = (CONTACT_FLOW, CONTACT_FLOW_MODULE, PHONE_NUMBER, STORAGE_CONFIG)


def listed(project: Project, service: str, operation: str, key: str, **request: str) -> list[Any]:
    """Returns all pages of a list."""
    pages = project.cloud.client(service).get_paginator(operation).paginate(**request)
    found: list[Any] = pages.build_full_result()[key]
    return found


def created(project: Project) -> dict[str, int]:
    """Returns the number of resources of each type that exist."""
    policies = [
        name
        for role in listed(project, *LISTS[ROLE])
        for name in listed(project, "iam", "list_role_policies", "PolicyNames", RoleName=role["RoleName"])
    ]
    return {
        **{type_: len(listed(project, *where)) for type_, where in LISTS.items()},
        ROLE_POLICY: len(policies),
        "Connect": len(project.cloud.connect),
    }


def test_an_update_completes_what_a_failed_one_left_and_creates_nothing_twice(project: Project) -> None:
    project.stack("dev")
    # By default, the engine also writes the whole state before and after each of the 400 steps.
    project.variables = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
    options = {
        f"t{index}": {"tableName": f"records-{index}", **OPTIONS.get(type_, UNMONITORED)}
        for index, type_ in enumerate(REPLACED_BY)
    }
    deploy(project, options)
    failing = {(type_, f"t{index}-") for index, type_ in enumerate(REPLACED_BY)}

    project.cloud.failing = set(failing)
    failed = project.pulumi("up", "--yes", "--skip-preview", "--continue-on-error")
    assert failed.code != 0
    assert failed.out.count("fails as the test demands") >= len(failing), failed.text
    assert project.cloud.failing == set(), "one creation of each type has failed"
    project.succeed("up", "--yes", "--skip-preview")

    registered = Counter(each["type"] for each in project.state())
    urns = Counter(each["urn"] for each in project.state())
    assert [urn for urn, number in urns.items() if number > 1] == []
    assert registered[TABLE] == len(failing)
    assert created(project) == {
        **{type_: registered[type_] for type_ in (*LISTS, ROLE_POLICY)},
        "Connect": sum(registered[type_] for type_ in CONNECT),
    }
