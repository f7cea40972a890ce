"""Tests of `callroute redrive` and `callroute doctor` on a local cloud."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from click.testing import CliRunner, Result

from callroute.cli import output
from callroute.cli.app import app
from callroute.cli.stacks import aws_errors
from callroute.errors import InputError
from callroute.local.cloud import LocalCloud
from callroute.local.pipe import Pipe
from callroute.local.shared_cloud import share
from callroute.reports.call_records import read_all
from tests.support.contact_records import contact_record
from tests.support.paths import REPOSITORY

BAD = {"InitiationTimestamp": "2026-02-30T00:00:00Z"}
NUMBER = "815000000001"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        with LocalCloud(project=REPOSITORY) as cloud, share(cloud):
            yield cloud


@pytest.fixture
def empty_cloud(cloud: LocalCloud) -> LocalCloud:
    for queue in ("deadLetterQueueUrl", "quarantineQueueUrl"):
        cloud.emulator.client("sqs").purge_queue(QueueUrl=cloud.deployment.outputs[queue])
    return cloud


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert NUMBER not in result.stdout + result.stderr
    return result


def dead_letter(cloud: LocalCloud, *records: dict[str, Any]) -> None:
    """Puts records on the stream. The pipe dead-letters them, because they are too old."""
    cloud.put(json.dumps(record).encode() for record in records)
    late = Pipe(
        cloud.pipe.settings,
        cloud.emulator.client,
        cloud.pipe.positions,
        now=lambda: time.time() + 365 * 86_400,
    )
    assert any(late.drain())


@pytest.mark.emulator
def test_redrive_stores_dead_lettered_records(empty_cloud: LocalCloud) -> None:
    cloud = empty_cloud
    dead_letter(cloud, contact_record("a"), contact_record("c", Channel="CHAT"), contact_record("b"))

    dry = run("redrive", "--local", "--dry-run")
    assert (dry.exit_code, dry.stdout) == (1, "1 message, 2 records to process, 1 filtered out\n")

    done = run("redrive", "--local")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "1 message: 1 deleted, 0 left",
        "2 stored, 1 filtered out, 0 expired, 0 quarantined, 0 failed",
    ]
    items = read_all(cloud.emulator.client("dynamodb"), cloud.table_name)
    assert [item["contact_id"] for item in items] == ["a", "b"]
    assert run("redrive", "--local").stdout == "No messages.\n"


@pytest.mark.emulator
def test_redrive_lists_what_is_left(empty_cloud: LocalCloud) -> None:
    cloud = empty_cloud
    dead_letter(cloud, contact_record("a", **BAD))
    url = cloud.deployment.outputs["deadLetterQueueUrl"]
    cloud.emulator.client("sqs").send_message(QueueUrl=url, MessageBody=f"+{NUMBER}")

    first = run("redrive", "--local", "--json")

    assert (first.exit_code, first.stderr) == (1, "")
    document = json.loads(first.stdout)
    (kept,) = document.pop("kept")
    assert kept["reason"] == "the message is not a dead letter of a Kinesis pipe"
    assert document == {
        "dry_run": False,
        "messages": 2,
        "deleted": 1,
        "accepted": 0,
        "stored": 0,
        "not_ours": 0,
        "expired": 0,
        "quarantined": 1,
        "failed": 0,
        "stopped": "",
    }

    second = run("redrive", "--local", "--quarantined")
    assert second.exit_code == 1
    assert second.stdout.splitlines()[0] == "1 message: 1 deleted, 0 left"
    assert "InitiationTimestamp is missing or not a UTC time" in second.stdout.splitlines()[2]


@pytest.mark.emulator
def test_doctor_prints_a_line_for_each_check(empty_cloud: LocalCloud) -> None:
    cloud = empty_cloud
    dead_letter(cloud, contact_record("a"))

    text, as_json = run("doctor", "--local"), run("doctor", "--local", "--json")

    assert (text.exit_code, text.stderr) == (1, "")
    lines = {line[8:30].strip(): line for line in text.stdout.splitlines()}
    assert lines["pipe"] == "ok      pipe                  running"
    assert lines["dead-letter queue"] == (
        "problem dead-letter queue     1 message. Fix the cause, then run `callroute redrive --local`"
    )
    assert lines["contact records"].startswith("skipped ")
    checks = json.loads(as_json.stdout)["checks"]
    assert [each["name"] for each in checks] == list(lines)
    assert [each["status"] for each in checks] == [line.split()[0] for line in lines.values()]


@pytest.mark.parametrize("command", ["redrive", "doctor"])
def test_a_stack_must_be_chosen(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    for arguments in ((), ("--stack", "prod", "--local")):
        assert (
            "error: --stack: either --stack NAME or --local is required." in run(command, *arguments).stderr
        )
    result = run(command, "--local")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no local cloud is running" in result.stderr


def test_errors_of_aws_name_the_stack_and_the_request() -> None:
    denied: Any = {"Error": {"Code": "AccessDenied", "Message": "User is not authorized to perform: sqs:X."}}

    message = r"^stack prod: X: AccessDenied: User is not .* `callroute roles`"
    with pytest.raises(InputError, match=message), aws_errors("stack prod"):
        raise ClientError(denied, "X")
    message = r"^stack prod: Unable to locate credentials[.] Check your AWS"
    with pytest.raises(InputError, match=message), aws_errors("stack prod"):
        raise NoCredentialsError


def test_a_progress_bar_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with output.progress_bar("Processing 2 messages", 2) as advance:
            advance(1)
        assert ("Processing 2 messages" in stream.getvalue()) is shown
