"""Draws a flow with the number of callers who gave up at each stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class _Count:
    """Callers who gave up at the stops of a block.

    Attributes:
        calls: number of callers.
        reached: number of callers who reached the stop; None if several stops share the block.
        at_most: whether some of them can have given up at other blocks that only some of these stops have.
    """

    calls: int
    reached: int | None
    at_most: bool

    def text(self, language: Language) -> str:
        """Returns the count in a language."""
        if self.reached is not None:
            percent = f"{100 * self.calls / self.reached if self.reached else 0:.0f}%"
            if language == "en":
                return f"{self.calls:,} of {self.reached:,} gave up · {percent}"
            return f"{self.reached:,}件中{self.calls:,}件が離脱 · {percent}"
        if self.at_most:
            return f"at most {self.calls:,} gave up" if language == "en" else f"離脱は最大{self.calls:,}件"
        return f"{self.calls:,} gave up" if language == "en" else f"{self.calls:,}件が離脱"


def _counts(flow: Flow, stops: Mapping[str, Stop]) -> dict[str, _Count]:
    """Returns the count of each block at which callers can give up, unless a route there is known only during a call."""
    blocks = {each.block.identifier: set(each.routes) - {None} for each in analyze(flow).stops}
    number = Counter(route for routes in blocks.values() for route in routes)
    counts = {}
    for block, routes in blocks.items():
        if not routes or not all(isinstance(route, str) for route in routes):
            continue
        found = [stops[route] for route in routes if isinstance(route, str) and route in stops]
        calls = sum(gave_up(stop).calls for stop in found)
        if len(routes) > 1:
            counts[block] = _Count(calls, None, any(number[route] > 1 for route in routes))
        elif found:
            counts[block] = _Count(calls, found[0].reached, at_most=False)
    return counts


def flow_drawing(flow: Flow, stops: Sequence[Stop], language: Language, prefix: str) -> str:
    """Returns the drawing of a flow as an SVG element, with figures on its stops.

    Blocks at which callers can hang up show how many gave up at the stop. If several stops share a block, it shows their sum.
    If any of these stops has other blocks too, the sum is only an upper bound.

    Args:
        flow: the flow.
        stops: its stops.
        language: language of titles and labels.
        prefix: prefix for the IDs in the drawing.
    """
    by_route = {stop.route: stop for stop in stops}
    figures: dict[str, Figures] = {}
    for identifier, block in flow.blocks.items():
        stop = by_route.get(route_of(block) or "")
        if stop:
            text = f"{stop.reached:,} calls reached" if language == "en" else f"{stop.reached:,}件が到達"
            figures[identifier] = Figures(text)
    counts = _counts(flow, by_route)
    most = max((each.calls for each in counts.values() if not each.at_most), default=0)
    for identifier, count in counts.items():
        level = min(count.calls, 1) if count.at_most else heat(count.calls, most)
        figures[identifier] = Figures(count.text(language), level)
    return diagrams.svg(flow, language=language, figures=figures, embedded_as=prefix)
