"""Guards against a flow that comes back from this program other than it went in: values, key order, formatting."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callroute.errors import InputError
from callroute.formats.json_document import DEEPEST, JsonDocument, JsonStyle, places, walk

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Lone halves of surrogate pairs too: JSON can spell them, UTF-8 cannot.
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
LAYOUTS = st.builds(
    JsonStyle,
    indent=st.sampled_from((None, "  ", "    ", "\t")),
    blanks=st.booleans(),
    escaped=st.booleans(),
    final_newline=st.booleans(),
    line_break=st.sampled_from(("\n", "\r\n")),
)


@given(value=VALUES, style=LAYOUTS)
def test_what_is_written_is_read_as_the_same_value_in_the_same_order(value: object, style: JsonStyle) -> None:
    text = style.write(value)
    again = JsonDocument.parse(text, "x")
    assert json.dumps(again.value) == json.dumps(value), (
        "json.dumps keeps order and tells 1 from 1.0 and true"
    )
    assert again.duplicates == ()
    text.encode("utf-8")  # can be saved


@given(value=st.dictionaries(st.text(min_size=1), VALUES, min_size=1), style=LAYOUTS)
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
def test_a_text_in_a_common_layout_is_written_back_to_the_character(text: str) -> None:
    read = JsonDocument.parse(text, "x")
    assert read.style.write(read.value) == text


def test_a_key_that_is_there_twice_is_told_with_its_place_and_the_last_value_counts() -> None:
    read = JsonDocument.parse('{"a": [{"b": 1, "c": 2, "b": 3}], "d e": {"f": 1, "f": 1}}', "x")
    assert read.value == {"a": [{"b": 3, "c": 2}], "d e": {"f": 1}}
    assert read.duplicates == (("$.a[0]", "b"), ('$["d e"]', "f"))


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": ' + "9" * 5000 + "}"]
)
def test_numbers_that_could_not_be_written_back_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="not JSON"):
        JsonDocument.parse(text, "x")


@pytest.mark.parametrize("levels", [DEEPEST, 900, 100_000])
def test_what_is_nested_without_end_is_refused(levels: int) -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        JsonDocument.parse("[" * levels + "1" + "]" * levels, "x")
    assert JsonDocument.parse("[" * (DEEPEST - 1) + "1" + "]" * (DEEPEST - 1), "x")


def test_the_place_of_a_path_is_that_of_its_key_or_element() -> None:
    text = '{\n "a": [\n  {"b": "x\\"{[,:"},\n  2\n ],\r\n\n "c d":\n  {}\n}'
    assert places(text) == {
        "$": (1, 1, 2),
        "$.a": (2, 2, 5),
        "$.a[0]": (3, 3, 4),
        "$.a[0].b": (3, 4, 7),
        "$.a[1]": (4, 3, 4),
        '$["c d"]': (7, 2, 7),
    }


@given(value=VALUES, style=LAYOUTS)
def test_every_path_of_a_value_has_a_place_in_the_text(value: object, style: JsonStyle) -> None:
    text = style.write(value)
    found = places(text)
    assert set(found) == {path for path, _ in walk(value)}
    written = text.split("\n")
    for path, (line, column, end) in found.items():
        token = written[line - 1][column - 1 : end - 1]
        if path.endswith("]") or path == "$":
            assert token == token.strip() != ""
        else:
            assert json.loads(token) == path.rpartition(".")[2]
