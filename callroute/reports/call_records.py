"""Reads call records from their DynamoDB table."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer

BATCH_GET_KEYS = 100
"""Limit of BatchGetItem."""


def read_all(dynamodb: Any, table_name: str) -> list[dict[str, Any]]:
    """Reads all items of the table, sorted by contact_id.

    Args:
        dynamodb: a boto3 client.
        table_name: name of the table.

    Returns:
        Items as dictionaries of plain values (docs/record.md). Whole numbers become int, sets become sorted lists,
        and binary values become base64 strings.
    """
    pages = dynamodb.get_paginator("scan").paginate(TableName=table_name, ConsistentRead=True)
    items = [_item(item) for page in pages for item in page["Items"]]
    return sorted(items, key=lambda item: str(item["contact_id"]))


def read_items(dynamodb: Any, table_name: str, contact_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Reads the items of some contacts, in any order. Contacts without an item are left out."""
    ids = list(contact_ids)
    found = []
    for start in range(0, len(ids), BATCH_GET_KEYS):
        keys = [{"contact_id": {"S": each}} for each in ids[start : start + BATCH_GET_KEYS]]
        requested = {table_name: {"Keys": keys, "ConsistentRead": True}}
        while requested:
            answer = dynamodb.batch_get_item(RequestItems=requested)
            found += [_item(item) for item in answer["Responses"].get(table_name, [])]
            requested = answer.get("UnprocessedKeys")
    return found


def _item(item: dict[str, Any]) -> dict[str, Any]:
    deserialize = TypeDeserializer().deserialize
    return {name: _plain(deserialize(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    """Converts a value to JSON types. Other applications can add attributes of any type to the items."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Binary):
        raw: Any = value  # the type stubs do not declare `value`
        return base64.b64encode(raw.value).decode("ascii")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, set):
        return sorted(_plain(each) for each in value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
