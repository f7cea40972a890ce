"""Reads contact records from files in the shapes in which people have them."""

from __future__ import annotations

import base64
import binascii
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from callroute.errors import InputError

STANDARD_INPUT = Path("-")

RECORD_BYTES = 1_048_576
"""Largest record that a Kinesis data stream takes."""

_SHAPES = "Give contact records as a JSON object, a JSON array, JSON Lines, or a Kinesis or Pipes event"


def read_all_files(paths: Sequence[Path]) -> list[bytes]:
    """The records of all files, in order, as they lie on a stream.

    Raises:
        InputError: a file cannot be used; every problem of every file is in the message, a line each.
    """
    records: list[bytes] = []
    problems: list[InputError] = []
    for path in paths:
        source = "standard input" if path == STANDARD_INPUT else str(path)
        try:
            for place, record in _records(_read(path, source), source):
                if len(record) > RECORD_BYTES:
                    limit = f"it has {len(record):,} bytes; a stream takes {RECORD_BYTES:,}"
                    problems.append(InputError(source, place, limit, "Leave this record out"))
                records.append(record)
        except InputError as error:
            problems.append(error)
    if problems:
        raise UnusableFilesError(problems)
    return records


class UnusableFilesError(InputError):
    """Several unusable inputs at once."""

    def __init__(self, problems: Sequence[InputError]) -> None:
        self.problems = problems
        first = problems[0]
        super().__init__(first.source, first.place, first.problem, first.fix)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def _read(path: Path, source: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(
            source, "", f"cannot be read ({error.strerror})", "Name a file that can be read"
        ) from error
    except UnicodeDecodeError as error:
        place = f"byte {error.start + 1}"
        raise InputError(source, place, "is not UTF-8", "Save the file as UTF-8") from error


def _records(text: str, source: str) -> Iterator[tuple[str, bytes]]:
    """Place and data of each record."""
    if not text.strip():
        raise InputError(source, "", "is empty", _SHAPES)
    try:
        whole = _json(text, source, "")
    except json.JSONDecodeError as error:
        yield from _lines(text, source, error)
        return
    yield from _unpacked(whole, source, "")


def _json(text: str, source: str, place: str) -> Any:
    """JSON, and nothing that only Python takes for it; what a stream would hold otherwise than the file is refused."""

    def refuse(number: str) -> None:
        raise InputError(
            source, place, f"{number[:20]} is no number of JSON that can be kept", "Mend the number"
        )

    def finite(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            refuse(digits)
        return number

    try:
        return json.loads(text, parse_constant=refuse, parse_float=finite)
    except RecursionError as error:
        raise InputError(source, place, "is nested too deeply", _SHAPES) from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # Python's limit on the digits of a whole number
        raise InputError(source, place, f"cannot be read ({error})", "Mend the number") from error


def _lines(text: str, source: str, not_one_document: json.JSONDecodeError) -> Iterator[tuple[str, bytes]]:
    """JSON Lines. A text whose first line is no JSON by itself was meant as one document, and is broken."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    for position, (number, line) in enumerate(lines):
        try:
            value = _json(line, source, f"line {number}")
        except json.JSONDecodeError as error:
            broken, line_number = (error, number) if position else (not_one_document, not_one_document.lineno)
            place = f"line {line_number}, column {broken.colno}"
            raise InputError(source, place, f"is not JSON ({broken.msg})", _SHAPES) from error
        yield from _unpacked(value, source, f"line {number}")


def _unpacked(value: Any, source: str, place: str) -> Iterator[tuple[str, bytes]]:
    """The records in a JSON value: a contact record, a list, or an event that carries records in base64."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _unpacked(each, source, f"{place} [{index}]".strip())
    elif not isinstance(value, dict):
        raise InputError(source, place, f"{json.dumps(value)[:40]} is not a contact record", _SHAPES)
    elif isinstance(value.get("Records"), list):
        # What Lambda gets from Kinesis: the record lies a level deeper, under `kinesis`.
        for index, each in enumerate(value["Records"]):
            inner = each.get("kinesis") if isinstance(each, dict) else None
            yield _decoded(inner, source, f"{place} Records[{index}].kinesis".strip())
    elif value.get("eventSource") == "aws:kinesis":
        yield _decoded(value, source, place)
    else:
        yield place, json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _decoded(record: Any, source: str, place: str) -> tuple[str, bytes]:
    place = f"{place} data".strip()
    data = record.get("data") if isinstance(record, dict) else None
    if not isinstance(data, str):
        raise InputError(
            source, place, "there is no data", "An event's record carries its data as base64 text"
        )
    # Padding says nothing that the length does not; some tools leave it out or write too much of it.
    bare = data.strip().rstrip("=")
    try:
        return place, base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error as error:
        raise InputError(
            source, place, f"is not base64 ({error})", "Take the event as AWS wrote it"
        ) from error
