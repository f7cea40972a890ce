"""Adds drop-off tracking to a flow, repeating the process until the result is stable."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from callroute.errors import InputError
from callroute.flows.attribute_flow import ARM, CALL_FLOW, COMPLETED, FLOW_VERSION, ROUTE, attributes_of
from callroute.flows.flow import Flow
from callroute.flows.tracking.arms import arms
from callroute.flows.tracking.catalog import build_catalog
from callroute.flows.tracking.completion import Completion
from callroute.flows.tracking.detail import Detail, add_detail, stops_left_out
from callroute.flows.tracking.graph import ENTRY, Edge, FlowGraph
from callroute.flows.tracking.notes import notes_for
from callroute.flows.tracking.rewrite import (
    Insertions,
    TrackingBlock,
    block_identifier,
    edge_identifier,
    insert_blocks,
    make_identifier,
    plan_insertions,
)
from callroute.flows.tracking.route_assignment import START, RouteAssignment, RouteSource
from callroute.flows.tracking.route_names import RouteName, RouteNames
from callroute.flows.tracking_blocks import (
    PREFIX,
    detail_keys,
    flow_version,
    strip_detail,
    strip_tracking,
)

if TYPE_CHECKING:
    from callroute.flows.flow import Block
    from callroute.flows.route_catalog import RouteCatalog

_MAX_PASSES = 8
_GENERATED = (ROUTE, COMPLETED, CALL_FLOW, FLOW_VERSION)


@dataclass(frozen=True, slots=True)
class TrackedFlow:
    """A flow with tracking blocks.

    Attributes:
        document: the flow's JSON, equal to the original if nothing changed.
        catalog: the route catalog, or None if the flow has no routes.
        blocks: number of tracking blocks.
        added: number of new tracking blocks.
        notes: notes about parts that could not be tracked or are left to the flow's own blocks.
        detail: the detail of the flow, or None.
    """

    document: Mapping[str, Any]
    catalog: RouteCatalog | None
    blocks: int
    added: int
    notes: tuple[str, ...]
    detail: Detail | None = None


def add_tracking(
    flow: Flow,
    names: RouteNames | None = None,
    catalog: RouteCatalog | None = None,
    *,
    file: str,
    call_flow: str,
    detail: bool | None = None,
    without: Collection[str] = (),
    fit: bool = False,
    keep_version: bool = False,
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
        detail: whether the flow gets detail. By default, it keeps the detail it has, and stops without detail get none.
        without: stops without detail, or patterns such as `2-*`.
        fit: whether the most expensive stops get no detail if the flow would not fit with it.
        keep_version: whether an existing `flow_version` is kept. Use it if the placeholders of the flow have been filled in.

    Raises:
        InputError: the route file refers to something that does not exist in the flow, the result would be too large
            for Connect, or edited tracking blocks prevent the result from becoming stable.
    """
    request = _Request(names, catalog, file, call_flow, detail, frozenset(without), fit, keep_version)
    before = strip_tracking(flow)[1]
    current, tracked = flow, _add_once(flow, request)
    for _ in range(_MAX_PASSES):
        if tracked.document == current.document:
            return replace(tracked, added=len(strip_tracking(current)[1].keys() - before.keys()))
        # A tracking block whose branches were edited to lead to different targets counts as one of the flow's own
        # blocks. If new blocks make its branches meet again, it becomes a tracking block again, which can make other
        # blocks unnecessary.
        current = Flow.parse(json.dumps(tracked.document), flow.source, flow.type)
        tracked = _add_once(current, request)
    raise InputError(
        flow.source,
        "",
        f"the tracking blocks still change after {_MAX_PASSES} passes",
        f"Remove the blocks whose identifiers begin with {PREFIX!r} and run the command again",
    )


def add_detail_to_content(content: str, name: str, flow_type: str) -> str:
    """Adds tracking and detail to the content of a flow that is about to be deployed.

    If the flow already has detail, stops without detail get none. An existing `flow_version` is kept, because it is the
    version of the flow before its placeholders were filled in.

    Args:
        content: the flow's JSON.
        name: name of the flow, used as `call_flow` if the flow is not tracked yet.
        flow_type: type of the flow in Connect, such as `CONTACT_FLOW`.

    Raises:
        InputError: the flow is invalid or cannot have detail.
    """
    flow = Flow.parse(content, name, flow_type)
    detail = None if detail_keys(flow) else True
    tracked = add_tracking(flow, file=name, call_flow=name, detail=detail, keep_version=True)
    return flow.style.write(tracked.document)


@dataclass(frozen=True, slots=True)
class _Request:
    """Arguments of `add_tracking`, without the flow."""

    names: RouteNames | None
    catalog: RouteCatalog | None
    file: str
    call_flow: str
    detail: bool | None
    without: frozenset[str]
    fit: bool
    keep_version: bool


def _add_once(flow: Flow, request: _Request) -> TrackedFlow:
    plain, _ = strip_detail(flow)
    tracked = _add_plain(plain, request)
    has_detail = bool(detail_keys(flow))
    if not (has_detail if request.detail is None else request.detail):
        for option, given in (("--without-detail", request.without), ("--fit", request.fit)):
            if given:
                raise InputError(option, "", "the flow gets no detail", f"Add --detail, or omit {option}")
        return tracked
    left_out = stops_left_out(flow) if has_detail and request.detail is None else ()
    parsed = Flow.parse(json.dumps(tracked.document), flow.source, flow.type)
    document, detail = add_detail(parsed, flow, request.without, left_out, fit=request.fit)
    return replace(tracked, document=document, blocks=tracked.blocks + detail.blocks, detail=detail)


def _add_plain(flow: Flow, request: _Request) -> TrackedFlow:
    bare, existing = strip_tracking(flow)
    catalog = request.catalog
    graph = FlowGraph(bare)
    names = _with_previous_names(request.names or RouteNames(), graph, existing)
    assignment = RouteAssignment(graph, names)
    values = assignment.values(_previous_values(assignment, existing))
    completion = Completion(assignment)

    at_edge_start = {edge: {ROUTE: values[source]} for edge, source in assignment.at_edge_start.items()}
    if assignment.starts_calls:
        at_edge_start.pop(graph.entry, None)
        start_values = _start_values(assignment, values, request, existing)
        if start_values:
            at_edge_start[graph.entry] = start_values
    for edge, arm in arms(graph, existing).items():
        at_edge_start.setdefault(edge, {})[ARM] = arm
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
            values,
            catalog,
            file=request.file,
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
    """Keeps the order of the attributes in a tracking block, and any attributes that users have added."""
    old = attributes_of(existing)
    added = {name: str(value) for name, value in old.items() if name not in _GENERATED}
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
    request: _Request,
    existing: Mapping[str, Block],
) -> dict[str, str]:
    """Returns the attributes to set at the start, except those that the flow itself sets before the first stop."""
    flow = assignment.graph.flow
    old = existing.get(edge_identifier(assignment.graph.entry))
    attributes = attributes_of(old) if old else {}
    given = assignment.names.call_flow or (request.catalog.call_flow if request.catalog else None)
    previous = attributes.get(CALL_FLOW) if assignment.names.call_flow is None else None
    version = attributes.get(FLOW_VERSION) if request.keep_version else None
    all_values = {
        CALL_FLOW: str(previous or given or request.call_flow),
        FLOW_VERSION: str(version or flow_version(flow)),
        ROUTE: values[START],
        COMPLETED: "false",
    }
    needed = {name: value for name, value in all_values.items() if assignment.is_needed(flow.start, name)}
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
