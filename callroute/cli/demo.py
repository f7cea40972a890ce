"""Implements `callroute demo`, which simulates callers in the local cloud."""

from __future__ import annotations

import random
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from math import ceil
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from callroute.cli import local_cloud, output
from callroute.cli.exit_codes import FINDINGS
from callroute.cli.output import Column
from callroute.cli.parameters import general_options, json_option, project_option
from callroute.flows.route_catalog import RouteCatalog
from callroute.local.crowd import place_random_call
from callroute.local.stack_config import find_project
from callroute.reports.drop_off import DropOffRow, drop_off
from callroute.reports.report import Outcome

FLOW = "call-route-with-operator"
CATALOG = "flow_definitions/call_route_with_operator.routes.yaml"
DAY = datetime(2026, 4, 1, tzinfo=timezone(timedelta(hours=9)))
"""Date of all calls. It is fixed so that the same seed gives the same records."""

DEFAULT_CALLS = 40
MAX_CALLS = 10_000
RECORDS_SHOWN = 10

BAR_WIDTH = 8
OUTCOME_COLUMNS: dict[Outcome, tuple[str, int]] = {
    "abandoned_in_flow": ("left in menu", 5),
    "abandoned_in_queue": ("hung up in queue", 7),
    "completed": ("completed", 9),
    "answered": ("answered", 8),
}
"""Heading and minimum width of the column for each outcome."""


@click.command
@click.option(
    "--calls",
    metavar="NUMBER",
    type=click.IntRange(1, MAX_CALLS),
    default=DEFAULT_CALLS,
    help="Number of callers.",
)
@click.option("--seed", metavar="NUMBER", type=int, default=1, help="The same seed gives the same callers.")
@project_option
@json_option
@general_options
def demo(calls: int, seed: int, project: Path | None, as_json: bool) -> None:
    """Simulate callers in the local cloud and show where they dropped off.

    Starts the stack on this machine, lets simulated callers use a bank's phone menu, sends their contact
    records through the stream, pipe, state machine and table, and removes the stack.

    Exit code: 0 if every record was stored, 1 if one was quarantined or dead-lettered, 3 if the local cloud failed.
    """
    project = project or find_project()
    catalog = RouteCatalog.load(project / CATALOG)
    with local_cloud.started(project) as cloud:
        with output.progress(f"Placing {output.counted(calls, 'call')} …"):
            chance = random.Random(seed)  # noqa: S311 - not for cryptography
            for _ in range(calls):
                place_random_call(cloud.dialer, FLOW, DAY, chance)
        with output.progress("Processing the contact records …"):
            counts = cloud.settle()
        items = local_cloud.items_of(cloud)
        quarantined = cloud.quarantined()
    stops = drop_off(items, [catalog])
    if as_json:
        output.write_json(
            {"calls": calls, "items": len(items), "stops": [stop_as_json(stop) for stop in stops]}
        )
    else:
        output.write(("Call records", "bold"))
        local_cloud.write_items(items, limit=RECORDS_SHOWN)
        output.write(("\nWhere callers dropped off", "bold"))
        write_stops(stops)
        output.write(f"\n{output.counted(calls, 'call')}, {output.counted(len(items), 'call record')}")
    if not counts.clean:
        local_cloud.write_deliveries(counts, quarantined)
        raise Exit(FINDINGS)


def stop_as_json(stop: DropOffRow) -> dict[str, Any]:
    """Returns the JSON form of a stop."""
    return {**asdict(stop), "dropped": stop.dropped}


def write_stops(stops: list[DropOffRow]) -> None:
    """Writes one stop per line, indented by menu level, with a bar that shows how many calls were lost there."""
    columns = [
        Column("stop"),
        Column("calls", right=True, narrow=5),
        *(Column(name, right=True, narrow=width) for name, width in OUTCOME_COLUMNS.values()),
        Column("lost here", style="red", narrow=BAR_WIDTH),
    ]
    highest = max((stop.dropped for stop in stops), default=0) or 1
    rows = [
        (
            "  " * stop.depth + stop.label,
            *(
                str(count or "·")
                for count in (stop.calls, *(stop.outcomes[outcome] for outcome in OUTCOME_COLUMNS))
            ),
            "█" * ceil(BAR_WIDTH * stop.dropped / highest),
        )
        for stop in stops
    ]
    output.write_table(columns, rows)
