"""Reads the table of call records."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer


def read_all(dynamodb: Any, table_name: str) -> list[dict[str, Any]]:
    """Every item of the table, sorted by contact_id.

    Args:
        dynamodb: a boto3 client.
        table_name: the table.

    Returns:
        Items as plain values by attribute name (docs/record.md): whole numbers are int, sets are sorted lists, binary is base64.
    """
    read = TypeDeserializer().deserialize
    pages = dynamodb.get_paginator("scan").paginate(TableName=table_name, ConsistentRead=True)
    items = [
        {name: _plain(read(value)) for name, value in item.items()}
        for page in pages
        for item in page["Items"]
    ]
    return sorted(items, key=lambda item: str(item["contact_id"]))


def _plain(value: Any) -> Any:
    """What JSON can hold; others may have put any type of DynamoDB beside our attributes."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Binary):
        raw: Any = value  # its types leave out what it holds
        return base64.b64encode(raw.value).decode("ascii")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, set):
        return sorted(_plain(each) for each in value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
