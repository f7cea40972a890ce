"""Implements `callroute call`, which places one call in the local cloud."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from callroute.cli import local_cloud, output
from callroute.cli.call_events import write_event
from callroute.cli.callers import InterruptibleCaller, TerminalCaller
from callroute.cli.exit_codes import FINDINGS
from callroute.cli.input_files import stand_ins
from callroute.cli.parameters import FILE, general_options, json_option, project_option
from callroute.errors import InputError
from callroute.flows import simulation
from callroute.flows.load import STANDARD_INPUT, LoadedFlow, load_flow
from callroute.flows.simulation.contact_record import last_emission
from callroute.flows.simulation.participants import unused_keys_message

if TYPE_CHECKING:
    from callroute.flows.flow import Flow


@click.command
@click.option(
    "--flow",
    metavar="FLOW",
    required=True,
    type=FILE,
    help="Flow file (JSON in the Amazon Connect flow language), or - for standard input.",
)
@click.option(
    "--keys",
    metavar="KEYS",
    help="What the caller presses, as in `callroute simulate`. Without it, you are the caller.",
)
@project_option
@json_option
@general_options
def call(flow: Path, keys: str | None, project: Path | None, as_json: bool) -> None:
    """Call a flow in the local cloud and show the stored call record.

    Starts the stack on this machine, plays the call, sends its contact record through the stream, pipe, state
    machine and table, and removes the stack. Ctrl-C during the call hangs up.

    Exit code: 0 if the call left a record in the table, 1 if it did not, 2 if the flow cannot be used, 3 if the local
    cloud failed.
    """
    if keys is None and flow == STANDARD_INPUT:
        problem = "not given, and the flow is read from standard input"
        raise InputError("--keys", "", problem, "Pass the keys that the caller presses")
    pressed = None if keys is None else simulation.read_keys(keys)
    caller = TerminalCaller() if pressed is None else simulation.KeyedCaller(pressed)
    loaded = load_flow(flow, lambda catalog, text: stand_ins(catalog, text) or {})
    duration = timedelta(0) if pressed is None else simulated_duration(loaded.flow, pressed)
    interruptible = InterruptibleCaller(caller)
    events: list[simulation.Event] = []
    with deployable(loaded) as definition, local_cloud.started(project, {"flows": [definition]}) as cloud:
        start = datetime.now(UTC) - duration
        clock = simulation.RunningClock() if pressed is None else simulation.SimulatedClock(start)

        def on_event(event: simulation.Event) -> None:
            events.append(event)
            write_event(event, start, error=as_json)

        with interruptible.on_the_line():
            placed = cloud.dialer.call(definition["name"], interruptible, clock=clock, on_event=on_event)
        if isinstance(caller, simulation.KeyedCaller) and caller.unused_keys:
            output.note(f"--keys: {unused_keys_message(caller.unused_keys, events[-1].block)}")
        with output.progress("Processing the contact record …"):
            counts = cloud.settle()
        contact_id = placed.contact_record["ContactId"]
        item = next((each for each in local_cloud.items_of(cloud) if each["contact_id"] == contact_id), None)
        quarantined = cloud.quarantined()
    if as_json:
        output.write_json({"contact_record": placed.contact_record, "item": item})
    elif item is not None:
        output.write(("\nCall record", "bold"))
        local_cloud.write_item(item)
    if item is None:
        local_cloud.write_deliveries(counts, quarantined)
        if counts.filtered:
            problem = "the call left no record, because the flow did not set call_route"
            output.error(
                f"{loaded.flow.source}: {problem}. Run `callroute track` to add tracking to the flow"
            )
        raise Exit(FINDINGS)


def simulated_duration(flow: Flow, keys: tuple[str, ...]) -> timedelta:
    """Returns the time from the start of a call until its last contact record is emitted.

    The call starts this long ago so that none of its timestamps is in the future.
    """
    start = datetime.now(UTC)
    clock = simulation.SimulatedClock(start)
    _, call = simulation.run_simulation(flow, simulation.KeyedCaller(keys), clock=clock)
    return last_emission(call) - start


@contextmanager
def deployable(loaded: LoadedFlow) -> Iterator[dict[str, Any]]:
    """Writes the flow to a temporary file, exactly as it was read, and yields the stack configuration for it."""
    name = "flow" if loaded.path == STANDARD_INPUT else loaded.path.stem
    with tempfile.TemporaryDirectory(prefix="callroute-flow-") as folder:
        file = Path(folder) / f"{name}.json"
        file.write_text(loaded.filled, encoding="utf-8", newline="")
        yield {"file": str(file), "name": name, "placeholders": {}}
