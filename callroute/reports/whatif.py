"""Estimates what the callers of an old flow would do in a new one.

The stops of the new flow form a Markov chain: at each stop, callers do what the callers of the corresponding stop of the
old flow did. The expected outcome is computed exactly. Its interval is the Bayesian bootstrap: each call gets a random
weight, many times (D. B. Rubin, The Bayesian bootstrap, Annals of Statistics 9, 1981).
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple

from callroute.errors import InputError
from callroute.flows.stop_graph import Destination, StopGraph, StopNode
from callroute.reports.assumptions import ENDS, LEAVE, OPTION, Assumptions, Shares, named
from callroute.reports.behavior import LAST_ATTEMPT, START, Behavior, Journey, Observation, outcomes_of
from callroute.reports.report import OUTCOMES, Outcome

_NEGLIGIBLE = 1e-12
_MAX_STEPS = 10_000


class Range(NamedTuple):
    """Estimate with its interval; None if it is undefined, for example the share of callers who left a stop that no caller reached."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Share of calls before and after the change of the flow."""

    before: float | None
    after: Range
    change: Range


@dataclass(frozen=True, slots=True)
class StopComparison:
    """Stop of either flow.

    Attributes:
        route: route of the stop.
        reached: share of all calls that reach the stop.
        left: share of callers who leave here among those who reach the stop.
    """

    route: str
    reached: Comparison
    left: Comparison


class Remark(NamedTuple):
    """Assumption that the estimate depends on: a key of `whatif_texts.REMARKS`, and its values."""

    key: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Expected effect of a change of a flow."""

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
    """Returns the expected effect of a change of a flow on the given calls.

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
    changed = _stops_with_other_attempts(old, new, parsed) if detail else {}
    observation = Observation(calls, changed)
    observed = observation.behavior()
    model = _Model(old, new, parsed, observed, counted=changed.keys())
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
    for _ in range(_MAX_STEPS):
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
        here = {stop: mass for stop, mass in following.items() if mass > _NEGLIGIBLE}
        if not here:
            return _Expected(dict(reached), dict(ended))
    problem = f"some calls return to {min(here)} again and again and never end"
    raise InputError(OPTION, "", problem, "Assume that some callers leave")


class _Estimate(NamedTuple):
    before: _Expected
    after: _Expected

    @classmethod
    def of(cls, behavior: Behavior, model: _Model) -> _Estimate:
        first = model.exits(START, behavior)
        return cls(_observed(behavior), _expected(first, lambda stop: model.exits(stop, behavior)))


class _Comparer:
    """Compares a share before and after the change in all samples."""

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
    """Returns a quantile of sorted values, interpolated between the closest ones."""
    position = share * (len(values) - 1)
    low = int(position)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (position - low)


# --- Behavior in the new flow ----------------------------------------------------------------------------------------


@dataclass
class _Recipe:
    """Rule for the shares at a stop of the new flow.

    Attributes:
        old: stop of the old flow whose callers are observed.
        fixed: assumed shares, which replace all other fields; None if the callers are observed.
        targets: for each observed place, the places in the new flow to which these callers go.
        added: shares of new choices.
        attempts: the stop of the new flow, if it repeats its prompt in another way than the old one.
    """

    old: str
    fixed: Shares | None = None
    targets: dict[Destination, Shares] = field(default_factory=dict)
    added: Shares = field(default_factory=dict)
    attempts: StopNode | None = None

    def exits(self, behavior: Behavior) -> Mapping[Destination, float]:
        """Returns the shares of the callers at the stop, by the place to which they go next."""
        if self.fixed is not None:
            return self.fixed
        found: Shares = defaultdict(float)
        kept = 1 - sum(self.added.values())
        if self.attempts is None:
            exits = behavior.exits.get(self.old, {})
            total = sum(exits.values())
            chosen = {place: number / total for place, number in exits.items()}
        else:
            chosen, out_of_attempts = _attempted(self.old, self.attempts, behavior)
            for place, share in out_of_attempts.items():
                found[place] += kept * share
        for place, share in chosen.items():
            for target, part in self.targets.get(place, {}).items():
                found[target] += kept * share * part
        for place, share in self.added.items():
            found[place] += share
        return found


def _attempted(old: str, node: StopNode, behavior: Behavior) -> tuple[Shares, Shares]:
    """Returns the shares of callers at a prompt that is repeated in another way than the observed one.

    Args:
        old: the observed stop.
        node: the stop of the new flow.
        behavior: what callers did at the old stop.

    Returns:
        The places that callers choose, in the old flow, and the places to which the new flow sends them if their attempts
        run out.
    """
    chosen: Shares = defaultdict(float)
    out_of_attempts: Shares = defaultdict(float)
    kinds = behavior.kinds.get(old, {})
    occurrences = sum(kinds.values())
    attempts = [_attempt(old, number, behavior) for number in range(LAST_ATTEMPT + 1)]
    here = {(node.first_prompt, 0): 1.0}
    for _ in range(_MAX_STEPS):
        following: dict[tuple[Destination, int], float] = defaultdict(float)
        for (prompt, number), mass in here.items():
            fails, decided = attempts[number]
            for place, share in decided.items():
                chosen[place] += mass * (1 - fails) * share
            for kind, occurred in kinds.items():
                failed = mass * fails * occurred / occurrences
                target = node.after_trouble(prompt, kind)
                if target.kind == "prompt":
                    following[target, min(number + 1, LAST_ATTEMPT)] += failed
                else:
                    (place,) = outcomes_of(target)
                    out_of_attempts[place] += failed
        here = {state: mass for state, mass in following.items() if mass > _NEGLIGIBLE}
        if not here:
            return chosen, out_of_attempts
    problem = f"no call left {old} after its last attempt, and the new flow repeats the prompt without limit"
    raise InputError(OPTION, "", problem, f"Add {OPTION} STOP=… with the shares of its callers")


def _attempt(stop: str, number: int, behavior: Behavior) -> tuple[float, Shares]:
    """Returns the share of callers who meet trouble on an attempt, and the shares of the others by their choice.

    If no caller made this attempt, those of the preceding attempt are used.
    """
    trouble = behavior.trouble.get(stop, {}).get(number, 0.0)
    passed = behavior.passed.get(stop, {}).get(number, 0.0)
    if not trouble + passed:
        return _attempt(stop, number - 1, behavior)
    decided: Mapping[Destination, float] = behavior.decided.get(stop, {}).get(number, {})
    total = sum(decided.values())
    # Calls that decided on a later attempt than the last one counted are not in `passed`.
    return trouble / (trouble + (passed or total)), {place: each / total for place, each in decided.items()}


def _renamed(new: StopGraph, assumptions: Assumptions) -> dict[str, str]:
    """Returns the new names of stops: of the counterparts of stops that the new flow no longer contains."""
    names: dict[str, list[str]] = {}
    for stop, counterpart in assumptions.counterparts.items():
        if counterpart not in new.stops:
            names.setdefault(counterpart, []).append(stop)
    return {counterpart: found[0] for counterpart, found in names.items() if len(found) == 1}


def _stops_with_other_attempts(
    old: StopGraph, new: StopGraph, assumptions: Assumptions
) -> dict[str, StopNode]:
    """Returns the old stops whose attempts must be counted, because a counterpart repeats its prompt in another way."""
    renamed = _renamed(new, assumptions)
    found = {}
    for route, node in new.stops.items():
        counterpart = assumptions.counterparts.get(route, route)
        before = old.stops.get(counterpart)
        if (
            before
            and before.attempts(renamed) != node.attempts({})
            and before.counts_attempts
            and node.counts_attempts
        ):
            found[counterpart] = before
    return found


class _Model:
    """Shares of callers at each stop of the new flow.

    Args:
        old: the old flow.
        new: the new flow.
        assumptions: assumptions of the user.
        observed: what callers did in the old flow.
        counted: old stops whose attempts were counted.

    Raises:
        InputError: assumptions are missing.
    """

    def __init__(
        self,
        old: StopGraph,
        new: StopGraph,
        assumptions: Assumptions,
        observed: Behavior,
        *,
        counted: Iterable[str],
    ) -> None:
        self._old, self._new, self._assumptions, self._observed = old, new, assumptions, observed
        self._counted = set(counted)
        self._renames = _renamed(new, assumptions)
        self._missing: dict[str, str] = {}
        self.remarks: list[Remark] = []
        self._recipes: dict[str, _Recipe] = {}
        self._check_places()
        pending = deque([START])
        while pending:
            stop = pending.popleft()
            if stop in self._recipes:
                continue
            known = len(self._missing)
            recipe = self._recipes[stop] = self._recipe(stop)
            places = {place for place, share in recipe.exits(observed).items() if share}
            if len(self._missing) > known and (node := self._node(stop)):
                seen = {place for place in node.usual_exits if place.name in observed.exits}
                places |= node.choices | seen
            pending += [place.name for place in sorted(places) if place.kind == "stop"]
        if self._missing:
            options = "".join(f"\n  {option}\n      {reason}" for option, reason in self._missing.items())
            number = len(self._missing)
            what = "an assumption is missing" if number == 1 else f"{number} assumptions are missing"
            raise InputError("callroute whatif", "", what, f"Add:{options}")

    def exits(self, stop: str, behavior: Behavior) -> Mapping[Destination, float]:
        """Returns the shares of the callers at a stop, by the place to which they go next."""
        return self._recipes[stop].exits(behavior)

    def _check_places(self) -> None:
        """Checks that callers can get to the places of the assumptions.

        Raises:
            InputError: a place cannot be reached from its stop.
        """
        given = [
            *self._assumptions.shares.items(),
            *((stop, shares) for (stop, _), shares in self._assumptions.redirected.items()),
            *self._assumptions.added.items(),
        ]
        for stop, shares in given:
            node = self._node(stop)
            for place in sorted(shares.keys() - _exits(node.exits) if node else ()):
                problem = f"the new flow has no way from {stop} to {named(place)}"
                fix = f"Choose from {', '.join(map(named, sorted(_exits(node.exits))))}" if node else ""
                raise InputError(OPTION, stop, problem, fix)

    def _node(self, stop: str) -> StopNode | None:
        return _starts(self._new) if stop == START else self._new.stops.get(stop)

    def _recipe(self, stop: str) -> _Recipe:
        if stop in self._assumptions.shares:
            return _Recipe(stop, fixed=self._assumptions.shares[stop])
        if stop == START:
            return self._recipe_between(START, START, _starts(self._old), _starts(self._new), same=True)
        old = self._assumptions.counterparts.get(stop, stop)
        before, after = self._old.stops.get(old), self._new.stops.get(stop)
        if old not in self._observed.exits and after and _exits(after.exits) == {LEAVE}:
            return _Recipe(old, fixed={LEAVE: 1.0})  # the flow ends all calls there
        if old not in self._observed.exits:
            template = f"{OPTION} {stop}=STOP or {OPTION} {stop}={self._template(stop)}"
            self._missing[template] = f"no call reached {old}, so the behavior of its callers is unknown"
            return _Recipe(old)
        if before is None or after is None:  # a module or another flow sets this route
            return _Recipe(
                old, targets={place: {self._new_name(place): 1.0} for place in self._observed.exits[old]}
            )
        same = before.attempts(self._renames) == after.attempts({})
        if not same and old not in self._counted:
            reason = (
                "its prompts are repeated in another way, and no call has detail (`callroute track --detail`)"
                if before.counts_attempts and after.counts_attempts
                else "its prompts are connected in another way"
            )
            self._missing[f"{OPTION} {stop}={self._template(stop)}"] = reason
            return _Recipe(old)
        return self._recipe_between(stop, old, before, after, same=same)

    def _recipe_between(
        self, stop: str, old: str, before: StopNode, after: StopNode, *, same: bool
    ) -> _Recipe:
        """Returns the recipe for a stop whose counterpart was observed."""
        was_offered = {self._new_name(place) for place in _exits(before.exits)}
        is_offered = _exits(after.exits)
        recipe = _Recipe(old, attempts=None if same else after)
        observed = self._observed.exits[old]
        if not same:
            decided = self._observed.decided.get(old, {})
            observed = {place: share for each in decided.values() for place, share in each.items()}
            self.remarks.append(Remark("attempts", {"stop": stop}))
            if self._observed.last_attempt(old) + 1 < min(len(after.prompts), LAST_ATTEMPT + 1):
                number = self._observed.last_attempt(old) + 1
                self.remarks.append(Remark("unseen_attempt", {"stop": stop, "attempts": number}))
        covered: set[Destination] = set()
        for place in observed:
            target = self._new_name(place)
            redirected = self._assumptions.redirected.get((stop, place))
            if redirected is not None:
                recipe.targets[place] = redirected
                covered.update(redirected)
            elif target in is_offered or (target not in was_offered and self._is_known(target)):
                recipe.targets[place] = {target: 1.0}
            elif stop == START and len(self._new.first) == 1:
                recipe.targets[place] = dict.fromkeys(after.first, 1.0)
            else:
                choice = f"{OPTION} {stop}/{named(place)}"
                calls = self._observed.exits[old][place]
                self._missing[f"{choice}=NAME or {choice}={self._template(stop)}"] = (
                    f"no longer offered; chosen by {calls:,.0f} of {sum(self._observed.exits[old].values()):,.0f} calls"
                )
        recipe.added = self._assumptions.added.get(stop, {})
        new = _exits(after.choices) - {self._new_name(place) for place in _exits(before.choices)}
        if stop == START and len(self._new.first) == 1:
            new = set()
        new -= {*covered, *recipe.added, LEAVE}
        if any(place.kind == "end" for place in new):
            for option in [each for each in self._missing if each.startswith(f"{OPTION} {stop}/")]:
                del self._missing[option]
            self._missing[f"{OPTION} {stop}={self._template(stop)}"] = "calls can now end here in another way"
        else:
            for place in sorted(new):
                self._missing[f"{OPTION} {stop}/{place.name}=…%"] = f"{place.name} was not offered before"
        return recipe

    def _new_name(self, place: Destination) -> Destination:
        return (
            Destination("stop", self._renames.get(place.name, place.name)) if place.kind == "stop" else place
        )

    def _is_known(self, place: Destination) -> bool:
        """Returns whether calls in the new flow can be at a place. Stops outside of both flows can be set by modules."""
        return place.kind == "end" or place.name in self._new.stops or place.name not in self._old.stops

    def _template(self, stop: str) -> str:
        """Returns shares to fill in."""
        node = self._node(stop)
        places = _exits(node.exits) if node else {LEAVE}
        order = [*ENDS.values(), *sorted(places)]
        return ",".join(f"{named(place)}=…%" for place in dict.fromkeys(order) if place in places)


def _starts(graph: StopGraph) -> StopNode:
    """Returns a stop that represents the start of the call."""
    first = frozenset(Destination("stop", stop) for stop in graph.first)
    return StopNode(first, {}, first)


def _exits(places: Iterable[Destination]) -> set[Destination]:
    """Returns the exits of calls to places of a flow. Callers can leave anywhere."""
    return {LEAVE, *(each for place in places for each in outcomes_of(place))}
