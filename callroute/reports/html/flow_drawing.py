"""Draws a flow with the number of callers who gave up at each stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from callroute.flows import diagrams
from callroute.flows.attribute_flow import analyze
from callroute.flows.diagrams import Figures
from callroute.flows.flow import Flow
from callroute.flows.simulation.scenario_file import route_of
from callroute.reports.html.colors import heat
from callroute.reports.report import Language, Stop


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Callers who gave up at a stop, either in the menu or while waiting in a queue."""

    calls: int
    reached: int

    @property
    def share(self) -> float:
        """Share of the callers who reached the stop."""
        return self.calls / self.reached if self.reached else 0.0


def gave_up(stop: Stop) -> GaveUp:
    """Returns the callers who gave up at a stop."""
    return GaveUp(stop.outcomes.abandoned_in_flow + stop.outcomes.abandoned_in_queue, stop.reached)


def flow_drawing(flow: Flow, stops: Sequence[Stop], language: Language, prefix: str) -> str:
    """Returns the drawing of a flow as an SVG element, with figures on its stops.

    Blocks at which callers can hang up show how many gave up at the stop. If several routes can be in force in a block,
    its figures are unknown.

    Args:
        flow: the flow.
        stops: its stops.
        language: language of titles and labels.
        prefix: prefix for the IDs in the drawing.
    """
    by_route = {stop.route: stop for stop in stops}
    most = max((gave_up(stop).calls for stop in stops), default=0)
    figures: dict[str, Figures] = {}
    for identifier, block in flow.blocks.items():
        stop = by_route.get(route_of(block) or "")
        if stop:
            text = f"{stop.reached:,} calls reached" if language == "en" else f"{stop.reached:,}件が到達"
            figures[identifier] = Figures(text)
    for each in analyze(flow).stops:
        routes = list(each.routes)
        stop = by_route.get(routes[0]) if len(routes) == 1 and isinstance(routes[0], str) else None
        if stop:
            counts = gave_up(stop)
            percent = f"{100 * counts.share:.0f}%"
            text = (
                f"{counts.calls:,} of {counts.reached:,} gave up · {percent}"
                if language == "en"
                else f"{counts.reached:,}件中{counts.calls:,}件が離脱 · {percent}"
            )
            figures[each.block.identifier] = Figures(text, heat(counts.calls, most))
    return diagrams.svg(flow, language=language, figures=figures, embedded_as=prefix)
