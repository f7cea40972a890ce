"""Reads call records from their DynamoDB table."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer


def read_all(dynamodb: Any, table_name: str) -> list[dict[str, Any]]:
    """Reads all items of the table, sorted by contact_id.

    Args:
        dynamodb: a boto3 client.
        table_name: name of the table.

    Returns:
        Items as dictionaries of plain values (docs/record.md). Whole numbers become int, sets become sorted lists,
        and binary values become base64 strings.
    """
    deserialize = TypeDeserializer().deserialize
    pages = dynamodb.get_paginator("scan").paginate(TableName=table_name, ConsistentRead=True)
    items = [
        {name: _plain(deserialize(value)) for name, value in item.items()}
        for page in pages
        for item in page["Items"]
    ]
    return sorted(items, key=lambda item: str(item["contact_id"]))


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
