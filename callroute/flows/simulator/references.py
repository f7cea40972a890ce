"""References in a flow's texts, such as `$.Attributes.name`, and what they stand for during a call."""

from __future__ import annotations

import re
from typing import Any

# $.Name.name.name, with $['name'] and $.Name.['name with blanks'] for names that have other characters.
# Names are ASCII, as Connect's are: Japanese text may follow a reference without a blank.
_STEP = r"(?:\.?\['[^']+'\]|\.[\w-]+|\[\d+\])"
_REFERENCE = re.compile(
    rf"\$(?:\.(?P<first>[A-Za-z]\w*)|\['(?P<quoted>[^']+)'\])(?P<rest>{_STEP}*)", re.ASCII
)
_PART = re.compile(r"\.?\['([^']+)'\]|\.([\w-]+)|\[(\d+)\]", re.ASCII)
_PLAIN = re.compile(r"[\w-]+", re.ASCII)

FLAT = frozenset({"Attributes", "FlowAttributes"})
"""Namespaces whose names have no parts: a dot behind the name is the text's."""

Path = tuple[str, ...]


def template(text: str) -> str | tuple[str | Path, ...]:
    """A text taken apart into pieces of text and paths; the text itself where it has no reference."""
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


def whole(text: str) -> Path | None:
    """The path where the text is one whole reference and nothing else."""
    pieces = template(text)
    if isinstance(pieces, tuple) and len(pieces) == 1 and isinstance(pieces[0], tuple):
        return pieces[0]
    return None


def written(path: Path) -> str:
    """A path as flows write it."""
    return "$" + "".join(f".{part}" if _PLAIN.fullmatch(part) else f"['{part}']" for part in path)


def navigate(value: Any, path: Path) -> Any:
    """What a path leads to inside a JSON value; None where it leads nowhere."""
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def shown(value: Any) -> str:
    """A value as it appears in a text: nothing for nothing, and `true` for True as in JSON."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _path(match: re.Match[str]) -> tuple[Path, int]:
    first = match["first"] or match["quoted"]
    found = list(_PART.finditer(match["rest"]))
    parts = [part[1] or part[2] or part[3] for part in found]
    if first in FLAT and len(parts) > 1:
        return (first, parts[0]), match.start("rest") + found[0].end()
    return (first, *parts), match.end()
