"""JSON documents that preserve their formatting and record the position of every value."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from callroute.errors import InputError

MAX_DEPTH = 100
"""Maximum nesting depth. Flows have about ten levels, and the code that processes them is recursive."""

_FIRST_MEMBER = re.compile(r'[{\[]\n([ \t]*)["{\[]')
_FIRST_KEY = re.compile(r'\s*{\s*"(?:[^"\\]|\\.)*":( ?)')
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair, which JSON can represent (`\\ud800`) but UTF-8 cannot."""


@dataclass(frozen=True, slots=True)
class JsonStyle:
    r"""Formatting of a JSON text.

    Keys always keep their order. The spelling of numbers and escapes is not preserved, nor are single-line objects
    within indented text.

    Attributes:
        indent: indentation per level; None if everything is on one line.
        blanks: whether `,` and `:` are followed by a space when on the same line.
        escaped: whether non-ASCII characters are written as `\uXXXX`.
        final_newline: whether the text ends with a line break.
        line_break: line separator, `\n` or `\r\n`.
    """

    indent: str | None = "  "
    blanks: bool = True
    escaped: bool = False
    final_newline: bool = True
    line_break: str = "\n"

    @classmethod
    def of(cls, text: str) -> JsonStyle:
        """Detects the style of JSON text."""
        member, key = _FIRST_MEMBER.search(text.replace("\r\n", "\n")), _FIRST_KEY.match(text)
        return cls(
            indent=member[1] if member else None,
            blanks=not key or bool(key[1]),
            # ASCII text without escapes gives no hint, so nothing is escaped.
            escaped=text.isascii() and "\\u" in text,
            final_newline=text.endswith("\n"),
            line_break="\r\n" if "\r\n" in text else "\n",
        )

    def write(self, value: Any) -> str:
        """Serializes a JSON value in this style."""
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
    """Escapes lone surrogates as in JSON, so that the text can be encoded as UTF-8."""
    return LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


class Position(NamedTuple):
    """Position of a value in the original text. Line and column numbers start at 1.

    Attributes:
        line: line number.
        column: column of the first character.
        end: column after the first token, which is a key, a bracket or a scalar.
    """

    line: int
    column: int
    end: int


@dataclass(frozen=True)
class JsonDocument:
    """A parsed JSON document.

    Attributes:
        value: the JSON value. If an object repeats a key, the last value wins, as in Connect.
        style: formatting of the text.
        duplicates: each repeated key, as the JSON path of its object and the key itself.
        text: the original text.
    """

    value: Any
    style: JsonStyle
    duplicates: tuple[tuple[str, str], ...]
    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, source: str) -> JsonDocument:
        """Parses JSON text.

        Raises:
            InputError: the text is not valid JSON.
        """
        repeated: dict[int, tuple[dict[str, Any], list[str]]] = {}

        def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            value = dict(pairs)
            if len(value) < len(pairs):
                counts = Counter(key for key, _ in pairs)
                # Keep a reference to the object, because an id is unique only while its object is alive.
                repeated[id(value)] = value, [key for key, count in counts.items() if count > 1]
            return value

        try:
            value = json.loads(
                text, object_pairs_hook=build_object, parse_constant=_reject_constant, parse_float=_finite
            )
        except json.JSONDecodeError as error:
            raise InputError(
                source,
                f"line {error.lineno} column {error.colno}",
                f"is not JSON ({error.msg[:1].lower()}{error.msg[1:]})",
                "Provide a flow in JSON",
            ) from error
        except RecursionError as error:
            raise _too_deep(source) from error
        except ValueError as error:
            raise InputError(source, "", f"is not JSON ({error})", "Provide a flow in JSON") from error
        if is_deeper(value, MAX_DEPTH):
            raise _too_deep(source)
        duplicates = tuple(
            (path, key)
            for path, inner in (walk(value) if repeated else ())
            if id(inner) in repeated
            for key in repeated[id(inner)][1]
        )
        return cls(value, JsonStyle.of(text), duplicates, text)

    @cached_property
    def positions(self) -> Mapping[str, Position]:
        """Position of each value, keyed by JSON path. For a member of an object, this is the position of its key."""
        return _Positions(self.text)


class _Positions(Mapping[str, Position]):
    """Positions keyed by JSON path. Because the text can be very long, it is scanned only as far as needed."""

    def __init__(self, text: str) -> None:
        self._known: dict[str, Position] = {}
        self._rest = _scan(text)

    def __getitem__(self, path: str) -> Position:
        while path not in self._known:
            found = next(self._rest, None)
            if found is None:
                raise KeyError(path)
            self._known.setdefault(*found)
        return self._known[path]

    def __iter__(self) -> Iterator[str]:
        for found in self._rest:
            self._known.setdefault(*found)
        return iter(self._known)

    def __len__(self) -> int:
        return sum(1 for _ in self)


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|\n')


def _scan(text: str) -> Iterator[tuple[str, Position]]:
    yield "$", Position(1, 1, 2)
    line, line_start = 1, 0
    # The path of each open object or list, and the key or index of its next value.
    stack: list[tuple[str, str | int | None]] = []
    for match in _TOKEN.finditer(text):
        piece = match[0]
        position = Position(line, match.start() - line_start + 1, match.end() - line_start + 1)
        if piece == "\n":
            line, line_start = line + 1, match.end()
        elif piece in "{[":
            stack.append((_next_path(stack), None if piece == "{" else 0))
            yield stack[-1][0], position
        elif piece in "}]":
            stack.pop()
        elif piece == "," and stack:
            path, key = stack.pop()
            stack.append((path, key + 1 if isinstance(key, int) else None))
        elif piece != ":" and stack:
            path, key = stack[-1]
            if key is None:
                stack[-1] = (path, json.loads(piece))
            yield _next_path(stack), position


def _next_path(stack: list[tuple[str, str | int | None]]) -> str:
    if not stack:
        return "$"
    path, key = stack[-1]
    return f"{path}[{key}]" if isinstance(key, int) else member(path, key or "")


def is_deeper(value: Any, levels: int) -> bool:
    """Returns whether a JSON value is nested more than `levels` deep. Not recursive, so any depth can be tested."""
    level = [value]
    for _ in range(levels):
        level = [inner for outer in level for inner in _children(outer)]
        if not level:
            return False
    return True


def walk(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """Yields a JSON value and all nested values in document order, each with its JSON path."""
    yield path, value
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from walk(inner, member(path, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from walk(inner, f"{path}[{index}]")


def member(path: str, key: str) -> str:
    """Returns the JSON path of a member of an object."""
    return f"{path}.{key}" if key.isidentifier() else f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def kind(value: Any) -> str:
    """Describes a JSON value for use in error messages, for example `a list` or `the number 5`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    if isinstance(value, list | tuple):
        return "a list"
    return "an object" if isinstance(value, Mapping) else f"the number {value}"


def _children(value: Any) -> Collection[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep(source: str) -> InputError:
    return InputError(source, "", f"is nested more than {MAX_DEPTH} levels deep", "Provide a flow in JSON")


def _reject_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:40]} is too large")
    return number
