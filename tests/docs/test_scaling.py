"""Checks the figures in docs/scaling.md against the prices, the limits and the options that it names."""

from __future__ import annotations

import re

import pytest

from benchmarks.prices import SECONDS_PER_RECORD, VERSIONS, monthly_costs
from call_route_tracker.options import RECORD_BYTES
from callroute.aws.pipe import BATCH_BYTES
from tests.support.options import tracker_args
from tests.support.paths import REPOSITORY

TEXT = (REPOSITORY / "docs" / "scaling.md").read_text(encoding="utf-8")
ROWS = [row.split(" | ") for row in re.findall(r"^\| (\d+ \| `shardCount`.*) \|$", TEXT, re.MULTILINE)]
SHARD_BYTES, SHARD_RECORDS = 1_000_000, 1000


def test_three_loads_are_listed() -> None:
    assert [row[0] for row in ROWS] == ["1", "10", "100"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} calls a second")
def test_costs_and_capacity_follow_from_the_options(row: list[str]) -> None:
    calls = int(row[0])
    options = {name: int(value) for name, value in re.findall(r"`(\w+)` (\d+)", row[1])}
    shards, lanes, batch = (options[name] for name in ("shardCount", "parallelizationFactor", "batchSize"))
    tracker_args(shard_count=shards, parallelization_factor=lanes, batch_size=batch)  # validates them

    costs = monthly_costs(calls, shards=shards, batch_size=batch)
    assert row[2:] == [f"${value:,.2f}" for value in (*costs.values(), sum(costs.values()))]

    twice = 2 * calls * VERSIONS
    assert twice <= shards * SHARD_RECORDS
    assert twice * RECORD_BYTES <= shards * SHARD_BYTES
    assert twice <= shards * lanes / SECONDS_PER_RECORD


def test_limits_are_converted_to_calls_a_second() -> None:
    capacity = dict(re.findall(r"^\| ([^|]+) \| [^|]+ \| ([\d,]+)[^|]* \|$", TEXT, re.MULTILINE))
    per_lane = 1 / SECONDS_PER_RECORD / VERSIONS

    found = {name: int(value.replace(",", "")) for name, value in capacity.items()}
    assert found["one shard, writes"] == SHARD_BYTES / RECORD_BYTES / VERSIONS
    assert found["one shard, reads"] == 2 * SHARD_BYTES / RECORD_BYTES / VERSIONS
    assert found["the pipe, one batch of a shard at a time"] == per_lane
    assert found["the pipe, `parallelizationFactor` 10"] == 10 * per_lane
    assert found["all pipes of an account"] == 1000 * per_lane
    assert found["table, new and on demand"] == 4000 / VERSIONS
    assert found["index `by-day`"] == 1000 / VERSIONS


def test_the_largest_batch_stays_within_the_limits_of_an_execution() -> None:
    largest = BATCH_BYTES // RECORD_BYTES

    assert (
        f"limits `batchSize` to {largest}; 5 minutes, of which it uses {largest * SECONDS_PER_RECORD:g} s"
        in TEXT
    )
