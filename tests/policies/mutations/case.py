"""Tables of mutations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.policies.edits import Edit, put, remove, sequence


@dataclass(frozen=True)
class Case:
    """One way to break the stack, which exactly one rule must report."""

    messages: list[str]
    """Messages without the name of the resource and without the period."""
    edit: Edit
    """The change. If another rule would report it as well, it also adapts the role."""

    @property
    def resource(self) -> str:
        """Logical name of the resource that the rule must report."""
        return self.edit.name


Cases = dict[str, dict[str, Case]]
"""Cases by the name of their rule and by title."""


def table(message: str, *rows: tuple[Any, ...]) -> dict[str, Case]:
    """Returns cases by title.

    Args:
        message: template of the messages.
        rows: each contains a title, the text for the placeholders of the message (a string, or a tuple of strings; a
            list if there are several messages), and edits. The first edit names the resource that the rule must report.
    """
    found = {}
    for title, texts, *edits in rows:
        each_message = texts if isinstance(texts, list) else [texts]
        messages = [message.format(*([text] if isinstance(text, str) else text)) for text in each_message]
        found[title] = Case(messages, sequence(*edits))
    assert len(found) == len(rows), "titles must be unique"
    return found


def values(name: str, path: str, *alternatives: Any) -> list[tuple[Any, ...]]:
    """Returns a row for each value of a property; None removes the property. The value is the text of the message."""
    rows = []
    for value in alternatives:
        edit = remove(name, path) if value is None else put(name, path, value)
        rows.append((f"{path}: {json.dumps(value)}", json.dumps(value), edit))
    return rows


def named(name: str, edit: Edit) -> Edit:
    """Returns the same edit for a finding about another resource."""
    return Edit(name, edit.change)
