"""Reads the table of call records."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer


def read_all(dynamodb: Any, table_name: str) -> list[dict[str, Any]]:
    """Every item of the table, sorted by contact_id.

    Args:
        dynamodb: a boto3 client.
        table_name: the table.

    Returns:
        Items as plain values by attribute name (docs/record.md); whole numbers are int.
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
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
