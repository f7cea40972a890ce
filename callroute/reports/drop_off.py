"""Where callers dropped off: calls by the last stop that they reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callroute.flows.route_catalog import RouteCatalog

OUTCOMES = ("abandoned_in_flow", "abandoned_in_queue", "completed", "answered")
"""What may have become of a call (docs/record.md), the losses first."""


@dataclass(frozen=True)
class Stop:
    """The calls that ended at one stop."""

    call_flow: str | None
    """Which flow, where it says so."""
    call_route: str
    """The stop."""
    label: str
    """What the route catalog calls it in English; the route itself where it knows none."""
    depth: int
    """How many stops lie before it in the menus."""
    calls: int
    outcomes: Mapping[str, int]
    """Calls by outcome, every outcome listed."""

    @property
    def dropped(self) -> int:
        """Calls that were lost here: left in the menus or in the queue."""
        return self.outcomes["abandoned_in_flow"] + self.outcomes["abandoned_in_queue"]


def drop_off(items: Iterable[Mapping[str, Any]], catalogs: Sequence[RouteCatalog] = ()) -> list[Stop]:
    """Counts call records by stop, in the order of the menus.

    Args:
        items: call records, as `read_all` gives them.
        catalogs: give labels and order; stops that none of them knows come last, by name.
    """
    known = {catalog.call_flow: catalog for catalog in catalogs}
    counts: dict[tuple[str | None, str], Counter[str]] = {}
    for item in items:
        counts.setdefault((item.get("call_flow"), item["call_route"]), Counter())[item["outcome"]] += 1
    stops = []
    for (call_flow, route), outcomes in counts.items():
        catalog = known.get(call_flow)
        stops.append(
            Stop(
                call_flow,
                route,
                catalog.routes[route].en if catalog and route in catalog.routes else route,
                _depth(catalog, route),
                outcomes.total(),
                {outcome: outcomes[outcome] for outcome in OUTCOMES},
            )
        )
    return sorted(stops, key=lambda stop: _place(known.get(stop.call_flow), stop))


def _depth(catalog: RouteCatalog | None, route: str) -> int:
    depth = 0
    while catalog and route in catalog.routes and (parent := catalog.routes[route].parent) is not None:
        route = parent
        depth += 1
    return depth


def _place(catalog: RouteCatalog | None, stop: Stop) -> tuple[str, bool, int, str]:
    """Flow by flow; in a flow as the catalog lists its routes, then the routes that it does not list."""
    order = list(catalog.routes) if catalog else []
    listed = stop.call_route in order
    return stop.call_flow or "", not listed, order.index(stop.call_route) if listed else 0, stop.call_route
