"""Reads the findings of the policy pack from an event log of Pulumi's engine."""

from __future__ import annotations

import json
import re
from pathlib import Path

from call_route_policies import RULES
from tests.engine.project import Done, Project

Finding = tuple[str, str, str, str]
"""Level, rule, logical name of the resource, and message."""

AUTOMATIC_SUFFIX = re.compile(r"(?<=[a-z])-[0-9a-f]{7}\b")
"""End of an automatic name, which differs in each project."""


def run_with_pack(project: Project, *arguments: str, pack: str = "policy") -> tuple[Done, list[Finding]]:
    """Runs one command of Pulumi's CLI with a policy pack, and returns the findings without automatic suffixes."""
    log = project.home / "events.jsonl"
    log.unlink(missing_ok=True)
    project.variables["PULUMI_DEBUG_COMMANDS"] = "true"
    done = project.pulumi(*arguments, "--policy-pack", pack, "--event-log", str(log))
    assert log.exists(), done.text
    return done, _findings(log)


def _findings(log: Path) -> list[Finding]:
    descriptions = {rule.name: rule.description for rule in RULES}
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return sorted(
        (
            found["enforcementLevel"],
            found["policyName"],
            found.get("resourceUrn", "").rpartition("::")[2],
            AUTOMATIC_SUFFIX.sub(
                "", found["message"].removeprefix(descriptions[found["policyName"]]).strip()
            ),
        )
        for event in events
        if (found := event.get("policyEvent"))
    )
