"""Text output of the commands: styled lines, tables, JSON documents, progress and errors."""

from __future__ import annotations

import codecs
import json
import os
import re
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


@dataclass
class OutputOptions:
    """Options of one run that apply to all output.

    Attributes:
        quiet: print no progress and no notes.
        color: use colors on terminals.
    """

    quiet: bool = False
    color: bool = True


options = OutputOptions()


def prepare_streams() -> None:
    """Resets the options, and makes the standard streams accept every character."""
    options.quiet, options.color = False, not os.environ.get("NO_COLOR")
    codecs.register_error("callroute", _fallback)
    if sys.stdin is None:  # closed by the parent process
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY), encoding="utf-8")
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
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
    """Redirects a broken stream to the null device, so that Python can flush its buffer."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def unwritable(failure: OSError) -> InputError:
    """Returns the error for a standard output that cannot be written to."""
    return InputError(
        "standard output", "", f"cannot be written ({failure.strerror})", "Free some space or write elsewhere"
    )


# --- Lines -----------------------------------------------------------------------------------------------------------


def write(*segments: Segment, error: bool = False, indent: int = 0) -> None:
    """Writes a line. On a terminal, the last segment is wrapped.

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
        lines = wrap(text, max(terminal_width() - indent, 10), start - indent)
        pairs[-1] = (("\n" + " " * indent).join(lines), style)
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
    return bool(options.color and stream.isatty() and os.environ.get("TERM") != "dumb")


def terminal_width() -> int:
    """Returns the number of columns of the terminal."""
    return shutil.get_terminal_size().columns


def is_narrow() -> bool:
    """Returns whether standard output is a terminal with less than the usual 80 columns."""
    return sys.stdout.isatty() and terminal_width() < 80


def columns(text: str) -> int:
    """Returns the width of a text on a terminal, on which Chinese and Japanese characters are two columns wide."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


_WIDE = "\u3000-\u9fff\uff00-\uffef"
_PIECES = rf"\n| +|[{_WIDE}][、。！？」）ー]*|[^ _\n{_WIDE}]+_?|_"
"""Pattern for the parts of a text between which a line may end. Japanese has no spaces, but a line must not begin with a punctuation mark."""


def wrap(text: str, width: int, first: int = 0) -> list[str]:
    """Splits a text into lines.

    Args:
        text: the text.
        width: width of the lines.
        first: number of columns of the first line that are already used.
    """
    lines, used = [""], first
    for piece in re.findall(_PIECES, text):
        if piece == "\n" or (used + columns(piece) > width and (used or piece.isspace())):
            lines.append("")
            used = 0
        if piece.isspace() and not used:
            continue
        for part in piece if columns(piece) > width else (piece,):
            if used + columns(part) > width:
                lines.append("")
                used = 0
            lines[-1] += part
            used += columns(part)
    return [line.rstrip() for line in lines]


def note(text: str) -> None:
    """Writes a line to standard error, unless --quiet is given."""
    if not options.quiet:
        write(text, error=True)


def error(text: str) -> None:
    """Writes an error message to standard error."""
    write(("error:", "bold red"), " ", text, error=True, indent=4)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Shows a progress text on the terminal while the `with` block runs."""
    shown = sys.stderr.isatty() and not options.quiet
    if shown:
        sys.stderr.write(text[: terminal_width() - 1])
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
        right: align the cells to the right.
        style: style of the cells.
        narrowest: width to which the column is reduced first if the terminal is narrow.
    """

    heading: str = ""
    right: bool = False
    style: str = ""
    narrowest: int = 8


def write_table(table: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table. On a narrow terminal, cells are wrapped so that no column is cut off."""
    headings = [column.heading for column in table]
    rows = [*([headings] if any(headings) else []), *rows]
    widths = [max((columns(row[number]) for row in rows), default=0) for number in range(len(table))]
    gap = 2
    if sys.stdout.isatty():
        gap = 2 if sum(widths) + 2 * len(table) - 2 <= terminal_width() else 1
        widths = fit(
            widths, [column.narrowest for column in table], terminal_width() - gap * (len(table) - 1)
        )
    for row in rows:
        cells = [_cell(text, width) for text, width in zip(row, widths, strict=True)]
        for number in range(max(map(len, cells))):
            line = ""
            for lines, width, column in zip(cells, widths, table, strict=True):
                text = lines[number] if number < len(lines) else ""
                style = "bold" if row is headings else column.style
                space = " " * (width - columns(text))
                text = styled(text, style, sys.stdout)
                line += (space + text if column.right else text + space) + " " * gap
            sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()


def fit(widths: Sequence[int], narrowest: Sequence[int], available: int) -> list[int]:
    """Reduces the widths of columns until they fit: first down to the narrowest width of each, then further."""
    fitted = list(widths)
    for floors in (narrowest, [1] * len(fitted)):
        while sum(fitted) > available:
            excess = [width - floor for width, floor in zip(fitted, floors, strict=True)]
            if max(excess) <= 0:
                break
            fitted[excess.index(max(excess))] -= 1
    return fitted


def _cell(text: str, width: int) -> list[str]:
    """Returns the lines of a cell. Continuation lines keep the indentation of the first line."""
    stripped = text.lstrip(" ")
    indent = min(len(text) - len(stripped), width // 2)
    return [" " * indent + line for line in wrap(stripped, width - indent)]


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun: `1 stop`, `2 stops`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
