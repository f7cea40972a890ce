"""Output helpers for commands: styled lines, tables, JSON documents, progress and errors.

Rich formats what a terminal shows. It is imported only for terminals and tables, because it takes time to import.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callroute.cli.exit_codes import CLOSED_PIPE, UNUSABLE_INPUT
from callroute.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Segment = str | tuple[str, str]
"""A piece of a line: text, or text and its Rich style."""

PIPE_COLUMNS = 10_000
"""Width of tables that are not printed on a terminal. Large enough that cells are not wrapped."""
FALLBACKS = dict(zip("·–✓✗█“”’▲▼▁▂▃▄▅▆▇", '--+x#""\'^v1234567', strict=True)) | {"→": "->", "…": "..."}
"""Replacements for terminals whose encoding lacks these characters."""
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass
class OutputOptions:
    """Output options for the whole run.

    Attributes:
        quiet: print no progress and no notes.
        color: use colors on terminals.
    """

    quiet: bool = False
    color: bool = True


options = OutputOptions()


# --- Streams ---------------------------------------------------------------------------------------------------------


def prepare_streams() -> None:
    """Resets the options and makes the standard streams accept every character."""
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
    """Flushes the standard streams at the end of a command, so that errors surface here rather than when Python exits.

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
    """Redirects a broken stream to the null device so that Python can flush its buffer."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def unwritable(failure: OSError) -> InputError:
    """Returns the error to report if standard output cannot be written."""
    return InputError(
        "standard output", "", f"cannot be written ({failure.strerror})", "Free some space or write elsewhere"
    )


# --- Lines -----------------------------------------------------------------------------------------------------------


def write(*segments: Segment, margin: Sequence[Segment] = (), error: bool = False, end: str = "\n") -> None:
    """Writes a line. On a terminal, it is styled and wrapped.

    Args:
        segments: the pieces of the line.
        margin: pieces at the beginning of the line. Wrapped lines are indented by their width.
        error: write to standard error instead of standard output. A failure to write there is ignored.
        end: text after the line.
    """
    stream = sys.stderr if error else sys.stdout
    if stream.isatty():
        from rich.table import Table
        from rich.text import Text

        pieces = (
            [(_escaped(text), style) for text, style in map(_pair, each)] for each in (margin, segments)
        )
        before, text = (Text.assemble(*each, overflow="fold") for each in pieces)
        line = Table.grid()
        line.add_column(no_wrap=True)
        line.add_column(overflow="fold")
        line.add_row(before, text)
        printed = _rendered(_console(stream), line if margin else text)
    else:
        printed = "".join(_escaped(text) for text, _ in map(_pair, (*margin, *segments)))
    with suppress(*(OSError,) if error else ()):
        stream.write(printed + end)
        stream.flush()


def _pair(segment: Segment) -> tuple[str, str]:
    return (segment, "") if isinstance(segment, str) else segment


def _escaped(text: str) -> str:
    """Replaces control characters, which could change the terminal."""
    return CONTROL_CHARACTERS.sub(lambda found: ascii(found[0])[1:-1], text)


def _console(stream: Any) -> Console:
    from rich.console import Console

    return Console(
        file=stream,
        color_system="auto" if options.color else None,
        width=None if stream.isatty() else PIPE_COLUMNS,
        highlight=False,
        markup=False,
        emoji=False,
    )


def width() -> int:
    """Returns the width of standard output in columns."""
    return _console(sys.stdout).width


def _rendered(console: Console, content: RenderableType) -> str:
    """Returns the text that Rich would print. Rich itself must not print it, because it handles closed pipes its own way."""
    with console.capture() as captured:
        console.print(content)
    return captured.get().removesuffix("\n")


def note(text: str) -> None:
    """Writes a line to standard error, unless --quiet is given."""
    if not options.quiet:
        write(text, error=True)


def error(text: str) -> None:
    """Writes an error message to standard error."""
    write(text, margin=[("error:", "bold red"), " "], error=True)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Shows a progress message on the terminal while the `with` block runs."""
    if options.quiet or not sys.stderr.isatty():
        yield
        return
    with _console(sys.stderr).status(text, spinner="line"):
        yield


@contextmanager
def progress_bar(text: str, total: int) -> Iterator[Callable[..., None]]:
    """Shows a progress bar on the terminal while the `with` block runs.

    Args:
        text: text beside the bar.
        total: expected number of steps.

    Yields:
        A function that advances the bar by a number of steps, by default 1.
    """
    if options.quiet or not sys.stderr.isatty():
        yield lambda _number=1: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=_console(sys.stderr), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda number=1: bar.advance(task, number)


# --- Documents -------------------------------------------------------------------------------------------------------


def write_document(text: str) -> None:
    """Writes a document to standard output in UTF-8, regardless of the terminal's encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def write_json(document: Any) -> None:
    """Writes a command's `--json` document."""
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
        narrow: width if the terminal is too narrow for the table. Columns without it share the remaining space.
    """

    heading: str = ""
    right: bool = False
    style: str = ""
    narrow: int | None = None


def write_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table. On a narrow terminal, cells are wrapped so that no column is cut off."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=any(each.heading for each in columns)
    )
    for each in columns:
        justify: Any = "right" if each.right else "left"
        table.add_column(
            each.heading, justify=justify, style=each.style, overflow="fold", header_style="bold"
        )
    for row in rows:
        # Continuation lines are indented like the first line.
        cells = [(len(cell) - len(cell.lstrip(" ")), Text(_escaped(cell.lstrip(" ")))) for cell in row]
        table.add_row(*(Padding(text, (0, 0, 0, indent)) if indent else text for indent, text in cells))
    console = _console(sys.stdout)
    if console.measure(table, options=console.options.update(width=PIPE_COLUMNS)).maximum > console.width:
        table.padding = (0, 1, 0, 0)
        for column, each in zip(table.columns, columns, strict=True):
            column.width = each.narrow
    sys.stdout.writelines(line.rstrip(" ") + "\n" for line in _rendered(console, table).split("\n"))
    sys.stdout.flush()


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun: `1 stop`, `2 stops`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
