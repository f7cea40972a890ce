"""Checks the figures in docs/scaling.md against the prices, the limits and the options that it names."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest

from benchmarks.prices import SECONDS_PER_RECORD, VERSIONS, cost_of_size, item_size, monthly_costs
from call_route_tracker.options import RECORD_BYTES
from callroute.aws.pipe import BATCH_BYTES
from callroute.aws.state_machine import definition
from tests.support.contact_records import contact_record
from tests.support.jsonata_engines import expressions, work
from tests.support.options import tracker_args
from tests.support.paths import REPOSITORY

TEXT = (REPOSITORY / "docs" / "scaling.md").read_text(encoding="utf-8")
ROWS = [row.split(" | ") for row in re.findall(r"^\| (\d+ \| `shardCount`.*) \|$", TEXT, re.MULTILINE)]
SHARD_BYTES, SHARD_RECORDS = 1_000_000, 1000


def test_three_loads_are_listed() -> None:
    assert [row[0] for row in ROWS] == ["1", "10", "100"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} calls per second")
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


def test_the_cost_of_call_detail_follows_from_the_sizes() -> None:
    pytest.importorskip("jsonata", reason="needs the emulator: pip install -r requirements/local.txt")
    rows = re.findall(
        r"^\| (\d+|without detail) \| ([\d,]+) bytes \| ([\d,]+) bytes \| \$([\d.]+) \|$", TEXT, re.MULTILINE
    )
    plain = len(json.dumps(record_of_a_call(0)))

    found = []
    for stops in (0, 10, 30, 100):
        record = record_of_a_call(stops)
        size, item = RECORD_BYTES + len(json.dumps(record)) - plain, item_size(item_of(record))
        cost = 1_000_000 * cost_of_size(size, item, batch_size=10)
        found.append((str(stops or "without detail"), f"{size:,}", f"{item:,}", f"{cost:.2f}"))
    assert rows == found


def record_of_a_call(stops: int) -> dict[str, Any]:
    """Returns the record of a call that visited so many stops, with silence at each fifth stop."""
    names = [f"lost_card_{number:02}" for number in range(stops)] or ["lost_card_00"]
    attributes = {
        "call_completed": "false",
        "call_flow": "bank",
        "call_route": names[-1],
        "flow_version": "0a1b2c3d4e5f",
    }
    if stops:
        attributes |= {"call_detail": "true"} | {
            f"call_from_{stop}": before for before, stop in pairwise(names)
        }
        for stop in names[::5]:
            attributes |= {f"call_silence{n}_{stop}": str(n // 3) for n in (1, 2, 3)}
    return contact_record(Attributes=attributes)


def item_of(record: dict[str, Any]) -> dict[str, Any]:
    """Returns the item for a contact record, in DynamoDB's JSON."""
    machine = definition(tracker_args(), table_name="t", quarantine_queue_url="q")["States"]
    states, variables = machine["EachContact"]["ItemProcessor"]["States"], machine["Settings"]["Assign"]
    _, read = expressions(states["Read"])
    (values,) = expressions(states["Store"]["Arguments"]["ExpressionAttributeValues"])
    entry = {"contact": record}
    reading = work(read, {"states": {"input": entry}, **variables}).value
    item = work(values, {"states": {"input": {"record": entry, "reading": reading}}, **variables}).value
    return {"contact_id": {"S": record["ContactId"]}, **{name[1:]: value for name, value in item.items()}}
