"""Reads event logs of Pulumi's engine: findings of a policy pack, and operations on resources."""

from __future__ import annotations

import json
import re
from typing import Any

from call_route_policies import RULES
from tests.engine.project import Done, Project

Finding = tuple[str, str, str, str]
"""Level, rule, logical name of the resource, and message."""

AUTOMATIC_SUFFIX = re.compile(r"(?<=[a-z])-[0-9a-f]{7}\b")
"""End of an automatic name, which differs in each project."""


Event = dict[str, Any]


def run_with_log(project: Project, *arguments: str) -> tuple[Done, list[Event]]:
    """Runs one command of Pulumi's CLI, and returns the engine's events."""
    log = project.home / "events.jsonl"
    log.unlink(missing_ok=True)
    project.variables["PULUMI_DEBUG_COMMANDS"] = "true"
    done = project.pulumi(*arguments, "--event-log", str(log))
    assert log.exists(), done.text
    return done, [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def operations(events: list[Event]) -> list[tuple[str, str, str]]:
    """Returns the operation on each resource, with its type and its logical name."""
    found = [event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event]
    return [(each["op"], each["type"], each["urn"].rpartition("::")[2]) for each in found]


def run_with_pack(project: Project, *arguments: str, pack: str = "policy") -> tuple[Done, list[Finding]]:
    """Runs one command of Pulumi's CLI with a policy pack, and returns the findings without automatic suffixes."""
    done, events = run_with_log(project, *arguments, "--policy-pack", pack)
    return done, _findings(events)


def _findings(events: list[Event]) -> list[Finding]:
    descriptions = {rule.name: rule.description for rule in RULES}
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
