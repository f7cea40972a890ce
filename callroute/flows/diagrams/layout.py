"""Positions the blocks of a diagram, either as in the flow designer or in layers from left to right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from callroute.flows.diagrams.routing import (
    LANE_DISTANCE,
    ROW_GAP,
    Box,
    Column,
    Layout,
    Line,
    route_lines,
    separate,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callroute.flows.diagrams.diagram import Diagram
    from callroute.flows.flow import Flow

_GAP = 28.0
"""Minimum distance between two blocks, in pixels."""

_SWEEPS = 12
_SCALES = (1.0, 1.1, 1.25, 1.4, 1.6, 1.8, 2.0, 2.5)

EdgeKey = tuple[str, str]
"""Identifiers of the source and target of an edge."""


def layout(
    flow: Flow, diagram: Diagram, sizes: Mapping[str, tuple[float, float]], lines: Sequence[Line]
) -> Layout:
    """Positions all blocks without overlaps and draws lines between them that do not pass behind blocks.

    If every block has a position from the flow designer, the blocks are arranged in columns close to these positions,
    which are scaled up if blocks would overlap. Otherwise, or if scaling does not help, they are arranged in layers.

    Args:
        flow: the flow, which contains the designer's positions.
        diagram: its blocks and edges.
        sizes: width and height of each block.
        lines: the lines to draw.
    """
    columns = _designer_columns(flow, sizes) or _LayeredLayout(diagram, sizes).columns()
    return route_lines(columns, sizes, lines, diagram.start)


def _designer_columns(flow: Flow, sizes: Mapping[str, tuple[float, float]]) -> list[Column]:
    """Groups blocks into columns by their approximate horizontal position in the flow designer.

    The list is empty if a block has no position or if blocks overlap at every scale.
    """
    positions = designer_positions(flow)
    if not all(identifier in positions for identifier in sizes):
        return []
    for scale in _SCALES:
        boxes = {
            identifier: Box(
                round(positions[identifier][0] * scale), round(positions[identifier][1] * scale), *size
            )
            for identifier, size in sizes.items()
        }
        if not _any_overlap(list(boxes.values())):
            break
    else:
        return []
    columns: list[Column] = []
    for identifier, box in sorted(boxes.items(), key=lambda item: item[1].x):
        if not columns or box.x >= (columns[-1].x or 0) + box.width / 2:
            columns.append(Column(box.x, {}))
        columns[-1].tops[identifier] = box.y
    return columns


def designer_positions(flow: Flow) -> dict[str, tuple[float, float]]:
    """Returns the positions of blocks in the flow designer, omitting invalid ones."""
    positions = {}
    for identifier, settings in flow.block_metadata.items():
        position = settings.get("position") if isinstance(settings, Mapping) else None
        if isinstance(position, Mapping):
            x, y = _coordinate(position.get("x")), _coordinate(position.get("y"))
            if x is not None and y is not None:
                positions[identifier] = (x, y)
    return positions


def _coordinate(value: Any) -> float | None:
    valid = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1_000_000
    return float(value) if valid else None


def _any_overlap(boxes: list[Box]) -> bool:
    boxes = sorted(boxes, key=lambda box: box.x)
    for number, box in enumerate(boxes):
        for other in boxes[number + 1 :]:
            if other.x >= box.x + box.width + _GAP:
                break
            if box.overlaps(other, _GAP):
                return True
    return False


class _LayeredLayout:
    """A layered layout (Sugiyama's method).

    Each block is to the right of the blocks that lead to it, except in cycles. Edges that cross a column have
    a node there, one for each target, which reserves space for their line. Existing libraries either need
    Graphviz or are not deterministic.

    Args:
        diagram: the blocks and edges.
        sizes: width and height of each block.
    """

    def __init__(self, diagram: Diagram, sizes: Mapping[str, tuple[float, float]]) -> None:
        self._sizes = sizes
        self._edges: list[EdgeKey] = list(
            dict.fromkeys(
                (block.identifier, edge.target)
                for block in diagram.blocks.values()
                for edge in block.edges
                if block.identifier != edge.target
            )
        )
        first = [diagram.start] if diagram.start else []
        self._roots = list(dict.fromkeys([*first, *diagram.blocks]))
        # A node is a block identifier, or (target, column) for the edges that cross a column.
        self._columns: list[list[Any]] = []
        self._left: dict[Any, list[Any]] = defaultdict(list)
        self._right: dict[Any, list[Any]] = defaultdict(list)

    def columns(self) -> list[Column]:
        """Assigns columns, sorts each column and then assigns vertical positions."""
        self._fill_columns()
        for sweep in range(_SWEEPS):
            self._sort(rightwards=sweep % 2 == 0)
        centers = self._centers()
        return [
            Column(
                None,
                {
                    node: round(centers[node] - self._half_height(node))
                    for node in column
                    if isinstance(node, str)
                },
            )
            for column in self._columns
        ]

    def _fill_columns(self) -> None:
        order, forward = self._without_cycles()
        sources: dict[str, list[str]] = defaultdict(list)
        for source, target in forward:
            sources[target].append(source)
        column: dict[str, int] = {}
        for identifier in order:
            column[identifier] = max((column[source] + 1 for source in sources[identifier]), default=0)
        self._columns = [[] for _ in range(max(column.values(), default=-1) + 1)]
        for identifier in order:
            self._columns[column[identifier]].append(identifier)
        for source, target in forward:
            between = [(target, number) for number in range(column[source] + 1, column[target])]
            for node in between:
                if node not in self._right:
                    self._columns[node[1]].append(node)
            for left, right in zip([source, *between], [*between, target], strict=True):
                self._right[left].append(right)
                self._left[right].append(left)

    def _without_cycles(self) -> tuple[list[str], list[EdgeKey]]:
        """Returns the blocks in topological order, and all edges except those that close a cycle."""
        targets: dict[str, list[str]] = defaultdict(list)
        for source, target in self._edges:
            targets[source].append(target)
        for each in targets.values():
            each.reverse()  # reversed below, so that the first edge ends up on top
        active, done = set[str](), set[str]()
        finished: list[str] = []
        back_edges = set[EdgeKey]()
        for root in self._roots:
            pending = [(root, iter(targets[root]))] if root not in done else []
            active.update(root for root, _ in pending)
            while pending:
                block, untried = pending[-1]
                following = next(untried, None)
                if following is None:  # compare with None, because an identifier can be empty
                    pending.pop()
                    active.discard(block)
                    done.add(block)
                    finished.append(block)
                elif following in active:
                    back_edges.add((block, following))
                elif following not in done:
                    active.add(following)
                    pending.append((following, iter(targets[following])))
        return finished[::-1], [edge for edge in self._edges if edge not in back_edges]

    def _sort(self, *, rightwards: bool) -> None:
        """Sorts each column by the average position of each node's neighbors in the previous column."""
        neighbors = self._left if rightwards else self._right
        columns = self._columns if rightwards else self._columns[::-1]
        for previous, column in pairwise(columns):
            rank = {node: number for number, node in enumerate(previous)}
            own = {node: number for number, node in enumerate(column)}
            scale = len(previous) / max(len(column), 1)

            def key(node: Any, rank: Any = rank, own: Any = own, scale: float = scale) -> tuple[float, int]:
                ranks = [rank[other] for other in neighbors[node] if other in rank]
                return (sum(ranks) / len(ranks) if ranks else own[node] * scale, own[node])

            column.sort(key=key)

    def _centers(self) -> dict[Any, float]:
        """Returns vertical centers that place each node close to its neighbors in adjacent columns."""
        centers: dict[Any, float] = {}
        for column in self._columns:
            centers.update(zip(column, self._separate(column, [0.0] * len(column)), strict=True))
        for sweep in range(_SWEEPS):
            neighbors = self._left if sweep % 2 == 0 else self._right
            for column in self._columns if sweep % 2 == 0 else self._columns[::-1]:
                ideal = [
                    _mean((centers[other] for other in neighbors[node]), centers[node]) for node in column
                ]
                centers.update(zip(column, self._separate(column, ideal), strict=True))
        return centers

    def _separate(self, column: list[Any], ideal: list[float]) -> list[float]:
        halves = [self._half_height(node) for node in column]
        distances = [
            halves[number]
            + halves[number + 1]
            + (LANE_DISTANCE if isinstance(one, tuple) and isinstance(other, tuple) else ROW_GAP)
            for number, (one, other) in enumerate(pairwise(column))
        ]
        return separate(ideal, distances)

    def _half_height(self, node: Any) -> float:
        return self._sizes[node][1] / 2 if isinstance(node, str) else 0.0


def _mean(values: Iterable[float], default: float) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else default
