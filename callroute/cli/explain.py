"""Implements `callroute explain`, which describes a `callroute check` rule."""

from __future__ import annotations

import click

from callroute.cli import output
from callroute.cli.parameters import general_options
from callroute.flows.lint import RULES
from callroute.flows.lint.config import require_rule

SEVERITIES = {
    "error": "Amazon Connect rejects the flow, or calls or records fail.",
    "warning": "Probably a mistake.",
    "note": "For information only. `callroute check` does not fail.",
}


@click.command
@click.argument("rule", metavar="RULE")
@general_options
def explain(rule: str) -> None:
    """Describe a `callroute check` rule: its requirement, severity and source, and how to ignore it."""
    rules = {each.id: each for each in RULES}
    require_rule(rule, list(rules), "RULE")
    found = rules[rule]
    output.write((found.id, "bold"))
    output.write(found.description)
    output.write()
    output.write(f"Severity: {found.severity}. {SEVERITIES[found.severity]}")
    if found.severity_alone:
        output.write(f"This is a {found.severity_alone} if a flow is checked without the flows that call it.")
    output.write(f"Source: {found.source}")
    output.write()
    output.write("To ignore it in some places, add this to callroute.toml:")
    output.write()
    for line in (
        "[[check.ignore]]",
        f'rule = "{found.id}"',
        'files = "FILE.json"',
        'block = "IDENTIFIER"',
        'reason = "REASON"',
    ):
        output.write(line, margin=["    "])
