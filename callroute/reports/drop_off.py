"""Counts calls by the last stop each caller reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callroute.flows.route_catalog import RouteCatalog
from callroute.reports.report import OUTCOMES


@dataclass(frozen=True)
class DropOffRow:
    """The calls that ended at one stop."""

    call_flow: str | None
    """Value of `call_flow`, or None if the records have no such attribute."""
    call_route: str
    """Route of the stop."""
    label: str
    """English label from the route catalog, or the route itself if no catalog lists it."""
    depth: int
    """Number of stops above this one in the menu tree, counting only those with a row."""
    calls: int
    outcomes: Mapping[str, int]
    """Number of calls with each outcome."""

    @property
    def dropped(self) -> int:
        """Number of calls abandoned in the flow or in the queue."""
        return self.outcomes["abandoned_in_flow"] + self.outcomes["abandoned_in_queue"]


def drop_off(
    items: Iterable[Mapping[str, Any]], catalogs: Sequence[RouteCatalog] = (), *, all_stops: bool = False
) -> list[DropOffRow]:
    """Counts call records by stop and returns the counts in menu order.

    Args:
        items: call records from `read_all`.
        catalogs: route catalogs that define the labels and the order of the stops. Stops that are not in a catalog
            come last, sorted by route.
        all_stops: include the stops without calls of every cataloged flow that has calls.
    """
    by_flow = {catalog.call_flow: catalog for catalog in catalogs}
    counts: dict[tuple[str | None, str], Counter[str]] = {}
    for item in items:
        counts.setdefault((item.get("call_flow"), item["call_route"]), Counter())[item["outcome"]] += 1
    if all_stops:
        for call_flow in {call_flow for call_flow, _ in counts} & by_flow.keys():
            for route in by_flow[call_flow].routes:
                counts.setdefault((call_flow, route), Counter())
    rows = []
    for (call_flow, route), outcomes in counts.items():
        catalog = by_flow.get(call_flow)
        rows.append(
            DropOffRow(
                call_flow,
                route,
                catalog.routes[route].en if catalog and route in catalog.routes else route,
                _depth(catalog, (call_flow, route), counts),
                outcomes.total(),
                {outcome: outcomes[outcome] for outcome in OUTCOMES},
            )
        )
    return sorted(rows, key=lambda row: _sort_key(by_flow.get(row.call_flow), row))


def _depth(
    catalog: RouteCatalog | None, stop: tuple[str | None, str], shown: Collection[tuple[str | None, str]]
) -> int:
    """Returns how many of the displayed stops are above a stop in the menu tree."""
    call_flow, route = stop
    depth = 0
    while catalog and route in catalog.routes and (parent := catalog.routes[route].parent) is not None:
        route = parent
        depth += (call_flow, route) in shown
    return depth


def _sort_key(catalog: RouteCatalog | None, row: DropOffRow) -> tuple[str, bool, int, str]:
    """Sorts by flow, then by position in the catalog, then by route."""
    order = list(catalog.routes) if catalog else []
    listed = row.call_route in order
    return row.call_flow or "", not listed, order.index(row.call_route) if listed else 0, row.call_route
