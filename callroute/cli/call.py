"""`callroute call`: one call through the whole local chain, by given keys or from the terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.text import Text

from callroute.cli import output
from callroute.cli.call_events import line_of
from callroute.cli.flow_files import read_flow, stand_ins
from callroute.flows import simulation
from callroute.flows.route_catalog import RouteCatalog

Answer = TypeVar("Answer")


def call(
    flow: Annotated[
        Path, typer.Option("--flow", metavar="FILE", help="The flow, in Connect's flow language.")
    ],
    keys: Annotated[
        str | None,
        typer.Option(help="What the caller presses, as in simulate. Without it you are the caller."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
) -> None:
    """Call a flow, and see the record of the call land in the table of the local cloud."""
    read_flow(flow)  # what is wrong with it is better said before anything is started
    pressed = None if keys is None else simulation.read_keys(keys)
    console = output.err if as_json else output.out
    name = flow.stem
    definition = {
        "file": str(flow.resolve()),
        "name": name,
        "placeholders": stand_ins(RouteCatalog.beside(flow)),
    }
    with output.local_cloud({"flows": [definition]}) as cloud:
        start = datetime.now(UTC)
        caller: simulation.Caller
        clock: simulation.Clock
        if pressed is None:
            caller, clock = Person(), RunningClock()
        else:
            caller, clock = simulation.KeyedCaller(pressed), simulation.SimulatedClock(start)
        placed = simulation.run_with(
            cloud.dialer.call(name, caller, clock=clock), lambda event: console.print(line_of(event, start))
        )
        with output.err.status("The contact record goes through stream, pipe and state machine …"):
            tally = cloud.settle()
        contact_id = placed.contact_record["ContactId"]
        items = output.items_of(cloud)
        item = next((each for each in items if each["contact_id"] == contact_id), None)
        quarantined = cloud.quarantined()
    if as_json:
        output.print_json({"contact_record": placed.contact_record, "item": item})
    elif item is not None:
        output.out.print(Text("\ncall record", "bold"))
        output.print_item(item)
    if item is None:
        output.report(tally, quarantined)
        if tally.filtered:
            output.err.print(
                f"{flow}: the call left no record, since the flow set no call_route before it ended"
            )
        raise typer.Exit(output.FINDINGS)


class RunningClock:
    """The time of day: while a person holds the telephone, time runs by itself."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Nothing to do."""


class Person:
    """The caller at the terminal. The end of the input, or Ctrl-C, hangs up."""

    def listens(self, said: simulation.Said) -> bool:  # noqa: ARG002 - what is said is on the screen already
        """Enter hears the message out."""
        return self._ask("Enter listens on, h hangs up", {"": True, "h": False}, gone=False)

    def chooses(self, menu: simulation.MenuOffered) -> str:  # noqa: ARG002 - the keys offered are on the screen already
        """Any key of a telephone; Enter says nothing."""
        keys = {key: key for key in simulation.KEYS}
        answers = {**keys, "": simulation.TIMEOUT, "h": simulation.HANGUP}
        return self._ask("a key, Enter says nothing, h hangs up", answers, gone=simulation.HANGUP)

    def waits(self, queued: simulation.Queued) -> float | None:  # noqa: ARG002 - as above
        """Enter waits for an agent."""
        return self._ask("Enter waits for an agent, h hangs up", {"": None, "h": 0.0}, gone=0.0)

    def _ask(self, question: str, answers: dict[str, Answer], gone: Answer) -> Answer:
        while True:
            try:
                typed = output.err.input(Text(f"        {question}: ", "cyan")).strip().lower()
            except (EOFError, KeyboardInterrupt):
                output.err.print()
                return gone
            if typed in answers:
                return answers[typed]
            output.err.print(f"        {typed!r} is not on a telephone", markup=False)
