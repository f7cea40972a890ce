"""Lint rules for tracking. The `call_route` of every caller who hangs up must identify a single place in the flow.

The rules assume that blocks that set attributes succeed. No flow can prevent these blocks from failing, so only
failed-tracking reports the effects of a failure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

from callroute.errors import InputError
from callroute.flows.attribute_flow import (
    CALL_FLOW,
    CALLING_FLOW,
    COMPLETED,
    FLOW_VERSION,
    ROUTE,
    Dynamic,
    ReachingValues,
    Stop,
    Value,
    attributes_of,
    constants,
    inherits,
)
from callroute.flows.lint.rule import LintContext, Match, Rule, Source
from callroute.flows.references import paths_in, written
from callroute.flows.tracking_blocks import PREFIX, flow_version, strip_tracking
from callroute.formats.json_document import member

if TYPE_CHECKING:
    from callroute.flows.flow import Block

_CHOICE_STOPS = frozenset(("menu", "bot"))
_MENU_STOPS = frozenset(("menu", "input", "bot", "view"))
_COMPLETIONS = ("true", "false")
# Reference to the name of the tool with which an AI agent returned control to the flow.
_TOOL = ("Lex", "SessionAttributes", "Tool")
_MAX_SHOWN = 5


def _stops(context: LintContext) -> Iterator[Stop]:
    """Yields the stops that calls can reach if every block that sets attributes succeeds."""
    return (stop for stop in context.analysis.stops if stop.routes)


def _not_tracked(context: LintContext) -> Iterator[Match]:
    stops = [stop for stop in _stops(context) if None in stop.routes]
    if stops and not _is_tracked(context) and not _is_disconnect_flow(context):
        block = stops[0].block
        yield Match(
            block.identifier,
            block.path,
            f"No block sets {ROUTE}, so the record of a call does not show at which of {len(context.analysis.stops)} stops "
            "the caller hung up.",
            "Run `callroute track` on the flow.",
        )


def _disconnect_route(context: LintContext) -> Iterator[Match]:
    for block, _ in _set_values(context) if _is_disconnect_flow(context) else ():
        yield Match(
            block.identifier,
            _path(block, ROUTE),
            f"This flow is a disconnect flow, which also runs after the caller has hung up, so {ROUTE} no longer shows "
            "where.",
            "Set another attribute here.",
        )


def _is_disconnect_flow(context: LintContext) -> bool:
    return context.links.is_disconnect_flow(context.flow.source)


def _is_tracked(context: LintContext) -> bool:
    """Returns whether calls can have a route: a reachable block sets one, or the calling flow may have set one.

    A module or a computed attribute name may set one too, but is no sign that the flow was tracked.
    """
    return any(CALLING_FLOW in stop.routes for stop in _stops(context)) or any(_set_values(context))


def _untracked_stop(context: LintContext) -> Iterator[Match]:
    # A disconnect flow keeps the route of the flow before it.
    for stop in _stops(context) if _is_tracked(context) and not _is_disconnect_flow(context) else ():
        if None in stop.routes:
            suffix = "" if stop.routes == {None} else " on some paths"
            yield Match(
                stop.block.identifier,
                stop.block.path,
                f"A caller who hangs up here ({stop.kind}) has no {ROUTE}{suffix}.",
                f"Set {ROUTE} on every path to this block, or run `callroute track`.",
            )


def _ambiguous_stop(context: LintContext) -> Iterator[Match]:
    # Stops with the same routes count as one place, for example a menu and its error message. A place can have
    # several routes if no other place has any of them, because the record still identifies the place.
    places: defaultdict[frozenset[str], list[Stop]] = defaultdict(list)
    for stop in _stops(context):
        places[frozenset(value for value in stop.routes if isinstance(value, str))].append(stop)
    for routes, stops in places.items():
        if len(routes) < 2:
            continue
        here = stops[0].block
        others = [other for other in places if other != routes and other & routes]
        if others:
            route = min(routes & others[0])
            elsewhere = [stop.block.identifier for stop in places[others[0]]]
            more = f" (and to {_join(stop.block.identifier for stop in stops[1:])})" if len(stops) > 1 else ""
            yield Match(
                here.identifier,
                here.path,
                f"Calls reach this stop{more} with {_join(sorted(routes))}; {route!r} is also the route at "
                f"{_join(elsewhere)}, so the record does not show where the call ended.",
                f"Set a separate {ROUTE} before this block, or name the block under `blocks` in the route file of "
                "`callroute track`.",
            )


def _indistinguishable_branches(context: LintContext) -> Iterator[Match]:
    # Cached because branches of different menus often have the same target and routes.
    next_places = cache(ReachingValues(context.flow, ROUTE).first_places)
    for stop in _stops(context):
        if stop.kind not in _CHOICE_STOPS:
            continue
        branches = [branch for branch in stop.block.branches if branch.kind == "condition"]
        # A branch that leads directly back to this block keeps the caller at the same place.
        arrivals = {
            target: {
                identifier: values
                for identifier, values in next_places(target, stop.routes).items()
                if identifier != stop.block.identifier
            }
            for target in {branch.target for branch in branches}
        }
        seen: set[str] = set()
        for one, other in combinations(branches, 2):
            if one.target == other.target or other.label in seen:
                continue
            shared = _shared_route(arrivals[one.target], arrivals[other.target])
            if shared:
                seen.add(other.label)
                yield Match(
                    stop.block.identifier,
                    other.path,
                    f"The branches {one.label!r} and {other.label!r} lead to different blocks with the same {ROUTE} "
                    f"{shared!r}.",
                    f"Set a different {ROUTE} on each branch.",
                )


def _shared_route(one: Mapping[str, frozenset[Value]], other: Mapping[str, frozenset[Value]]) -> str:
    """Returns a route that two choices have in common, or an empty string.

    Choices can share a place with its own route, such as an announcement outside opening hours, if they differ
    elsewhere.
    """
    routes, others = constants(one.values()), constants(other.values())
    if routes == others:
        return min(routes, default="")
    stops = {value: {stop for stop, values in one.items() if value in values} for value in routes & others}
    for value in sorted(stops):
        if stops[value] != {stop for stop, values in other.items() if value in values}:
            return value
    return ""


def _set_values(context: LintContext, attribute: str = ROUTE) -> Iterator[tuple[Block, object]]:
    """Yields the reachable blocks that set an attribute, each with its value."""
    for block in context.blocks:
        attributes = attributes_of(block)
        if attribute in attributes and block.identifier in context.analysis.reached:
            yield block, attributes[attribute]


def _path(block: Block, attribute: str) -> str:
    return member(f"{block.path}.Parameters.Attributes", attribute)


def _unknown_route(context: LintContext) -> Iterator[Match]:
    if context.catalog is None:
        return
    for block, value in _set_values(context):
        if isinstance(value, str) and not paths_in(value) and value not in context.catalog.routes:
            yield Match(
                block.identifier,
                _path(block, ROUTE),
                f"The route {value!r} is not in the route catalog.",
                "Add it to the catalog, or fix the spelling.",
            )


def _unset_route(context: LintContext) -> Iterator[Match]:
    if context.catalog is None:
        return
    values = {value for _, value in _set_values(context)}
    if any(isinstance(value, str) and paths_in(value) for value in values):
        return  # a reference can have any value
    for route in context.catalog.routes:
        if route not in values:
            yield Match(
                None,
                "$.Actions",
                f"The route {route!r} is in the route catalog, but no reachable block sets it.",
                "Remove it from the catalog, or set it.",
            )


def _unknown_call_flow(context: LintContext) -> Iterator[Match]:
    if context.catalog is None:
        return
    named = context.catalog.call_flow
    values = list(_set_values(context, CALL_FLOW))
    for block, value in values:
        if isinstance(value, str) and not paths_in(value) and value != named:
            yield Match(
                block.identifier,
                _path(block, CALL_FLOW),
                f"{CALL_FLOW} is {value!r}, but the route catalog has "
                + (f"`call_flow: {named}`." if named else "no `call_flow`."),
                f"Set `call_flow: {value}` in the catalog, or fix the spelling. Reports use it to find labels.",
            )
    if named and not values and not inherits(context.flow):
        yield Match(
            None,
            "$.Actions",
            f"The route catalog has `call_flow: {named}`, but no reachable block sets {CALL_FLOW}.",
            f"Set {CALL_FLOW} where {ROUTE} is first set, or remove it from the catalog.",
        )


def _outdated_version(context: LintContext) -> Iterator[Match]:
    versions = [
        (block, value)
        for block, value in _set_values(context, FLOW_VERSION)
        if block.identifier.startswith(PREFIX)
    ]
    if not versions or context.flow.defects:
        return
    try:
        current = flow_version(strip_tracking(context.flow)[0])
    except InputError:
        return  # a cycle of tracking blocks, which other rules report
    for block, value in versions:
        if value != current:
            yield Match(
                block.identifier,
                _path(block, FLOW_VERSION),
                f"The flow was edited after it was tracked: {FLOW_VERSION} is {value!r} instead of {current!r}.",
                "Run `callroute track` on the flow.",
            )


def _completion_unset(context: LintContext) -> Iterator[Match]:
    first = ReachingValues(context.flow, COMPLETED).first_stops(context.flow.start, (None,))
    for stop in _stops(context):
        # The rule untracked-stop reports stops without a route.
        if stop.block.identifier in first and None in stop.completed and None not in stop.routes:
            yield Match(
                stop.block.identifier,
                stop.block.path,
                f"Calls reach this stop, their first, before {COMPLETED} is set.",
                f'Set {COMPLETED} to "false" where {ROUTE} is first set.',
            )


def _is_true(value: object) -> bool:
    """Returns whether the call record treats a value as true. Case is ignored (docs/record.md)."""
    return isinstance(value, str) and value.lower() == "true"


def _completed_too_early(context: LintContext) -> Iterator[Match]:
    for stop in _stops(context):
        if stop.kind in _MENU_STOPS and any(_is_true(value) for value in stop.completed):
            yield Match(
                stop.block.identifier,
                stop.block.path,
                f"{COMPLETED} can be true here, although the caller is still in the menus ({stop.kind}).",
                f'Set {COMPLETED} to "true" after the last menu, or back to "false" before this one.',
            )


def _unknown_completion(context: LintContext) -> Iterator[Match]:
    for block, value in _set_values(context, COMPLETED):
        if isinstance(value, str) and value and not paths_in(value) and value.lower() not in _COMPLETIONS:
            yield Match(
                block.identifier,
                _path(block, COMPLETED),
                f"{COMPLETED} is set to {value!r}, which the call record treats as false.",
                'Set it to "true" or "false".',
            )


def _dynamic_completion(context: LintContext) -> Iterator[Match]:
    for block, value in _set_values(context, COMPLETED):
        if isinstance(value, str) and paths_in(value):
            stops = [
                stop.block.identifier
                for stop in _stops(context)
                if stop.kind in _MENU_STOPS and Dynamic(value) in stop.completed
            ]
            unknown = f", so it may be true in the menus {_join(stops)}" if stops else ""
            yield Match(
                block.identifier,
                _path(block, COMPLETED),
                f"{COMPLETED} is set from {value}, which is known only during a call{unknown}.",
                'Make sure that it is "true" or "false", and "true" only after the last menu.',
            )


def _dynamic_route(context: LintContext) -> Iterator[Match]:
    stops: defaultdict[Dynamic, list[str]] = defaultdict(list)
    for stop in _stops(context):
        for value in stop.routes:
            if isinstance(value, Dynamic):
                stops[value].append(stop.block.identifier)
    for value in sorted(stops, key=str):
        block = stops[value][0]
        yield Match(
            block,
            context.flow.blocks[block].path,
            f"At {_join(stops[value])}, {ROUTE} can come from {value.origin}, which is known only during a call.",
            "Make sure that all possible values are in the route catalog.",
        )


def _agentic_conversation(context: LintContext) -> Iterator[Match]:
    bots = [stop.block for stop in _stops(context) if stop.kind == "bot"]
    if bots and _has_agent(context) and not _tool_sets_route(context):
        yield Match(
            bots[0].identifier,
            bots[0].path,
            "An AI agent may answer here. The whole conversation is one stop, so the record does not show how far the caller "
            "got.",
            f"After the conversation, compare {written(_TOOL)} and set {ROUTE} on each branch.",
        )


def _has_agent(context: LintContext) -> bool:
    """Returns whether a flow starts a session of an AI agent or reads the tool that ended its conversation."""
    return any(block.type == "CreateWisdomSession" for block in context.blocks) or any(
        _TOOL in paths_in(scalar.value) for scalar in context.scalars if isinstance(scalar.value, str)
    )


def _tool_sets_route(context: LintContext) -> bool:
    """Returns whether the route is taken from the tool's name, or differs for each tool name that a block checks for."""
    if any(isinstance(value, str) and _TOOL in paths_in(value) for _, value in _set_values(context)):
        return True
    next_places = ReachingValues(context.flow, ROUTE).first_places
    for block in context.blocks:
        if block.type == "Compare" and block.parameters.get("ComparisonValue") == written(_TOOL):
            targets = [branch.target for branch in block.branches if branch.kind == "condition"]
            places = [values for target in targets for values in next_places(target, (None,)).values()]
            if places and not any(None in values for values in places):
                return True
    return False


def _failed_tracking(context: LintContext) -> Iterator[Match]:
    setting = [block for block, _ in _set_values(context)]
    if not setting:
        return
    stale = [stop for stop in context.analysis.stops if stop.routes_after_failure - stop.routes]
    without = [stop for stop in stale if None in stop.routes_after_failure and None not in stop.routes]
    if stale:
        unset = f" ({len(without)} without a route)" if without else ""
        yield Match(
            setting[0].identifier,
            setting[0].path,
            f"If a block that sets {ROUTE} fails ({len(setting)} here), the call continues with the old value. "
            f"Affected stops: {len(stale)}{unset}.",
            "No flow can prevent this. Such failures appear in Connect's flow logs.",
        )


def _join(values: Iterable[str]) -> str:
    shown = [repr(value) for value in values]
    return ", ".join(shown[:_MAX_SHOWN]) + (
        f" and {len(shown) - _MAX_SHOWN} more" if len(shown) > _MAX_SHOWN else ""
    )


RULES = (
    Rule(
        "not-tracked",
        "error",
        "A flow with stops sets `call_route`.",
        Source.RECORDS,
        _not_tracked,
    ),
    Rule(
        "untracked-stop",
        "error",
        "`call_route` is set at every stop, on every path.",
        Source.RECORDS,
        _untracked_stop,
    ),
    Rule(
        "disconnect-route",
        "warning",
        "A disconnect flow does not set `call_route`, if it is checked together with a flow that uses it.",
        Source.DISCONNECT_FLOW,
        _disconnect_route,
    ),
    Rule(
        "ambiguous-stop",
        "warning",
        "A stop with several routes shares none of them with a stop that has different routes.",
        Source.RECORDS,
        _ambiguous_stop,
    ),
    Rule(
        "indistinguishable-branches",
        "warning",
        "If two choices in a menu or bot lead to different blocks, they have different routes.",
        Source.RECORDS,
        _indistinguishable_branches,
    ),
    Rule(
        "unknown-route",
        "error",
        "Every value of `call_route` is in the route catalog.",
        Source.RECORDS,
        _unknown_route,
    ),
    Rule(
        "unset-route",
        "warning",
        "Every route in the catalog is set by a reachable block.",
        Source.RECORDS,
        _unset_route,
    ),
    Rule(
        "unknown-call-flow",
        "warning",
        "The flow and its route catalog have the same `call_flow`.",
        Source.RECORDS,
        _unknown_call_flow,
    ),
    Rule(
        "outdated-version",
        "warning",
        "`flow_version`, set by `callroute track`, matches the flow.",
        Source.RECORDS,
        _outdated_version,
    ),
    Rule(
        "completion-unset",
        "warning",
        "`call_completed` is set before the first stop.",
        Source.RECORDS,
        _completion_unset,
    ),
    Rule(
        "completed-too-early",
        "warning",
        "`call_completed` is not true while the caller is in a menu, input, bot or view.",
        Source.RECORDS,
        _completed_too_early,
    ),
    Rule(
        "unknown-completion",
        "warning",
        "Every value of `call_completed` is `true` or `false`.",
        Source.RECORDS,
        _unknown_completion,
    ),
    Rule(
        "dynamic-completion",
        "note",
        "`call_completed` is set only to constants, not to references.",
        Source.RECORDS,
        _dynamic_completion,
    ),
    Rule(
        "dynamic-route",
        "note",
        "`call_route` is set only to constants, not to references.",
        Source.RECORDS,
        _dynamic_route,
    ),
    Rule(
        "agentic-conversation",
        "note",
        "After a conversation with an AI agent, `call_route` names the tool that ended it.",
        Source.AGENTIC,
        _agentic_conversation,
    ),
    Rule(
        "failed-tracking",
        "note",
        "No stop can be reached with an outdated route because a block that sets `call_route` failed.",
        Source.SET_ATTRIBUTES,
        _failed_tracking,
    ),
)
