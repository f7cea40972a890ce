"""Placeholders for values that differ between stacks, for example the ARN of a queue.

They appear in a flow's strings as `${OperatorQueueArn}`, and the flow's route catalog declares them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from callroute.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_PARTIAL_ARN = re.compile(r"arn:(?:\$\{[^}]*\}|[\w:/.*+@=$-])*", re.ASCII)


def fill(text: str, values: Mapping[str, str], source: str, declared: Collection[str] | None = None) -> str:
    """Replaces every placeholder in a flow with its value.

    Values are escaped as JSON strings, so they cannot change the flow's structure. Placeholders inside values are not
    replaced.

    Args:
        text: the flow's JSON.
        values: values by placeholder name.
        source: name of the flow for messages.
        declared: placeholder names declared in the route catalog. By default, those used in the flow.

    Raises:
        InputError: a placeholder is undeclared or has no value, or a value is empty, does not match a placeholder, or is an
            ARN for a placeholder inside an ARN. The message names the block.
    """
    used = names(text)
    known = used if declared is None else declared
    problems = [
        *(
            (
                _place(name, text),
                "the route catalog does not declare this placeholder",
                f"Declare it under `placeholders`{_declared(known)}",
            )
            for name in used
            if name not in known
        ),
        *(
            (_place(name, text), "this placeholder has no value", f"Provide a value for {name}")
            for name in used
            if name in known and name not in values
        ),
        *(
            (
                name,
                "the flow does not have this placeholder",
                f"Remove the value{_declared(known)}",
            )
            for name in values
            if name not in known
        ),
        *(
            (name, "the value is empty, but Connect rejects empty strings", f"Provide a value for {name}")
            for name, value in values.items()
            if name in known and not value
        ),
        *(
            (
                _place(name, text),
                f"the placeholder is part of an ARN, but its value {values[name]!r} is a whole ARN",
                "Provide only the part, or replace the whole ARN in the flow with the placeholder",
            )
            for name in inside_arns(text)
            if values.get(name, "").startswith("arn:")
        ),
    ]
    if problems:
        place, problem, first_fix = problems[0]
        others = [f"Also {name}: {also}. {fix}" for name, also, fix in problems[1:]]
        raise InputError(source, place, problem, ". ".join([first_fix, *others]))
    return PLACEHOLDER.sub(lambda match: json.dumps(values[match[1]], ensure_ascii=False)[1:-1], text)


def names(text: str) -> tuple[str, ...]:
    """Returns the distinct placeholder names in a string, in order of appearance."""
    return tuple(dict.fromkeys(PLACEHOLDER.findall(text)))


def inside_arns(text: str) -> tuple[str, ...]:
    """Returns the names of placeholders that form only part of an ARN, as in `arn:aws:connect:${Region}:…`."""
    return tuple(dict.fromkeys(name for arn in _PARTIAL_ARN.findall(text) for name in names(arn)))


def _place(name: str, text: str) -> str:
    """Returns the place to name in an error: the placeholder and the first block that contains it."""
    placeholder = f"${{{name}}}"
    try:
        blocks = json.loads(text)["Actions"]
        block = next(
            each["Identifier"] for each in blocks if placeholder in json.dumps(each, ensure_ascii=False)
        )
    except (ValueError, LookupError, TypeError, RecursionError, StopIteration):
        return placeholder
    return f"block {block!r}: {placeholder}"


def _declared(known: Collection[str]) -> str:
    return f" (declared: {', '.join(known) or 'none'})"
