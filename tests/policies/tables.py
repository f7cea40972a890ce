"""The tables of docs/policies.md. `python -m tests.policies.tables` writes them anew."""

from __future__ import annotations

from collections.abc import Sequence

from call_route_policies import RULES
from tests.end_to_end.test_permissions import NEEDS, Use, create_state_machine, dead_letter, deliver, record
from tests.policies.mutations import CASES
from tests.support.paths import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "policies.md"


def rule_table() -> str:
    """Every rule: what must hold, how it is enforced and why, what a team can set."""
    rows = [
        (
            f"[`{rule.name}`]({rule.url})",
            f"{rule.description} {_settings(rule.settings)}".strip(),
            f"{rule.severity.value}, {rule.level.value}",
            rule.reason,
        )
        for rule in RULES
    ]
    return _table(("rule", "what must hold", "severity, level", "why"), rows)


def _settings(settings: object) -> str:
    assert isinstance(settings, dict)
    return " ".join(
        f"Setting `{name}`: {schema['description']} Default: {_default(schema['default'])}."
        for name, schema in settings.items()
    )


def _default(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(f"`{each}`" for each in value) or "none"
    return f"`{value}`"


def mutation_table() -> str:
    """Every rule and the changes that the tests make to see it speak, alone."""
    rows = [
        (f"`{rule.name}`", " · ".join(title for name, title, _ in CASES if name == rule.name))
        for rule in RULES
    ]
    return _table(("rule", "what is broken"), rows)


def need_table() -> str:
    """Every action that the two roles are granted, and what happens without it."""
    roles = {"pipe": "pipe", "recorder": "state machine"}
    rows = [(roles[need.role], f"`{need.sid}`", f"`{need.action}`", _WITHOUT[need.use]) for need in NEEDS]
    return _table(("role", "statement", "action", "without it"), rows)


_WITHOUT: dict[Use, str] = {
    deliver: "the pipe ends",
    dead_letter: "the pipe ends",
    record: "the record is dead-lettered",
    create_state_machine: "the state machine is refused",
}


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )


def main() -> None:
    """Replaces the tables in the document, each behind the marker that names it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, table in (("rules", rule_table()), ("mutations", mutation_table()), ("needs", need_table())):
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        text = before + begin + table + end + after
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
