"""Implements `callroute redrive`, which puts failed records through the pipeline again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from click.exceptions import Exit

from callroute.cli import output
from callroute.cli.exit_codes import FINDINGS
from callroute.cli.parameters import (
    general_options,
    json_option,
    local_option,
    project_option,
    stack_option,
)
from callroute.cli.stacks import aws_errors, choose_stack
from callroute.operations.deployed_pipe import DeployedPipe
from callroute.operations.redrive import Redrive, RedriveReport

MAX_LINES = 20
"""Maximum number of messages to list. `--json` lists all of them."""


@click.command
@stack_option
@local_option
@project_option
@click.option(
    "--quarantined",
    is_flag=True,
    help="Process the quarantine queue instead of the dead-letter queue, for example after a fix was deployed.",
)
@click.option("--dry-run", is_flag=True, help="Read the messages and their records, but change nothing.")
@json_option
@general_options
def redrive(
    stack: str | None, local: bool, project: Path | None, quarantined: bool, dry_run: bool, as_json: bool
) -> None:
    """Put dead-lettered or quarantined records through the pipeline again.

    Reads the records of dead letters from the stream, applies the pipe's filter and input template, and runs the state
    machine. A message is deleted only when each of its records is stored, filtered, expired or quarantined. Fix the cause
    of the failures first. A redrive can be repeated or interrupted at any time. See docs/operations.md.

    Exit code: 0 if the queue is empty afterwards, 1 if a message is left or a record was quarantined, 2 if the stack cannot
    be used.
    """
    chosen = choose_stack(stack, local, project)
    queue_url = str(chosen.output("quarantineQueueUrl" if quarantined else "deadLetterQueueUrl"))
    with aws_errors(f"stack {chosen.name}"):
        pipe = DeployedPipe.describe(chosen.client("pipes"), str(chosen.output("pipeName")), chosen.pipe)
        attributes = chosen.client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        total = int(attributes["ApproximateNumberOfMessages"])
        with output.progress_bar(f"Processing {output.counted(total, 'message')} …", total) as advance:
            run = Redrive(chosen.client, pipe, dry_run=dry_run, on_messages=advance)
            report = run.quarantined(queue_url) if quarantined else run.dead_letters(queue_url)
    if as_json:
        output.write_json(_document(report, dry_run))
    else:
        _write(report, dry_run)
    if not report.complete:
        raise Exit(FINDINGS)


def _document(report: RedriveReport, dry_run: bool) -> dict[str, object]:
    names = {
        "accepted": "accepted",
        "stored": "stored",
        "not_ours": "filtered",
        "expired": "expired",
        "quarantined": "quarantined",
        "failed": "failed",
    }
    return {
        "dry_run": dry_run,
        "messages": report.messages,
        "deleted": report.deleted,
        **{name: report.records[result] for name, result in names.items()},
        "kept": [asdict(each) for each in report.kept],
        "stopped": report.stopped,
    }


def _write(report: RedriveReport, dry_run: bool) -> None:
    if not report.messages:
        output.write("No messages.")
        return
    number, counts = output.counted(report.messages, "message"), report.records
    if dry_run:
        output.write(
            f"{number}, {counts['accepted']:,} records to process, {counts['filtered']:,} filtered out"
        )
    else:
        output.write(f"{number}: {report.deleted:,} deleted, {report.messages - report.deleted:,} left")
        output.write(
            f"{counts['stored']:,} stored, {counts['filtered']:,} filtered out, {counts['expired']:,} expired, "
            f"{counts['quarantined']:,} quarantined, {counts['failed']:,} failed"
        )
    for each in report.kept[:MAX_LINES]:
        output.write(f"{each.position or f'message {each.message_id}'}: {each.reason}")
    if len(report.kept) > MAX_LINES:
        output.write((f"… and {len(report.kept) - MAX_LINES:,} more", "dim"))
    if report.stopped:
        output.error(
            "stopped because too many records failed in a row. Fix the cause, and run the command again."
        )
