"""Case of a mutation table."""

from __future__ import annotations

from tests.policies.edits import Edit, sequence


class Case:
    """One way to break the stack, which exactly one rule must report.

    Args:
        messages: the message, or a list of them, without the name of the resource and without the full stop.
        edits: the change. One that gives a role too much or too little, which another rule would report as well, also
            edits the role.
        at: logical name of the resource that the rule must name, by default the one that the first edit changes.
    """

    def __init__(self, messages: str | list[str], *edits: Edit, at: str = "") -> None:
        self.messages = [messages] if isinstance(messages, str) else messages
        self.edit = sequence(*edits)
        self.resource = at or self.edit.name


Cases = dict[str, dict[str, Case]]
"""Cases by the name of their rule and by a title, which the docs list."""
