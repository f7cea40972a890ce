"""Assigns a route to each part of a flow and determines where the route is set.

A route identifies a place by the first choices that lead there, not by all keys that the caller has pressed. Connect
cannot concatenate attribute values, and routes would otherwise become longer with every return to a menu.
docs/tracking.md describes the rules.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from callroute.flows.attribute_flow import CALLING_FLOW, ROUTE, attributes_of, inherits
from callroute.flows.tracking.graph import NEXT, Edge, FlowGraph

if TYPE_CHECKING:
    from callroute.flows.tracking.route_names import RouteName, RouteNames

START_ROUTE = "start"


class RouteSource(NamedTuple):
    """Origin of a route, independent of the route's value.

    Attributes:
        kind: `start` (the start of the call), `branch` (a branch of a block), `block` (any path to a block), `manual`
            (one of the flow's own blocks) or `unresolved` (the route of a block that is not known yet).
        block: identifier of the block, or the route itself if the kind is `manual`.
        label: label of the branch.
    """

    kind: Literal["start", "branch", "block", "manual", "unresolved"]
    block: str = ""
    label: str = ""


START = RouteSource("start")


class _Derivation(NamedTuple):
    """Parts of a route's default value.

    Attributes:
        source: the route.
        parent: the route of the preceding choice block.
        segment: the part that is appended to the parent's value.
        target: identifier of the block where the route begins.
    """

    source: RouteSource
    parent: RouteSource
    segment: str
    target: str


class RouteAssignment:
    """Routes assigned to the parts of a flow.

    Args:
        graph: the graph of the flow.
        names: names for its routes.

    Raises:
        InputError: a name refers to a block or branch that does not exist.
    """

    def __init__(self, graph: FlowGraph, names: RouteNames) -> None:
        self.graph = graph
        self.names = names
        self.starts_calls = not inherits(graph.flow)
        self._reject_unknown_blocks()
        self._manual = {
            identifier: RouteSource("manual", str(attributes_of(block)[ROUTE]))
            for identifier, block in graph.flow.blocks.items()
            if ROUTE in attributes_of(block)
        }

    def _reject_unknown_blocks(self) -> None:
        reachable = self.graph.depths
        for block, name in self.names.blocks.items():
            if block not in reachable:
                raise name.unknown("the flow", "block", block, sorted(reachable))
        for block, names in self.names.branches.items():
            labels = [edge.label for edge in self.graph.outgoing(block)] if block in reachable else []
            for label, name in names.items():
                if block not in reachable:
                    raise name.unknown("the flow", "block", block, sorted(reachable))
                if label not in labels:
                    raise name.unknown(f"block {block!r}", "branch", label, labels)

    # --- Routes of blocks --------------------------------------------------------------------------------------------

    def _set_by(self, edge: Edge) -> RouteSource | None:
        """Returns the route that an edge sets, or None. An edge sets one if it is a choice, is named, or leaves a manual block."""
        if edge.source in self._manual:
            return self._manual[edge.source]
        if self.graph.is_choice(edge) or edge.label in self.names.branches.get(edge.source, {}):
            return RouteSource("branch", edge.source, edge.label)
        return None

    def _first_routes(self, target: str) -> set[RouteSource]:
        """Returns the routes that a call can have when it first reaches a block."""
        found: dict[str, set[RouteSource]] = {}
        pending: deque[tuple[str, frozenset[RouteSource]]] = deque(
            [(self.graph.flow.start, frozenset((self._initial,)))]
        )
        while pending:
            block, arriving = pending.popleft()
            known = found.setdefault(block, set())
            new = arriving - known
            if not new:
                continue
            known |= new
            if block == target:
                continue
            leaving = frozenset((RouteSource("unresolved", block),)) if self._has_own_route(block) else new
            for edge in self.graph.outgoing(block):
                source = self._set_by(edge)
                pending.append((edge.target, leaving if source is None else frozenset((source,))))
        return found.get(target, set())

    @property
    def _initial(self) -> RouteSource:
        return START if self.starts_calls else RouteSource("manual", str(CALLING_FLOW))

    def _has_own_route(self, block: str) -> bool:
        return (block in self.graph.choice_blocks and self.graph.is_stop(block)) or block in self.names.blocks

    @cached_property
    def block_routes(self) -> Mapping[str, RouteSource]:
        """The route of each choice block, each named block, and each other stop that has only one route."""
        routes: dict[str, RouteSource] = {}
        other_stops: list[tuple[str, set[RouteSource]]] = []
        for block in self.graph.depths:
            if block in self.names.blocks:
                routes[block] = RouteSource("block", block)
            elif block in self.graph.choice_blocks:
                routes[block] = self._route_of_choice_block(block, self._first_routes(block), routes)
            elif self.graph.is_stop(block):
                other_stops.append((block, self._first_routes(block)))
        for block, first_routes in other_stops:
            candidates = set(_resolved(first_routes, routes))
            if len(candidates) == 1:
                routes[block] = candidates.pop()
        return routes

    def _route_of_choice_block(
        self, block: str, first_routes: set[RouteSource], routes: Mapping[str, RouteSource]
    ) -> RouteSource:
        if START in first_routes:
            return START
        # Routes that callers can have only after a visit to this block do not identify it.
        candidates = {
            source
            for source in _resolved(first_routes, routes)
            if source.kind != "branch" or self._comes_before(source.block, block)
        }
        if len(candidates) == 1:
            return candidates.pop()
        # If several choices lead directly to the block, prefer the one that requires the fewest choices.
        direct = sorted(
            (self.graph.depths[edge.source], edge.source, edge.label)
            for edge in self._branch_edges
            if RouteSource("branch", edge.source, edge.label) in candidates
            and self.graph.sole_stop(edge.target) == block
        )
        if direct and (len(direct) == 1 or direct[0][0] < direct[1][0]):
            return RouteSource("branch", *direct[0][1:])
        return RouteSource("block", block)

    def _comes_before(self, first: str, second: str) -> bool:
        """Returns whether the first block requires fewer choices than the second or dominates it."""
        depths = self.graph.depths
        return depths[first] < depths[second] or self.graph.dominates(first, second)

    @cached_property
    def _branch_edges(self) -> tuple[Edge, ...]:
        """The edges that have their own route: choices and named branches."""
        return tuple(
            edge
            for block in self.graph.depths
            for edge in self.graph.outgoing(block)
            if (source := self._set_by(edge)) is not None and source.kind == "branch"
        )

    # --- Values of call_route ----------------------------------------------------------------------------------------

    @cached_property
    def default_values(self) -> Mapping[RouteSource, str]:
        """The value of each route before names are applied, built from the keys that lead there."""
        values: dict[RouteSource, str] = {START: START_ROUTE}
        targets: dict[str, str] = {START_ROUTE: ""}
        for source, parent, segment, target in self._derivations:
            if source.kind == "manual":
                values[source] = source.block
                continue
            prefix = values.get(parent, START_ROUTE)
            value = segment if parent == START or _is_unknown(prefix) else f"{prefix}-{segment}"
            # Choices with the same keys and the same target share a route. Other choices with the same keys are
            # numbered.
            values[source] = _unique(value, targets, target)
            targets[values[source]] = target
        return values

    def values(self, previous: Mapping[RouteSource, str]) -> Mapping[RouteSource, str]:
        """Returns the value of each route: its name, its previous value, or a value derived from its parent.

        Args:
            previous: values found in existing tracking blocks, which users may have edited.

        Raises:
            InputError: a name refers to a route that does not exist.
        """
        known = dict.fromkeys(
            value for source, value in self.default_values.items() if source != START or self.starts_calls
        )
        for route, name in self.names.routes.items():
            if route not in known:
                raise name.unknown("the flow", "route", route, list(known))
        derivations = [_Derivation(START, START, START_ROUTE, ""), *self._derivations]
        values: dict[RouteSource, str] = {}
        owners: dict[str, str] = {}

        def assign(source: RouteSource, value: str) -> None:
            values[source] = value
            owners.setdefault(value, self.default_values[source])

        # Values chosen by users take precedence over generated values.
        for source, *_ in derivations:
            given = self.name_of(source)
            if given is not None or source.kind == "manual":
                assign(source, given.route if given else source.block)
        for source, *_ in derivations:
            if source in values or source not in previous:
                continue
            # Drop a previous value if it now belongs to another route.
            default = self.default_values[source]
            if owners.get(previous[source], default) == default:
                assign(source, previous[source])
        for source, parent, segment, _ in derivations:
            if source not in values:
                default = self.default_values[source]
                prefix = values.get(parent, default)
                if source == START or parent == START or prefix == self.default_values[parent]:
                    value = default
                else:
                    value = segment if _is_unknown(prefix) else f"{prefix}-{segment}"
                assign(source, _unique(value, owners, default))
        return values

    def name_of(self, source: RouteSource) -> RouteName | None:
        """Returns the name given to a route, or None."""
        if source.kind == "block" and source.block in self.names.blocks:
            return self.names.blocks[source.block]
        if source.kind == "branch" and source.label in self.names.branches.get(source.block, {}):
            return self.names.branches[source.block][source.label]
        return self.names.routes.get(self.default_values[source]) if source.kind != "manual" else None

    @cached_property
    def parents(self) -> Mapping[RouteSource, RouteSource | None]:
        """The parent of each route, or None for the start route. Parents come before their children."""
        return {START: None} | {derivation.source: derivation.parent for derivation in self._derivations}

    def is_set_manually(self, source: RouteSource) -> bool:
        """Returns whether one of the flow's own reachable blocks sets this route."""
        return any(self._manual.get(block) == source for block in self.graph.depths)

    def first_blocks(self, source: RouteSource) -> list[str]:
        """Returns the blocks where a route begins."""
        if source == START:
            return [self.graph.flow.start]
        if source.kind == "branch":
            return [edge.target for edge in self.graph.outgoing(source.block) if edge.label == source.label]
        if source.kind == "manual":
            return [block for block in self.graph.depths if self._manual.get(block) == source]
        return [source.block]

    @cached_property
    def _derivations(self) -> tuple[_Derivation, ...]:
        """Derivation of each route except the start route, parents first."""
        seen: set[RouteSource] = {START}
        derivations: dict[RouteSource, _Derivation] = {}

        def add(source: RouteSource) -> None:
            if source not in seen:
                seen.add(source)
                derivation = self._derive(source)
                add(derivation.parent)
                # If a manual route is set both before and after a menu, each route would be the other's parent. Using
                # the start route breaks the cycle.
                parent = derivation.parent if derivation.parent in derivations else START
                derivations[source] = derivation._replace(parent=parent)

        for block in self.graph.depths:
            if block in self.block_routes:
                add(self.block_routes[block])
            for edge in self.graph.outgoing(block):
                source = self._set_by(edge)
                if source is not None:
                    add(source)
        return tuple(derivations.values())

    def _derive(self, source: RouteSource) -> _Derivation:
        if source.kind == "manual":
            block = next((block for block, each in self._manual.items() if each == source), None)
            parent = self._route_before(block) if block and block in self.graph.depths else START
            return _Derivation(source, parent, source.block, source.block)
        if source.kind == "branch":
            edge = next(edge for edge in self.graph.outgoing(source.block) if edge.label == source.label)
            name = self.names.branches.get(source.block, {}).get(source.label)
            own_route = (
                self.block_routes.get(source.block) if source.block in self.graph.choice_blocks else None
            )
            parent = own_route or self._route_before(source.block)
            return _Derivation(source, parent, name.route if name else _segment(source.label), edge.target)
        if source.block in self.names.blocks:
            parent, segment = self._route_before(source.block), self.names.blocks[source.block].route
            return _Derivation(source, parent, segment, source.block)
        choice_blocks, parent = self._last_choice_blocks(source.block)
        labels = [
            _segment(edge.label)
            for choice_block in choice_blocks
            for edge in self.graph.outgoing(choice_block)
            if self.graph.is_choice(edge) and self._leads_to(edge.target, source.block, choice_blocks)
        ]
        return _Derivation(source, parent, "+".join(dict.fromkeys(labels)) or source.block, source.block)

    def _last_choice_blocks(self, block: str) -> tuple[list[str], RouteSource]:
        """Returns the last choice block that is on every path to a block, or all choice blocks with the start route.

        The second value is the route of the returned blocks.
        """
        before = [
            each for each in self.graph.choice_blocks if each != block and self.graph.dominates(each, block)
        ]
        last = [each for each in before if all(self.graph.dominates(other, each) for other in before)]
        if last:
            return last, self.block_routes[last[0]]
        choice_blocks = [each for each in self.graph.depths if each in self.graph.choice_blocks]
        return [each for each in choice_blocks if self.block_routes[each] == START and each != block], START

    def _route_before(self, block: str) -> RouteSource:
        """Returns the route of the last choice block before the given block."""
        return self._last_choice_blocks(block)[1]

    def _leads_to(self, start: str, target: str, barriers: Collection[str]) -> bool:
        """Returns whether a path leads from one block to another without passing through any of the barriers."""
        seen = {start}
        pending = [start]
        while pending:
            block = pending.pop()
            if block == target:
                return True
            for edge in self.graph.outgoing(block) if block not in barriers else ():
                if edge.target not in seen:
                    seen.add(edge.target)
                    pending.append(edge.target)
        return False

    # --- Where routes are set ----------------------------------------------------------------------------------------

    @cached_property
    def at_edge_start(self) -> Mapping[Edge, RouteSource]:
        """The routes to set at the start of edges."""
        found: dict[Edge, RouteSource] = {}
        if self.starts_calls and self.is_needed(self.graph.flow.start, ROUTE):
            found[self.graph.entry] = START
        for edge in self._branch_edges:
            own = RouteSource("branch", edge.source, edge.label)
            if edge.target in self.names.blocks:
                continue  # the named block's route replaces it
            if not self.starts_calls and self.name_of(own) is None:
                continue  # the calling flow has set a route, which is unknown
            if self.is_needed(edge.target, ROUTE):
                source = self._route_for_branch(edge, own)
                if source != self.block_routes.get(edge.source):
                    found[edge] = source
        return found

    def _route_for_branch(self, edge: Edge, own: RouteSource) -> RouteSource:
        """Returns the next stop's route if the branch leads only there. Otherwise, returns the branch's own route."""
        stop = self.graph.sole_stop(edge.target)
        route = self.block_routes.get(stop) if stop is not None else None
        if stop is None or route is None or route.kind == "manual" or self.name_of(own) is not None:
            return own
        if self.graph.dominates(stop, edge.source):
            return route  # the caller has already visited the stop
        has_known_route = stop in self.names.blocks or (
            stop in self.graph.choice_blocks and route.kind in ("start", "branch")
        )
        return route if has_known_route else own

    @cached_property
    def at_edge_end(self) -> Mapping[Edge, RouteSource]:
        """The routes to set just before an edge's target, if calls can arrive there with a different route."""
        found: dict[Edge, RouteSource] = {}
        arrived: dict[str, set[RouteSource]] = {}
        pending: deque[tuple[Edge, frozenset[RouteSource]]] = deque(
            [(self.graph.entry, frozenset((self._initial,)))]
        )
        while pending:
            edge, arriving = pending.popleft()
            block = edge.target
            wrong = frozenset(source for source in arriving if not self._may_keep(source, block))
            if wrong:
                found[edge] = self.block_routes[block]
                arriving = arriving - wrong | {self.block_routes[block]}
            known = arrived.setdefault(block, set())
            new = arriving - known
            if not new and known:
                continue
            known |= new
            if self.graph.flow.blocks[block].type == "InvokeFlowModule":
                new = new | {RouteSource("manual", "<module>")}  # the module may set a route
            for following in self.graph.outgoing(block):
                source = self.at_edge_start.get(following) or self._manual.get(block)
                pending.append((following, frozenset(new) if source is None else frozenset((source,))))
        return found

    def _may_keep(self, source: RouteSource, block: str) -> bool:
        """Returns whether a call that arrives at a block with a given route keeps that route there."""
        route = self.block_routes.get(block)
        if route is None or source == route or not (self.graph.is_stop(block) or block in self.names.blocks):
            return True
        if block in self.names.blocks:
            return False
        if source.kind == "manual" or route.kind == "manual":
            return True  # manual routes are never overwritten
        # A choice that leads directly to the block keeps its route if the route has a name, or if the block's route
        # does not come from a single choice.
        if source.kind == "branch" and (route.kind == "block" or self.name_of(source) is not None):
            edge = next(edge for edge in self.graph.outgoing(source.block) if edge.label == source.label)
            return self.graph.sole_stop(edge.target) == block
        return False

    def is_needed(self, start: str, attribute: str) -> bool:
        """Returns whether a call can get from a block to a stop or its end before the flow itself sets an attribute."""
        seen = {start}
        pending = [start]
        while pending:
            block = pending.pop()
            if self.graph.is_stop(block) or not self.graph.outgoing(block):
                return True
            if attribute in attributes_of(self.graph.flow.blocks[block]):
                continue
            for edge in self.graph.outgoing(block):
                if edge.target not in seen:
                    seen.add(edge.target)
                    pending.append(edge.target)
        return False


def _resolved(sources: set[RouteSource], routes: Mapping[str, RouteSource]) -> Iterator[RouteSource]:
    for source in sources:
        if source.kind != "unresolved":
            yield source
        elif source.block in routes:
            yield routes[source.block]


def _is_unknown(value: str) -> bool:
    """Returns whether a route is known only during the call."""
    return value.startswith(("$", "<"))


def _unique(value: str, owners: Mapping[str, str], owner: str) -> str:
    """Returns the value, with a number appended if it is already used by another owner."""
    candidate, number = value, 1
    while owners.get(candidate, owner) != owner:
        number += 1
        candidate = f"{value}.{number}"
    return candidate


def _segment(label: str) -> str:
    """Returns a branch label in the form used within routes."""
    return re.sub(r"\s+", "_", label.replace("$.", "").strip()) or NEXT
