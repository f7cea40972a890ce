"""Matches events against EventBridge patterns made of literal values and `exists`, such as the pipe's filter.

Other operators are rejected. The emulator's TestEventPattern supports the whole pattern language but costs one request per
record, so only a test uses it, to verify this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from callroute.errors import InputError


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Returns True if the event contains one of the accepted values for each field of the pattern.

    Args:
        pattern: maps each field to a nested pattern, or to a list of values and `{"exists": true}` or `{"exists": false}`.
        event: any JSON value. Only an object can match.

    Raises:
        InputError: the pattern is invalid or not supported.
    """
    if not isinstance(pattern, Mapping) or not pattern:
        raise _pattern_error("", f"{pattern!r} is not a pattern")
    return all(_field(name, wanted, event) for name, wanted in pattern.items())


def mismatch(pattern: Mapping[str, Any], event: Any) -> tuple[str, ...]:
    """Returns the path of the first field that does not match, or an empty path if the event matches.

    Raises:
        InputError: the pattern is invalid or not supported.
    """
    for name, wanted in pattern.items():
        if not _field(name, wanted, event):
            inner = event.get(name) if isinstance(event, Mapping) else None
            return (name, *(mismatch(wanted, inner) if isinstance(wanted, Mapping) else ()))
    return ()


def _field(name: str, wanted: Any, event: Any) -> bool:
    value = event.get(name, _ABSENT) if isinstance(event, Mapping) else _ABSENT
    if isinstance(wanted, Mapping):
        # Any object in a list can match. A value without objects is treated like a missing field.
        objects: list[Any] = [each for each in _flat(value) if isinstance(each, Mapping)] or [_ABSENT]
        return any(matches(wanted, each) for each in objects)
    if not isinstance(wanted, list):
        raise _pattern_error(name, f"{wanted!r} is not a list of values")
    # `exists` is true for scalars, including null, and for lists that contain one, but not for objects.
    leaves = [each for each in _flat(value) if not isinstance(each, Mapping)]
    return any(_value(name, each, leaves) for each in wanted)


def _value(name: str, wanted: Any, leaves: list[Any]) -> bool:
    if isinstance(wanted, Mapping):
        if set(wanted) != {"exists"} or not isinstance(wanted["exists"], bool):
            raise _pattern_error(name, f"the operator {dict(wanted)} is not supported")
        return bool(leaves) is wanted["exists"]
    return any(type(leaf) is type(wanted) and leaf == wanted for leaf in leaves)


def _flat(value: Any) -> Iterator[Any]:
    """Yields the items of a list, including those of nested lists, or the value itself."""
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    elif value is not _ABSENT:
        yield value


def _pattern_error(field: str, problem: str) -> InputError:
    return InputError(
        "the pipe's filter", field, problem, 'Map fields to lists of values and {"exists": true or false}'
    )


_ABSENT = object()
