"""Estimates what the callers of an old flow would do in a new one.

The stops of the new flow form a Markov chain: at each stop, callers do what the callers of the corresponding stop of the
old flow did. The expected outcome is computed exactly. Its interval is the Bayesian bootstrap: each call gets a random
weight, many times (D. B. Rubin, The Bayesian bootstrap, Annals of Statistics 9, 1981).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

from callroute.errors import InputError
from callroute.flows.stop_graph import Destination, StopGraph
from callroute.reports.assumptions import LEAVE, OPTION, Assumptions
from callroute.reports.behavior import START, Behavior, Journey, Observation
from callroute.reports.changed_flow import (
    MAX_STEPS,
    NEGLIGIBLE,
    ChangedFlow,
    Remark,
    stops_with_other_attempts,
)
from callroute.reports.report import OUTCOMES, Outcome


class Range(NamedTuple):
    """Estimate and its interval; None if undefined, for example the share who left a stop that no caller reached."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Share of calls before and after a flow is changed."""

    before: float | None
    after: Range
    change: Range


@dataclass(frozen=True, slots=True)
class StopComparison:
    """Comparison of a stop, which can be in either flow.

    Attributes:
        route: route of the stop.
        reached: share of all calls that reach the stop.
        left: share of callers who leave here among those who reach the stop.
    """

    route: str
    reached: Comparison
    left: Comparison


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Expected effect of changing a flow."""

    calls: int
    outcomes: Mapping[Outcome, Comparison]
    stops: tuple[StopComparison, ...]
    remarks: tuple[Remark, ...]


def what_if(
    calls: Mapping[Journey, float],
    old: StopGraph,
    new: StopGraph,
    assumptions: Iterable[str] = (),
    *,
    detail: bool,
    confidence: float = 0.9,
    samples: int = 1000,
    seed: int = 1,
) -> WhatIf:
    """Returns the expected effect on the given calls if the flow is changed.

    Args:
        calls: number of calls with each path through the old flow.
        old: the old flow.
        new: the new flow.
        assumptions: assumptions of the user.
        detail: whether the calls contain trouble.
        confidence: probability that an interval contains the true value.
        samples: number of bootstrap samples.
        seed: the same seed gives the same intervals.

    Raises:
        InputError: assumptions are invalid or missing.
    """
    visited = {visit.stop for call in calls for visit in call.visits}
    parsed = Assumptions.parse(assumptions, {*old.stops, *visited}, {*new.stops, *visited})
    changed = stops_with_other_attempts(old, new, parsed) if detail else {}
    observation = Observation(calls, changed)
    observed = observation.behavior()
    model = ChangedFlow(old, new, parsed, observed, counted=changed.keys())
    found = [_Estimate.of(observed, model)]
    chance = random.Random(seed)  # noqa: S311 - not for security
    for _ in range(samples):
        weights = [chance.gammavariate(number, 1) for number in observation.calls]
        found.append(_Estimate.of(observation.behavior(weights), model))
    compare = _Comparer(found, confidence)
    routes = [
        *new.stops,
        *sorted(
            stop for stop in {*found[0].before.reached, *found[0].after.reached} if stop not in new.stops
        ),
    ]
    return WhatIf(
        calls=round(sum(calls.values())),
        outcomes={outcome: compare(partial(_Expected.share, outcome=outcome)) for outcome in OUTCOMES},
        stops=tuple(
            StopComparison(
                route,
                compare(partial(_Expected.reaching, stop=route)),
                compare(partial(_Expected.left, stop=route)),
            )
            for route in routes
            if route in found[0].before.reached or route in found[0].after.reached
        ),
        remarks=tuple(model.remarks),
    )


# --- Shares of callers -----------------------------------------------------------------------------------------------


@dataclass
class _Expected:
    """Shares of all calls that reach each stop, and that end there with each outcome."""

    reached: dict[str, float] = field(default_factory=dict)
    ended: dict[tuple[str, str], float] = field(default_factory=dict)

    @cached_property
    def _outcomes(self) -> Mapping[str, float]:
        found: dict[str, float] = defaultdict(float)
        for (_, outcome), share in self.ended.items():
            found[outcome] += share
        return found

    def share(self, outcome: Outcome) -> float:
        return self._outcomes.get(outcome, 0.0)

    def reaching(self, stop: str) -> float:
        return self.reached.get(stop, 0.0)

    def left(self, stop: str) -> float | None:
        reached = self.reached.get(stop)
        return self.ended.get((stop, LEAVE.name), 0.0) / reached if reached else None


def _observed(behavior: Behavior) -> _Expected:
    calls = sum(behavior.exits[START].values())
    found = _Expected()
    for stop, exits in behavior.exits.items():
        if stop != START:
            found.reached[stop] = sum(exits.values()) / calls
            for place, number in exits.items():
                if place.kind == "end":
                    found.ended[stop, place.name] = number / calls
    return found


def _expected(
    first: Mapping[Destination, float], exits: Callable[[str], Mapping[Destination, float]]
) -> _Expected:
    """Returns the expected shares in a Markov chain.

    Raises:
        InputError: some calls never end.
    """
    reached: dict[str, float] = defaultdict(float)
    ended: dict[tuple[str, str], float] = defaultdict(float)
    exits_of: dict[str, Mapping[Destination, float]] = {}
    here = {place.name: share for place, share in first.items()}
    for _ in range(MAX_STEPS):
        following: dict[str, float] = defaultdict(float)
        for stop, mass in here.items():
            reached[stop] += mass
            if stop not in exits_of:
                exits_of[stop] = exits(stop)
            for place, share in exits_of[stop].items():
                if place.kind == "stop":
                    following[place.name] += mass * share
                else:
                    ended[stop, place.name] += mass * share
        here = {stop: mass for stop, mass in following.items() if mass > NEGLIGIBLE}
        if not here:
            return _Expected(dict(reached), dict(ended))
    problem = f"some calls return to {min(here)} again and again and never end"
    raise InputError(OPTION, "", problem, "Assume that some callers leave")


class _Estimate(NamedTuple):
    before: _Expected
    after: _Expected

    @classmethod
    def of(cls, behavior: Behavior, model: ChangedFlow) -> _Estimate:
        first = model.exits(START, behavior)
        return cls(_observed(behavior), _expected(first, lambda stop: model.exits(stop, behavior)))


class _Comparer:
    """Compares shares before and after the change across all samples."""

    def __init__(self, found: Sequence[_Estimate], confidence: float) -> None:
        self._found = found
        self._tail = (1 - confidence) / 2

    def __call__(self, share: Callable[[_Expected], float | None]) -> Comparison:
        pairs = [(share(each.before), share(each.after)) for each in self._found]
        before = pairs[0][0]
        return Comparison(
            before,
            self._range([after for _, after in pairs]),
            self._range(
                [None if None in pair else pair[1] - pair[0] for pair in pairs]  # type: ignore[operator]
            ),
        )

    def _range(self, values: Sequence[float | None]) -> Range:
        first, *samples = values
        known = sorted(value for value in samples if value is not None)
        if first is None or not known:
            return Range(first, None, None)
        return Range(first, _quantile(known, self._tail), _quantile(known, 1 - self._tail))


def _quantile(values: Sequence[float], share: float) -> float:
    """Returns a quantile of sorted values, interpolated between the two closest ones."""
    position = share * (len(values) - 1)
    low = int(position)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (position - low)
