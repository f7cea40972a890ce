"""Text output of the commands: styled lines, tables, JSON documents, progress and errors."""

from __future__ import annotations

import codecs
import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from callroute.cli.exit_codes import CLOSED_PIPE, UNUSABLE_INPUT
from callroute.errors import InputError

Segment = str | tuple[str, str]
"""A piece of a line: text, or text and its style."""

STYLES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "magenta": 35, "cyan": 36}
FALLBACKS = {"→": "->", "…": "...", "·": "-", "✓": "+", "✗": "x", "█": "#", "“": '"', "”": '"', "’": "'"}
"""Replacements for terminals whose encoding lacks these characters."""

UNLIMITED_COLUMNS = 10_000
"""Width of tables that are written to a file or another program, so that nothing is wrapped."""


@dataclass
class Settings:
    """Settings of one run, from the general options.

    Attributes:
        quiet: print no progress and no notes.
        color: use colors on terminals.
    """

    quiet: bool = False
    color: bool = True


settings = Settings()


def prepare_streams() -> None:
    """Resets the settings, and makes the standard streams accept every character."""
    settings.quiet, settings.color = False, not os.environ.get("NO_COLOR")
    codecs.register_error("callroute", _fallback)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the parent process
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="callroute")


def _fallback(error: UnicodeError) -> tuple[str, int]:
    """Replaces characters that a stream cannot encode."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    replaced = (
        FALLBACKS.get(each) or each.encode("ascii", "backslashreplace").decode()
        for each in error.object[error.start : error.end]
    )
    return "".join(replaced), error.end


def close(code: Any) -> Any:
    """Flushes the standard streams at the end of a command, so that Python does not fail to do so at its exit.

    Args:
        code: the exit code so far.

    Returns:
        The exit code of the process.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = CLOSED_PIPE
        _discard(sys.stdout)
    except OSError as failure:
        if code != UNUSABLE_INPUT:
            error(str(unwritable(failure)))
        code = UNUSABLE_INPUT
        _discard(sys.stdout)
    try:
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)
    return code


def _discard(stream: Any) -> None:
    """Redirects a stream that cannot be written to, together with what is left in its buffer."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def unwritable(failure: OSError) -> InputError:
    """Returns the error for a standard output that does not accept data."""
    return InputError(
        "standard output", "", f"cannot be written ({failure.strerror})", "Free some space or write elsewhere"
    )


# --- Lines -----------------------------------------------------------------------------------------------------------


def write(*segments: Segment, error: bool = False, indent: int = 0) -> None:
    """Writes a line. On a terminal, the last segment is wrapped at spaces.

    Args:
        segments: the pieces of the line.
        error: write to standard error instead of standard output. A failure to write there is ignored.
        indent: number of columns before continuation lines.
    """
    stream = sys.stderr if error else sys.stdout
    pairs = [(each, "") if isinstance(each, str) else each for each in segments]
    if stream.isatty() and pairs:
        text, style = pairs[-1]
        start = sum(columns(other) for other, _ in pairs[:-1])
        pairs[-1] = (_wrapped(text, start, indent, shutil.get_terminal_size().columns), style)
    with suppress(*(OSError,) if error else ()):
        stream.write("".join(styled(text, style, stream) for text, style in pairs) + "\n")
        stream.flush()


def styled(text: str, style: str, stream: Any) -> str:
    """Returns the text in a style such as `bold red`, if the stream is a terminal with colors."""
    text = "".join(each if each.isprintable() or each in "\n\t" else _escaped(each) for each in text)
    if not (style and text and has_color(stream)):
        return text
    codes = ";".join(str(STYLES[word]) for word in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m"


def _escaped(character: str) -> str:
    """Replaces control characters, which could change the terminal, and leaves spaces and format characters."""
    return ascii(character)[1:-1] if unicodedata.category(character) in {"Cc", "Cs"} else character


def has_color(stream: Any) -> bool:
    """Returns whether the output may be colored."""
    return bool(settings.color and stream.isatty() and os.environ.get("TERM") != "dumb")


def columns(text: str) -> int:
    """Returns the width of a text on a terminal, on which Chinese and Japanese characters are two columns wide."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def _wrapped(text: str, start: int, indent: int, width: int) -> str:
    if start + columns(text) <= width or width <= 2 * indent:
        return text
    lines, used = [""], start
    for word in text.split(" "):
        if lines[-1] and used + 1 + columns(word) > width:
            lines.append("")
            used = indent
        for piece in (" " if lines[-1] else "", *(word if used + columns(word) > width else (word,))):
            if used + columns(piece) > width:
                lines.append("")
                used = indent
            lines[-1] += piece
            used += columns(piece)
    return ("\n" + " " * indent).join(lines)


def note(text: str) -> None:
    """Writes a line to standard error, unless --quiet is given."""
    if not settings.quiet:
        write(text, error=True)


def error(text: str) -> None:
    """Writes an error message to standard error."""
    write(("error:", "bold red"), " ", text, error=True, indent=4)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Shows on the terminal what a command waits for, and removes the text afterwards."""
    shown = sys.stderr.isatty() and not settings.quiet
    if shown:
        sys.stderr.write(text[: shutil.get_terminal_size().columns - 1])
        sys.stderr.flush()
    try:
        yield
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


# --- Documents -------------------------------------------------------------------------------------------------------


def write_document(text: str) -> None:
    """Writes a document to standard output in UTF-8, whatever the encoding of the terminal is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def write_json(document: Any) -> None:
    """Writes the document of a command with --json."""
    write_document(json_text(document) + "\n")


def json_text(document: Any) -> str:
    """Returns indented JSON. Lone surrogates, which UTF-8 cannot encode, are escaped."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


# --- Tables ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: text above the column.
        right: align numbers to the right.
        style: style of the cells.
        narrowest: number of columns below which the cells are never wrapped.
    """

    heading: str = ""
    right: bool = False
    style: str = ""
    narrowest: int = 6


def write_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table. On a narrow terminal, cells are wrapped and every column stays."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    table = Table(box=None, pad_edge=False, show_header=any(column.heading for column in columns))
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            style=column.style,
            min_width=column.narrowest,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(styled(cell, "", sys.stdout)) for cell in row))
    console = Console(
        width=shutil.get_terminal_size().columns if terminal else UNLIMITED_COLUMNS,
        force_terminal=has_color(sys.stdout),
        no_color=not has_color(sys.stdout),
        highlight=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun: `1 stop`, `2 stops`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
