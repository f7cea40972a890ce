"""`callroute simulate`: one call through one flow, with nothing but the flow: no emulator, no stack."""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from callroute.cli.call_events import line_of
from callroute.cli.flow_files import read_flow
from callroute.errors import InputError
from callroute.flows import simulator
from callroute.flows.contact_record import contact_record

DEFAULT_START = "2026-04-01T10:00:00+09:00"
DEFAULT_ANSWER_SECONDS = 20.0
LONGEST_WAIT_SECONDS = 86_400


def simulate(
    flow: Annotated[Path, typer.Argument(metavar="FLOW", help="The flow, in Connect's flow language.")],
    keys: Annotated[
        str,
        typer.Option(
            help="What the caller presses, one per menu: 0-9 * # timeout hangup, separated by commas. "
            "When they run out the caller hangs up at the next menu."
        ),
    ] = "",
    closed: Annotated[bool, typer.Option("--closed", help="The call comes outside opening hours.")] = False,
    agent_answers_after: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Time in the queue until an agent answers; 20 if not given."),
    ] = None,
    leaves_queue_after: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="No agent answers; the caller gives up waiting.")
    ] = None,
    at: Annotated[
        str,
        typer.Option(metavar="TIME", help="When the call comes in, ISO 8601; UTC unless it says otherwise."),
    ] = DEFAULT_START,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
) -> None:
    """Play one caller through a flow: what is said and pressed, the attributes, and the contact record.

    The same arguments give the same call to the last character, its contact id and times included. Placeholders that
    the flow's route catalogue declares get stand-in values.
    """
    pressed = simulator.read_keys(keys)
    start = _moment(at)
    world, patience = _surroundings(closed, agent_answers_after, leaves_queue_after)
    playing = simulator.play(
        read_flow(flow),
        simulator.KeyedCaller(pressed, patience),
        clock=simulator.SimulatedClock(start),
        world=world,
    )
    # Derived, not random: whoever compares two runs sees only what differs in the call.
    contact_id = str(
        uuid.uuid5(uuid.NAMESPACE_URL, "|".join([flow.name, *pressed, at, repr(world), repr(patience)]))
    )
    if as_json:
        events: list[dict[str, Any]] = []
        call = simulator.watch(playing, lambda event: events.append(_as_json(event)))
        record = contact_record(call, contact_id=contact_id)
        document = {"events": events, "attributes": dict(call.attributes), "contact_record": record}
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        call = simulator.watch(playing, lambda event: console.print(line_of(event, start)))
        console.print(Text("\ncontact record", "bold"))
        console.print_json(json.dumps(contact_record(call, contact_id=contact_id)), indent=2)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise InputError(
            "--at", "", f"{text!r} is not a time", f"Write it in ISO 8601, such as {DEFAULT_START}"
        ) from error
    if not 1970 <= moment.year < 2100:
        raise InputError(
            "--at", "", f"the year {moment.year} is out of range", "Give a year from 1970 to 2099"
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _surroundings(
    closed: bool, answers_after: float | None, leaves_after: float | None
) -> tuple[simulator.World, float | None]:
    """The world of the call, and after how long the caller leaves a queue."""
    options = {"--agent-answers-after": answers_after, "--leaves-queue-after": leaves_after}
    for option, seconds in options.items():
        if seconds is not None and not 0 <= seconds <= LONGEST_WAIT_SECONDS:
            raise InputError(
                option, "", f"{seconds:g} is not a time to wait", f"Give seconds, 0 to {LONGEST_WAIT_SECONDS}"
            )
    if answers_after is not None and leaves_after is not None:
        raise InputError(
            "--leaves-queue-after",
            "",
            "an agent answers, by --agent-answers-after",
            "Give one of the two options",
        )
    if leaves_after is None and answers_after is None:
        answers_after = DEFAULT_ANSWER_SECONDS
    return simulator.World(is_open=not closed, agent_answers_after=answers_after), leaves_after


def _as_json(event: simulator.Event) -> dict[str, Any]:
    fields = dataclasses.asdict(event)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
    return {"event": name, **fields, "at": event.at.isoformat(timespec="milliseconds")}
