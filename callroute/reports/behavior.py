"""Counts what callers did at each stop of a flow: their next stop or outcome, and how many attempts they needed.

The counts can be repeated with another weight for each call, which is how `whatif` resamples calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from callroute.flows.stop_graph import Destination
from callroute.reports.report import TROUBLES

if TYPE_CHECKING:
    from callroute.flows.route_catalog import RouteCatalog
    from callroute.flows.stop_graph import StopNode
    from callroute.reports.report import Outcome

START = "@start"
"""Name for the start of the call, before the first stop."""
LAST_ATTEMPT = 2
"""Index of the third attempt, which includes all later ones."""
MANY = 3
"""Count in an item that means "three or more" (docs/record.md)."""
_TOO_MANY = 100


class Visit(NamedTuple):
    """Visit to a stop, with the number of times each kind of trouble occurred there."""

    stop: str
    silence: int = 0
    wrong_key: int = 0
    error: int = 0


class Journey(NamedTuple):
    """Path of a call through the stops of a flow."""

    visits: tuple[Visit, ...]
    outcome: Outcome


def journey(
    route: str, outcome: Outcome, visits: Sequence[Visit] | None, catalog: RouteCatalog | None
) -> Journey:
    """Returns the path of a call. Without detail, it is the path to its last stop in the catalog's tree."""
    if visits is not None:
        last = [visit for visit in visits if visit.stop == route]
        return Journey((*(visit for visit in visits if visit.stop != route), *last), outcome)
    path: list[Visit] = []
    above: str | None = route
    while above is not None:
        path.append(Visit(above))
        above = catalog.routes[above].parent if catalog and above in catalog.routes else None
    return Journey(tuple(reversed(path)), outcome)


@dataclass
class Behavior:
    """Numbers of calls, counted by what callers did at each stop.

    Attributes:
        exits: calls by stop and by the place to which they went next: another stop, or an end named after the outcome. START
            contains the first stops.
        trouble: calls that met trouble, by stop and attempt.
        passed: calls that chose something or left, by stop and attempt.
        decided: calls by stop, attempt and the place that they chose.
        kinds: occurrences of each kind of trouble by stop.
    """

    exits: dict[str, dict[Destination, float]] = field(default_factory=dict)
    trouble: dict[str, dict[int, float]] = field(default_factory=dict)
    passed: dict[str, dict[int, float]] = field(default_factory=dict)
    decided: dict[str, dict[int, dict[Destination, float]]] = field(default_factory=dict)
    kinds: dict[str, dict[str, float]] = field(default_factory=dict)

    def last_attempt(self, stop: str) -> int:
        """Returns the index of the last attempt made by any caller."""
        return max((*self.trouble.get(stop, ()), *self.passed.get(stop, ())), default=-1)


class _Cell(NamedTuple):
    """Position of one count in a Behavior."""

    table: str
    stop: str
    keys: tuple[object, ...]


class Observation:
    """The calls of a flow in a span of days.

    Args:
        calls: number of calls with each path.
        counted: stops whose attempts are counted, as they were in the calls.
    """

    def __init__(self, calls: Mapping[Journey, float], counted: Mapping[str, StopNode]) -> None:
        self.calls = list(calls.values())
        numbers: dict[_Cell, int] = {}
        self._cells = [
            [numbers.setdefault(cell, len(numbers)) for cell in _cells(each, counted)] for each in calls
        ]
        self._addresses = list(numbers)

    def behavior(self, weights: Sequence[float] | None = None) -> Behavior:
        """Returns the counts.

        Args:
            weights: number of calls with each path, in the order of `calls`. By default, the observed number.
        """
        totals = [0.0] * len(self._addresses)
        for weight, cells in zip(weights or self.calls, self._cells, strict=True):
            for number in cells:
                totals[number] += weight
        found = Behavior()
        for (table, stop, keys), total in zip(self._addresses, totals, strict=True):
            target = getattr(found, table).setdefault(stop, {})
            for key in keys[:-1]:
                target = target.setdefault(key, {})
            target[keys[-1]] = total
        return found


def _cells(call: Journey, counted: Mapping[str, StopNode]) -> Iterator[_Cell]:
    """Yields the cells that a call is added to."""
    places = [*(Destination("stop", visit.stop) for visit in call.visits), Destination("end", call.outcome)]
    yield _Cell("exits", START, (places[0],))
    for visit, place in zip(call.visits, places[1:], strict=True):
        yield _Cell("exits", visit.stop, (place,))
        if visit.stop in counted:
            yield from _attempts(visit, place, counted[visit.stop])


def _attempts(visit: Visit, place: Destination, node: StopNode) -> Iterator[_Cell]:
    stop = visit.stop
    troubles, gave_up = count_attempts(visit, place, node)
    for attempt in range(min(troubles, LAST_ATTEMPT + 1)):
        yield _Cell("trouble", stop, (attempt,))
    for kind, number in zip(TROUBLES, visit[1:], strict=True):
        for _ in range(number):
            yield _Cell("kinds", stop, (kind,))
    if not gave_up:
        attempt = min(troubles, LAST_ATTEMPT)
        yield _Cell("decided", stop, (attempt, place))
        if troubles <= LAST_ATTEMPT:
            yield _Cell("passed", stop, (attempt,))


def count_attempts(visit: Visit, place: Destination, node: StopNode) -> tuple[int, bool]:
    """Returns how often a caller had trouble at a stop, and whether the flow then sent the caller on.

    A flow sends callers on when they run out of attempts. A caller who went to another place must have chosen it before
    that.

    Args:
        visit: the visit.
        place: place to which the caller went next.
        node: the stop, whose only prompt repeats until the attempts run out.
    """
    kinds = [kind for kind, number in zip(TROUBLES, visit[1:], strict=True) for _ in range(number)]
    many = [kind for kind, number in zip(TROUBLES, visit[1:], strict=True) if number >= MANY]
    prompt = node.first_prompt
    for number in range(_TOO_MANY):
        kind = kinds[number] if number < len(kinds) else many[0] if many else None
        if kind is None:
            break
        target = node.after_trouble(prompt, kind)
        if target.kind != "prompt":
            gave_up = place in outcomes_of(target)
            return (number + 1, True) if gave_up else (number, False)
        prompt = target
    return len(kinds), False


def outcomes_of(place: Destination) -> frozenset[Destination]:
    """Returns the exits that a place in a flow represents: the stop itself, or an end for each possible outcome."""
    if place.kind == "stop":
        return frozenset((place,))
    return frozenset(Destination("end", outcome) for outcome in _OUTCOMES[place.name])


_OUTCOMES = {
    "completed": ("completed",),
    "queue": ("answered", "abandoned_in_queue"),
    "incomplete": ("abandoned_in_flow",),
}
"""Possible outcomes for each end of a flow."""
