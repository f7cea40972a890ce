"""Tests the state machine: no contact record is lost, stored twice or stored with wrong values.

The definition runs in the emulator, with a table and a queue of the emulator.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from statelint.config import Config
from statelint.linter import Linter

from callroute.aws.state_machine import ITEM_ATTRIBUTES, definition
from callroute.local.emulator import Emulator
from tests.support import oracle
from tests.support.contact_records import agent, contact_record, detailed, queue
from tests.support.options import tracker_args
from tests.support.recorder import Recorder

pytestmark = pytest.mark.emulator

MakeRecorder = Callable[..., Recorder]


def without(record: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in fields}


def test_a_call_abandoned_in_a_menu_is_stored_as_documented(recorder: MakeRecorder) -> None:
    machine = recorder()

    assert machine.store([contact_record("a")]) == ["stored"]
    items = machine.items()
    assert re.fullmatch(r"2026-04-17T23:49:40\.000000000Z-10-[0-9a-f]{16}", items["a"].pop("version"))
    assert items == {
        "a": {
            "call_route": "1",
            "call_completed": "false",
            "start_time": "2026-04-18T08:47:52+09:00",
            "end_time": "2026-04-18T08:48:34+09:00",
            "duration_seconds": Decimal(42),
            "phone_number": "05000000001",
            "outcome": "abandoned_in_flow",
            "disconnect_reason": "CUSTOMER_DISCONNECT",
            "initiation_method": "INBOUND",
            "call_date": "2026-04-18",
            "last_update": "2026-04-17T23:49:40Z",
        }
    }


def attributes(**values: Any) -> dict[str, Any]:
    return {"Attributes": {"call_route": "1", **values}}


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # name: (changes to the record, expected attributes of the item; None if the attribute must be absent)
    "completed": (attributes(call_completed="true"), {"call_completed": "true", "outcome": "completed"}),
    "queued": (
        {"Queue": queue()},
        {"outcome": "abandoned_in_queue", "queue_name": "オペレーター", "queue_seconds": Decimal(90)},
    ),
    "queued after completing": (
        {**attributes(call_completed="true"), "Queue": queue()},
        {"outcome": "abandoned_in_queue"},
    ),
    "answered": ({"Queue": queue(), "Agent": agent()}, {"outcome": "answered", "queue_name": "オペレーター"}),
    "answered without a queue": ({"Agent": agent()}, {"outcome": "answered", "queue_name": None}),
    "rang but not answered": (
        {"Queue": queue(), "Agent": agent(ConnectedToAgentTimestamp=None), "AgentConnectionAttempts": 2},
        {"outcome": "abandoned_in_queue"},
    ),
    "queue without duration": (
        {"Queue": queue(Duration=None)},
        {"queue_seconds": None, "queue_name": "オペレーター"},
    ),
    "never completed": (
        {"Attributes": {"call_route": "start"}},
        {"call_completed": "false", "call_route": "start"},
    ),
    "completed null": (attributes(call_completed=None), {"call_completed": "false"}),
    "completed in capitals": (attributes(call_completed="True"), {"call_completed": "true"}),
    "completed nonsense": (attributes(call_completed="maybe"), {"call_completed": "false"}),
    "call flow": (attributes(call_flow="bank"), {"call_flow": "bank"}),
    "call from an app": ({"InitiationMethod": "WEBRTC_API"}, {"initiation_method": "WEBRTC_API"}),
    "initiation method null": ({"InitiationMethod": None}, {"initiation_method": None}),
    "call flow null": (attributes(call_flow=None), {"call_flow": None}),
    "Japanese route": ({"Attributes": {"call_route": "紛失・盗難"}}, {"call_route": "紛失・盗難"}),
    "emoji route": ({"Attributes": {"call_route": "📞\u200d"}}, {"call_route": "📞\u200d"}),
    "number as route": ({"Attributes": {"call_route": 7}}, {"call_route": "7"}),
    "32 KB of attributes": (attributes(**{f"a{n}": "あ" * 1000 for n in range(10)}), {"call_route": "1"}),
    "foreign number": ({"CustomerEndpoint": {"Address": "+12065550100"}}, {"phone_number": "+12065550100"}),
    "number that starts alike": ({"CustomerEndpoint": {"Address": "+8"}}, {"phone_number": "+8"}),
    "anonymous": ({"CustomerEndpoint": {"Address": "anonymous"}}, {"phone_number": None}),
    "withheld": ({"CustomerEndpoint": {"Address": None, "Type": "TELEPHONE_NUMBER"}}, {"phone_number": None}),
    "no endpoint": ({"CustomerEndpoint": None}, {"phone_number": None}),
    "no address": ({"CustomerEndpoint": {}}, {"phone_number": None}),
    "reason null": ({"DisconnectReason": None}, {"disconnect_reason": None}),
    "still connected": ({"DisconnectTimestamp": None}, {"end_time": None, "duration_seconds": None}),
    "no time at all": ({"DisconnectTimestamp": "2026-04-17T23:47:52Z"}, {"duration_seconds": Decimal(0)}),
    "fractions": (
        {
            "InitiationTimestamp": "2026-04-17T23:47:52.900Z",
            "DisconnectTimestamp": "2026-04-17T23:47:53.100Z",
        },
        {"start_time": "2026-04-18T08:47:52+09:00", "duration_seconds": Decimal(1)},
    ),
    "leap day": (
        {"InitiationTimestamp": "2024-02-29T14:59:59Z"},
        {"start_time": "2024-02-29T23:59:59+09:00"},
    ),
    "new day in the zone": (
        {"InitiationTimestamp": "2026-04-17T15:00:00Z"},
        {"start_time": "2026-04-18T00:00:00+09:00", "call_date": "2026-04-18"},
    ),
    "detail": (
        {"Attributes": detailed()},
        {
            "call_flow": "bank",
            "flow_version": "0a1b2c3d4e5f",
            "stops_visited": ["start", "1", "1-2"],
            "trouble": {"1": {"silence": Decimal(2)}},
        },
    ),
    "detail at the first stop": (
        attributes(call_detail="true", arm="split 50%"),
        {"arm": "split 50%", "stops_visited": ["1"], "trouble": None},
    ),
    "visits that go around in a circle": (
        attributes(call_from_1="2", call_from_2="3", call_from_3="1", call_from_9="8"),
        {"stops_visited": ["8", "9", "3", "2", "1"]},
    ),
    "stops without a stop before them": (
        attributes(call_from_1="", call_from_2="-", call_from_3="3", call_from_é="4"),
        {"stops_visited": ["2", "3", "1"]},
    ),
    "detail that is not text": (
        attributes(call_detail=True, call_from_2=2, call_error1_1=1, flow_version=3, arm=["a"]),
        {"stops_visited": None, "trouble": None, "flow_version": None, "arm": None},
    ),
    "trouble of each kind": (
        attributes(
            call_silence1_a="1",
            call_silence2_a="1",
            call_silence3_a="1",
            call_wrong_key1_a="0",
            call_wrong_key3_a="1",
            call_error3_10="1",
            call_silence9_a="1",
            call_error1_="1",
            xcall_error1_10="1",
        ),
        {
            "trouble": {"a": {"silence": Decimal(3), "wrong_key": Decimal(1)}, "10": {"error": Decimal(1)}},
            "stops_visited": None,
        },
    ),
    "names with a meaning in JavaScript": (
        attributes(
            call_from_1="__proto__",
            call_from___proto__="constructor",
            call_error3___proto__="1",
            call_error3_constructor="1",
            call_error3_hasOwnProperty="1",
        ),
        {
            "stops_visited": ["constructor", "__proto__", "1"],
            "trouble": {"constructor": {"error": Decimal(1)}, "hasOwnProperty": {"error": Decimal(1)}},
        },
    ),
    "unknown fields": ({"SomethingNew": {"deep": [1, None]}, "SegmentAttributes": None}, {"call_route": "1"}),
}


MAX_ATTRIBUTES = 32_768
"""Maximum size of a contact's attributes in bytes (docs/fidelity.md)."""


def filled(values: dict[str, str]) -> dict[str, str]:
    """Adds an attribute that brings the size of the attributes to the maximum."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in values.items())
    return {**values, "other": "x" * (MAX_ATTRIBUTES - size - len("other"))}


LARGEST = {
    "200 long names": filled(
        {f"call_from_{n:0>72}": f"{n - 1:0>72}" for n in range(1, 201)} | {"call_route": f"{200:0>72}"}
    ),
    "1,600 short names": filled({"call_route": "1"} | {f"call_from_{n}": f"s{n}" for n in range(1_600)}),
    "1,500 kinds of trouble": filled({"call_route": "1"} | {f"call_error3_{n}": "1" for n in range(1_500)}),
    "Japanese names": filled(
        {"call_route": "1"} | {f"call_from_{n}": "紛失" * 100 + str(n) for n in range(50)}
    ),
}
"""Contact attributes of the maximum size, with call detail."""


@pytest.fixture(scope="module")
def case_items(emulator: Emulator) -> dict[str, dict[str, Any]]:
    machine = Recorder(emulator)
    assert machine.store([contact_record(name, **changes) for name, (changes, _) in CASES.items()]) == [
        "stored"
    ] * len(CASES)
    return machine.items()


@pytest.mark.parametrize("case", CASES)
def test_the_item_has_the_documented_values(case: str, case_items: dict[str, dict[str, Any]]) -> None:
    expected = CASES[case][1]

    assert {name: case_items[case].get(name) for name in expected} == expected


@pytest.mark.parametrize("case", CASES)
def test_an_item_has_only_documented_attributes(case: str, case_items: dict[str, dict[str, Any]]) -> None:
    assert set(case_items[case]) <= set(ITEM_ATTRIBUTES)


def test_the_largest_attributes_with_detail_are_stored(recorder: MakeRecorder) -> None:
    machine = recorder()

    assert machine.store([contact_record("a", Attributes=LARGEST["200 long names"])]) == ["stored"]
    assert machine.items()["a"]["stops_visited"] == [f"{number:0>72}" for number in range(201)]


def test_missing_fields_are_treated_as_null(recorder: MakeRecorder) -> None:
    machine = recorder()
    needed = ("ContactId", "Attributes", "InitiationTimestamp", "LastUpdateTimestamp")
    record = contact_record("a")
    bare = {name: record[name] for name in needed}
    nulls = {name: record[name] if name in needed else None for name in record} | {"ContactId": "b"}

    assert machine.store([bare, nulls]) == ["stored", "stored"]
    assert machine.items()["a"] == machine.items()["b"]
    assert set(machine.items()["a"]) == {
        "call_route",
        "call_completed",
        "start_time",
        "outcome",
        "call_date",
        "last_update",
        "version",
    }


@pytest.mark.parametrize(
    ("zone", "utc", "local"),
    [
        ("Europe/London", "2026-03-29T00:59:59Z", "2026-03-29T00:59:59+00:00"),
        ("Europe/London", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00+01:00"),
        ("Europe/London", "2026-10-25T00:59:59Z", "2026-10-25T01:59:59+01:00"),
        ("Europe/London", "2026-10-25T01:00:00Z", "2026-10-25T01:00:00+00:00"),
        ("America/New_York", "2026-03-08T06:59:59Z", "2026-03-08T01:59:59-05:00"),
        ("America/New_York", "2026-03-08T07:00:00Z", "2026-03-08T03:00:00-04:00"),
        ("America/New_York", "2026-11-01T05:59:59Z", "2026-11-01T01:59:59-04:00"),
        ("America/New_York", "2026-11-01T06:00:00Z", "2026-11-01T01:00:00-05:00"),
        ("America/New_York", "2026-01-01T04:59:59Z", "2025-12-31T23:59:59-05:00"),
        ("Asia/Tokyo", "2026-12-31T15:00:00Z", "2027-01-01T00:00:00+09:00"),
        ("Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T05:45:00+05:45"),
        ("UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00"),
    ],
)
def test_times_are_local_with_the_offset_at_that_time(
    recorder: MakeRecorder, zone: str, utc: str, local: str
) -> None:
    machine = recorder(time_zone=zone)
    machine.store([contact_record("a", InitiationTimestamp=utc, DisconnectTimestamp=None)])

    assert machine.items()["a"]["start_time"] == local
    assert machine.items()["a"]["call_date"] == local[:10]


def test_duration_is_correct_for_a_call_during_a_daylight_saving_change(recorder: MakeRecorder) -> None:
    machine = recorder(time_zone="Europe/London")
    machine.store(
        [
            contact_record(
                "a", InitiationTimestamp="2026-10-25T00:59:00Z", DisconnectTimestamp="2026-10-25T01:01:00Z"
            )
        ]
    )

    item = machine.items()["a"]
    assert (item["start_time"], item["end_time"]) == (
        "2026-10-25T01:59:00+01:00",
        "2026-10-25T01:01:00+00:00",
    )
    assert item["duration_seconds"] == 120


# SHA-256 of "pepper-for-tests-only+815000000001", computed with sha256sum.
HASHED = "e09b19463aafcc033fc397177ee600eb541e8c0059631b053609456e45cc49b9"


@pytest.mark.parametrize(
    ("options", "address", "stored"),
    [
        ({"phone_number": "e164"}, "+815000000001", "+815000000001"),
        ({"phone_number": "masked"}, "+815000000001", "****0001"),
        ({"phone_number": "masked"}, "0001", "****"),
        ({"phone_number": "hashed", "phone_number_salt": "pepper-for-tests-only"}, "+815000000001", HASHED),
        ({"country_code": "44"}, "+442079460000", "02079460000"),
        ({"country_code": "1", "trunk_prefix": ""}, "+12065550100", "2065550100"),
    ],
)
def test_phone_numbers_are_stored_in_the_configured_format(
    recorder: MakeRecorder, options: dict[str, str], address: str, stored: str
) -> None:
    machine = recorder(**options)
    machine.store([contact_record("a", CustomerEndpoint={"Address": address})])

    assert machine.items()["a"]["phone_number"] == stored


def test_an_item_expires_after_the_retention_period(recorder: MakeRecorder) -> None:
    machine = recorder(retention_days=30_000)
    machine.store([contact_record("a", InitiationTimestamp="2026-01-01T00:00:00Z")])

    assert machine.items()["a"]["expires_at"] == 1767225600 + 30_000 * 86400


@pytest.mark.parametrize(("seconds_left", "result"), [(-2, "expired"), (0, "expired"), (300, "stored")])
def test_a_record_is_not_written_after_its_retention(
    recorder: MakeRecorder, seconds_left: int, result: str
) -> None:
    machine = recorder(retention_days=2)
    start = utc(time.time() + seconds_left - 2 * 86_400)

    assert machine.store([contact_record("a", InitiationTimestamp=start, DisconnectTimestamp=None)]) == [
        result
    ]
    assert bool(machine.items()) is (result == "stored")


def test_an_expired_item_does_not_come_back_when_an_older_version_arrives(recorder: MakeRecorder) -> None:
    machine, expired = recorder(retention_days=30_000), recorder(retention_days=1)
    newer = contact_record("a", LastUpdateTimestamp="2026-04-18T00:00:00Z")
    machine.store([newer])
    machine.emulator.client("dynamodb").delete_item(
        TableName=machine.table, Key={"contact_id": {"S": "a"}}
    )  # as DynamoDB does when the item expires
    machine.use(expired.args)

    assert machine.store([contact_record("a"), newer]) == ["expired", "expired"]
    assert machine.items() == {}


def utc(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- versions ---------------------------------------------------------------------------------------------------------


def test_an_older_version_does_not_change_the_item(recorder: MakeRecorder) -> None:
    machine = recorder()
    newer = contact_record("a", LastUpdateTimestamp="2026-04-18T00:00:00Z", Agent=agent(), Queue=queue())
    machine.store([newer])
    before = machine.items()

    assert machine.store([contact_record("a")]) == ["older"]
    assert machine.items() == before


def test_a_newer_version_replaces_only_documented_attributes(recorder: MakeRecorder) -> None:
    machine = recorder()
    machine.store([contact_record("a", Queue=queue())])
    machine.emulator.client("dynamodb").update_item(
        TableName=machine.table,
        Key={"contact_id": {"S": "a"}},
        UpdateExpression="SET follow_up = :note",
        ExpressionAttributeValues={":note": {"S": "called back"}},
    )

    assert machine.store(
        [contact_record("a", LastUpdateTimestamp="2026-04-18T00:00:00Z", CustomerEndpoint=None)]
    ) == ["stored"]
    item = machine.items()["a"]
    assert item["follow_up"] == "called back"
    assert not {"queue_name", "queue_seconds", "phone_number"} & set(item)


def test_attributes_that_other_programs_added_are_kept(recorder: MakeRecorder) -> None:
    machine = recorder()
    machine.emulator.client("dynamodb").put_item(
        TableName=machine.table, Item={"contact_id": {"S": "a"}, "campaign": {"S": "spring"}}
    )

    assert machine.store([contact_record("a")]) == ["stored"]
    assert machine.items()["a"]["campaign"] == "spring"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (
            {"LastUpdateTimestamp": "2026-04-18T00:00:00.100Z"},
            {"LastUpdateTimestamp": "2026-04-18T00:00:00.9Z"},
        ),
        (
            {"LastUpdateTimestamp": "2026-04-18T00:00:00Z"},
            {"LastUpdateTimestamp": "2026-04-18T00:00:00.000001Z"},
        ),
        (
            {"LastUpdateTimestamp": "2026-04-18T00:00:00.999Z"},
            {"LastUpdateTimestamp": "2026-04-18T00:00:01Z"},
        ),
        ({"DisconnectTimestamp": None}, {}),
        ({}, {"Agent": agent()}),
        ({"DisconnectTimestamp": None, "Agent": agent()}, {}),
    ],
    ids=[
        "fraction",
        "missing fraction",
        "next second",
        "disconnected",
        "answered",
        "disconnected before answered",
    ],
)
def test_the_later_version_is_kept_in_any_order(
    recorder: MakeRecorder, earlier: dict[str, Any], later: dict[str, Any]
) -> None:
    versions = [contact_record("a", DisconnectReason="EARLIER", **earlier), contact_record("a", **later)]
    forward, backward = recorder(), recorder()

    assert forward.store(versions) == ["stored", "stored"]
    assert backward.store(versions[::-1]) == ["stored", "older"]
    assert forward.items() == backward.items()
    assert forward.items()["a"]["disconnect_reason"] == "CUSTOMER_DISCONNECT"


def test_a_version_that_is_delivered_again_changes_nothing(recorder: MakeRecorder) -> None:
    machine = recorder()
    first, second = (
        contact_record("a", DisconnectReason="FIRST"),
        contact_record("a", DisconnectReason="SECOND"),
    )
    machine.store([first, second])
    items = machine.items()

    assert machine.store([first, second, first, second]) == ["older"] * 4
    assert machine.items() == items


@pytest.mark.parametrize(
    "changes",
    [
        {"time_zone": "Europe/London"},
        {"phone_number": "masked"},
        {"phone_number": "hashed", "phone_number_salt": "pepper-for-tests-only"},
        {"country_code": "1", "trunk_prefix": ""},
        {"retention_days": 30_000},
        {"retention_days": 1},
    ],
    ids=str,
)
def test_a_stored_version_does_not_change_with_the_options(
    recorder: MakeRecorder, changes: dict[str, Any]
) -> None:
    machine = recorder()
    machine.store([contact_record("a")])
    items = machine.items()
    machine.use(tracker_args(**changes))

    assert machine.store([contact_record("a")]) == [
        "expired" if changes.get("retention_days") == 1 else "older"
    ]
    assert machine.items() == items


@pytest.mark.parametrize(
    ("last_update", "result"),
    [
        ("2026-04-17T23:49:39Z", "stored"),
        ("2026-04-17T23:49:40Z", "stored"),
        ("2026-04-17T23:49:41Z", "older"),
    ],
)
def test_an_item_of_an_older_release_compares_by_time(
    recorder: MakeRecorder, last_update: str, result: str
) -> None:
    machine = recorder()
    machine.emulator.client("dynamodb").put_item(
        TableName=machine.table, Item={"contact_id": {"S": "a"}, "last_update": {"S": last_update}}
    )

    assert machine.store([contact_record("a")]) == [result]
    assert ("version" in machine.items()["a"]) is (result == "stored")


@pytest.mark.parametrize("phone_number", ["domestic", "e164", "masked", "hashed"])
def test_the_version_does_not_depend_on_the_number(recorder: MakeRecorder, phone_number: str) -> None:
    machine = recorder(phone_number=phone_number, phone_number_salt="pepper-for-tests-only")
    machine.store(
        [
            contact_record(f"{number}", CustomerEndpoint={"Address": f"+81500000000{number}"})
            for number in range(2)
        ]
    )

    first, second = machine.items().values()
    assert first["version"] == second["version"]


STOPS = st.sampled_from(["start", "1", "1-2", "2", "10", "紛失", "📞", "constructor", "__proto__", "-", ""])
KINDS = st.sampled_from(
    ["from_", *(f"{kind}{n}_" for kind in ("silence", "wrong_key", "error") for n in (1, 2, 3))]
)
DETAIL = st.dictionaries(
    st.tuples(st.just("call_"), KINDS, STOPS).map("".join)
    | st.sampled_from(
        [
            "call_detail",
            "flow_version",
            "arm",
            "call_silence9_1",
            "xcall_from_1",
            "call_from_1 call_from_2",
            "call_from_1\n",
        ]
    ),
    STOPS | st.sampled_from(["true", "0", "1", 1, None, True, ["1"], {"1": "1"}]),
    max_size=12,
)
"""Attributes of call detail, valid and invalid ones."""


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Generates versions of a few contacts, and batches that deliver them in any order, some more than once."""
    versions = []
    for contact in range(draw(st.integers(1, 3))):
        versions += [
            contact_record(
                f"contact-{contact}",
                LastUpdateTimestamp=f"2026-04-18T00:00:0{draw(st.integers(0, 1))}"
                f"{draw(st.sampled_from(['', '.1', '.100', '.9', '.000001']))}Z",
                Queue=draw(st.sampled_from([None, queue(), queue(Duration=None), queue(Duration=1.5)])),
                Agent=draw(st.sampled_from([None, agent()])),
                CustomerEndpoint=draw(st.sampled_from([None, {"Address": "+815000000001"}])),
                DisconnectTimestamp=draw(st.sampled_from([None, "2026-04-17T23:48:34Z"])),
                DisconnectReason=draw(st.sampled_from([None, "CUSTOMER_DISCONNECT", "OTHER"])),
                Attributes={
                    **draw(st.sampled_from([{}, detailed(), {"call_silence3_1": "1"}]) | DETAIL),
                    "call_route": draw(st.sampled_from(["1", "2"])),
                    "call_completed": "true",
                },
            )
            for _ in range(draw(st.integers(1, 4)))
        ]
    repeated = versions + draw(st.lists(st.sampled_from(versions), max_size=4))
    shuffled = draw(st.permutations(repeated))
    cut = draw(st.integers(0, len(shuffled)))
    return versions, [part for part in (shuffled[:cut], shuffled[cut:]) if part]


def completeness(record: dict[str, Any]) -> tuple[Any, ...]:
    """Returns the documented order of versions, without the digest."""
    return (
        datetime.fromisoformat(record["LastUpdateTimestamp"]),
        record["DisconnectTimestamp"] is not None,
        record["Agent"] is not None,
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=deliveries(), retention_days=st.sampled_from([0, 30_000]))
def test_the_order_and_number_of_deliveries_does_not_matter(
    recorder: MakeRecorder,
    case: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]],
    retention_days: int,
) -> None:
    versions, batches = case
    expected, actual = recorder(retention_days=retention_days), recorder(retention_days=retention_days)
    expected.store(versions)
    for batch in batches:
        actual.store(batch)

    assert actual.items() == expected.items()
    for contact_id, item in actual.items().items():
        latest = max(completeness(each) for each in versions if each["ContactId"] == contact_id)
        candidates = [
            each for each in versions if each["ContactId"] == contact_id and completeness(each) == latest
        ]
        assert item["call_route"] in [each["Attributes"]["call_route"] for each in candidates]
        assert item.get("disconnect_reason") in [each["DisconnectReason"] for each in candidates]
        assert {name: item[name] for name in ("stops_visited", "trouble") if name in item} in [
            oracle.call_detail(each["Attributes"]) for each in candidates
        ]
    items = actual.items()
    actual.use(tracker_args(time_zone="UTC", phone_number="masked", retention_days=retention_days))
    for batch in batches:
        assert set(actual.store(batch)) == {"older"}
    assert actual.items() == items


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=deliveries(), seconds_left=st.sampled_from([-86_400, -1, 0, 300]))
def test_the_order_of_deliveries_does_not_matter_at_the_end_of_the_retention(
    recorder: MakeRecorder, case: tuple[list[dict[str, Any]], list[list[dict[str, Any]]]], seconds_left: int
) -> None:
    versions, batches = case
    start = utc(time.time() + seconds_left - 86_400)
    ended = {"InitiationTimestamp": start, "DisconnectTimestamp": start}
    expected, actual = recorder(retention_days=1), recorder(retention_days=1)
    results = expected.store([{**each, **ended} for each in versions])
    for batch in batches:
        results += actual.store([{**each, **ended} for each in batch])

    assert ("expired" in results) is (seconds_left <= 0)
    assert ("stored" in results) is (seconds_left > 0)
    assert actual.items() == expected.items()


# --- quarantine -------------------------------------------------------------------------------------------------------

UNSTORABLE: dict[str, tuple[Any, str]] = {
    "text": ("no contact record at all", "not a JSON object"),
    "a number": (7, "not a JSON object"),
    "null": (None, "not a JSON object"),
    "a list": ([contact_record("x")], "not a JSON object"),
    "empty": ({}, "ContactId"),
    "no ContactId": (without(contact_record("x"), "ContactId"), "ContactId"),
    "ContactId null": (contact_record("x", ContactId=None), "ContactId"),
    "ContactId empty": (contact_record("x", ContactId=""), "ContactId"),
    "ContactId a number": (contact_record("x", ContactId=12), "ContactId"),
    "ContactId too long": (contact_record("x", ContactId="あ" * 700), "longer than 512"),
    "no attributes": (contact_record("x", Attributes=None), "Attributes.call_route"),
    "route null": (contact_record("x", Attributes={"call_route": None}), "Attributes.call_route"),
    "route an object": (contact_record("x", Attributes={"call_route": {"a": 1}}), "Attributes.call_route"),
    "no start": (without(contact_record("x"), "InitiationTimestamp"), "InitiationTimestamp"),
    "start null": (contact_record("x", InitiationTimestamp=None), "InitiationTimestamp"),
    "start in words": (contact_record("x", InitiationTimestamp="yesterday"), "InitiationTimestamp"),
    "start in milliseconds": (contact_record("x", InitiationTimestamp=1776469672000), "InitiationTimestamp"),
    "30 February": (contact_record("x", InitiationTimestamp="2026-02-30T00:00:00Z"), "InitiationTimestamp"),
    "29 February of a common year": (
        contact_record("x", InitiationTimestamp="2026-02-29T00:00:00Z"),
        "InitiationTimestamp",
    ),
    "31 April": (contact_record("x", InitiationTimestamp="2026-04-31T00:00:00Z"), "InitiationTimestamp"),
    "month 13": (contact_record("x", InitiationTimestamp="2026-13-01T00:00:00Z"), "InitiationTimestamp"),
    "hour 24": (contact_record("x", InitiationTimestamp="2026-01-01T24:00:00Z"), "InitiationTimestamp"),
    "with an offset": (
        contact_record("x", InitiationTimestamp="2026-01-01T00:00:00+09:00"),
        "InitiationTimestamp",
    ),
    "newline after the time": (
        contact_record("x", InitiationTimestamp="2026-04-17T23:47:52Z\n"),
        "InitiationTimestamp",
    ),
    "year 1999": (
        contact_record("x", InitiationTimestamp="1999-12-31T23:59:59Z"),
        "InitiationTimestamp is missing or not a UTC time of the years 2000 to 2099",
    ),
    "Attributes in a list": (contact_record("x", Attributes=[{"call_route": "1"}]), "Attributes is not"),
    "Agent in a list": (contact_record("x", Agent=[agent()]), "Agent is not a JSON object"),
    "Queue in a list": (contact_record("x", Queue=[queue()]), "Queue is not a JSON object"),
    "endpoint in a list": (
        contact_record("x", CustomerEndpoint=[{"Address": "+815000000001"}]),
        "CustomerEndpoint is not a JSON object",
    ),
    "half of a pair in the route": (
        contact_record("x", Attributes={"call_route": "a\ud800b"}),
        "half of a surrogate pair",
    ),
    "half of a pair in a visited stop": (
        contact_record("x", Attributes=detailed(call_from_1="a\ud800")),
        "half of a surrogate pair",
    ),
    "half of a pair in the arm": (
        contact_record("x", Attributes=detailed(arm="\ude00")),
        "half of a surrogate pair",
    ),
    "half of a pair at the end of a name": (
        contact_record("x", Queue=queue(Name="a\ude00")),
        "half of a surrogate pair",
    ),
    "long numbers": (
        contact_record("x", ContactId=None, Whole=12345678901234567890, Fraction=0.12345678901234567),
        "ContactId",
    ),
    "no last update": (contact_record("x", LastUpdateTimestamp=None), "LastUpdateTimestamp"),
    "end in words": (contact_record("x", DisconnectTimestamp="soon"), "DisconnectTimestamp"),
    "end before start": (
        contact_record("x", DisconnectTimestamp="2026-04-17T23:47:51Z"),
        "before InitiationTimestamp",
    ),
}


@pytest.fixture(scope="module")
def quarantine(emulator: Emulator) -> tuple[list[str], dict[str, Any], dict[str, dict[str, Any]]]:
    """Stores all invalid records in one batch with two valid ones. Returns results, items and quarantined messages."""
    machine = Recorder(emulator)
    batch = [contact_record("first"), *(record for record, _ in UNSTORABLE.values()), contact_record("last")]
    results = machine.store(batch)
    messages = {int(message["sequence_number"]): message for message in machine.quarantined()}
    return results, machine.items(), {name: messages[n] for n, name in enumerate(UNSTORABLE, start=1)}


@pytest.mark.parametrize("case", UNSTORABLE)
def test_an_invalid_record_is_quarantined_with_reason_and_position(
    case: str, quarantine: tuple[list[str], dict[str, Any], dict[str, dict[str, Any]]]
) -> None:
    record, reason = UNSTORABLE[case]
    message = quarantine[2][case]

    assert message["contact"] == record
    assert reason in message["reason"]
    assert message["event_id"] == f"shardId-000000000000:{message['sequence_number']}"
    assert set(message) == {"reason", "event_id", "sequence_number", "contact"}


def test_a_reason_in_the_input_does_not_replace_the_reason_of_the_quarantine(recorder: MakeRecorder) -> None:
    machine = recorder()
    batch = [{"event_id": "e", "sequence_number": "1", "reason": "theirs", "contact": {}}]

    machine.emulator.client("stepfunctions").start_sync_execution(
        stateMachineArn=machine.arn, input=json.dumps(batch)
    )

    assert [message["reason"] for message in machine.quarantined()] == ["ContactId is missing or not text"]


def test_valid_records_in_the_same_batch_are_stored(
    quarantine: tuple[list[str], dict[str, Any], dict[str, dict[str, Any]]],
) -> None:
    results, items, _ = quarantine

    assert results == ["stored", *["quarantined"] * len(UNSTORABLE), "stored"]
    assert set(items) == {"first", "last"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [*contact_record(), "Attributes.call_route", "Attributes.call_completed", "Attributes.call_flow"]


@st.composite
def garbled(draw: st.DrawFn) -> Any:
    """Generates contact records in which some fields are missing or replaced by random JSON, and random JSON values."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    record = contact_record("garbled", Attributes={**draw(DETAIL), **contact_record()["Attributes"]})
    for field in draw(st.lists(st.sampled_from(FIELDS), max_size=4, unique=True)):
        outer, _, inner = field.partition(".")
        if inner:
            if isinstance(record.get(outer), dict):
                record[outer] = {**record[outer], inner: draw(JSON)}
        elif draw(st.booleans()):
            record[outer] = draw(JSON)
        else:
            record.pop(outer, None)
    return record


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(contacts=st.lists(garbled(), min_size=1, max_size=12))
def test_no_json_value_makes_an_execution_fail(shared_recorder: Recorder, contacts: list[Any]) -> None:
    assert set(shared_recorder.store(contacts)) <= {"stored", "older", "expired", "quarantined"}


@pytest.fixture(scope="module")
def shared_recorder(emulator: Emulator) -> Recorder:
    return Recorder(emulator, tracker_args(retention_days=1))


# --- temporary failures -------------------------------------------------------------------------------------------


def test_a_missing_table_fails_the_execution(recorder: MakeRecorder) -> None:
    machine = recorder()
    machine.emulator.client("dynamodb").delete_table(TableName=machine.table)

    response = machine.execute([contact_record("a")])

    assert response["status"] == "FAILED"
    assert response["error"] == "DynamoDB.ResourceNotFoundException"
    assert machine.quarantined() == []


def test_a_missing_quarantine_queue_fails_the_execution(
    recorder: MakeRecorder,
) -> None:
    machine = recorder()
    machine.emulator.client("sqs").delete_queue(QueueUrl=machine.queue_url)

    assert machine.execute([contact_record("a", ContactId=None)])["status"] == "FAILED"


def test_an_item_that_dynamodb_rejects_is_quarantined(recorder: MakeRecorder) -> None:
    machine = recorder()
    # DynamoDB accepts every item that passes the checks, so make the request itself invalid.
    store = machine.definition["States"]["EachContact"]["ItemProcessor"]["States"]["Store"]
    store["Arguments"]["Key"] = {"other_key": {"S": "a"}}
    machine.changed(machine.definition)

    assert machine.store([contact_record("a")]) == ["quarantined"]
    (message,) = machine.quarantined()
    assert message["reason"].startswith("DynamoDB refused the item: ")
    assert message["contact"] == contact_record("a")


@pytest.mark.parametrize(
    ("error", "cause", "result"),
    [
        ("DynamoDB.ValidationException", "any", "quarantined"),
        (
            "DynamoDB.AmazonDynamoDBException",
            "Status Code: 400; Error Code: ValidationException; Request",
            "quarantined",
        ),
        (
            "DynamoDB.AmazonDynamoDBException",
            "not authorized to perform; Error Code: AccessDeniedException",
            "failed",
        ),
        ("DynamoDB.AmazonDynamoDBException", None, "failed"),
        ("DynamoDB.ValidationException", None, "quarantined"),
    ],
)
def test_only_validation_errors_are_treated_as_invalid_records(
    recorder: MakeRecorder, error: str, cause: str | None, result: str
) -> None:
    machine = recorder()
    states = machine.definition["States"]["EachContact"]["ItemProcessor"]["States"]
    # The emulator cannot return these errors, so start at the state that handles them.
    states["Refused"] = {
        "Type": "Pass",
        "Output": {
            "record": "{% $states.input %}",
            "error": {"Error": error} if cause is None else {"Error": error, "Cause": cause},
        },
        "Next": "WhyRefused",
    }
    machine.definition["States"]["EachContact"]["ItemProcessor"]["StartAt"] = "Refused"
    machine.changed(machine.definition)

    response = machine.execute([contact_record("a")])

    if result == "quarantined":
        assert json.loads(response["output"]) == ["quarantined"]
    else:
        assert (response["status"], response["error"], response["cause"]) == (
            "FAILED",
            error,
            cause or "",
        )


def store_state() -> dict[str, Any]:
    machine = definition(tracker_args(), table_name="t", quarantine_queue_url="q")
    state: dict[str, Any] = machine["States"]["EachContact"]["ItemProcessor"]["States"]["Store"]
    return state


def test_throttling_is_retried_with_backoff_and_jitter() -> None:
    (retry,) = store_state()["Retry"]

    assert {"DynamoDB.ProvisionedThroughputExceededException", "DynamoDB.ThrottlingException"} <= set(
        retry["ErrorEquals"]
    )
    assert retry["JitterStrategy"] == "FULL"
    assert retry["BackoffRate"] > 1


def test_retryable_errors_are_not_caught() -> None:
    caught = {error for catch in store_state()["Catch"] for error in catch["ErrorEquals"]}

    assert not caught & set(store_state()["Retry"][0]["ErrorEquals"])
    assert not caught & {"States.ALL", "States.TaskFailed", "States.Timeout", "States.Permissions"}


# --- definition --------------------------------------------------------------------------------------------

with_and_without_metrics = pytest.mark.parametrize("metrics", [False, True], ids=["", "metrics"])
ZONE_NAMES = ("Asia/Tokyo", "America/New_York")


@pytest.mark.parametrize("zone", ZONE_NAMES)
@with_and_without_metrics
def test_statelint_reports_nothing(zone: str, metrics: bool) -> None:
    args = tracker_args(time_zone=zone, metrics=metrics)
    machine = definition(args, table_name="t", quarantine_queue_url="q")

    # statelint evaluates the condition on the variable of new calls, which has no value here.
    assert Linter.validate(machine, Config(evaluate_jsonata=not metrics)) == []


@with_and_without_metrics
def test_the_definition_matches_the_schema_of_the_language(metrics: bool) -> None:
    path = files("cfnlint").joinpath("data/schemas/other/step_functions/statemachine.json")
    schema = Draft7Validator(json.loads(path.read_text(encoding="utf-8")))
    machine = definition(tracker_args(metrics=metrics), table_name="t", quarantine_queue_url="q")
    # The schema ignores the states inside a Map and requires a query language in each state, so check them separately.
    language = {"QueryLanguage": "JSONata"}
    parts = [
        {
            "StartAt": part["StartAt"],
            "States": {
                name: state if state["Type"] == "Succeed" else {**state, **language}
                for name, state in part["States"].items()
            },
        }
        for part in (machine, machine["States"]["EachContact"]["ItemProcessor"])
    ]

    assert [error.message for each in parts for error in schema.iter_errors(each)] == []


# Functions of JSONata 2.0.6 and Step Functions that the expressions may call. The emulator supports more.
KNOWN_FUNCTIONS = {
    "append", "contains", "count", "decodeUrlComponent", "distinct", "each", "encodeUrlComponent", "exists", "fromMillis",
    "hash", "join", "keys", "length", "lookup", "lowercase", "match", "merge", "millis", "not", "reduce", "replace", "reverse",
    "sort", "split", "string", "substring", "substringAfter", "substringBefore", "toMillis", "trim", "type",
}  # fmt: skip


def expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from expressions(each)
    elif isinstance(value, list):
        for each in value:
            yield from expressions(each)
    elif isinstance(value, str) and value.startswith("{%"):
        yield re.sub(r"'[^']*'", "", value)


@with_and_without_metrics
def test_expressions_use_only_the_jsonata_of_step_functions(metrics: bool) -> None:
    machine = definition(tracker_args(metrics=metrics), table_name="t", quarantine_queue_url="q")
    for expression in expressions(machine):
        own = set(re.findall(r"\$(\w+)\s*:=", expression))
        assert set(re.findall(r"\$(\w+)\(", expression)) - own <= KNOWN_FUNCTIONS
        # Operators of newer JSONata versions, which Step Functions cannot parse.
        assert "??" not in expression
        assert "?:" not in expression
        assert "/*" not in expression, "comments are not documented"


@with_and_without_metrics
def test_every_state_is_reachable_and_every_next_state_exists(metrics: bool) -> None:
    machine = definition(tracker_args(metrics=metrics), table_name="t", quarantine_queue_url="q")
    for part in (machine, machine["States"]["EachContact"]["ItemProcessor"]):
        targets = {part["StartAt"]}
        for state in part["States"].values():
            targets |= {each["Next"] for each in [*state.get("Choices", []), *state.get("Catch", [])]}
            targets |= {state[key] for key in ("Next", "Default") if key in state}

        assert targets == set(part["States"])


def test_the_definition_is_far_below_the_size_limit() -> None:
    worst = definition(
        tracker_args(time_zone="Africa/Casablanca"), table_name="t" * 255, quarantine_queue_url="q" * 300
    )

    assert len(json.dumps(worst)) < 1_000_000 / 10
