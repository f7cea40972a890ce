"""Puts drop-off tracking into a flow: blocks that set `call_route`, `call_completed` and `call_flow`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from callroute.errors import InputError
from callroute.flows.attribute_flow import CALL_FLOW, COMPLETED, ROUTE, attributes_of
from callroute.flows.block_types import kinds_of, type_of
from callroute.flows.flow import Flow
from callroute.flows.placeholders import names as placeholders_of
from callroute.flows.route_catalog import Route, RouteCatalog
from callroute.flows.tracking.completion import Completion
from callroute.flows.tracking.graph import ENTRY, Graph, Way
from callroute.flows.tracking.labels import catalog_text, label, route_line, told_apart
from callroute.flows.tracking.rewrite import (
    PREFIX,
    Wiring,
    branch_identifier,
    identifier,
    insert_blocks,
    is_tracking,
    place_identifier,
    strip_tracking,
    wire,
)
from callroute.flows.tracking.route_assignment import START, Places, Symbol
from callroute.flows.tracking.route_names import Name, RouteNames

if TYPE_CHECKING:
    from callroute.flows.flow import Block

__all__ = ["PREFIX", "RouteNames", "TrackedFlow", "catalog_text", "route_line", "strip_tracking", "track"]

_SHOWN = 5
_RUNS = 8


@dataclass(frozen=True, slots=True)
class TrackedFlow:
    """A flow with tracking.

    Attributes:
        document: its JSON; equal to the flow's own where nothing was to be done.
        catalog: its routes; None where it has none.
        blocks: how many tracking blocks it has.
        added: how many of them are new.
        notes: what people should know: what cannot be seen, and what was left to the flow's own blocks.
    """

    document: Mapping[str, Any]
    catalog: RouteCatalog | None
    blocks: int
    added: int
    notes: tuple[str, ...]


def track(
    flow: Flow,
    names: RouteNames | None = None,
    catalog: RouteCatalog | None = None,
    *,
    file: str,
    call_flow: str,
) -> TrackedFlow:
    """Puts tracking into a flow, or brings the tracking that it has up to date.

    Tracking blocks of an earlier run are taken out and put in anew, so that a second run changes nothing; blocks that
    people have made themselves to set the route stay, and so does what they have set.

    Args:
        flow: the flow, from `Flow.parse`.
        names: what people call its routes.
        catalog: its route catalog so far; its entries stay.
        file: file name of the flow, for the catalog.
        call_flow: value of `call_flow` where neither route file nor catalog nor the flow gives one.

    Raises:
        InputError: the route file names what the flow does not have, the flow would be too large for Connect, or its
            tracking blocks have been changed in such a way that no run would be the last.
    """
    read, tracked = flow, _once(flow, names, catalog, file, call_flow)
    for _ in range(_RUNS):
        if tracked.document == read.document:
            before = {action.identifier for action in flow.blocks.values() if is_tracking(action)}
            now = {action.identifier for action in read.blocks.values() if is_tracking(action)}
            return replace(tracked, added=len(now - before))
        # Who leads one branch of a tracking block elsewhere makes it their own; once what is put in around it brings
        # its branches together again, it is ours again, and the blocks around it may not be needed.
        read = Flow.parse(json.dumps(tracked.document), flow.source)
        tracked = _once(read, names, catalog, file, call_flow)
    raise InputError(
        flow.source,
        "",
        f"its tracking does not settle: after {_RUNS} runs the next one would still change it",
        f"Take out the blocks whose identifiers begin with {PREFIX!r}, and run this again",
    )


def _once(
    flow: Flow, names: RouteNames | None, catalog: RouteCatalog | None, file: str, call_flow: str
) -> TrackedFlow:
    bare, ours = strip_tracking(flow)
    graph = Graph(bare)
    names = _with_kept_names(names or RouteNames(), graph, ours)
    places = Places(graph, names)
    values = places.values(_kept(places, ours))
    completion = Completion(places)

    on_ways: dict[Way, dict[str, str]] = {
        way: {ROUTE: values[symbol]} for way, symbol in places.on_ways.items()
    }
    given = names.call_flow or (catalog.call_flow if catalog else None)
    if places.starts_calls:
        start = _start_values(places, values, given, call_flow, ours)
        on_ways.pop(graph.entry, None)
        if start:
            on_ways = {graph.entry: start} | on_ways
    in_front: dict[Way, dict[str, str]] = {}
    for way, symbol in places.in_front.items():
        in_front.setdefault(way, {})[ROUTE] = values[symbol]
    for way, value in completion.on_ways.items():
        in_front.setdefault(way, {})[COMPLETED] = value
    order = {block: index for index, block in enumerate((ENTRY, *bare.blocks))}
    in_front = dict(sorted(in_front.items(), key=lambda item: order[item[0].source]))
    on_ways = dict(sorted(on_ways.items(), key=lambda item: order[item[0].source]))

    wiring = wire(bare.blocks, on_ways, in_front, names.blocks)
    for node in wiring.nodes:
        # People may have set other attributes in a tracking block; those stay.
        old = attributes_of(ours[node.identifier]) if node.identifier in ours else {}
        more = {name: str(value) for name, value in old.items() if name not in (ROUTE, COMPLETED, CALL_FLOW)}
        order_before = {name: index for index, name in enumerate(old)}
        node.attributes = dict(
            sorted(
                (node.attributes | more).items(),
                key=lambda item: order_before.get(item[0], len(order_before)),
            )
        )
    document = insert_blocks(flow, wiring, ours)
    return TrackedFlow(
        document,
        _catalog(
            places,
            _set_now(places, values, wiring),
            catalog,
            file,
            on_ways.get(graph.entry, {}).get(CALL_FLOW),
        ),
        len(wiring.nodes),
        sum(node.identifier not in ours for node in wiring.nodes),
        tuple(_notes(places, completion)),
    )


def _with_kept_names(names: RouteNames, graph: Graph, ours: Mapping[str, Block]) -> RouteNames:
    """The names together with those that an earlier run has put into the flow for a branch or in front of a block."""
    branches = {block: dict(labels) for block, labels in names.branches.items()}
    blocks = dict(names.blocks)
    for block in graph.reached:
        for way in graph.ways(block):
            old = ours.get(branch_identifier(way))
            if old is not None and not graph.chosen(way) and ROUTE in attributes_of(old):
                labels = branches.setdefault(block, {})
                labels.setdefault(way.label, Name(str(attributes_of(old)[ROUTE]), None, None))
        old = ours.get(place_identifier(block, fixed=True))
        if old is not None and ROUTE in attributes_of(old):
            blocks.setdefault(block, Name(str(attributes_of(old)[ROUTE]), None, None))
    return replace(names, branches=branches, blocks=blocks)


def _kept(places: Places, ours: Mapping[str, Block]) -> dict[Symbol, str]:
    """What routes are called in the tracking blocks of an earlier run."""
    kept: dict[Symbol, str] = {}
    found = [
        *((symbol, branch_identifier(way)) for way, symbol in places.on_ways.items()),
        *((symbol, place_identifier(way.target, fixed=False)) for way, symbol in places.in_front.items()),
    ]
    # A block where the route begins tells more of its name than one on a way back.
    for symbol, name in sorted(found, key=lambda each: each[1] != _own_block(each[0])):
        if name in ours and ROUTE in attributes_of(ours[name]):
            kept.setdefault(symbol, str(attributes_of(ours[name])[ROUTE]))
    return kept


def _own_block(symbol: Symbol) -> str:
    """The identifier of the block where a route begins."""
    if symbol.kind == "branch":
        return identifier(symbol.block, symbol.label)
    return identifier("start") if symbol == START else place_identifier(symbol.block, fixed=False)


def _start_values(
    places: Places,
    values: Mapping[Symbol, str],
    given: str | None,
    otherwise: str,
    ours: Mapping[str, Block],
) -> dict[str, str]:
    """What has to be set where calls come in: whatever the flow's own blocks do not set before the first stop."""
    start = places.graph.flow.start
    old = ours.get(branch_identifier(places.graph.entry))
    kept = attributes_of(old).get(CALL_FLOW) if old is not None and places.names.call_flow is None else None
    wanted = {CALL_FLOW: str(kept or given or otherwise), ROUTE: values[START], COMPLETED: "false"}
    needed = {name: value for name, value in wanted.items() if places.matters(start, name)}
    if ROUTE not in needed and not given:
        needed.pop(CALL_FLOW, None)  # a flow that sets its routes itself does without
    return needed


def _set_now(places: Places, values: Mapping[Symbol, str], wiring: Wiring) -> dict[Symbol, str]:
    """The routes that blocks set which a call can reach, parents first."""
    put_in_now = {node.attributes.get(ROUTE) for node in wiring.nodes}
    used = {*places.on_ways.values(), *places.in_front.values()}
    return {
        symbol: values[symbol]
        for symbol in places.parents
        if (
            places.is_reached(symbol)
            if symbol.kind == "hand"
            else symbol in used and values[symbol] in put_in_now
        )
    }


def _catalog(
    places: Places,
    values: Mapping[Symbol, str],
    known: RouteCatalog | None,
    file: str,
    call_flow: str | None,
) -> RouteCatalog | None:
    graph = places.graph
    routes: dict[str, Route] = dict(known.routes) if known else {}
    for symbol, value in values.items():
        if value in routes or value.startswith(("$", "<")):
            continue
        parent = places.parents[symbol]
        above = values.get(parent) if parent else None
        en, ja = label(graph, places.begins(symbol))
        en = told_apart(value, en, [route.en for route in routes.values()])
        ja = told_apart(value, ja, [route.ja for route in routes.values()])
        name = places.name(symbol)
        routes[value] = Route(
            value,
            above if above in routes and above != value else next(iter(routes), None),
            name.en or name.ja or en if name else en,
            name.ja or name.en or ja if name else ja,
        )
    if not routes:
        return None
    found = {name: f"value of {name}" for name in placeholders_of(graph.flow.write())}
    return RouteCatalog(
        flow=file,
        call_flow=(known.call_flow if known else None) or call_flow,
        placeholders=found | dict(known.placeholders if known else {}),
        routes=routes,
    )


def _notes(places: Places, completion: Completion) -> Iterator[str]:
    graph = places.graph
    reached = [graph.flow.blocks[block] for block in graph.flow.blocks if block in graph.reached]
    if not places.starts_calls:
        kinds = " or ".join(sorted(kinds_of(graph.flow)))
        yield (
            f"calls do not start in this flow ({kinds}): they come with the route of the flow that led to it, so only "
            "what a route file names is set here. Track the flows in which calls start."
        )
    by_hand = [action.identifier for action in reached if {ROUTE, COMPLETED} & set(attributes_of(action))]
    if by_hand:
        yield f"blocks of the flow's own set routes or completion, and are left as they are: {_some(by_hand)}."
    modules = [action.identifier for action in reached if action.type == "InvokeFlowModule"]
    if modules:
        yield f"what callers do inside modules cannot be seen here: {_some(modules)}."
    others = [action.identifier for action in reached if action.type == "TransferToFlow"]
    if others:
        yield (
            f"calls go on in other flows at {_some(others)}; track those too. A flow that is both entered and "
            "transferred to begins with its own start route."
        )
    if completion.unclear:
        yield (
            f"{COMPLETED} stays false at {_some(completion.unclear)} on ways on which calls that went well and calls "
            "after an error have met before; set it in a block of your own where you can tell."
        )
    unknown = [action.identifier for action in reached if type_of(action) is None]
    if unknown:
        yield f"the types of these blocks are unknown, and taken for blocks in which no caller waits: {_some(unknown)}."


def _some(blocks: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(blocks) - _SHOWN} more" if len(blocks) > _SHOWN else ""
    return ", ".join(map(repr, blocks[:_SHOWN])) + more
