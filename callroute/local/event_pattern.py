"""Whether an event matches an EventBridge pattern: the part of the pattern language that the pipe's filter uses.

Literal values and `exists`, anywhere in an object. Any other operator is refused by name. A test holds this against the
emulator's TestEventPattern, which knows the whole language but costs a request a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from callroute.errors import LocalCloudError


class PatternError(LocalCloudError):
    """A pattern that is none, or that uses an operator which is not known here."""


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether each field of the pattern finds one of its values in the event.

    Args:
        pattern: names to patterns, or to lists of values and {"exists": true or false}.
        event: any JSON value; only an object can match.

    Raises:
        PatternError: the pattern cannot be used here.
    """
    if not isinstance(pattern, Mapping) or not pattern:
        raise PatternError(f"{pattern!r} is not a pattern: names with patterns or lists of values")
    return all(_field(name, wanted, event) for name, wanted in pattern.items())


def _field(name: str, wanted: Any, event: Any) -> bool:
    value = event.get(name, _ABSENT) if isinstance(event, Mapping) else _ABSENT
    if isinstance(wanted, Mapping):
        # In a list any of its objects may match; where there is none, it is like nothing at all.
        objects: list[Any] = [each for each in _flat(value) if isinstance(each, Mapping)] or [_ABSENT]
        return any(matches(wanted, each) for each in objects)
    if not isinstance(wanted, list):
        raise PatternError(f"{name!r}: {wanted!r} must be a list of values")
    # What is at the end of a path: a scalar, null included, or the scalars of a list. An object is not.
    leaves = [each for each in _flat(value) if not isinstance(each, Mapping)]
    return any(_value(name, each, leaves) for each in wanted)


def _value(name: str, wanted: Any, leaves: list[Any]) -> bool:
    if isinstance(wanted, Mapping):
        if set(wanted) != {"exists"} or not isinstance(wanted["exists"], bool):
            raise PatternError(f"{name!r}: the operator {dict(wanted)} is not known here")
        return bool(leaves) is wanted["exists"]
    return any(type(leaf) is type(wanted) and leaf == wanted for leaf in leaves)


def _flat(value: Any) -> Iterator[Any]:
    """A value, or what a list holds, lists in it opened."""
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    elif value is not _ABSENT:
        yield value


_ABSENT = object()
