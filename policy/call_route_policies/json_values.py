"""Reads JSON text in resource properties: strictly where JSON is required, leniently elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from callroute.formats.json_document import is_deeper

_MAX_DEPTH = 500
"""Maximum nesting depth of JSON. Recent Python versions parse any depth, but rules could not process it."""


def parse(text: str) -> Any:
    """Parses JSON text.

    Raises:
        ValueError: the text is not JSON, or an object has a duplicate key. Some parsers keep its first value,
        others its last.
    """
    try:
        return _load(text, _unique)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if duplicates := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError(f"duplicate key {duplicates[0]!r}")
    return dict(pairs)


def decoded(value: Any) -> Any:
    """Decodes a string that contains a JSON object or list. Returns any other value unchanged.

    The values of a duplicate key are returned as a list.
    """
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    found = _decoded(value)
    return value if found is None else found


@lru_cache(maxsize=256)
def _decoded(text: str) -> Any:
    # Many rules decode the same text.
    try:
        return _load(text, _merged)
    except (RecursionError, ValueError):
        return None


def _merged(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, list[Any]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return {key: listed[0] if len(listed) == 1 else listed for key, listed in values.items()}


def _load(text: str, hook: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> Any:
    value = json.loads(text, object_pairs_hook=hook)
    if is_deeper(value, _MAX_DEPTH):
        raise RecursionError
    return value
