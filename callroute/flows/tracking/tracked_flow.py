"""Adds drop-off tracking to a flow, repeating the process until the result is stable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from callroute.errors import InputError
from callroute.flows.attribute_flow import CALL_FLOW, COMPLETED, ROUTE, attributes_of
from callroute.flows.flow import Flow
from callroute.flows.tracking.catalog import build_catalog
from callroute.flows.tracking.completion import Completion
from callroute.flows.tracking.graph import ENTRY, Edge, FlowGraph
from callroute.flows.tracking.notes import notes_for
from callroute.flows.tracking.rewrite import (
    PREFIX,
    Insertions,
    TrackingBlock,
    block_identifier,
    edge_identifier,
    insert_blocks,
    is_tracking,
    make_identifier,
    plan_insertions,
    strip_tracking,
)
from callroute.flows.tracking.route_assignment import START, RouteAssignment, RouteSource
from callroute.flows.tracking.route_names import RouteName, RouteNames

if TYPE_CHECKING:
    from callroute.flows.flow import Block
    from callroute.flows.route_catalog import RouteCatalog

_MAX_PASSES = 8


@dataclass(frozen=True, slots=True)
class TrackedFlow:
    """A flow with tracking blocks.

    Attributes:
        document: the flow's JSON, equal to the original if nothing changed.
        catalog: the route catalog, or None if the flow has no routes.
        blocks: number of tracking blocks.
        added: number of new tracking blocks.
        notes: notes about parts that could not be tracked or are left to the flow's own blocks.
    """

    document: Mapping[str, Any]
    catalog: RouteCatalog | None
    blocks: int
    added: int
    notes: tuple[str, ...]


def add_tracking(
    flow: Flow,
    names: RouteNames | None = None,
    catalog: RouteCatalog | None = None,
    *,
    file: str,
    call_flow: str,
) -> TrackedFlow:
    """Adds tracking to a flow, or updates its existing tracking.

    Existing tracking blocks are removed and regenerated, so a second run changes nothing. Other blocks that set
    routes are kept unchanged.

    Args:
        flow: the flow, from `Flow.parse`.
        names: names for its routes.
        catalog: the existing route catalog, whose entries are kept.
        file: file name of the flow, for the catalog.
        call_flow: value of `call_flow`, unless the route file, the catalog or the flow contains one.

    Raises:
        InputError: the route file refers to something that does not exist in the flow, the result would be too large
            for Connect, or edited tracking blocks prevent the result from becoming stable.
    """
    current, tracked = flow, _add_once(flow, names, catalog, file, call_flow)
    for _ in range(_MAX_PASSES):
        if tracked.document == current.document:
            before = {block.identifier for block in flow.blocks.values() if is_tracking(block)}
            after = {block.identifier for block in current.blocks.values() if is_tracking(block)}
            return replace(tracked, added=len(after - before))
        # A tracking block whose branches were edited to lead to different targets counts as one of the flow's own
        # blocks. If new blocks reunite its branches, it becomes a tracking block again, which can make other blocks
        # unnecessary.
        current = Flow.parse(json.dumps(tracked.document), flow.source, flow.type)
        tracked = _add_once(current, names, catalog, file, call_flow)
    raise InputError(
        flow.source,
        "",
        f"the tracking blocks still change after {_MAX_PASSES} passes",
        f"Remove the blocks whose identifiers begin with {PREFIX!r} and run the command again",
    )


def _add_once(
    flow: Flow, names: RouteNames | None, catalog: RouteCatalog | None, file: str, call_flow: str
) -> TrackedFlow:
    bare, existing = strip_tracking(flow)
    graph = FlowGraph(bare)
    names = _with_previous_names(names or RouteNames(), graph, existing)
    assignment = RouteAssignment(graph, names)
    values = assignment.values(_previous_values(assignment, existing))
    completion = Completion(assignment)

    at_edge_start = {edge: {ROUTE: values[source]} for edge, source in assignment.at_edge_start.items()}
    if assignment.starts_calls:
        given = names.call_flow or (catalog.call_flow if catalog else None)
        start_values = _start_values(assignment, values, given, call_flow, existing)
        at_edge_start.pop(graph.entry, None)
        if start_values:
            at_edge_start[graph.entry] = start_values
    at_edge_end = {edge: {ROUTE: values[source]} for edge, source in assignment.at_edge_end.items()}
    for edge, value in completion.at_edge_end.items():
        at_edge_end.setdefault(edge, {})[COMPLETED] = value

    insertions = plan_insertions(
        bare.blocks, _in_file_order(at_edge_start, bare), _in_file_order(at_edge_end, bare), names.blocks
    )
    for block in insertions.blocks:
        if block.identifier in existing:
            _keep_edited_attributes(block, existing[block.identifier])
    return TrackedFlow(
        insert_blocks(flow, insertions, existing),
        build_catalog(
            assignment,
            _used_values(assignment, values, insertions),
            catalog,
            file=file,
            call_flow=at_edge_start.get(graph.entry, {}).get(CALL_FLOW),
        ),
        len(insertions.blocks),
        sum(block.identifier not in existing for block in insertions.blocks),
        tuple(notes_for(assignment, completion)),
    )


def _in_file_order(attributes: Mapping[Edge, dict[str, str]], flow: Flow) -> dict[Edge, dict[str, str]]:
    order = {block: index for index, block in enumerate((ENTRY, *flow.blocks))}
    return dict(sorted(attributes.items(), key=lambda item: order[item[0].source]))


def _keep_edited_attributes(block: TrackingBlock, existing: Block) -> None:
    """Preserves the order of attributes in a tracking block and any attributes that users added."""
    old = attributes_of(existing)
    added = {name: str(value) for name, value in old.items() if name not in (ROUTE, COMPLETED, CALL_FLOW)}
    order = {name: index for index, name in enumerate(old)}
    attributes = block.attributes | added
    block.attributes = dict(sorted(attributes.items(), key=lambda item: order.get(item[0], len(order))))


def _with_previous_names(names: RouteNames, graph: FlowGraph, existing: Mapping[str, Block]) -> RouteNames:
    """Adds the names of branches and blocks that were set by an earlier run."""
    branches = {block: dict(labels) for block, labels in names.branches.items()}
    blocks = dict(names.blocks)
    for block in graph.depths:
        for edge in graph.outgoing(block):
            route = _route_set_in(existing, edge_identifier(edge))
            if route is not None and not graph.is_choice(edge):
                branches.setdefault(block, {}).setdefault(edge.label, RouteName(route))
        route = _route_set_in(existing, block_identifier(block, named=True))
        if route is not None:
            blocks.setdefault(block, RouteName(route))
    return replace(names, branches=branches, blocks=blocks)


def _previous_values(assignment: RouteAssignment, existing: Mapping[str, Block]) -> dict[RouteSource, str]:
    """Returns the route values found in existing tracking blocks."""
    values: dict[RouteSource, str] = {}
    candidates = [
        *((source, edge_identifier(edge)) for edge, source in assignment.at_edge_start.items()),
        *(
            (source, block_identifier(edge.target, named=False))
            for edge, source in assignment.at_edge_end.items()
        ),
    ]
    # The block where a route begins takes precedence over blocks on edges that lead back to it.
    candidates.sort(key=lambda candidate: candidate[1] != _first_identifier(candidate[0]))
    for source, identifier in candidates:
        route = _route_set_in(existing, identifier)
        if route is not None:
            values.setdefault(source, route)
    return values


def _route_set_in(existing: Mapping[str, Block], identifier: str) -> str | None:
    attributes = attributes_of(existing[identifier]) if identifier in existing else {}
    return str(attributes[ROUTE]) if ROUTE in attributes else None


def _first_identifier(source: RouteSource) -> str:
    """Returns the identifier of the tracking block where a route begins."""
    if source.kind == "branch":
        return make_identifier(source.block, source.label)
    return make_identifier("start") if source == START else block_identifier(source.block, named=False)


def _start_values(
    assignment: RouteAssignment,
    values: Mapping[RouteSource, str],
    given: str | None,
    default: str,
    existing: Mapping[str, Block],
) -> dict[str, str]:
    """Returns the attributes to set at the start, except those that the flow itself sets before the first stop."""
    start = assignment.graph.flow.start
    old = existing.get(edge_identifier(assignment.graph.entry))
    previous = attributes_of(old).get(CALL_FLOW) if old and assignment.names.call_flow is None else None
    all_values = {CALL_FLOW: str(previous or given or default), ROUTE: values[START], COMPLETED: "false"}
    needed = {name: value for name, value in all_values.items() if assignment.is_needed(start, name)}
    if ROUTE not in needed and not given:
        needed.pop(CALL_FLOW, None)  # call_flow is not generated for a flow that sets its own routes
    return needed


def _used_values(
    assignment: RouteAssignment, values: Mapping[RouteSource, str], insertions: Insertions
) -> dict[RouteSource, str]:
    """Returns the routes that a call can have, parents first."""
    inserted = {block.attributes.get(ROUTE) for block in insertions.blocks}
    used = {*assignment.at_edge_start.values(), *assignment.at_edge_end.values()}
    return {
        source: values[source]
        for source in assignment.parents
        if (
            assignment.is_set_manually(source)
            if source.kind == "manual"
            else source in used and values[source] in inserted
        )
    }
