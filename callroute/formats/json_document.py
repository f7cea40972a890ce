"""JSON that is read with all that a file says, and written back in the file's own formatting."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from callroute.errors import InputError

DEEPEST = 100
"""Levels of nesting that are read. Flows have some ten, and what goes through a flow goes down by recursion."""

_FIRST_MEMBER = re.compile(r'[{\[]\n([ \t]*)["{\[]')
_FIRST_KEY = re.compile(r'\s*{\s*"(?:[^"\\]|\\.)*":( ?)')
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character: JSON can say it (`\\ud800`), UTF-8 cannot."""


@dataclass(frozen=True, slots=True)
class JsonStyle:
    r"""How a JSON text is formatted, as far as writing keeps it.

    Keys stay in their order in any case. Kept are: indentation or one line, blanks after `,` and `:`, whether other
    characters than ASCII are escaped, the kind of line breaks, and the one at the end. Not kept are objects put on one line inside an
    indented text, and the spelling of numbers and escapes.

    Attributes:
        indent: what each level is indented by; None for all on one line.
        blanks: whether a blank follows `,` and `:` on one line.
        escaped: whether characters beyond ASCII are written as `\uXXXX`.
        final_newline: whether the text ends with a line break.
        line_break: what ends a line: `\n`, or `\r\n` as on Windows.
    """

    indent: str | None = "  "
    blanks: bool = True
    escaped: bool = False
    final_newline: bool = True
    line_break: str = "\n"

    @classmethod
    def of(cls, text: str) -> JsonStyle:
        """The layout of a text, taken from its first indented line."""
        member, key = _FIRST_MEMBER.search(text.replace("\r\n", "\n")), _FIRST_KEY.match(text)
        return cls(
            indent=member[1] if member else None,
            blanks=not key or bool(key[1]),
            # A text without either may get any characters; it has said nothing against them.
            escaped=text.isascii() and "\\u" in text,
            final_newline=text.endswith("\n"),
            line_break="\r\n" if "\r\n" in text else "\n",
        )

    def write(self, value: Any) -> str:
        """A JSON value in this layout."""
        blank = " " if self.blanks else ""
        text = json.dumps(
            value,
            ensure_ascii=self.escaped,
            indent=self.indent,
            separators=(f",{blank}" if self.indent is None else ",", f":{blank}"),
            allow_nan=False,
        )
        text = printable(text)
        text = text + "\n" if self.final_newline else text
        return text.replace("\n", self.line_break)


def printable(text: str) -> str:
    """A text that can be printed and saved: halves of characters are written as JSON writes them."""
    return LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A JSON text that was read.

    Attributes:
        value: what it holds; where an object has a key twice, its last value, as Connect reads it.
        layout: how it is formatted.
        duplicates: JSON path and name of each key that an object has more than once.
    """

    value: Any
    style: JsonStyle
    duplicates: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str, source: str) -> JsonDocument:
        """Reads a JSON text.

        Raises:
            InputError: it is not JSON.
        """
        doubled: list[tuple[dict[str, Any], list[str]]] = []

        def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            found = dict(pairs)
            if len(found) < len(pairs):
                keys = [key for key, _ in pairs]
                doubled.append((found, [key for key in found if keys.count(key) > 1]))
            return found

        try:
            value = json.loads(text, object_pairs_hook=members, parse_constant=_refuse, parse_float=_finite)
        except json.JSONDecodeError as error:
            raise InputError(
                source,
                f"line {error.lineno} column {error.colno}",
                f"this is not JSON ({error.msg})",
                "Give a flow as JSON",
            ) from error
        except RecursionError as error:
            raise _too_deep(source) from error
        except ValueError as error:
            raise InputError(source, "", f"this is not JSON ({error})", "Give a flow as JSON") from error
        if is_deeper(value, DEEPEST):
            raise _too_deep(source)
        places = {id(holder): keys for holder, keys in doubled}
        duplicates = tuple(
            (path, key)
            for path, inner in (walk(value) if places else ())
            for key in places.get(id(inner), ())
        )
        return cls(value, JsonStyle.of(text), duplicates)


def is_deeper(value: Any, levels: int) -> bool:
    """Whether a JSON value nests deeper; found out without recursion, since newer Pythons read any depth."""
    level = [value]
    for _ in range(levels):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def walk(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """A JSON value and all values inside it, each with its JSON path, in the order of the text."""
    yield path, value
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from walk(inner, member(path, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from walk(inner, f"{path}[{index}]")


def member(path: str, key: str) -> str:
    """The JSON path of a member of the object at a path."""
    return f"{path}.{key}" if key.isidentifier() else f"{path}[{json.dumps(key, ensure_ascii=False)}]"


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|\n')


class Position(NamedTuple):
    """Where a value begins in a text, for people: line and columns count from 1.

    Attributes:
        line: the line.
        column: the column of its first sign.
        end: the column behind its first token, which is the name of a member, a bracket, or a scalar.
    """

    line: int
    column: int
    end: int


def places(text: str) -> dict[str, Position]:
    """Where each value of a JSON text begins (a member: its key), by JSON path."""
    found = {"$": Position(1, 1, 2)}
    line, line_start = 1, 0
    # For each open object or list: its path, and the key or index of what comes next in it.
    stack: list[tuple[str, str | int | None]] = []
    for token in _TOKEN.finditer(text):
        piece = token[0]
        place = Position(line, token.start() - line_start + 1, token.end() - line_start + 1)
        if piece == "\n":
            line, line_start = line + 1, token.end()
        elif piece in "{[":
            stack.append((_here(stack), None if piece == "{" else 0))
            found.setdefault(stack[-1][0], place)
        elif piece in "}]":
            stack.pop()
        elif piece == "," and stack:
            path, key = stack.pop()
            stack.append((path, key + 1 if isinstance(key, int) else None))
        elif piece != ":" and stack:
            path, key = stack[-1]
            if key is None:
                stack[-1] = (path, json.loads(piece))
            found.setdefault(_here(stack), place)
    return found


def _here(stack: list[tuple[str, str | int | None]]) -> str:
    """The path of the value that comes next."""
    if not stack:
        return "$"
    path, key = stack[-1]
    return f"{path}[{key}]" if isinstance(key, int) else member(path, key or "")


def kind(value: Any) -> str:
    """How JSON calls a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, list | tuple):
        return "a list"
    return "an object" if isinstance(value, Mapping) else f"the number {value}"


def _inside(value: Any) -> Collection[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep(source: str) -> InputError:
    return InputError(
        source,
        "",
        "it is nested too deeply for a flow",
        f"Give a flow as JSON, at most {DEEPEST} levels deep",
    )


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:40]} is too large")
    return number
