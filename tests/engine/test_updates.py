"""Compares the table in docs/updates.md with what Pulumi's real engine does.

A program with one tracker per row is deployed. The update after the change of all trackers shows what each change does.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest

from call_route_tracker import CallRouteTrackerArgs
from call_route_tracker.constraints import camel_case
from tests.engine.event_log import operations, run_with_log
from tests.engine.project import Project
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.emulator

PROGRAM = """
import json
from pathlib import Path

from components.call_route_tracker import CallRouteTracker
from components.call_route_tracker.config import parse_config

for name, config in json.loads(Path("trackers.json").read_text(encoding="utf-8")).items():
    flows = Path("flow_definitions")
    CallRouteTracker(name, parse_config(config, flow_folder=flows, secrets={"phoneNumberSalt"}))
"""

ARN = "arn:aws:{}:ap-northeast-1:111111111111:{}"
STREAM_ARN = ARN.format("kinesis", "stream/existing")
TOPIC_ARN = ARN.format("sns", "on-call")
BOUNDARY = "boundary"
KEY_ARN = ARN.format("kms", "key/00000000-0000-0000-0000-000000000001")
OTHER_KEY_ARN = ARN.format("kms", "key/00000000-0000-0000-0000-000000000002")
OPERATOR = {
    "OperatorQueueArn": ARN.format("connect", "instance/i/queue/1"),
    "OperatorHoursArn": ARN.format("connect", "instance/i/operating-hours/1"),
}
MENU = {"file": "call_route.json", "name": "menu"}
BANK = {"file": "call_route_with_operator.json", "name": "bank", "placeholders": OPERATOR}
NUMBER = {"phoneNumberId": "00000000-0000-0000-0000-000000000009"}
HASHED = {"phoneNumber": "hashed", "phoneNumberSalt": "0123456789abcdef"}

ALLOW_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
Config = dict[str, Any]

CHANGES: dict[str, tuple[Config, Config]] = {
    "`connectInstance`": ({}, {"connectInstance": "00000000-0000-0000-0000-000000000001"}),
    "`connectInstance` with a module": (
        {"flows": [{**MENU, "type": "MODULE"}]},
        {"flows": [{**MENU, "type": "MODULE"}], "connectInstance": "00000000-0000-0000-0000-000000000001"},
    ),
    "`flows`: add a flow": ({}, {"flows": [MENU, BANK]}),
    "`flows`: remove a flow": ({"flows": [MENU, BANK]}, {"flows": [MENU]}),
    "`flows`: `file`": ({}, {"flows": [{**BANK, "name": "menu"}]}),
    "`flows`: `name`": ({}, {"flows": [{**MENU, "name": "main menu"}]}),
    "`flows`: `type`": ({}, {"flows": [{**MENU, "type": "CUSTOMER_QUEUE"}]}),
    "`flows`: `tags`": ({}, {"flows": [{**MENU, "tags": {"team": "telephony"}}]}),
    "`flows`: `description`": ({}, {"flows": [{**MENU, "description": "Main menu"}]}),
    "`flows`: `placeholders`": (
        {"flows": [BANK]},
        {"flows": [{**BANK, "placeholders": {**OPERATOR, "OperatorQueueArn": OPERATOR["OperatorHoursArn"]}}]},
    ),
    "`flows`: `detail`": ({}, {"flows": [{**MENU, "detail": True}]}),
    "`flows`: add `phoneNumberId`": ({}, {"flows": [{**MENU, **NUMBER}]}),
    "`flows`: change `phoneNumberId`": (
        {"flows": [{**MENU, **NUMBER}]},
        {"flows": [{**MENU, "phoneNumberId": "00000000-0000-0000-0000-000000000008"}]},
    ),
    "`streamContactRecords`": ({}, {"streamContactRecords": "false"}),
    "`trackedInitiationMethods`": ({}, {"trackedInitiationMethods": ["INBOUND"]}),
    "`timeZone`": ({}, {"timeZone": "Europe/Berlin"}),
    "`phoneNumber`": ({}, {"phoneNumber": "masked"}),
    "`countryCode`": ({}, {"countryCode": "49"}),
    "`trunkPrefix`": ({}, {"trunkPrefix": "00"}),
    "`phoneNumberSalt`": (HASHED, {**HASHED, "phoneNumberSalt": "fedcba9876543210"}),
    "`retentionDays`": ({}, {"retentionDays": "30"}),
    "`tableName`": ({}, {"tableName": "other-records"}),
    "`streamArn`": ({}, {"streamArn": STREAM_ARN}),
    "`streamKmsKeyArn`": (
        {"streamArn": STREAM_ARN, "streamKmsKeyArn": KEY_ARN},
        {"streamArn": STREAM_ARN, "streamKmsKeyArn": OTHER_KEY_ARN},
    ),
    "`streamMode`": ({}, {"streamMode": "ON_DEMAND"}),
    "`shardCount`": ({}, {"shardCount": "2"}),
    "`streamRetentionHours`": ({}, {"streamRetentionHours": "48"}),
    "`batchSize`": ({}, {"batchSize": "20"}),
    "`batchingWindowSeconds`": ({}, {"batchingWindowSeconds": "30"}),
    "`parallelizationFactor`": ({}, {"parallelizationFactor": "2"}),
    "`maximumRetryAttempts`": ({}, {"maximumRetryAttempts": "100"}),
    "`maximumRecordAgeSeconds`": ({}, {"maximumRecordAgeSeconds": "3600"}),
    "`kmsKeyArn`": ({}, {"kmsKeyArn": KEY_ARN}),
    "`permissionsBoundaryArn`": (
        {},
        {"permissionsBoundaryArn": f"arn:aws:iam::111111111111:policy/{BOUNDARY}"},
    ),
    "`logRetentionDays`": ({}, {"logRetentionDays": "90"}),
    "`alarms`": ({"alarms": "false"}, {}),
    "`alarmTopicArn`": ({}, {"alarmTopicArn": TOPIC_ARN}),
    "`alarmEmail`": ({}, {"alarmEmail": "on-call@example.com"}),
    "`alarmAfterHoursWithoutCalls`": ({}, {"alarmAfterHoursWithoutCalls": "24"}),
    "`dashboard`": ({"dashboard": "false"}, {}),
    "`metrics`": ({}, {"metrics": "true"}),
    "`metricsNamespace`": ({"metrics": "true"}, {"metrics": "true", "metricsNamespace": "Hotline"}),
    "`protectData`": ({}, {"protectData": "true"}),
    "`tags`": ({}, {"tags": {"team": "telephony"}}),
}
"""Configuration before and after each change that the table lists."""

# Other options cannot affect alarms and dashboards, which contain only names. Without them, the tests are much faster.
MONITORED = {"alarm", "dashboard", "kmsKeyArn", "metrics", "streamArn", "tableName", "tags"}
UNMONITORED = {"alarms": "false", "dashboard": "false"}

COLUMNS = ("updates", "replaces", "creates", "deletes")
OPERATIONS = {"update": "updates", "replace": "replaces", "create": "creates", "delete": "deletes"}
KINDS = {
    "table": "table",
    "stream": "stream",
    "contact-records": "association",
    "quarantine": "quarantine queue",
    "pipe-dead-letters": "dead-letter queue",
    "recorder": "state machine",
    "recorder-role": "recorder role",
    "recorder-policy": "recorder permissions",
    "recorder-logs": "recorder logs",
    "pipe": "pipe",
    "pipe-role": "pipe role",
    "pipe-policy": "pipe permissions",
    "pipe-logs": "pipe logs",
    "alarms": "topic",
    "alarms-policy": "topic policy",
    "alarms-email": "subscription",
    **{
        f"alarms-{name}": "alarms"
        for name in (
            *("quarantine", "dead-letters", "iterator-age", "executions-failed", "stream-not-read"),
            *("no-calls", "abandonment"),
        )
    },
    "dashboard": "dashboard",
    "call-route": "flow",
    "call-route-with-operator": "flow",
    "call-route-number": "phone number",
}
"""Words of the table, by the logical names of resources without the name of the tracker."""

Effects = dict[str, list[str]]


def deploy(project: Project, options: Mapping[str, Config]) -> None:
    """Replaces the program by one with these trackers.

    Args:
        project: the project.
        options: configuration of each tracker, apart from the options that all of them need.
    """
    required: Config = {
        "connectInstance": "00000000-0000-0000-0000-000000000000",
        "flows": [MENU],
        "protectData": "false",
    }
    (project.folder / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    trackers = {name: {**required, **each} for name, each in options.items()}
    (project.folder / "trackers.json").write_text(json.dumps(trackers), encoding="utf-8")


def deploy_changes(project: Project, number: int) -> None:
    """Replaces the program by one with all trackers before (0) or after (1) their changes."""
    deploy(
        project,
        {
            f"t{index}": {
                "tableName": f"records-{index}",
                **({} if any(title.startswith(f"`{name}") for name in MONITORED) else UNMONITORED),
                **change[number],
            }
            for index, (title, change) in enumerate(CHANGES.items())
        },
    )


@pytest.fixture(scope="module")
def effects(project: Project) -> dict[str, Effects]:
    """Effects of each change, in the words of the table, from an update of all trackers."""
    assert project.emulator is not None
    project.emulator.client("iam").create_policy(PolicyName=BOUNDARY, PolicyDocument=json.dumps(ALLOW_ALL))
    project.emulator.client("kinesis").create_stream(StreamName="existing", ShardCount=1)
    project.stack("dev")
    # By default, the engine writes the whole state before and after each of the 1,000 steps.
    project.variables = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
    deploy_changes(project, 0)
    project.succeed("up", "--yes", "--skip-preview")
    deploy_changes(project, 1)
    done, events = run_with_log(project, "up", "--yes", "--skip-preview")
    assert done.code == 0, done.text
    found: dict[str, Effects] = {title: defaultdict(list) for title in CHANGES}
    for operation, type_, name in operations(events):
        if operation in OPERATIONS and type_.startswith("aws:"):
            tracker, _, role = name.partition("-")
            found[list(CHANGES)[int(tracker[1:])]][OPERATIONS[operation]].append(KINDS[role])
    return {
        title: {column: sorted({*kinds}) for column, kinds in each.items()} for title, each in found.items()
    }


def documented() -> dict[str, Effects]:
    text = (REPOSITORY / "docs" / "updates.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in re.findall(r"^\| `.*$", text, re.MULTILINE)
    ]
    return {
        title: {
            column: sorted(cell.split(", "))
            for column, cell in zip(COLUMNS, cells, strict=True)
            if cell not in ("", "–")
        }
        for title, *cells in rows
    }


def test_each_option_has_the_documented_effects(effects: dict[str, Effects]) -> None:
    table = documented()
    rows = {
        title: f"| {title} | " + " | ".join(", ".join(each.get(column, ["–"])) for column in COLUMNS) + " |"
        for title, each in effects.items()
        if table.get(title) != each
    }

    assert not rows, "docs/updates.md should contain:\n" + "\n".join(rows.values())
    assert list(table) == list(CHANGES)


def test_every_option_is_in_the_table() -> None:
    titles = " ".join(documented())

    assert [
        each.name for each in fields(CallRouteTrackerArgs) if f"`{camel_case(each.name)}`" not in titles
    ] == []


def test_data_is_replaced_only_with_the_name_of_the_table() -> None:
    data = {"table", "stream", "quarantine queue", "dead-letter queue"}
    replaced = {title: data & {*effects.get("replaces", ())} for title, effects in documented().items()}

    assert {title: kinds for title, kinds in replaced.items() if kinds} == {"`tableName`": {"table"}}
