"""Tests that `replay` finds every contact record in a file and does not change it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callroute.errors import InputError
from callroute.local.contact_record_files import RECORD_BYTES, UnusableFilesError, read_all_files
from tests.support import corpus
from tests.support.contact_records import contact_record

A = contact_record("a", Attributes={"call_route": "紛失"})
B = contact_record("b")

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def encoded(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("text", "records"),
    [
        (json.dumps(A), [A]),
        (json.dumps(A, indent=2), [A]),
        (json.dumps([A, B]), [A, B]),
        (
            json.dumps({"memo": "x\u2028y\u0085", "zero": 0.0}, ensure_ascii=False) + "\r\n" + json.dumps(B),
            [{"memo": "x\u2028y\u0085", "zero": 0.0}, B],
        ),
        (f"{json.dumps(A)}\n{json.dumps(B)}\n", [A, B]),
        (f"\ufeff{json.dumps(A)}\r\n\r\n{json.dumps(B)}", [A, B]),
        (f"{json.dumps([A])}\n{json.dumps(B)}", [A, B]),
        (
            json.dumps({"Records": [{"kinesis": {"data": encoded(A)}}, {"kinesis": {"data": encoded(B)}}]}),
            [A, B],
        ),
        (json.dumps([{"eventSource": "aws:kinesis", "data": encoded(A)}]), [A]),
        (json.dumps({"eventSource": "aws:kinesis", "data": encoded(A)}), [A]),
        (json.dumps({"eventSource": "aws:kinesis", "data": encoded(A).rstrip("=")}), [A]),
        (json.dumps({"eventSource": "aws:kinesis", "data": encoded(A) + "=="}), [A]),
    ],
)
def test_records_are_read_in_order_from_every_kind_of_file(
    text: str, records: list[Any], write: Write
) -> None:
    assert [json.loads(record) for record in read_all_files([write(text)])] == records


def test_data_of_events_is_not_changed(write: Write) -> None:
    garbage = base64.b64encode(b"\xff no JSON").decode()

    assert read_all_files([write(json.dumps({"Records": [{"kinesis": {"data": garbage}}]}))]) == [
        b"\xff no JSON"
    ]


def test_files_are_read_in_the_given_order(write: Write) -> None:
    records = read_all_files([write(json.dumps(B)), write(json.dumps(A))])

    assert [json.loads(record)["ContactId"] for record in records] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("  \n ", "the file is empty"),
        ("not JSON", "line 1, column 1: this is not valid JSON"),
        (f"{json.dumps(A)}\n{{broken", "line 2, column 2: this is not valid JSON"),
        ('{\n  "ContactId": "a"\n  "Channel": "VOICE"\n}', "line 3, column 3: this is not valid JSON"),
        ("7", "7 is not a contact record"),
        ('{"a": NaN}', "NaN is not a valid JSON number"),
        ('{"a": 1}\n{"a": -Infinity}', "line 2: -Infinity is not a valid JSON number"),
        ('{"a": 1e999}', "1e999 is not a valid JSON number"),
        ("[" * 100_000, "the JSON is nested too deeply"),
        ('{"a": ' + "9" * 5_000 + "}", "a number has too many digits"),
        ('"text"', '"text" is not a contact record'),
        (f'[{json.dumps(A)}, "text"]', '[1]: "text" is not a contact record'),
        (f"{json.dumps(A)}\n[null]", "line 2 [0]: null is not a contact record"),
        (
            json.dumps({"Records": [{"kinesis": {"data": "*"}}]}),
            "Records[0].kinesis data: the data is not valid base64",
        ),
        (
            json.dumps({"Records": [{"kinesis": {}}]}),
            "Records[0].kinesis data: the event's record has no data",
        ),
        (json.dumps({"Records": ["text"]}), "Records[0].kinesis data: the event's record has no data"),
        (json.dumps([{"eventSource": "aws:kinesis"}]), "[0] data: the event's record has no data"),
        (json.dumps({"ContactId": "x" * RECORD_BYTES}), "a stream accepts at most 1,048,576"),
        ("[]", "this JSON contains no contact record"),
        ("[[], []]", "this JSON contains no contact record"),
        ('{"Records": []}', "this JSON contains no contact record"),
        ('{"StartAction": "x", "Actions": []}', "this JSON contains no contact record"),
        (
            f"[{json.dumps({'eventSource': 'aws:kinesis', 'data': encoded({})})}]",
            "contains no contact record",
        ),
    ],
)
def test_problems_are_reported_with_their_place(text: str, message: str, write: Write) -> None:
    path = write(text)

    with pytest.raises(InputError) as raised:
        read_all_files([path])

    assert str(path) in str(raised.value)
    assert message in str(raised.value)


def test_problems_of_all_files_are_reported_together(write: Write, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        read_all_files([write("{"), write(json.dumps(A)), tmp_path / "nowhere.json"])

    lines = str(raised.value).splitlines()
    assert len(lines) == 2
    assert "0.json" in lines[0]
    assert "nowhere.json: there is no such file" in lines[1]


def test_files_that_are_not_utf_8_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "sjis.json"
    path.write_bytes('{"a": "紛失"}'.encode("shift_jis"))

    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_all_files([path])


@pytest.mark.skipif(corpus.CONTACT_RECORDS is None, reason=corpus.NO_RECORDS)
def test_each_file_of_the_corpus_is_read_or_reported_to_contain_no_contact_record() -> None:
    paths = sorted(Path(corpus.CONTACT_RECORDS or "").glob("*.json"))
    errors = []

    for path in paths:
        try:
            assert read_all_files([path]), path
        except UnusableFilesError as error:
            errors.append(str(error))

    assert all("contains no contact record" in error for error in errors), errors
    assert len(errors) < len(paths) / 2
