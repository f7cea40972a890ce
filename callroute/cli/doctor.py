"""Implements `callroute doctor`, which checks a deployed stack."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
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
from callroute.operations.doctor import OUTPUTS, CheckedStack, run_checks

STYLES = {"ok": "green", "problem": "bold red", "skipped": "dim", "unknown": "yellow"}


@click.command
@stack_option
@local_option
@project_option
@json_option
@general_options
def doctor(stack: str | None, local: bool, project: Path | None, as_json: bool) -> None:
    """Check a deployed stack and print how to fix each problem.

    Checks the pipe, contact record streaming, the stream's retention, both queues, the pipe's delay, the last
    call, the alarms, and the permissions of both roles. Changes nothing. If your credentials do not allow a
    check, its result names the missing permission. See docs/operations.md.

    Exit code: 0 if all checks passed, 1 if any failed, 2 if the stack cannot be used.
    """
    chosen = choose_stack(stack, local, project)
    checked = CheckedStack(
        option="--local" if local else f"--stack {chosen.name}",
        outputs={name: chosen.output(name) for name in OUTPUTS},
        client=chosen.client,
        now=datetime.now(UTC),
        is_local=local,
        registered_pipe=chosen.pipe,
    )
    with aws_errors(f"stack {chosen.name}"), output.progress("Checking the stack …"):
        findings = list(run_checks(checked))
    if as_json:
        output.write_json({"checks": [asdict(each) for each in findings]})
    else:
        for each in findings:
            text = f"{each.message}. {each.fix}" if each.fix else each.message
            output.write(
                text, margin=[(f"{each.status:8}", STYLES[each.status]), (f"{each.name:22}", "bold")]
            )
    if any(each.status in ("problem", "unknown") for each in findings):
        raise Exit(FINDINGS)
