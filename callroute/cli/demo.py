"""`callroute demo`: simulated callers through the whole local chain, and where they dropped off."""

from __future__ import annotations

import random
import uuid
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from math import ceil
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from callroute.cli import output
from callroute.flows import simulation
from callroute.flows.route_catalog import RouteCatalog
from callroute.local.cloud import LocalCloud
from callroute.reports.drop_off import OUTCOMES, Stop, drop_off

FLOW = "call-route-with-operator"
CATALOGUE = Path(__file__).parents[2] / "flow_definitions" / "call_route_with_operator.routes.yaml"
DAY = datetime(2026, 4, 1, tzinfo=timezone(timedelta(hours=9)))
"""All calls come in on one day, so that the same seed gives the same records."""

DEFAULT_CALLS = 40
MOST_CALLS = 10_000
RECORDS_SHOWN = 10


def demo(
    calls: Annotated[int, typer.Option(min=1, max=MOST_CALLS, help="How many callers.")] = DEFAULT_CALLS,
    seed: Annotated[int, typer.Option(help="The same seed gives the same callers.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
) -> None:
    """Simulated callers phone a bank; see their records arrive, and where they gave up.

    Stack, phone calls, stream, pipe, state machine and table all run on this machine, and are gone afterwards.
    """
    with output.local_cloud() as cloud:
        with output.err.status(f"{calls:,} people call …"):
            place_calls(cloud, calls, random.Random(seed))  # noqa: S311 - callers, not keys
        with output.err.status("Their contact records go through stream, pipe and state machine …"):
            tally = cloud.settle()
        items = output.items_of(cloud)
        quarantined = cloud.quarantined()
    stops = drop_off(items, [RouteCatalog.load(CATALOGUE)])
    if as_json:
        output.print_json({"calls": calls, "items": len(items), "stops": [_as_json(stop) for stop in stops]})
    else:
        output.out.print(Text("Call records", "bold"))
        output.print_items(items, at_most=RECORDS_SHOWN)
        output.out.print(Text("\nWhere callers dropped off", "bold"))
        output.out.print(_table(stops))
        output.out.print(f"\n{calls:,} calls, {len(items):,} call records", highlight=False)
    if not tally.clean:
        output.report(tally, quarantined)
        raise typer.Exit(output.FINDINGS)


def place_calls(cloud: LocalCloud, calls: int, chance: random.Random) -> None:
    """Places calls by callers who choose, hesitate, mistype and give up, spread over one day."""
    for _ in range(calls):
        moment = DAY + timedelta(seconds=chance.randrange(8 * 3600, 19 * 3600))
        placing = cloud.dialer.call(
            FLOW,
            RandomCaller(chance),
            clock=simulation.SimulatedClock(moment),
            environment=simulation.Environment(
                is_open=9 <= moment.hour < 17, agent_answers_after=chance.choice((10, 30, 60, 120, None))
            ),
            contact_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            customer_number=chance.choice((*CALLERS, None)),
        )
        simulation.run_with(placing, lambda _event: None)


CALLERS = (*(f"+8150000000{number:02}" for number in range(1, 20)), "+12065550100", "+442079460000")
"""Numbers that belong to nobody."""


class RandomCaller:
    """A caller who mostly presses what is offered.

    Args:
        chance: decides.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def listens(self, said: simulation.Said) -> bool:  # noqa: ARG002 - bored by any message alike
        """Hangs up during one message in twenty."""
        return self._chance.random() > 0.05

    def chooses(self, menu: simulation.MenuOffered) -> str:
        """One menu in six loses the caller; some get no answer or a wrong key."""
        what = self._chance.random()
        if what < 0.17:
            return simulation.HANGUP
        if what < 0.25:
            return simulation.TIMEOUT
        return self._chance.choice(simulation.KEYS if what < 0.28 else menu.keys)

    def waits(self, queued: simulation.Queued) -> float | None:  # noqa: ARG002 - every queue is as long
        """Patience of half a minute, of a minute and a half, or of a saint."""
        return self._chance.choice((30.0, 90.0, 600.0))


def _as_json(stop: Stop) -> dict[str, Any]:
    return {**asdict(stop), "dropped": stop.dropped}


def _table(stops: list[Stop]) -> Table:
    """A line a stop, set in by its depth in the menus; the bar shows the calls that were lost there."""
    table = Table(box=None, pad_edge=False)
    table.add_column("stop", no_wrap=True)
    for heading in ("calls", *(_HEADINGS[outcome] for outcome in OUTCOMES)):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("lost here", no_wrap=True)
    most = max((stop.dropped for stop in stops), default=0) or 1
    for stop in stops:
        numbers = [str(count) if count else "·" for count in (stop.calls, *stop.outcomes.values())]
        bar = "█" * ceil(BAR_CHARACTERS * stop.dropped / most)
        table.add_row("  " * stop.depth + stop.label, *numbers, Text(bar, "red"))
    return table


BAR_CHARACTERS = 10
_HEADINGS = {
    "abandoned_in_flow": "left menu",
    "abandoned_in_queue": "left queue",
    "completed": "completed",
    "answered": "answered",
}
