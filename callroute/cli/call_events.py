"""Writes the events of a call, one line per event."""

from __future__ import annotations

from datetime import datetime

from callroute.cli import output
from callroute.flows.simulation import events
from callroute.flows.simulation.descriptions import describe

LABEL_WIDTH = 11
TEXT_COLUMN = 8 + LABEL_WIDTH


def write_event(event: events.Event, start: datetime, *, error: bool = False) -> None:
    """Writes an event as a line: minutes and seconds since the call began, a label and a description.

    Args:
        event: the event.
        start: start of the call.
        error: write to standard error instead of standard output.
    """
    elapsed = int((event.at - start).total_seconds())
    label, text, style = describe(event)
    output.write(
        (text, style),
        margin=[
            (f"{elapsed // 60:>3}:{elapsed % 60:02}  ", "dim"),
            (f"{label:<{LABEL_WIDTH}}", f"bold {style}".strip()),
        ],
        error=error,
    )
