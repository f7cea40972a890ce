"""Tests that call records are read as plain values in a stable order."""

from __future__ import annotations

import json
import uuid

import pytest

from callroute.local.emulator import Emulator
from callroute.reports.call_records import read_all


@pytest.mark.emulator
def test_items_are_plain_values_even_with_lists_maps_and_unknown_attributes(emulator: Emulator) -> None:
    dynamodb = emulator.client("dynamodb")
    table = f"records-{uuid.uuid4().hex}"
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "contact_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "contact_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    foreign = {
        "score": {"M": {"stars": {"N": "3"}, "weight": {"N": "0.5"}}},
        "tags": {"SS": ["b", "a"]},
        "notes": {"L": [{"S": "x"}, {"NULL": True}]},
        "picture": {"B": b"1"},
    }
    detail = {
        "stops_visited": {"L": [{"S": "start"}, {"S": "1"}]},
        "trouble": {"M": {"start": {"M": {"silence": {"N": "2"}}}}},
    }
    for contact_id in ("b", "a"):
        dynamodb.put_item(TableName=table, Item={"contact_id": {"S": contact_id}, **foreign, **detail})

    first, second = read_all(dynamodb, table)

    assert (first["contact_id"], second["contact_id"]) == ("a", "b")
    assert first == {
        "contact_id": "a",
        "score": {"stars": 3, "weight": 0.5},
        "tags": ["a", "b"],
        "notes": ["x", None],
        "picture": "MQ==",
        "stops_visited": ["start", "1"],
        "trouble": {"start": {"silence": 2}},
    }
    assert json.loads(json.dumps(first)) == first
