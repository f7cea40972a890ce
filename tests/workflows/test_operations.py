"""Checks the commands, outputs and options in docs/operations.md, which operators run during an incident."""

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

import pytest
from click.testing import CliRunner

from call_route_tracker import CallRouteTrackerArgs
from call_route_tracker.constraints import camel_case
from callroute.cli.app import app
from callroute.local.cloud import LocalCloud
from callroute.local.emulator import Emulator
from callroute.local.shared_cloud import share
from tests.components.test_program import OUTPUTS
from tests.support import aws_cli
from tests.support.contact_records import contact_record
from tests.support.paths import REPOSITORY

TEXT = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")


def option_names() -> set[str]:
    return {camel_case(field.name) for field in fields(CallRouteTrackerArgs)}


def section(heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/operations.md has no section {heading!r}"
    return found[1]


def blocks(text: str = TEXT) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def aws_commands() -> Iterator[str]:
    """Yields every AWS CLI command, including those in substitutions, which are replaced with VALUE."""
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
def test_an_aws_command_has_known_options_and_all_required_ones(command: str) -> None:
    words = shlex.split(re.sub(r"\"VALUE\"|VALUE|\$\{?\w+[^ \"]*", "1234", command))

    aws_cli.read(words[1:])


def test_aws_commands_are_found_in_the_document() -> None:
    assert len(set(aws_commands())) >= 20
    with pytest.raises(aws_cli.UnknownCommandError, match="has no option --name"):
        aws_cli.read(shlex.split("sqs delete-queue --name x"))
    with pytest.raises(aws_cli.UnknownCommandError, match="needs"):
        aws_cli.read(shlex.split("kinesis put-record --partition-key 7"))


def test_every_block_is_valid_shell() -> None:
    for block in blocks():
        done = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)  # noqa: S607 - from PATH
        assert done.returncode == 0, f"{done.stderr}\n{block}"


def test_the_roles_command_writes_the_documents_that_the_next_commands_use(tmp_path: Path) -> None:
    (block,) = (block for block in blocks() if block.startswith("callroute roles "))
    words = shlex.split(block.replace("\\\n", " "))[1:]
    folder = words[words.index("-o") + 1]
    words[words.index("-o") + 1] = str(tmp_path)

    done = subprocess.run(  # noqa: S603 - a command from this repository's documentation
        [sys.executable, "-m", "callroute", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    written = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    ends = set(re.findall(rf"file://{folder}/\$role-(\w+\.json)", TEXT))
    operators = {"doctor-policy.json", "redrive-policy.json"}
    assert {f"{role}-{end}" for role in ("deploy", "preview", "reader") for end in ends} | operators == set(
        written
    )
    assert all(f"`{name}`" in TEXT for name in operators)
    for value in ("--account-id", "--repository", "--state-bucket", "--state-key-arn"):
        assert any(words[words.index(value) + 1] in document for document in written.values()), value
    for document in written.values():
        json.loads(document)


def test_the_variables_match_those_that_the_workflows_read() -> None:
    workflows = "".join(
        path.read_text("utf-8") for path in (REPOSITORY / ".github" / "workflows").glob("*.yml")
    )

    assert set(re.findall(r"gh variable set (\w+)", TEXT)) == set(re.findall(r"vars\.(\w+)", workflows))


def test_the_outputs_and_options_exist() -> None:
    outputs = set(re.findall(r"outputs? `(\w+)`", TEXT)) | set(re.findall(r"stack output (\w+)", TEXT))
    assert len(outputs) >= 7
    assert outputs <= OUTPUTS

    options = {
        name
        for row in re.findall(r"^\| (`.*?) \|", section("Change options"), re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert len(options) >= 12
    assert options <= option_names()


@pytest.mark.emulator
def test_the_commands_for_operators_run_on_the_local_cloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line for block in blocks() for line in block.splitlines()]
    commands = [line for line in lines if line.startswith(("callroute redrive ", "callroute doctor "))]
    assert {line.split()[1] for line in commands} == {"redrive", "doctor"}
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(REPOSITORY)

    with LocalCloud() as cloud, share(cloud):
        for line in commands:
            words = shlex.split(line.replace("--stack prod", "--local"))[1:]
            result = CliRunner().invoke(app, words)
            # The new stack has no calls yet.
            assert result.exit_code == ("doctor" in words), f"{line}: {result.stdout}{result.stderr}"


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_the_quarantine_commands_put_a_record_back_on_the_stream(emulator: Emulator, tmp_path: Path) -> None:
    emulator.reset()
    kinesis, sqs = emulator.client("kinesis"), emulator.client("sqs")
    kinesis.create_stream(StreamName="records", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="records", WaiterConfig={"Delay": 0.02})
    queue = sqs.create_queue(QueueName="quarantine", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    contact = contact_record("corrected", Attributes={"call_route": "紛失"})
    message = {"reason": "any", "event_id": "shard:1", "sequence_number": "1", "contact": contact}
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message))
    _, look, _, put_back = blocks(section("Inspect the quarantine queue"))

    looked = run_as_written(look, emulator, queue, tmp_path)
    done = run_as_written(put_back, emulator, queue, tmp_path)

    assert json.loads(looked.stdout) == {"reason": "any", "sequence_number": "1", "contact_id": "corrected"}
    assert done.returncode == 0, done.stderr
    shard = kinesis.get_shard_iterator(
        StreamName="records", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    (record,) = kinesis.get_records(ShardIterator=shard)["Records"]
    assert json.loads(record["Data"]) == contact
    assert "Messages" not in sqs.receive_message(QueueUrl=queue), "the message is deleted"


def run_as_written(
    block: str, emulator: Emulator, queue: str, directory: Path
) -> subprocess.CompletedProcess[str]:
    """Runs a block with a stub `aws` that calls the emulator and a stub `pulumi` that returns stack outputs."""
    commands = {
        "aws": f'exec "{sys.executable}" -m tests.support.aws_cli "$@"',
        "pulumi": f'case "$3" in streamName) echo records;; deadLetterQueueUrl|quarantineQueueUrl) echo "{queue}";; *) exit 1;; esac',
        "callroute": f'exec "{sys.executable}" -m callroute "$@"',
    }
    # The commands are run in the project's folder.
    for name in ("Pulumi.yaml", "Pulumi.local.yaml", "__main__.py", "components", "flow_definitions"):
        if not (directory / name).exists():
            (directory / name).symlink_to(REPOSITORY / name)
    for name, script in commands.items():
        file = directory / name
        file.write_text(f"#!/usr/bin/env bash\n{script}\n", encoding="utf-8")
        file.chmod(0o700)
    return subprocess.run(  # noqa: S603 - commands from this repository's documentation
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
