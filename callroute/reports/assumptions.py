"""Assumptions, given with `--assume`, about behavior that `callroute whatif` cannot observe."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from callroute.errors import InputError
from callroute.flows.stop_graph import Destination
from callroute.reports.behavior import START

OPTION = "--assume"
LEAVE = Destination("end", "abandoned_in_flow")
ENDS: Mapping[str, Destination] = {
    "leave": LEAVE,
    **{name: Destination("end", name) for name in ("completed", "answered", "abandoned_in_queue")},
}
"""Ends of a call by the name that assumptions use."""

Shares = dict[Destination, float]
"""Shares of callers by the place to which they go next. They add up to 1."""


@dataclass
class Assumptions:
    """The user's assumptions.

    Attributes:
        counterparts: for stops of the new flow, the old stop whose callers behave the same.
        shares: what callers do at a stop of the new flow.
        redirected: what callers at a stop do if the stop no longer offers the place that they chose.
        added: share of the callers at a stop who choose a place that the stop did not offer before.
    """

    counterparts: dict[str, str] = field(default_factory=dict)
    shares: dict[str, Shares] = field(default_factory=dict)
    redirected: dict[tuple[str, Destination], Shares] = field(default_factory=dict)
    added: dict[str, Shares] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Iterable[str], old: Iterable[str], new: Iterable[str]) -> Assumptions:
        """Parses assumptions (docs/whatif.md).

        Args:
            texts: the assumptions.
            old: stops of the old flow and of its calls.
            new: stops of the new flow.

        Raises:
            InputError: an assumption is malformed, names an unknown stop, or contradicts an earlier assumption.
        """
        found = cls()
        before, after = set(old), {*new, START}
        for text in texts:
            found._add(text, before, after)
        return found

    def _add(self, text: str, old: set[str], new: set[str]) -> None:
        stop, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not stop or not value:
            raise _invalid(text, "is not an assumption")
        menu, choice = _split(stop, new)
        if menu not in new:
            raise _invalid(text, f"the new flow has no stop {menu!r}", f"Use {_listed(new)}")
        if choice is None and "%" in value:
            taken = self.shares.setdefault(menu, shares := _shares(text, value, new))
            repeated = taken is not shares
        elif choice is None:
            if value not in old:
                raise _invalid(text, f"the old flow has no stop {value!r}", f"Use {_listed(old)}")
            repeated = self.counterparts.setdefault(menu, value) != value
        elif value.endswith("%") and "=" not in value:
            place = _place(text, choice, new)
            added = self.added.setdefault(menu, {})
            repeated = place in added
            added[place] = _share(text, value)
            if sum(added.values()) > 1:
                raise _invalid(text, f"the shares of the choices added at {menu!r} exceed 100%")
        else:
            place = _place(text, choice, old)
            shares = _shares(text, value, new) if "%" in value else {_place(text, value, new): 1.0}
            repeated = self.redirected.setdefault((menu, place), shares) is not shares
        if repeated:
            raise _invalid(text, f"contradicts an earlier assumption about {stop!r}", "Remove one of them")


def _split(stop: str, stops: set[str]) -> tuple[str, str | None]:
    """Splits `MENU/CHOICE`, whose routes can themselves contain slashes."""
    if stop in stops or "/" not in stop:
        return stop, None
    for position in (number for number, each in enumerate(stop) if each == "/"):
        if stop[:position] in stops:
            return stop[:position], stop[position + 1 :]
    menu, _, choice = stop.partition("/")
    return menu, choice


def _shares(text: str, value: str, stops: set[str]) -> Shares:
    shares: Shares = {}
    for part in value.split(","):
        name, equals, share = (each.strip() for each in part.partition("="))
        if not equals:
            raise _invalid(text, f"{part.strip()!r} is not a share")
        place = _place(text, name, stops)
        if place in shares:
            raise _invalid(text, f"{name!r} occurs twice")
        shares[place] = _share(text, share)
    total = sum(shares.values())
    if abs(total - 1) > 1e-6:
        raise _invalid(text, f"the shares add up to {100 * total:g}%", "Make them add up to 100%")
    return {place: share / total for place, share in shares.items()}


def _share(text: str, value: str) -> float:
    try:
        share = float(value.removesuffix("%")) if value.endswith("%") else math.nan
    except ValueError:
        share = math.nan
    if not 0 <= share <= 100:
        raise _invalid(text, f"{value!r} is not a share from 0% to 100%")
    return share / 100


def _place(text: str, name: str, stops: set[str]) -> Destination:
    if name in ENDS:
        return ENDS[name]
    if name not in stops - {START}:
        raise _invalid(text, f"{name!r} is not a stop", f"Use {', '.join(ENDS)}, {_listed(stops)}")
    return Destination("stop", name)


def _listed(stops: Iterable[str]) -> str:
    return ", ".join(sorted(set(stops) - {START}))


def _invalid(text: str, problem: str, fix: str = "") -> InputError:
    fix = fix or "Use NEW=OLD, STOP=NAME=60%,leave=40%, MENU/GONE=NAME or MENU/NEW=10% (docs/whatif.md)"
    return InputError(OPTION, text, problem, fix)


def named(place: Destination) -> str:
    """Returns the name that assumptions use for a place."""
    return next((name for name, end in ENDS.items() if end == place), place.name)
