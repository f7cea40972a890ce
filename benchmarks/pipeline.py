"""Measures throughput and memory of the pipeline: stream, pipe, state machine and table."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from statistics import median

from benchmarks.measurement import Measurement
from callroute.flows import simulation
from callroute.flows.flow import Flow
from callroute.flows.simulation.contact_record import contact_record
from callroute.local.cloud import LocalCloud
from callroute.local.stack_config import find_project

CONTACTS = 500
GOAL_RATIO = 0.5

RUNS = 3

RECORDS = 100_000
RECORDS_PER_CALL = 50
"""One of this many records belongs to a tracked call. The pipe filters out the others."""
CHUNK = 5_000
MAX_GROWTH_MEGABYTES = 10


def measure() -> list[Measurement]:
    """Measures throughput with one lane and with ten lanes, and memory use while processing many records."""
    return [_throughput(1), _throughput(10), *_memory()]


def _throughput(lanes: int) -> Measurement:
    """Compares the pipeline with writing the same items one after another through boto3.

    The runs alternate, so that variations in machine load affect both.
    """
    pipeline, floor = [], []
    with LocalCloud({"parallelizationFactor": lanes}) as cloud:
        for run in range(RUNS):
            cloud.put(contacts(CONTACTS, first=run * CONTACTS))
            start = time.perf_counter()
            stored = cloud.settle().stored
            pipeline.append(stored / (time.perf_counter() - start))
            floor.append(_updates_per_second(cloud))
    quotient = median(pipeline) / median(floor)
    return Measurement(
        f"pipeline in the emulator, {lanes} lane{'s' if lanes > 1 else ''}",
        f"{median(pipeline):.0f} contacts/s",
        f"{GOAL_RATIO} × or more",
        quotient >= GOAL_RATIO,
        f"median of {RUNS}, {CONTACTS} contacts in batches of 10; {median(floor):.0f} UpdateItem/s",
        f"{quotient:.2f} × UpdateItem through boto3",
    )


def _updates_per_second(cloud: LocalCloud) -> float:
    """Returns the rate of UpdateItem requests with the attributes of the stored items."""
    dynamodb, table = cloud.emulator.client("dynamodb"), cloud.table_name
    items = dynamodb.scan(TableName=table, Limit=CONTACTS)["Items"]
    requests = []
    for item in items:
        names = sorted(set(item) - {"contact_id"})
        requests.append(
            {
                "TableName": table,
                "Key": {"contact_id": {"S": f"floor-{item['contact_id']['S']}"}},
                "UpdateExpression": "SET " + ", ".join(f"{name} = :{name}" for name in names),
                "ConditionExpression": "attribute_not_exists(version) OR version < :version",
                "ExpressionAttributeValues": {f":{name}": item[name] for name in names},
            }
        )
    start = time.perf_counter()
    for request in requests:
        dynamodb.update_item(**request)
    per_second = len(requests) / (time.perf_counter() - start)
    for request in requests:
        dynamodb.delete_item(TableName=table, Key=request["Key"])
    return per_second


def _memory() -> list[Measurement]:
    """Compares the process's resident memory after handling a tenth of the records and after handling all of them."""
    with LocalCloud({"parallelizationFactor": 10, "batchSize": 50}) as cloud:
        sizes = []
        for chunk in range(RECORDS // CHUNK):
            cloud.put(contacts(CHUNK, records_per_call=RECORDS_PER_CALL, first=chunk * CHUNK))
            cloud.settle()
            sizes.append(_resident_megabytes())
    early, late = sizes[len(sizes) // 10], sizes[-1]
    return [
        Measurement(
            f"memory growth over {RECORDS:,} records",
            f"{late - early:+.1f} MB",
            f"at most {MAX_GROWTH_MEGABYTES} MB",
            late - early <= MAX_GROWTH_MEGABYTES,
            f"{early:.0f} MB after a tenth, {late:.0f} MB at the end; 1 in {RECORDS_PER_CALL} from a tracked call",
        )
    ]


def contacts(number: int, *, records_per_call: int = 1, first: int = 0) -> Iterator[bytes]:
    """Yields one call's contact record with different IDs. All but one in every `records_per_call` records are chats."""
    flow = Flow.load(find_project() / "flow_definitions" / "call_route.json")
    start = simulation.SimulatedClock(datetime.fromisoformat("2026-04-01T10:00:00+09:00"))
    _, call = simulation.run_simulation(flow, simulation.KeyedCaller(("1", "2")), clock=start)
    record = contact_record(call, contact_id="")
    for index in range(first, first + number):
        channel = "CHAT" if index % records_per_call else "VOICE"
        yield json.dumps({**record, "ContactId": f"contact-{index}", "Channel": channel}).encode()


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6
