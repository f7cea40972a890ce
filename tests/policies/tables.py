"""Generated parts of docs/policies.md. `python -m tests.policies.tables` writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pulumi_policy import EnforcementLevel

from call_route_policies import RULES
from tests.end_to_end.test_permissions import (
    NEEDS,
    Use,
    count,
    create_state_machine,
    dead_letter,
    deliver,
    record,
)
from tests.policies.examples import EXAMPLES
from tests.support.paths import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "policies.md"
SHARED = 2
"""A reason shared by more rules than this is listed once, before the rules."""


def rule_list() -> str:
    """Every rule: requirement, severity, level unless mandatory, reason, examples, fix and settings."""
    counted = Counter(rule.reason for rule in RULES)
    shared = [reason for reason, number in counted.items() if number > SHARED]
    sections = [
        f"Reason for {', '.join(f'`{rule.name}`' for rule in RULES if rule.reason == reason)}: {reason}\n"
        for reason in shared
    ]
    for rule in RULES:
        level = "" if rule.level is EnforcementLevel.MANDATORY else f", {rule.level.value}"
        reason = "" if rule.reason in shared else f" {rule.reason}"
        lines = [
            f"**[`{rule.name}`]({rule.url})** ({rule.severity.value}{level}): {rule.description}{reason}",
            *([f"- {EXAMPLES[rule.name].text}"] if rule.name in EXAMPLES else []),
            f"- Fix: {rule.remediation}",
            *_settings(rule.settings),
        ]
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


def _settings(settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"- Setting `{name}`: {schema['description']} Default: {_default(schema['default'])}."
        for name, schema in settings.items()
    ]


def _default(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(f"`{each}`" for each in value) or "none"
    return f"`{value}`"


def need_table() -> str:
    """Every statement of the two roles, and what happens if one of its actions is not allowed."""
    roles = {"pipe": "pipe", "recorder": "state machine"}
    rows: dict[tuple[str, str], tuple[list[str], str]] = {}
    for need in NEEDS:
        actions, _ = rows.setdefault((roles[need.role], need.sid), ([], _WITHOUT[need.use]))
        actions.append(f"`{need.action}`")
    return _table(
        ("role", "statement", "actions", "without one of them"),
        [(role, f"`{sid}`", ", ".join(actions), effect) for (role, sid), (actions, effect) in rows.items()],
    )


_WITHOUT: dict[Use, str] = {
    deliver: "the pipe stops",
    dead_letter: "the pipe stops",
    record: "the record is dead-lettered",
    create_state_machine: "the state machine is rejected",
    count: "the calls are not counted",
}


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def main() -> None:
    """Replaces each generated part of the document, between the markers with its name."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, part in (("rules", rule_list()), ("needs", need_table())):
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        text = before + begin + part + end + after
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
