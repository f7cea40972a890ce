"""Guards against a local filter that accepts or drops different records than AWS would."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from callroute.aws.event_pattern import matches, mismatch
from callroute.aws.pipe import filter_pattern
from callroute.errors import InputError
from callroute.local.emulator import Emulator
from tests.support.contact_records import contact_record

NAMES = st.sampled_from(["data", "Channel", "Attributes"])
SCALARS = st.sampled_from(["VOICE", "", "1", 1, 0, True, False, None])
PATTERNS = st.recursive(
    st.lists(SCALARS | st.builds(lambda wanted: {"exists": wanted}, st.booleans()), min_size=1, max_size=2),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=2),
    max_leaves=4,
)
EVENTS = st.recursive(
    SCALARS,
    lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=6,
)


@pytest.mark.emulator
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(pattern={"data": {"data": [{"exists": False}]}}, event={"data": []})
@example(pattern={"data": {"data": [{"exists": False}]}}, event={"data": ["VOICE", {"data": "VOICE"}]})
@example(pattern={"data": {"data": ["VOICE"]}}, event={"data": [[{"data": "VOICE"}]]})
@given(
    pattern=st.dictionaries(NAMES, PATTERNS, min_size=1, max_size=2),
    event=st.dictionaries(NAMES, EVENTS, max_size=3),
)
def test_patterns_match_the_same_events_as_in_the_emulator(
    emulator: Emulator, pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    answer = emulator.client("events").test_event_pattern(
        EventPattern=json.dumps(pattern), Event=json.dumps(event)
    )

    assert matches(pattern, event) == answer["Result"]


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"Attributes": {"call_route": None}}, True),
        ({"Attributes": {"call_route": ""}}, True),
        ({"Attributes": {"call_route": {"an": "object"}}}, False),
        ({"Attributes": {}}, False),
        ({"Attributes": None}, False),
        ({"Channel": "CHAT"}, False),
        ({"Channel": "voice"}, False),
        ({"InitiationMethod": "TRANSFER"}, False),
        ({"InitiationMethod": "WEBRTC_API"}, True),
        ({"InitiationMethod": "OUTBOUND"}, False),
        ({"InitiationMethod": None}, False),
        ({"SegmentAttributes": None}, True),
        ({"SegmentAttributes": {"connect:ValidationTestType": {"ValueString": "INBOUND"}}}, False),
    ],
)
def test_the_filter_accepts_real_calls_with_a_route(changes: dict[str, Any], accepted: bool) -> None:
    assert matches(filter_pattern(), {"data": contact_record(**changes)}) is accepted


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({}, ()),
        ({"Channel": "CHAT"}, ("data", "Channel")),
        ({"Attributes": None}, ("data", "Attributes", "call_route")),
    ],
)
def test_the_first_field_that_does_not_match_is_named(changes: dict[str, Any], path: tuple[str, ...]) -> None:
    assert mismatch(filter_pattern(), {"data": contact_record(**changes)}) == path


@pytest.mark.parametrize("data", ["text", 7, None, []])
def test_the_filter_rejects_other_json_values(data: Any) -> None:
    assert not matches(filter_pattern(), {"data": data})


@pytest.mark.parametrize(
    "pattern",
    [
        {"data": [{"prefix": "a"}]},
        {"data": [{"exists": "yes"}]},
        {"data": "VOICE"},
        {"data": {}},
        {},
        {"$or": [{"data": [1]}]},
    ],
)
def test_an_unsupported_pattern_is_rejected(pattern: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="the pipe's filter: "):
        matches(pattern, {"data": "a"})
