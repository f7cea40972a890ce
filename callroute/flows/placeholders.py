"""Values that a flow takes from the stack it is deployed in, such as the ARN of a queue.

A flow names them `${OperatorQueueArn}` inside its strings; the route catalog beside the flow declares each one.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from callroute.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


def fill(text: str, values: Mapping[str, str], source: str, declared: Collection[str] | None = None) -> str:
    """The flow with a value in place of every placeholder.

    Values are escaped as JSON strings, so that none can change the flow's structure; they are not searched for
    placeholders again.

    Args:
        text: the flow's JSON.
        values: value by placeholder name.
        source: what to call the flow in messages.
        declared: the names that the flow's route catalog declares; without a catalog, the names used count.

    Raises:
        InputError: a value for an unknown name, an empty value, a placeholder that is not declared or has no value.
    """
    used = names(text)
    known = used if declared is None else declared
    problems = [
        *(
            (
                f"${{{name}}}",
                "the route catalog does not declare this placeholder",
                f"Declare it under `placeholders`{_among(known)}",
            )
            for name in used
            if name not in known
        ),
        *(
            (f"${{{name}}}", "this placeholder has no value", f"Give a value for {name}")
            for name in used
            if name in known and name not in values
        ),
        *(
            (
                name,
                "a value is given for a placeholder that the flow does not have",
                f"Drop it{_among(known)}",
            )
            for name in values
            if name not in known
        ),
        *(
            (name, "its value is empty, and Connect refuses empty strings", f"Give a value for {name}")
            for name, value in values.items()
            if name in known and not value
        ),
    ]
    if problems:
        place, problem, fix = problems[0]
        others = "".join(f". Also {where}: {what}. {mend}" for where, what, mend in problems[1:])
        raise InputError(source, place, problem, fix + others)
    return _PLACEHOLDER.sub(lambda match: json.dumps(values[match[1]], ensure_ascii=False)[1:-1], text)


def names(text: str) -> tuple[str, ...]:
    """The names of the placeholders that a text holds, each once, in order."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def _among(known: Collection[str]) -> str:
    return f"; declared are: {', '.join(known)}" if known else "; none is declared"
