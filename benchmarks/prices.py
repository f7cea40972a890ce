"""AWS list prices in us-east-1, in US dollars, and the cost of the pipeline. docs/scaling.md lists the sources."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

PER_TRANSITION = 25 / 1e6
"""Price of a state transition in a Standard state machine."""
PER_EXPRESS_REQUEST = 1 / 1e6
PER_GIGABYTE_SECOND = 0.00001667
"""Price of an Express execution's duration, rounded up to 100 ms, at the billed memory."""
GIGABYTES = 64 / 1024
"""Minimum billed memory of an Express execution."""
PER_SHARD_HOUR = 0.015
PER_PUT_UNIT = 0.014 / 1e6
"""Price per 25 KB of a record that is put on a provisioned stream."""
PER_PIPE_REQUEST = 0.40 / 1e6
"""Price per 64 KB of a batch that passes the pipe's filter."""
PER_WRITE_UNIT = 0.625 / 1e6
"""Price per 1 KB written to an on-demand table or to one of its indexes."""

HOURS = 730
"""Hours in a month."""
VERSIONS = 2
"""Number of versions of a contact record."""
SECONDS_PER_RECORD = 0.05
"""Duration of an execution per record in its batch. This is an assumption, not measured on AWS."""


def express_cost(seconds: float) -> float:
    """Returns the cost of one Express execution."""
    billed_seconds = math.ceil(seconds * 10) / 10
    return PER_EXPRESS_REQUEST + billed_seconds * GIGABYTES * PER_GIGABYTE_SECOND


def monthly_costs(calls_per_second: float, *, shards: int, batch_size: int) -> dict[str, float]:
    """Returns the monthly cost of each part of the pipeline at a constant load.

    Args:
        calls_per_second: number of calls per second, averaged over all hours.
        shards: number of shards in the stream.
        batch_size: records per batch. A batch is assumed to be smaller than 64 KB.
    """
    records = calls_per_second * HOURS * 3600 * VERSIONS
    batches = records / batch_size
    return {
        "stream": shards * HOURS * PER_SHARD_HOUR + records * PER_PUT_UNIT,
        "pipe": batches * PER_PIPE_REQUEST,
        "state machine": batches * express_cost(SECONDS_PER_RECORD * batch_size),
        "table and index": records * 2 * PER_WRITE_UNIT,
    }


def cost_of_size(record_bytes: int, item_bytes: int, *, batch_size: int) -> float:
    """Returns the part of a call's cost that depends on sizes: PUT units, pipe requests, and table and index writes."""
    put = math.ceil(record_bytes / 25_600) * PER_PUT_UNIT
    pipe = math.ceil(batch_size * record_bytes / 65_536) * PER_PIPE_REQUEST / batch_size
    return VERSIONS * (put + pipe + 2 * math.ceil(item_bytes / 1_024) * PER_WRITE_UNIT)


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Returns the size of an item in DynamoDB's JSON, in bytes. Source: DynamoDB developer guide, item sizes and formats."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return math.ceil(len(content) / 2) + 1
        case "L":
            return 3 + sum(1 + _value_size(each) for each in content)
        case "M":
            return 3 + len(content) + item_size(content)
    raise ValueError(f"unknown type {kind!r}")
