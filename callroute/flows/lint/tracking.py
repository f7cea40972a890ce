"""The tracking guarantee: whoever hangs up, wherever, leaves a `call_route` that names one place in the menus.

All rules here speak of all paths on which the tracking blocks themselves work; what remains when one fails is a note of
its own, since no flow can avoid it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import (
    CALL_FLOW,
    COMPLETED,
    ROUTE,
    Dynamic,
    ReachingValues,
    Stop,
    Value,
    attributes_of,
    inherits,
)
from callroute.flows.lint.rule import OURS, Found, Rule, Subject
from callroute.flows.references import paths_in
from callroute.formats.json_document import member

if TYPE_CHECKING:
    from callroute.flows.flow import Block

_CHOICES = frozenset(("menu", "bot"))
_IN_THE_MENUS = frozenset(("menu", "input", "bot", "view"))
_COMPLETIONS = ("true", "false")
_SHOWN = 5


def _tracked(subject: Subject) -> Iterator[Stop]:
    """The stops that a call reaches where all tracking blocks work."""
    return (stop for stop in subject.analysis.stops if stop.routes)


def _untracked_stop(subject: Subject) -> Iterator[Found]:
    for stop in _tracked(subject):
        if None in stop.routes:
            some = "" if stop.routes == {None} else " on some paths"
            yield Found(
                stop.action.identifier,
                stop.action.path,
                f"A caller who hangs up here ({stop.kind}) has no {ROUTE}{some}.",
                f"Set {ROUTE} on every path to it, or let `callroute track` do so.",
            )


def _ambiguous_stop(subject: Subject) -> Iterator[Found]:
    # Stops with the same routes are one place: a menu and its notice, or two messages in a row. A place that several
    # routes share is no gap as long as none of them is found elsewhere: the record then still names the place.
    places: defaultdict[frozenset[str], list[Stop]] = defaultdict(list)
    for stop in _tracked(subject):
        places[frozenset(value for value in stop.routes if isinstance(value, str))].append(stop)
    for routes, stops in places.items():
        if len(routes) < 2:
            continue
        here = stops[0].action
        others = [other for other in places if other != routes and other & routes]
        if others:
            route = min(routes & others[0])
            elsewhere = [stop.action.identifier for stop in places[others[0]]]
            more = (
                f" (and to {_some(stop.action.identifier for stop in stops[1:])})" if len(stops) > 1 else ""
            )
            yield Found(
                here.identifier,
                here.path,
                f"Calls come here{more} with {_some(sorted(routes))}; {route!r} is also the route at "
                f"{_some(elsewhere)}, so a record does not tell which place it was.",
                f"Set a {ROUTE} of its own before this block; `callroute track` does so where its route file names "
                "the block under `blocks`.",
            )


def _indistinguishable_branches(subject: Subject) -> Iterator[Found]:
    # Menus that share a branch with the same routes need not look where it leads more than once.
    next_places = cache(ReachingValues(subject.flow, ROUTE).first_places)
    for stop in _tracked(subject):
        if stop.kind not in _CHOICES:
            continue
        branches = [branch for branch in stop.action.branches if branch.kind == "condition"]
        # A branch that comes straight back to this block is the same place, not another one.
        arrivals = {
            target: {
                block: values
                for block, values in next_places(target, stop.routes).items()
                if block != stop.action.identifier
            }
            for target in {branch.target for branch in branches}
        }
        seen: set[str] = set()
        for one, other in combinations(branches, 2):
            if one.target == other.target or other.label in seen:
                continue
            shared = _shared(arrivals[one.target], arrivals[other.target])
            if shared:
                seen.add(other.label)
                yield Found(
                    stop.action.identifier,
                    other.path,
                    f"The branches {one.label!r} and {other.label!r} both lead on with the {ROUTE} {shared!r}.",
                    f"Set a {ROUTE} of its own on each branch.",
                )


def _shared(one: Mapping[str, frozenset[Value]], other: Mapping[str, frozenset[Value]]) -> str:
    """A route by which two choices cannot be told apart.

    That both may come to one common place with its own route (closed, say) is fine, as long as that is not all.
    """
    routes, others = _texts(one.values()), _texts(other.values())
    if routes == others:
        return min(routes, default="")
    stops = {value: {stop for stop, values in one.items() if value in values} for value in routes & others}
    for value in sorted(stops):
        if stops[value] != {stop for stop, values in other.items() if value in values}:
            return value
    return ""


def _texts(values: Iterable[frozenset[Value]]) -> set[str]:
    return {value for found in values for value in found if isinstance(value, str)}


def _set_values(subject: Subject, attribute: str = ROUTE) -> Iterator[tuple[Block, object]]:
    """What blocks that calls reach set an attribute to."""
    for action in subject.blocks:
        attributes = attributes_of(action)
        if attribute in attributes and action.identifier in subject.analysis.reached:
            yield action, attributes[attribute]


def _path(action: Block, attribute: str) -> str:
    return member(f"{action.path}.Parameters.Attributes", attribute)


def _unknown_route(subject: Subject) -> Iterator[Found]:
    if subject.catalog is None:
        return
    for action, value in _set_values(subject):
        if isinstance(value, str) and not paths_in(value) and value not in subject.catalog.routes:
            yield Found(
                action.identifier,
                _path(action, ROUTE),
                f"The route {value!r} is not in the route catalog.",
                "Add it to the catalog, or mend the spelling.",
            )


def _unset_route(subject: Subject) -> Iterator[Found]:
    if subject.catalog is None:
        return
    values = {value for _, value in _set_values(subject)}
    if any(isinstance(value, str) and paths_in(value) for value in values):
        return  # what is known only in the call may be any of them
    for route in subject.catalog.routes:
        if route not in values:
            yield Found(
                None,
                "$.Actions",
                f"The route {route!r} of the route catalog is set by no block that a call reaches.",
                "Take it out of the catalog, or set it.",
            )


def _unknown_call_flow(subject: Subject) -> Iterator[Found]:
    if subject.catalog is None:
        return
    named = subject.catalog.call_flow
    values = list(_set_values(subject, CALL_FLOW))
    for action, value in values:
        if isinstance(value, str) and not paths_in(value) and value != named:
            yield Found(
                action.identifier,
                _path(action, CALL_FLOW),
                f"The flow calls itself {value!r}, its route catalog "
                + (f"{named!r}." if named else "gives it no name."),
                f"Write `call_flow: {value}` in the catalog, or mend the spelling: reports find labels by it.",
            )
    if named and not values and not inherits(subject.flow):
        yield Found(
            None,
            "$.Actions",
            f"The route catalog calls the flow {named!r}, but no block that a call reaches sets {CALL_FLOW}.",
            f"Set {CALL_FLOW} where {ROUTE} is set first, or take it out of the catalog: reports find labels by it.",
        )


def _completion_unset(subject: Subject) -> Iterator[Found]:
    first = ReachingValues(subject.flow, COMPLETED).first_stops(subject.flow.start, (None,))
    for stop in _tracked(subject):
        # Without a route the stop is untracked, which is a finding of its own.
        if stop.action.identifier in first and None in stop.completed and None not in stop.routes:
            yield Found(
                stop.action.identifier,
                stop.action.path,
                f"Calls come to this first stop without {COMPLETED}.",
                f'Set {COMPLETED} to "false" where {ROUTE} is set first.',
            )


def _is_true(value: object) -> bool:
    """As the record reads it: in any case of letters (docs/record.md)."""
    return isinstance(value, str) and value.lower() == "true"


def _completed_too_early(subject: Subject) -> Iterator[Found]:
    for stop in _tracked(subject):
        if stop.kind in _IN_THE_MENUS and any(_is_true(value) for value in stop.completed):
            yield Found(
                stop.action.identifier,
                stop.action.path,
                f"{COMPLETED} can be true here, while the caller is still in the menus ({stop.kind}).",
                f'Set {COMPLETED} to "true" after the last menu, or back to "false" before this one.',
            )


def _unknown_completion(subject: Subject) -> Iterator[Found]:
    for action, value in _set_values(subject, COMPLETED):
        if isinstance(value, str) and value and not paths_in(value) and value.lower() not in _COMPLETIONS:
            yield Found(
                action.identifier,
                _path(action, COMPLETED),
                f"{COMPLETED} is set to {value!r}, which the record takes for false.",
                'Set it to "true" or "false".',
            )


def _dynamic_completion(subject: Subject) -> Iterator[Found]:
    for action, value in _set_values(subject, COMPLETED):
        if isinstance(value, str) and paths_in(value):
            stops = [
                stop.action.identifier
                for stop in _tracked(subject)
                if stop.kind in _IN_THE_MENUS and Dynamic(value) in stop.completed
            ]
            where = f", so whether it is true in the menus {_some(stops)} cannot be told" if stops else ""
            yield Found(
                action.identifier,
                _path(action, COMPLETED),
                f"{COMPLETED} is taken from {value}, which is known only in a call{where}.",
                'Make sure that it is "true" or "false", and "true" only after the last menu.',
            )


def _dynamic_route(subject: Subject) -> Iterator[Found]:
    stops: defaultdict[Dynamic, list[str]] = defaultdict(list)
    for stop in _tracked(subject):
        for value in stop.routes:
            if isinstance(value, Dynamic):
                stops[value].append(stop.action.identifier)
    for value in sorted(stops, key=str):
        block = stops[value][0]
        yield Found(
            block,
            subject.flow.blocks[block].path,
            f"{ROUTE} may come from {value.origin} at {_some(stops[value])}; what it is shows only in a call.",
            "Make sure that every value it can take is in the route catalog.",
        )


def _failed_tracking(subject: Subject) -> Iterator[Found]:
    setting = [action for action, _ in _set_values(subject)]
    if not setting:
        return
    stale = [stop for stop in subject.analysis.stops if stop.routes_after_failure - stop.routes]
    without = [stop for stop in stale if None in stop.routes_after_failure and None not in stop.routes]
    if stale:
        none = f", {len(without)} of them with none" if without else ""
        yield Found(
            setting[0].identifier,
            setting[0].path,
            f"Where a block that sets {ROUTE} fails ({len(setting)} here), its error branch goes on with the value as "
            f"it was. Stops that can then be reached with an earlier one: {len(stale)}{none}.",
            "Nothing can be done in a flow; Connect's flow logs show such failures.",
        )


def _some(values: Iterable[str]) -> str:
    shown = [repr(value) for value in values]
    return ", ".join(shown[:_SHOWN]) + (f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "")


RULES = (
    Rule(
        "untracked-stop",
        "error",
        "At every stop, on every path, `call_route` is set.",
        OURS,
        _untracked_stop,
    ),
    Rule(
        "ambiguous-stop",
        "warning",
        "A stop that calls reach with several routes shares none of them with a stop that has others.",
        OURS,
        _ambiguous_stop,
    ),
    Rule(
        "indistinguishable-branches",
        "warning",
        "Two choices of a menu or bot that lead to different blocks do so with different routes.",
        OURS,
        _indistinguishable_branches,
    ),
    Rule(
        "unknown-route",
        "error",
        "Every value given to `call_route` is in the route catalog beside the flow.",
        OURS,
        _unknown_route,
    ),
    Rule("unset-route", "warning", "Every route of the catalog is set by a block.", OURS, _unset_route),
    Rule(
        "unknown-call-flow",
        "warning",
        "The route catalog beside the flow names it as the flow itself does in `call_flow`.",
        OURS,
        _unknown_call_flow,
    ),
    Rule(
        "completion-unset",
        "warning",
        "`call_completed` is set before the first stop.",
        OURS,
        _completion_unset,
    ),
    Rule(
        "completed-too-early",
        "warning",
        "`call_completed` is not true in a menu, an input or a bot.",
        OURS,
        _completed_too_early,
    ),
    Rule(
        "unknown-completion",
        "warning",
        "Every value given to `call_completed` is `true` or `false`.",
        OURS,
        _unknown_completion,
    ),
    Rule(
        "dynamic-completion",
        "note",
        "`call_completed` is set to texts, not to what is known only in a call.",
        OURS,
        _dynamic_completion,
    ),
    Rule(
        "dynamic-route",
        "note",
        "`call_route` is set to texts, not to what is known only in a call.",
        OURS,
        _dynamic_route,
    ),
    Rule(
        "failed-tracking",
        "note",
        "A block that sets `call_route` may fail, and leaves the route as it was.",
        "AWS: error branch of Set contact attributes",
        _failed_tracking,
    ),
)
