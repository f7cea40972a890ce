"""Reads call records from their DynamoDB table."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from callroute.errors import InputError

INDEX = "by-day"
"""Index of the table whose partition key is the local date of the call."""

_FIXES = {
    "ResourceNotFoundException": "Check the name and the region",
    "ValidationException": "Choose a table of call records",
    "AccessDeniedException": "Use credentials of the reader role (`callroute roles` prints its policy)",
    "UnrecognizedClientException": "Check the AWS credentials",
    "ExpiredTokenException": "Sign in to AWS again",
    "ProvisionedThroughputExceededException": "Try again later, or with a shorter span",
    "ThrottlingException": "Try again later, or with a shorter span",
}

BATCH_GET_KEYS = 100
"""Maximum number of keys in a BatchGetItem request."""


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
    """Reads the items for the given contacts, in any order. Contacts without an item are left out."""
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


_deserialize = TypeDeserializer().deserialize


def _item(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(_deserialize(value)) for name, value in item.items()}


def read_days(
    dynamodb: Any,
    table_name: str,
    days: Iterable[date],
    attributes: Sequence[str],
    day_read: Callable[[], None] = lambda: None,
) -> Iterator[dict[str, Any]]:
    """Yields the items for the given days, as plain values. Queries the index by day and keeps one page in memory.

    Args:
        dynamodb: a boto3 client that retries throttled calls.
        table_name: name of the table.
        days: local dates.
        attributes: names of the attributes to read.
        day_read: called after each day.

    Raises:
        InputError: the table cannot be queried.
    """
    names = {f"#{number}": name for number, name in enumerate(("call_date", *attributes))}
    try:
        pages = dynamodb.get_paginator("query")
        for day in days:
            for page in pages.paginate(
                TableName=table_name,
                IndexName=INDEX,
                KeyConditionExpression="#0 = :day",
                ProjectionExpression=", ".join(list(names)[1:]),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={":day": {"S": day.isoformat()}},
            ):
                yield from map(_item, page["Items"])
            day_read()
    except (ClientError, BotoCoreError) as error:
        raise unreadable(f"table {table_name}", error) from error


def unreadable(source: str, error: ClientError | BotoCoreError) -> InputError:
    """Returns the error to raise for a table that cannot be read."""
    if isinstance(error, ClientError):
        code, message = (str(error.response["Error"].get(key, "")) for key in ("Code", "Message"))
        fix = _FIXES.get(code, "Check the AWS credentials and the state of the table")
        return InputError(source, "", f"cannot be read ({code}: {message.rstrip('. ')})", fix)
    if isinstance(error, NoCredentialsError):
        return InputError(source, "", "no AWS credentials found", "Set AWS_PROFILE or sign in to AWS")
    if isinstance(error, NoRegionError):
        return InputError(source, "", "no AWS region is set", "Pass --region or set AWS_REGION")
    problem = f"cannot be read ({' '.join(str(error).split()).rstrip('.')})"
    return InputError(source, "", problem, "Check the AWS configuration and the network")


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
