"""Which route belongs to which place of a flow, and where it has to be set.

A route names a place by the choices that lead there first, not by all that a caller has pressed: Connect cannot put
attribute values together, and a menu to which callers come back would otherwise need ever longer routes. docs/tracking.md
tells the rules in words.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from callroute.flows.attribute_flow import CALLING_FLOW, ROUTE, attributes_of, inherits
from callroute.flows.tracking.graph import ENTRY, NEXT, Graph, Way

if TYPE_CHECKING:
    from callroute.flows.tracking.route_names import Name, RouteNames

START_ROUTE = "start"


class Symbol(NamedTuple):
    """Where a value of `call_route` comes from, whatever it is called in the end.

    Attributes:
        kind: `start`; a `branch` of a block; a `place`: whatever leads to a block; a `hand`-made block that is in the
            flow already. While it is not known yet which of these holds in a block: `at` that block.
        block: its block; for `hand` the value.
        label: the branch's label.
    """

    kind: Literal["start", "branch", "place", "hand", "at"]
    block: str = ""
    label: str = ""


START = Symbol("start")


class Places:
    """The routes of a flow.

    Args:
        graph: the flow.
        names: what people call them.
    """

    def __init__(self, graph: Graph, names: RouteNames) -> None:
        self.graph = graph
        self.names = names
        self.starts_calls = not inherits(graph.flow)
        self._refuse_unknown_blocks()
        self._by_hand = {
            block: Symbol("hand", str(attributes_of(action)[ROUTE]))
            for block, action in graph.flow.blocks.items()
            if ROUTE in attributes_of(action)
        }

    def _refuse_unknown_blocks(self) -> None:
        reached = self.graph.reached
        for block, name in self.names.blocks.items():
            if block not in reached:
                raise name.unknown("block", block, sorted(reached))
        for block, branches in self.names.branches.items():
            labels = [way.label for way in self.graph.ways(block)] if block in reached else []
            for label, name in branches.items():
                if block not in reached:
                    raise name.unknown("block", block, sorted(reached))
                if label not in labels:
                    raise name.unknown(f"branch of {block!r}", label, labels)

    # --- What holds where --------------------------------------------------------------------------------------------

    def set_by(self, way: Way) -> Symbol | None:
        """What a way sets: a choice, a branch with a name, or a block of the flow's own; None where it sets nothing."""
        if way.source in self._by_hand:
            return self._by_hand[way.source]
        if self.graph.chosen(way) or way.label in self.names.branches.get(way.source, {}):
            return Symbol("branch", way.source, way.label)
        return None

    def _first(self, block: str) -> set[Symbol]:
        """What can hold when a call comes to a block for the first time."""
        found: dict[str, set[Symbol]] = {}
        pending: deque[tuple[str, frozenset[Symbol]]] = deque(
            [(self.graph.flow.start, frozenset((self._entry,)))]
        )
        while pending:
            here, arriving = pending.popleft()
            known = found.setdefault(here, set())
            new = arriving - known
            if not new:
                continue
            known |= new
            if here == block:
                continue
            holds = frozenset((Symbol("at", here),)) if self._is_holder(here) else new
            for way in self.graph.ways(here):
                symbol = self.set_by(way)
                pending.append((way.target, holds if symbol is None else frozenset((symbol,))))
        return found.get(block, set())

    @property
    def _entry(self) -> Symbol:
        return START if self.starts_calls else Symbol("hand", str(CALLING_FLOW))

    def _is_holder(self, block: str) -> bool:
        return (block in self.graph.choosers and self.graph.is_stop(block)) or block in self.names.blocks

    @cached_property
    def holds(self) -> Mapping[str, Symbol]:
        """The one route that belongs to each menu, bot and view, and to each other stop that has only one."""
        holds: dict[str, Symbol] = {}
        rest: list[tuple[str, set[Symbol]]] = []
        for block in self.graph.reached:
            if block in self.names.blocks:
                holds[block] = Symbol("place", block)
            elif block in self.graph.choosers:
                holds[block] = self._of_chooser(block, self._first(block), holds)
            elif self.graph.is_stop(block):
                rest.append((block, self._first(block)))
        for block, first in rest:
            symbols = set(_resolved(first, holds))
            if len(symbols) == 1:
                holds[block] = symbols.pop()
        return holds

    def _of_chooser(self, block: str, first: set[Symbol], holds: Mapping[str, Symbol]) -> Symbol:
        if START in first:
            return START
        # A route that callers have only after they have been here cannot be what the place is called by.
        symbols = {
            symbol
            for symbol in _resolved(first, holds)
            if symbol.kind != "branch" or self._comes_before(symbol.block, block)
        }
        if len(symbols) == 1:
            return symbols.pop()
        # Of several choices that lead straight to it, the one that takes fewest choices.
        straight = sorted(
            (self.graph.reached[way.source], way.source, way.label)
            for way in self._branches
            if Symbol("branch", way.source, way.label) in symbols
            and self.graph.sole_stop(way.target) == block
        )
        if straight and (len(straight) == 1 or straight[0][0] < straight[1][0]):
            return Symbol("branch", *straight[0][1:])
        return Symbol("place", block)

    def _comes_before(self, one: str, other: str) -> bool:
        """Whether a block takes fewer choices to reach than another one, or has to be passed on the way there."""
        reached = self.graph.reached
        return reached[one] < reached[other] or self.graph.dominates(one, other)

    @cached_property
    def _branches(self) -> tuple[Way, ...]:
        """The ways that set a route of their own: choices and branches with a name."""
        return tuple(
            way
            for block in self.graph.reached
            for way in self.graph.ways(block)
            if (symbol := self.set_by(way)) is not None and symbol.kind == "branch"
        )

    # --- What it is called -------------------------------------------------------------------------------------------

    @cached_property
    def paths(self) -> Mapping[Symbol, str]:
        """What each route would be called without names: the keys that lead there."""
        paths: dict[Symbol, str] = {START: START_ROUTE}
        targets: dict[str, str] = {START_ROUTE: ""}
        for symbol, parent, own, target in self._named_in_order:
            if symbol.kind == "hand":
                paths[symbol] = symbol.block
                continue
            above = paths.get(parent, START_ROUTE)
            base = own if parent == START or above.startswith(("$", "<")) else f"{above}-{own}"
            # Two ways to one place by the same keys are one route; else they are told apart.
            paths[symbol] = _free(base, targets, target)
            targets[paths[symbol]] = target
        return paths

    def values(self, kept: Mapping[Symbol, str]) -> Mapping[Symbol, str]:
        """What each route is called: by the route file, else as before, else by its parent's name and its key.

        Args:
            kept: names from an earlier run, which people may have changed in the flow.
        """
        known = dict.fromkeys(
            path for symbol, path in self.paths.items() if symbol != START or self.starts_calls
        )
        for path, name in self.names.routes.items():
            if path not in known:
                raise name.unknown("route", path, list(known))
        ordered = [(START, START, START_ROUTE, ""), *self._named_in_order]
        values: dict[Symbol, str] = {}
        owners: dict[str, str] = {}

        def own(symbol: Symbol, value: str) -> None:
            values[symbol] = value
            owners.setdefault(value, self.paths[symbol])

        # What people have decided goes before what is made up here.
        for symbol, *_ in ordered:
            given = self.name(symbol)
            if given is not None or symbol.kind == "hand":
                own(symbol, given.route if given else symbol.block)
        for symbol, *_ in ordered:
            if symbol in values or symbol not in kept:
                continue
            # Unless it was the route of another place, to which this way does not lead any more.
            if owners.get(kept[symbol], self.paths[symbol]) == self.paths[symbol]:
                own(symbol, kept[symbol])
        for symbol, parent, piece, _ in ordered:
            if symbol not in values:
                path = self.paths[symbol]
                above = values.get(parent, path)
                if symbol == START or parent == START or above == self.paths[parent]:
                    base = path
                else:
                    base = piece if above.startswith(("$", "<")) else f"{above}-{piece}"
                own(symbol, _free(base, owners, path))
        return values

    def name(self, symbol: Symbol) -> Name | None:
        """What the route file says of a route."""
        if symbol.kind == "place" and symbol.block in self.names.blocks:
            return self.names.blocks[symbol.block]
        branch = (
            self.names.branches.get(symbol.block, {}).get(symbol.label) if symbol.kind == "branch" else None
        )
        return branch or (self.names.routes.get(self.paths[symbol]) if symbol.kind != "hand" else None)

    @cached_property
    def parents(self) -> Mapping[Symbol, Symbol | None]:
        """The route from which callers come to each route, parents first; None where calls start."""
        return {START: None} | {symbol: parent for symbol, parent, _, _ in self._named_in_order}

    def is_reached(self, symbol: Symbol) -> bool:
        """Whether a call can come to one of the flow's own blocks that set a route."""
        return any(self._by_hand.get(block) == symbol for block in self.graph.reached)

    def begins(self, symbol: Symbol) -> list[str]:
        """The blocks with which the part of the flow begins that has a route."""
        if symbol == START:
            return [self.graph.flow.start]
        if symbol.kind == "branch":
            return [way.target for way in self.graph.ways(symbol.block) if way.label == symbol.label]
        if symbol.kind == "hand":
            return [block for block in self.graph.reached if self._by_hand.get(block) == symbol]
        return [symbol.block]

    @cached_property
    def _named_in_order(self) -> tuple[tuple[Symbol, Symbol, str, str], ...]:
        """The routes, parents first: each with its parent, what it adds to its name, and where it leads."""
        begun: set[Symbol] = {START}
        told: dict[Symbol, tuple[Symbol, Symbol, str, str]] = {}

        def tell(symbol: Symbol) -> None:
            if symbol not in begun:
                begun.add(symbol)
                parent, own, target = self._origin(symbol)
                tell(parent)
                # People may have given one route to a menu and to what follows it; then neither is the other's parent.
                told[symbol] = (symbol, parent if parent in told else START, own, target)

        for block in self.graph.reached:
            if block in self.holds:
                tell(self.holds[block])
            for way in self.graph.ways(block):
                symbol = self.set_by(way)
                if symbol is not None:
                    tell(symbol)
        return tuple(told.values())

    def _origin(self, symbol: Symbol) -> tuple[Symbol, str, str]:
        if symbol.kind == "hand":
            block = next((block for block, each in self._by_hand.items() if each == symbol), None)
            return (
                self._around(block) if block in self.graph.reached and block else START,
                symbol.block,
                symbol.block,
            )
        if symbol.kind == "branch":
            way = next(way for way in self.graph.ways(symbol.block) if way.label == symbol.label)
            name = self.names.branches.get(symbol.block, {}).get(symbol.label)
            parent = self.holds.get(symbol.block) if symbol.block in self.graph.choosers else None
            return (
                parent or self._around(symbol.block),
                name.route if name else _piece(symbol.label),
                way.target,
            )
        if symbol.block in self.names.blocks:
            return self._around(symbol.block), self.names.blocks[symbol.block].route, symbol.block
        choosers, parent = self._above(symbol.block)
        labels = [
            _piece(way.label)
            for chooser in choosers
            for way in self.graph.ways(chooser)
            if self.graph.chosen(way) and self._leads(way.target, symbol.block, chooser)
        ]
        return parent, "+".join(dict.fromkeys(labels)) or symbol.block, symbol.block

    def _above(self, block: str) -> tuple[list[str], Symbol]:
        """The nearest menu that every call to a block has been in, and its route; else all the menus of the start."""
        above = [each for each in self.graph.choosers if each != block and self.graph.dominates(each, block)]
        nearest = [each for each in above if all(self.graph.dominates(other, each) for other in above)]
        if nearest:
            return nearest, self.holds[nearest[0]]
        first = [each for each in self.graph.reached if each in self.graph.choosers]
        return [each for each in first if self.holds[each] == START and each != block], START

    def _around(self, block: str) -> Symbol:
        """The route from which calls come to a block."""
        return self._above(block)[1]

    def _leads(self, start: str, end: str, around: str) -> bool:
        seen = {start}
        pending = [start]
        while pending:
            block = pending.pop()
            if block == end:
                return True
            for way in self.graph.ways(block) if block != around else ():
                if way.target not in seen:
                    seen.add(way.target)
                    pending.append(way.target)
        return False

    # --- Where it is set ---------------------------------------------------------------------------------------------

    @cached_property
    def on_ways(self) -> Mapping[Way, Symbol]:
        """The ways that are to set a route as soon as they are taken."""
        found: dict[Way, Symbol] = {}
        if self.starts_calls and self.matters(self.graph.flow.start, ROUTE):
            found[self.graph.entry] = START
        for way in self._branches:
            own = Symbol("branch", way.source, way.label)
            if way.target in self.names.blocks:
                continue  # what is set in front of the block goes before it
            if not self.starts_calls and self.name(own) is None:
                continue  # its calls come with routes that this flow does not know
            if self.matters(way.target, ROUTE):
                wanted = self._wanted(way, own)
                if wanted != self.holds.get(way.source):
                    found[way] = wanted
        return found

    def _wanted(self, way: Way, own: Symbol) -> Symbol:
        stop = self.graph.sole_stop(way.target)
        place = self.holds.get(stop) if stop is not None else None
        if stop is None or place is None or place.kind == "hand" or self.name(own) is not None:
            return own
        if self.graph.dominates(stop, way.source):
            return place  # back to where the caller has been
        known_otherwise = stop in self.names.blocks or (
            stop in self.graph.choosers and place.kind in ("start", "branch")
        )
        return place if known_otherwise else own

    @cached_property
    def in_front(self) -> Mapping[Way, Symbol]:
        """The ways on which a route has to be set just before their target, since another one would hold there."""
        found: dict[Way, Symbol] = {}
        arrived: dict[str, set[Symbol]] = {}
        pending: deque[tuple[Way, frozenset[Symbol]]] = deque([(self.graph.entry, frozenset((self._entry,)))])
        while pending:
            way, arriving = pending.popleft()
            block = way.target
            wrong = frozenset(symbol for symbol in arriving if not self._allowed(symbol, block))
            if wrong:
                found[way] = self.holds[block]
                arriving = arriving - wrong | {self.holds[block]}
            known = arrived.setdefault(block, set())
            new = arriving - known
            if not new and known:
                continue
            known |= new
            if self.graph.flow.blocks[block].type == "InvokeFlowModule":
                new = new | {Symbol("hand", "<module>")}  # which may set a route of its own
            for onward in self.graph.ways(block):
                symbol = self.on_ways.get(onward) or self._by_hand.get(block)
                pending.append((onward, frozenset(new) if symbol is None else frozenset((symbol,))))
        return found

    def _allowed(self, symbol: Symbol, block: str) -> bool:
        place = self.holds.get(block)
        if place is None or symbol == place or not (self.graph.is_stop(block) or block in self.names.blocks):
            return True
        if block in self.names.blocks:
            return False
        if symbol.kind == "hand" or place.kind == "hand":
            return True  # what people have set stays
        # Who comes straight from a choice may keep it where no other choice is the place's own, or where it has a name.
        if symbol.kind == "branch" and (place.kind == "place" or self.name(symbol) is not None):
            way = next(way for way in self.graph.ways(symbol.block) if way.label == symbol.label)
            return self.graph.sole_stop(way.target) == block
        return False

    def matters(self, start: str, attribute: str) -> bool:
        """Whether a call from here can come to a stop, or to its end, before the flow itself sets an attribute."""
        seen = {start}
        pending = [start]
        while pending:
            block = pending.pop()
            if self.graph.is_stop(block) or not self.graph.ways(block):
                return True
            if attribute in attributes_of(self.graph.flow.blocks[block]):
                continue
            for way in self.graph.ways(block):
                if way.target not in seen:
                    seen.add(way.target)
                    pending.append(way.target)
        return False


def _resolved(symbols: set[Symbol], holds: Mapping[str, Symbol]) -> Iterator[Symbol]:
    for symbol in symbols:
        if symbol.kind != "at":
            yield symbol
        elif symbol.block in holds:
            yield holds[symbol.block]


def _free(base: str, owners: Mapping[str, str], owner: str) -> str:
    """A name that is nobody else's: with a number if need be."""
    name, number = base, 1
    while owners.get(name, owner) != owner:
        number += 1
        name = f"{base}.{number}"
    return name


def _piece(label: str) -> str:
    """A branch's label as part of a route."""
    return re.sub(r"\s+", "_", label.replace("$.", "").strip()) or NEXT


__all__ = ["ENTRY", "START", "Places", "Symbol"]
