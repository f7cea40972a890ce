"""JSON among the properties of a resource: read strictly where it is meant to be JSON, and found wherever it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from callroute.formats.json_document import is_deeper

_DEEPEST = 500
"""Levels of nesting that are read. Newer Pythons read far more, and going through them would take minutes."""


def parse(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, or says something twice, of which readers take one or the other.
    """
    try:
        return _read(text, _once)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError(f"it says {twice[0]} twice")
    return dict(pairs)


def inside(value: Any) -> Any:
    """What an object or a list in a JSON text says, what it says twice as a list; any other value as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return _read(value, _all)
    except (RecursionError, ValueError):
        return value


def _all(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, list[Any]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return {key: said[0] if len(said) == 1 else said for key, said in values.items()}


def _read(text: str, hook: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> Any:
    value = json.loads(text, object_pairs_hook=hook)
    if is_deeper(value, _DEEPEST):
        raise RecursionError
    return value
