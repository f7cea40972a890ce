"""How many contacts a second go through stream, pipe, state machine and table, and what memory that takes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from benchmarks.measurement import Measurement
from callroute.flows import simulation
from callroute.flows.flow import Flow
from callroute.flows.simulation.contact_record import contact_record
from callroute.local.cloud import LocalCloud

FLOW = Path(__file__).resolve().parents[1] / "flow_definitions" / "call_route.json"
CONTACTS = 500
GOAL_PER_SECOND = 100

RECORDS = 100_000
OURS = 50
"""One record in so many is of a tracked call; the others are what else lies on a stream."""
CHUNK = 5_000
FLAT_MEGABYTES = 10


def measure() -> list[Measurement]:
    """Throughput with the local stack's settings and with all lanes open; memory over many records."""
    return [_throughput(1), _throughput(10), *_memory()]


def _throughput(lanes: int) -> Measurement:
    with LocalCloud({"parallelizationFactor": lanes}) as cloud:
        cloud.put(contacts(CONTACTS, ours=1))
        start = time.perf_counter()
        tally = cloud.settle()
        per_second = tally.stored / (time.perf_counter() - start)
    return Measurement(
        f"pipeline in the emulator, {lanes} lane{'s' if lanes > 1 else ''}",
        f"{per_second:.0f} contacts/s",
        f"{GOAL_PER_SECOND} or more",
        per_second >= GOAL_PER_SECOND,
        f"{CONTACTS} contacts, batches of 10",
    )


def _memory() -> list[Measurement]:
    """The resident memory of this process after the first tenth of the records and after the last."""
    with LocalCloud({"parallelizationFactor": 10, "batchSize": 50}) as cloud:
        sizes = []
        for chunk in range(RECORDS // CHUNK):
            cloud.put(contacts(CHUNK, ours=OURS, first=chunk * CHUNK))
            cloud.settle()
            sizes.append(_resident_megabytes())
    early, late = sizes[len(sizes) // 10], sizes[-1]
    return [
        Measurement(
            f"growth of our process over {RECORDS:,} records",
            f"{late - early:+.1f} MB",
            f"flat (within {FLAT_MEGABYTES} MB)",
            late - early <= FLAT_MEGABYTES,
            f"{early:.0f} MB after a tenth, {late:.0f} MB at the end; 1 in {OURS} of a tracked call",
        )
    ]


def contacts(number: int, *, ours: int, first: int = 0) -> Iterator[bytes]:
    """Contact records of one simulated call under many identifiers; all but one in `ours` are chats."""
    start = simulation.SimulatedClock(datetime.fromisoformat("2026-04-01T10:00:00+09:00"))
    _, call = simulation.run_simulation(Flow.load(FLOW), simulation.KeyedCaller(("1", "2")), clock=start)
    record = contact_record(call, contact_id="")
    for place in range(first, first + number):
        yield json.dumps(
            {**record, "ContactId": f"contact-{place}", "Channel": "CHAT" if place % ours else "VOICE"}
        ).encode()


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6
