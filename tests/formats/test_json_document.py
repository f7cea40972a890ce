"""Tests that reading and writing a JSON document preserves its values, key order and formatting."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callroute.errors import InputError
from callroute.formats.json_document import MAX_DEPTH, JsonDocument, JsonStyle, walk

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Includes lone surrogates, which JSON can represent but UTF-8 cannot.
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
STYLES = st.builds(
    JsonStyle,
    indent=st.sampled_from((None, "  ", "    ", "\t")),
    blanks=st.booleans(),
    escaped=st.booleans(),
    final_newline=st.booleans(),
    line_break=st.sampled_from(("\n", "\r\n")),
)


@given(value=VALUES, style=STYLES)
def test_a_written_value_is_read_back_with_the_same_key_order(value: object, style: JsonStyle) -> None:
    text = style.write(value)
    again = JsonDocument.parse(text, "x")
    assert json.dumps(again.value) == json.dumps(value), (
        "json.dumps preserves the order and distinguishes 1 from 1.0 and true"
    )
    assert again.duplicates == ()
    text.encode("utf-8")


@given(value=st.dictionaries(st.text(min_size=1), VALUES, min_size=1), style=STYLES)
def test_writing_again_changes_nothing(value: object, style: JsonStyle) -> None:
    once = style.write(value)
    read = JsonDocument.parse(once, "x")
    assert read.style.write(read.value) == once


@pytest.mark.parametrize(
    "text",
    [
        '{"a":{"b":[1,2.5]},"c":"é"}',
        '{"a": {"b": [1, 2.5]}, "c": "é"}\n',
        '{\n  "a": {\n    "b": [\n      1\n    ]\n  }\n}\n',
        '{\n    "a": "\\u00e9"\n}',
        '{\n\t"a": {},\n\t"b": []\n}',
        '{\r\n  "a": {\r\n    "b": 1\r\n  }\r\n}\r\n',
    ],
)
def test_text_in_a_common_style_is_written_back_unchanged(text: str) -> None:
    read = JsonDocument.parse(text, "x")
    assert read.style.write(read.value) == text


def test_a_repeated_key_is_listed_with_its_path_and_the_last_value_wins() -> None:
    read = JsonDocument.parse('{"a": [{"b": 1, "c": 2, "b": 3}], "d e": {"f": 1, "f": 1}}', "x")
    assert read.value == {"a": [{"b": 3, "c": 2}], "d e": {"f": 1}}
    assert read.duplicates == (("$.a[0]", "b"), ('$["d e"]', "f"))


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": ' + "9" * 5000 + "}"]
)
def test_numbers_that_cannot_be_written_back_are_rejected(text: str) -> None:
    with pytest.raises(InputError, match="not JSON"):
        JsonDocument.parse(text, "x")


@pytest.mark.parametrize("levels", [MAX_DEPTH, 900, 100_000])
def test_deeply_nested_documents_are_rejected(levels: int) -> None:
    with pytest.raises(InputError, match="nested more than 100 levels deep"):
        JsonDocument.parse("[" * levels + "1" + "]" * levels, "x")
    assert JsonDocument.parse("[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1), "x")


def test_positions_are_those_of_keys_and_list_items() -> None:
    text = '{\n "a": [\n  {"b": "x\\"{[,:"},\n  2\n ],\r\n\n "c d":\n  {}\n}'
    assert JsonDocument.parse(text, "x").positions == {
        "$": (1, 1, 2),
        "$.a": (2, 2, 5),
        "$.a[0]": (3, 3, 4),
        "$.a[0].b": (3, 4, 7),
        "$.a[1]": (4, 3, 4),
        '$["c d"]': (7, 2, 7),
    }


@given(value=VALUES, style=STYLES)
def test_every_path_of_a_document_has_a_position(value: object, style: JsonStyle) -> None:
    text = style.write(value)
    positions = JsonDocument.parse(text, "x").positions
    assert set(positions) == {path for path, _ in walk(value)}
    written = text.split("\n")
    for path, (line, column, end) in positions.items():
        token = written[line - 1][column - 1 : end - 1]
        if path.endswith("]") or path == "$":
            assert token == token.strip() != ""
        else:
            assert json.loads(token) == path.rpartition(".")[2]
