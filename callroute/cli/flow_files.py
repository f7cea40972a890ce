"""Reads the flow that a command is given."""

from __future__ import annotations

from pathlib import Path

from callroute.flows.flow import Flow
from callroute.flows.placeholders import fill
from callroute.flows.route_catalog import RouteCatalog
from callroute.flows.simulation.contact_record import INSTANCE_ARN
from callroute.formats.files import read_text


def stand_ins(catalog: RouteCatalog | None) -> dict[str, str]:
    """A value for each placeholder that a route catalog declares: ARNs that exist nowhere."""
    names = catalog.placeholders if catalog else ()
    return {name: f"{INSTANCE_ARN}/simulated/{name}" for name in names}


def read_flow(path: Path) -> Flow:
    """A flow with stand-ins in its declared placeholders.

    Raises:
        InputError: the flow or its catalog cannot be used.
    """
    text = read_text(path)
    catalog = RouteCatalog.beside(path)
    if catalog is not None:
        text = fill(text, stand_ins(catalog), str(path), catalog.placeholders)
    return Flow.parse(text, str(path))
