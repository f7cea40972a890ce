"""Parses references such as `$.Attributes.name` in a flow's strings."""

from __future__ import annotations

import re
from typing import Any

# Matches $.Name.name.name. Names with other characters are quoted: $['name'], $.Name.['name with spaces'].
_QUOTED = r"""\.?\[(?:'[^']+'|"[^"]+")\]"""
_PATTERN = rf"\$(?P<first>\.[A-Za-z]\w*|{_QUOTED})(?P<rest>(?:{_QUOTED}|\.[\w-]+|\[\d+\])*)"
# Unquoted names in Connect are ASCII, so Japanese text can follow a reference without a space.
_REFERENCE = re.compile(_PATTERN, re.ASCII)
_WHOLE = re.compile(_PATTERN)
_PART = re.compile(r"""\.?\[(?:'([^']+)'|"([^"]+)"|(\d+))\]|\.([\w-]+)""", re.ASCII)
_PLAIN = re.compile(r"[\w-]+", re.ASCII)

FLAT = frozenset({"Attributes", "FlowAttributes"})
"""Namespaces whose names contain no dots: a dot after the name belongs to the surrounding text."""

Path = tuple[str, ...]


def template(text: str) -> str | tuple[str | Path, ...]:
    """Splits a string into literal pieces and reference paths. Returns the string itself if it has no references."""
    if "$" not in text:
        return text
    pieces: list[str | Path] = []
    position = 0
    while match := _REFERENCE.search(text, position):
        path, end = _path(match)
        if match.start() > position:
            pieces.append(text[position : match.start()])
        pieces.append(path)
        position = end
    if not pieces:
        return text
    if position < len(text):
        pieces.append(text[position:])
    return tuple(pieces)


def paths_in(text: str) -> tuple[Path, ...]:
    """Returns the paths of all references in a string."""
    pieces = template(text)
    return () if isinstance(pieces, str) else tuple(piece for piece in pieces if isinstance(piece, tuple))


def whole(text: str) -> Path | None:
    """Returns the path if the string is exactly one reference, otherwise None."""
    pieces = template(text)
    if isinstance(pieces, tuple) and len(pieces) == 1 and isinstance(pieces[0], tuple):
        return pieces[0]
    return None


def is_reference(text: str) -> bool:
    """Returns whether a string is exactly one reference. Names can contain non-ASCII letters."""
    return _WHOLE.fullmatch(text) is not None


def is_variable(text: str) -> bool:
    """Returns whether a string starts with a reference or contains a placeholder."""
    return text.startswith("$") or "{" in text


def written(path: Path) -> str:
    """Returns the reference for a path."""
    return "$" + "".join(f".{part}" if _PLAIN.fullmatch(part) else f"['{part}']" for part in path)


def navigate(value: Any, path: Path) -> Any:
    """Returns the value at a path inside a JSON value, or None if there is no such value."""
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def shown(value: Any) -> str:
    """Formats a value as text. None becomes an empty string, and booleans are written as in JSON."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _path(match: re.Match[str]) -> tuple[Path, int]:
    first, *_ = map(_name, _PART.finditer(match["first"]))
    rest = list(_PART.finditer(match["rest"]))
    if first in FLAT and len(rest) > 1:
        return (first, _name(rest[0])), match.start("rest") + rest[0].end()
    return (first, *map(_name, rest)), match.end()


def _name(part: re.Match[str]) -> str:
    name: str = next(filter(None, part.groups()))
    return name
