"""Reads the flow that a command is given."""

from __future__ import annotations

from pathlib import Path

from callroute.flows.catalogue import RouteCatalogue
from callroute.flows.contact_record import INSTANCE_ARN
from callroute.flows.files import read_text
from callroute.flows.model import Flow
from callroute.flows.placeholders import fill


def stand_ins(path: Path) -> dict[str, str]:
    """A value for each placeholder that the route catalogue beside a flow declares: ARNs that exist nowhere."""
    catalogue = RouteCatalogue.beside(path)
    names = catalogue.placeholders if catalogue else ()
    return {name: f"{INSTANCE_ARN}/simulated/{name}" for name in names}


def read_flow(path: Path) -> Flow:
    """A flow with stand-ins in its declared placeholders.

    Raises:
        InputError: the flow or its catalogue cannot be used.
    """
    text = read_text(path)
    values = stand_ins(path)
    if values:
        text = fill(text, values, str(path), values)
    return Flow.read(text, str(path))
