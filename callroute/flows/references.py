"""References in a flow's texts, such as `$.Attributes.name`, and what they stand for during a call."""

from __future__ import annotations

import re
from typing import Any

# $.Name.name.name, with $['name'] and $.Name.['name with blanks'] for names that have other characters.
_QUOTED = r"""\.?\[(?:'[^']+'|"[^"]+")\]"""
_PATTERN = rf"\$(?P<first>\.[A-Za-z]\w*|{_QUOTED})(?P<rest>(?:{_QUOTED}|\.[\w-]+|\[\d+\])*)"
# Names are ASCII, as Connect's are: Japanese text may follow a reference without a blank.
_REFERENCE = re.compile(_PATTERN, re.ASCII)
_WHOLE = re.compile(_PATTERN)
_PART = re.compile(r"""\.?\[(?:'([^']+)'|"([^"]+)"|(\d+))\]|\.([\w-]+)""", re.ASCII)
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


def paths_in(text: str) -> tuple[Path, ...]:
    """The paths of all references in a text."""
    pieces = template(text)
    return () if isinstance(pieces, str) else tuple(piece for piece in pieces if isinstance(piece, tuple))


def whole(text: str) -> Path | None:
    """The path where the text is one whole reference and nothing else."""
    pieces = template(text)
    if isinstance(pieces, tuple) and len(pieces) == 1 and isinstance(pieces[0], tuple):
        return pieces[0]
    return None


def is_reference(text: str) -> bool:
    """Whether a text looks like one reference and nothing else, in whatever letters its names are."""
    return _WHOLE.fullmatch(text) is not None


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
    first, *_ = map(_name, _PART.finditer(match["first"]))
    rest = list(_PART.finditer(match["rest"]))
    if first in FLAT and len(rest) > 1:
        return (first, _name(rest[0])), match.start("rest") + rest[0].end()
    return (first, *map(_name, rest)), match.end()


def _name(part: re.Match[str]) -> str:
    name: str = next(filter(None, part.groups()))
    return name
