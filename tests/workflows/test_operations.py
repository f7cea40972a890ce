"""Guards docs/operations.md, which is read when something is wrong: its commands must be right the first time."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from call_route_tracker import CallRouteTrackerArgs
from call_route_tracker.constraints import camel_case
from callroute.aws.deployment_roles import DeploymentTarget, documents
from callroute.local.emulator import Emulator
from tests.components.test_program import OUTPUTS
from tests.support import aws_cli
from tests.support.contact_records import contact_record
from tests.support.options import tracker_args
from tests.support.paths import REPOSITORY

TEXT = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/operations.md has no section {heading!r}"
    return found[1]


def blocks(text: str = TEXT) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def aws_commands() -> Iterator[str]:
    """Every call of the AWS CLI, those in substitutions included; what is substituted reads VALUE."""
    for block in blocks():
        text = block.replace("\\\n", " ")
        while inner := re.search(r"\$\(([^()]*)\)", text):
            if inner[1].startswith("aws "):
                yield inner[1]
            text = text.replace(inner[0], "VALUE")
        for line in re.split(r"\n|\|", text):
            if found := re.match(r"\s*(?:do )?(aws .*)", line):
                yield found[1].partition(" > ")[0]
    yield from re.findall(r"`(aws \w+ [^`]* --[^`]*)`", TEXT)


@pytest.mark.parametrize("command", sorted(set(aws_commands())))
def test_aws_knows_the_command_its_options_and_all_that_it_needs(command: str) -> None:
    words = shlex.split(re.sub(r"\"VALUE\"|VALUE|\$\{?\w+[^ \"]*", "1234", command))

    aws_cli.read(words[1:])


def test_the_commands_are_found() -> None:
    assert len(set(aws_commands())) >= 20
    with pytest.raises(aws_cli.UnknownCommandError, match="has no option --name"):
        aws_cli.read(shlex.split("sqs delete-queue --name x"))
    with pytest.raises(aws_cli.UnknownCommandError, match="needs"):
        aws_cli.read(shlex.split("kinesis put-record --partition-key 7"))


def test_every_block_is_sound_shell() -> None:
    for block in blocks():
        done = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)  # noqa: S607 - from PATH
        assert done.returncode == 0, f"{done.stderr}\n{block}"


def test_the_roles_documents_are_written_as_shown(tmp_path: Path) -> None:
    (block,) = (block for block in blocks() if "deployment_roles" in block)
    program = block.partition("<<'END'\n")[2].partition("\nEND")[0]

    done = subprocess.run(  # noqa: S603 - our own document's program
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    written = {path.name: json.loads(path.read_text("utf-8")) for path in tmp_path.iterdir()}
    assert written == documents(
        DeploymentTarget(
            args=tracker_args(),
            account_id="222222222222",
            region="ap-northeast-1",
            stack="prod",
            repository="your-organisation@1234/call-route-tracker@5678",
            state_bucket="your-pulumi-state-prod",
            state_key_arn="arn:aws:kms:ap-northeast-1:222222222222:key/00000000-0000-0000-0000-000000000001",
        )
    )
    used = set(re.findall(r"file://\$role-(\w+\.json)", TEXT))
    assert {f"{role}-{end}" for role in ("deploy", "preview") for end in used} == set(written)


def test_the_variables_that_are_set_are_those_that_the_workflows_read() -> None:
    workflows = "".join(
        path.read_text("utf-8") for path in (REPOSITORY / ".github" / "workflows").glob("*.yml")
    )

    assert set(re.findall(r"gh variable set (\w+)", TEXT)) == set(re.findall(r"vars\.(\w+)", workflows))


def test_the_outputs_and_settings_that_are_named_exist() -> None:
    outputs = set(re.findall(r"outputs? `(\w+)`", TEXT)) | set(re.findall(r"stack output (\w+)", TEXT))
    assert len(outputs) >= 7
    assert outputs <= OUTPUTS

    settings = {
        name
        for row in re.findall(r"^\| (`.*?) \|", section("Change settings"), re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert len(settings) >= 12
    assert settings <= {camel_case(field.name) for field in fields(CallRouteTrackerArgs)}


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_dead_letters_are_replayed_as_written(emulator: Emulator, tmp_path: Path) -> None:
    emulator.reset()
    kinesis, sqs = emulator.client("kinesis"), emulator.client("sqs")
    kinesis.create_stream(StreamName="records", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="records", WaiterConfig={"Delay": 0.02})
    queue = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    put = [
        kinesis.put_record(StreamName="records", PartitionKey=f"key {text}", Data=text.encode())
        for text in ("before", "発信 first", "second", "after")
    ]
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(dead_letter(put[1], put[2])))

    done = run_as_written(blocks(section("Replay dead letters"))[1], emulator, queue, tmp_path)

    assert done.returncode == 0, done.stderr
    shard = kinesis.get_shard_iterator(
        StreamName="records", ShardId=put[0]["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = kinesis.get_records(ShardIterator=shard)["Records"]
    assert [(each["PartitionKey"], each["Data"].decode()) for each in records[4:]] == [
        ("key 発信 first", "発信 first"),
        ("key second", "second"),
    ], "what was given up is on the stream again, and nothing else"
    assert "Messages" not in sqs.receive_message(QueueUrl=queue), "and the message is done with"


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_a_dead_letter_that_cannot_be_replayed_stays(emulator: Emulator, tmp_path: Path) -> None:
    emulator.reset()
    sqs = emulator.client("sqs")
    queue = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    nowhere = {"ShardId": "shardId-000000000000", "SequenceNumber": "1"}
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(dead_letter(nowhere, nowhere)))

    done = run_as_written(blocks(section("Replay dead letters"))[1], emulator, queue, tmp_path)

    assert done.returncode != 0
    number = sqs.get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
    )
    assert number["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "1"


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_a_quarantined_contact_is_put_back_as_written(emulator: Emulator, tmp_path: Path) -> None:
    emulator.reset()
    kinesis, sqs = emulator.client("kinesis"), emulator.client("sqs")
    kinesis.create_stream(StreamName="records", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="records", WaiterConfig={"Delay": 0.02})
    queue = sqs.create_queue(QueueName="quarantine", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    contact = contact_record("mended", Attributes={"call_route": "紛失"})
    message = {"reason": "any", "event_id": "shard:1", "sequence_number": "1", "contact": contact}
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message))
    look, put_back = blocks(section("Look at the quarantine"))

    looked = run_as_written(look, emulator, queue, tmp_path)
    done = run_as_written(put_back, emulator, queue, tmp_path)

    assert json.loads(looked.stdout) == {"reason": "any", "sequence_number": "1", "contact_id": "mended"}
    assert done.returncode == 0, done.stderr
    shard = kinesis.get_shard_iterator(
        StreamName="records", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    (record,) = kinesis.get_records(ShardIterator=shard)["Records"]
    assert json.loads(record["Data"]) == contact
    assert "Messages" not in sqs.receive_message(QueueUrl=queue), "and the message is done with"


def dead_letter(first: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "1.0",
        "KinesisBatchInfo": {
            "shardId": first["ShardId"],
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
        },
    }


def run_as_written(
    block: str, emulator: Emulator, queue: str, directory: Path
) -> subprocess.CompletedProcess[str]:
    """Runs a block with an `aws` that calls the emulator and a `pulumi` that knows the outputs."""
    commands = {
        "aws": f'exec "{sys.executable}" -m tests.support.aws_cli "$@"',
        "pulumi": f'case "$3" in streamName) echo records;; deadLetterQueueUrl|quarantineQueueUrl) echo "{queue}";; *) exit 1;; esac',
        "python": f'exec "{sys.executable}" "$@"',
    }
    for name, script in commands.items():
        file = directory / name
        file.write_text(f"#!/usr/bin/env bash\n{script}\n", encoding="utf-8")
        file.chmod(0o700)
    return subprocess.run(  # noqa: S603 - our own document's commands
        ["bash", "-c", "set -euo pipefail\n" + block],  # noqa: S607 - from PATH
        cwd=directory,
        env={
            **os.environ,
            "PATH": f"{directory}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "AWS_ENDPOINT_URL": emulator.endpoint,
            "EDITOR": "true",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
