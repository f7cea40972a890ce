"""Models what callers would do in a changed flow, based on what they did in the old one."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from callroute.errors import InputError
from callroute.flows.stop_graph import Destination, StopGraph, StopNode
from callroute.reports.assumptions import ENDS, LEAVE, OPTION, Assumptions, Shares, named
from callroute.reports.behavior import LAST_ATTEMPT, START, Behavior, outcomes_of

NEGLIGIBLE = 1e-12
"""Share of callers below which a path is not followed."""
MAX_STEPS = 10_000
"""Maximum number of stops or attempts of a call."""


class Remark(NamedTuple):
    """Assumption behind the estimate: a key of `whatif_texts.REMARKS`, and the values for its text."""

    key: str
    values: Mapping[str, Any]


@dataclass
class StopModel:
    """Model of the callers at a stop of the new flow.

    Attributes:
        old: stop of the old flow whose callers are observed.
        fixed: assumed shares, which replace all other fields; None if the callers are observed.
        targets: for each observed place, the places in the new flow to which these callers go.
        added: shares of new choices.
        attempts: the stop of the new flow if it repeats its prompt differently from the old one.
    """

    old: str
    fixed: Shares | None = None
    targets: dict[Destination, Shares] = field(default_factory=dict)
    added: Shares = field(default_factory=dict)
    attempts: StopNode | None = None

    def exits(self, behavior: Behavior) -> Mapping[Destination, float]:
        """Returns the shares of the callers at the stop, by the place they go to next."""
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
    """Returns the share of callers who go to each next place from a prompt that the new flow repeats differently.

    Args:
        old: the observed stop.
        node: the stop of the new flow.
        behavior: what callers did at the old stop.

    Returns:
        The places of the old flow that callers choose, and the places to which the new flow sends callers who run out of
        attempts.
    """
    chosen: Shares = defaultdict(float)
    out_of_attempts: Shares = defaultdict(float)
    kinds = behavior.kinds.get(old, {})
    occurrences = sum(kinds.values())
    attempts = [_attempt(old, number, behavior) for number in range(LAST_ATTEMPT + 1)]
    here = {(node.first_prompt, 0): 1.0}
    for _ in range(MAX_STEPS):
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
        here = {state: mass for state, mass in following.items() if mass > NEGLIGIBLE}
        if not here:
            return chosen, out_of_attempts
    problem = f"no call left {old} after its last attempt, and the new flow repeats the prompt without limit"
    raise InputError(OPTION, "", problem, f"Add {OPTION} STOP=… with the shares of its callers")


def _attempt(stop: str, number: int, behavior: Behavior) -> tuple[float, Shares]:
    """Returns the share of callers who have trouble on an attempt, and the shares of the others by their choice.

    If no caller made this attempt, the shares on the preceding attempt are used.
    """
    trouble = behavior.trouble.get(stop, {}).get(number, 0.0)
    passed = behavior.passed.get(stop, {}).get(number, 0.0)
    if not trouble + passed:
        return _attempt(stop, number - 1, behavior)
    decided: Mapping[Destination, float] = behavior.decided.get(stop, {}).get(number, {})
    total = sum(decided.values())
    # `passed` does not include calls whose decision came after the last attempt counted.
    return trouble / (trouble + (passed or total)), {place: each / total for place, each in decided.items()}


def _renamed(new: StopGraph, assumptions: Assumptions) -> dict[str, str]:
    """Returns new names for the old stops that the new flow contains only under a different name."""
    names: dict[str, list[str]] = {}
    for stop, counterpart in assumptions.counterparts.items():
        if counterpart not in new.stops:
            names.setdefault(counterpart, []).append(stop)
    return {counterpart: found[0] for counterpart, found in names.items() if len(found) == 1}


def stops_with_other_attempts(
    old: StopGraph, new: StopGraph, assumptions: Assumptions
) -> dict[str, StopNode]:
    """Returns the old stops whose attempts must be counted because the new flow repeats the prompt differently."""
    renamed = _renamed(new, assumptions)
    found = {}
    for route, node in new.stops.items():
        counterpart = assumptions.counterparts.get(route, route)
        before = old.stops.get(counterpart)
        if before and before.counts_attempts and node.counts_attempts and _must_count(before, node, renamed):
            found[counterpart] = before
    return found


def _must_count(before: StopNode, after: StopNode, renamed: Mapping[str, str]) -> bool:
    """Returns whether the shares at a stop depend on the number of attempts.

    They do if the new flow repeats the prompt differently, or if the old flow sent callers who ran out of attempts to a
    place that others chose and that is no longer a choice.
    """
    if before.attempts(renamed) != after.attempts({}):
        return True
    return any(
        place._replace(name=renamed.get(place.name, place.name)) not in after.choices
        for place in before.choices & before.out_of_attempts
    )


class ChangedFlow:
    """Model of the callers in the new flow.

    Args:
        old: the old flow.
        new: the new flow.
        assumptions: the user's assumptions.
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
        self._stops: dict[str, StopModel] = {}
        self._check_places()
        pending = deque([START])
        while pending:
            stop = pending.popleft()
            if stop in self._stops:
                continue
            known = len(self._missing)
            model = self._stops[stop] = self._stop(stop)
            places = {place for place, share in model.exits(observed).items() if share}
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
        """Returns the shares of the callers at a stop, by the place they go to next."""
        return self._stops[stop].exits(behavior)

    def _check_places(self) -> None:
        """Checks that callers can reach the places named in the assumptions.

        Raises:
            InputError: a place cannot be reached from its stop.
        """
        given = [
            *self._assumptions.shares.items(),
            *((stop, shares) for (stop, _), shares in self._assumptions.redirected.items()),
            *self._assumptions.added.items(),
        ]
        for stop, shares in given:
            offered = self._offered(stop)
            for place in sorted(shares.keys() - offered):
                problem = f"the new flow has no way from {stop} to {named(place)}"
                raise InputError(OPTION, stop, problem, f"Choose from {', '.join(map(named, offered))}")

    def _node(self, stop: str) -> StopNode | None:
        return _starts(self._new) if stop == START else self._new.stops.get(stop)

    def _offered(self, stop: str) -> list[Destination]:
        """Returns the exits from a stop of the new flow. Callers cannot leave before they reach the first stop."""
        node = self._node(stop)
        exits = _exits(node.exits) if node else {LEAVE}
        order = [*ENDS.values(), *sorted(exits)]
        return [place for place in dict.fromkeys(order) if place in exits and (place, stop) != (LEAVE, START)]

    def _stop(self, stop: str) -> StopModel:
        if stop in self._assumptions.shares:
            return StopModel(stop, fixed=self._assumptions.shares[stop])
        if stop == START:
            return self._stop_between(START, START, _starts(self._old), _starts(self._new), same=True)
        old = self._assumptions.counterparts.get(stop, stop)
        before, after = self._old.stops.get(old), self._new.stops.get(stop)
        if old not in self._observed.exits and after and _exits(after.exits) == {LEAVE}:
            return StopModel(old, fixed={LEAVE: 1.0})  # the flow ends all calls there
        if old not in self._observed.exits:
            template = f"{OPTION} {stop}=STOP or {OPTION} {stop}={self._template(stop)}"
            self._missing[template] = f"no call reached {old}, so the behavior of its callers is unknown"
            return StopModel(old)
        if before is None or after is None:  # a module or another flow sets this route
            return StopModel(
                old, targets={place: {self._new_name(place): 1.0} for place in self._observed.exits[old]}
            )
        same = not _must_count(before, after, self._renames)
        if not same and old not in self._counted:
            reason = (
                "the new flow repeats its prompts differently, and no call has detail (`callroute track --detail`)"
                if before.counts_attempts and after.counts_attempts
                else "the new flow connects its prompts differently"
            )
            self._missing[f"{OPTION} {stop}={self._template(stop)}"] = reason
            return StopModel(old)
        return self._stop_between(stop, old, before, after, same=same)

    def _stop_between(
        self, stop: str, old: str, before: StopNode, after: StopNode, *, same: bool
    ) -> StopModel:
        """Returns the model of a stop that corresponds to an observed stop."""
        was_offered = {self._new_name(place) for place in _exits(before.exits)}
        model = StopModel(old, attempts=None if same else after)
        if same:
            is_offered = _exits(after.exits)
            chosen = set(self._observed.exits[old])
        else:
            is_offered = _exits(after.choices | (after.exits - after.usual_exits))
            chosen = {place for each in self._observed.decided.get(old, {}).values() for place in each}
            self.remarks.append(Remark("attempts", {"stop": stop}))
            made = self._observed.last_attempt(old) + 1
            if made < after.attempts_allowed(LAST_ATTEMPT + 1):
                self.remarks.append(Remark("unseen_attempt", {"stop": stop, "attempts": made}))
        covered: set[Destination] = set()
        for place in sorted(chosen):
            target = self._new_name(place)
            redirected = self._assumptions.redirected.get((stop, place))
            if redirected is not None:
                model.targets[place] = redirected
                covered.update(redirected)
            elif target in is_offered or (target not in was_offered and self._is_known(target)):
                model.targets[place] = {target: 1.0}
            elif stop == START and len(self._new.first) == 1:
                model.targets[place] = dict.fromkeys(after.first, 1.0)
            else:
                choice = f"{OPTION} {stop}/{named(place)}"
                calls = self._observed.exits[old][place]
                self._missing[f"{choice}=NAME or {choice}={self._template(stop)}"] = (
                    f"no longer offered; chosen by {calls:,.0f} of {sum(self._observed.exits[old].values()):,.0f} calls"
                )
        model.added = self._assumptions.added.get(stop, {})
        new = _exits(after.choices) - {self._new_name(place) for place in _exits(before.choices)}
        if stop == START and len(self._new.first) == 1:
            new = set()
        new -= {*covered, *model.added, LEAVE}
        if any(place.kind == "end" for place in new):
            for option in [each for each in self._missing if each.startswith(f"{OPTION} {stop}/")]:
                del self._missing[option]
            self._missing[f"{OPTION} {stop}={self._template(stop)}"] = "calls can now end here in a new way"
        else:
            for place in sorted(new):
                self._missing[f"{OPTION} {stop}/{place.name}=…%"] = f"{place.name} was not offered before"
        return model

    def _new_name(self, place: Destination) -> Destination:
        return (
            Destination("stop", self._renames.get(place.name, place.name)) if place.kind == "stop" else place
        )

    def _is_known(self, place: Destination) -> bool:
        """Returns whether calls in the new flow can reach a place. Modules can set stops that neither flow contains."""
        return place.kind == "end" or place.name in self._new.stops or place.name not in self._old.stops

    def _template(self, stop: str) -> str:
        """Returns a list of shares for the user to fill in."""
        return ",".join(f"{named(place)}=…%" for place in self._offered(stop))


def _starts(graph: StopGraph) -> StopNode:
    """Returns a stop that represents the start of the call."""
    first = frozenset(Destination("stop", stop) for stop in graph.first)
    return StopNode(first, {}, first)


def _exits(places: Iterable[Destination]) -> set[Destination]:
    """Returns the exits that places in a flow represent. Callers can leave anywhere."""
    return {LEAVE, *(each for place in places for each in outcomes_of(place))}
