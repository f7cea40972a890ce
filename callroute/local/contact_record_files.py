"""Reads contact records from files in several formats."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from callroute.errors import InputError
from callroute.flows.load import STANDARD_INPUT, read_standard_input
from callroute.formats.files import read_text

RECORD_BYTES = 1_048_576
"""Maximum size of a record on a Kinesis data stream."""

CONTACT_RECORD_KEYS = {
    "AWSContactTraceRecordFormatVersion",
    "Channel",
    "ContactId",
    "CustomerEndpoint",
    "InitiationMethod",
    "InitiationTimestamp",
}
"""Top-level keys of contact records. An incomplete record has at least one of them."""

_SHAPES = "Use a JSON object, a JSON array, JSON Lines, or a Kinesis or Pipes event"


def read_all_files(paths: Iterable[Path]) -> list[bytes]:
    """Reads the records of all files, in order, as data for the stream.

    Args:
        paths: files, or - for standard input.

    Raises:
        InputError: a file cannot be used, or there is no record in any file. The message lists the problems of all files,
            one per line.
    """
    records: list[bytes] = []
    problems: list[InputError] = []
    for path in paths:
        source = "standard input" if path == STANDARD_INPUT else str(path)
        try:
            text = read_standard_input() if path == STANDARD_INPUT else read_text(path)
            found = list(_records(text, source))
        except InputError as error:
            problems.append(error)
            continue
        if not any(may_be_contact_record(record) for _, record in found):
            problems.append(InputError(source, "", "this JSON contains no contact record", _SHAPES))
        for place, record in found:
            if len(record) > RECORD_BYTES:
                size = (
                    f"the record is {len(record):,} bytes long, but a stream accepts at most {RECORD_BYTES:,}"
                )
                problems.append(InputError(source, place, size, "Remove this record"))
            records.append(record)
    if problems:
        raise UnusableFilesError(problems)
    return records


def may_be_contact_record(record: bytes) -> bool:
    """Returns whether a record could be a contact record. Only JSON objects without any of its fields are ruled out."""
    try:
        value = json.loads(record)
    except (ValueError, RecursionError):
        return True
    return not isinstance(value, dict) or not CONTACT_RECORD_KEYS.isdisjoint(value)


class UnusableFilesError(InputError):
    """Problems in several files, reported together."""

    def __init__(self, problems: Sequence[InputError]) -> None:
        self.problems = problems
        first = problems[0]
        super().__init__(first.source, first.place, first.problem, first.fix)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def _records(text: str, source: str) -> Iterator[tuple[str, bytes]]:
    """Yields the position and data of each record."""
    if not text.strip():
        raise InputError(source, "", "the file is empty", _SHAPES)
    try:
        whole = _json(text, source, "")
    except json.JSONDecodeError as error:
        yield from _lines(text, source, error)
        return
    yield from _unpacked(whole, source, "")


def _json(text: str, source: str, place: str) -> Any:
    """Parses JSON strictly. Rejects numbers that Python accepts but JSON or a stream cannot represent.

    Raises:
        InputError: Python can parse the text as JSON but not preserve it unchanged.
        json.JSONDecodeError: the text is not valid JSON.
    """

    def refuse(number: str) -> None:
        raise InputError(source, place, f"{number[:20]} is not a valid JSON number", "Fix the number")

    def finite(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            refuse(digits)
        return number

    try:
        return json.loads(text, parse_constant=refuse, parse_float=finite)
    except RecursionError as error:
        raise InputError(source, place, "the JSON is nested too deeply", _SHAPES) from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # Python limits the number of digits of an integer
        raise InputError(
            source, place, f"a number has too many digits ({error})", "Fix the number"
        ) from error


def _lines(text: str, source: str, not_one_document: json.JSONDecodeError) -> Iterator[tuple[str, bytes]]:
    """Yields the records in JSON Lines.

    If even the first line is not valid JSON, the file was probably meant to be one document, so the document's error is
    reported.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    for position, (number, line) in enumerate(lines):
        try:
            value = _json(line, source, f"line {number}")
        except json.JSONDecodeError as error:
            broken, line_number = (error, number) if position else (not_one_document, not_one_document.lineno)
            place = f"line {line_number}, column {broken.colno}"
            raise InputError(source, place, f"this is not valid JSON ({broken.msg})", _SHAPES) from error
        yield from _unpacked(value, source, f"line {number}")


def _unpacked(value: Any, source: str, place: str) -> Iterator[tuple[str, bytes]]:
    """Yields the records in a JSON value: a contact record, a list, or an event with records in base64."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _unpacked(each, source, f"{place} [{index}]".strip())
    elif not isinstance(value, dict):
        raise InputError(source, place, f"{json.dumps(value)[:40]} is not a contact record", _SHAPES)
    elif isinstance(value.get("Records"), list):
        # In events from Kinesis to Lambda, each record is nested one level deeper, under `kinesis`.
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
        raise InputError(source, place, "the event's record has no data", "Add the data in base64")
    # Some tools omit the padding or add too much, so it is recomputed from the length of the data.
    bare = data.strip().rstrip("=")
    try:
        return place, base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error as error:
        raise InputError(
            source, place, f"the data is not valid base64 ({error})", "Use the event exactly as AWS sent it"
        ) from error
