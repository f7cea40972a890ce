"""Where the blocks of a picture stand: where the flow's designer put them, or in layers from left to right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from callroute.flows.diagrams.diagram import Picture
    from callroute.flows.flow import Flow

GAP = 28.0
"""The least distance between two blocks."""

_COLUMN_GAP = 88.0
_ROW_GAP = 32.0
_LINE_GAP = 12.0
_SWEEPS = 12
_SCALES = (1.0, 1.1, 1.25, 1.4, 1.6, 1.8, 2.0, 2.5)


@dataclass(frozen=True, slots=True)
class Box:
    """A block on paper: its upper left corner and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Box, gap: float = 0.0) -> bool:
        """Whether two boxes overlap, or are nearer to each other than a gap."""
        return (
            self.x < other.x + other.width + gap
            and other.x < self.x + self.width + gap
            and self.y < other.y + other.height + gap
            and other.y < self.y + self.height + gap
        )


Way = tuple[str, str]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands.

    Attributes:
        boxes: the blocks by identifier.
        ways: for lines that pass columns of other blocks, the points between which they are level, from left to right.
    """

    boxes: Mapping[str, Box]
    ways: Mapping[Way, tuple[Point, ...]]


def layout(flow: Flow, picture: Picture, sizes: Mapping[str, tuple[float, float]]) -> Layout:
    """Places all blocks, none over another.

    The flow's own positions are kept, spread by one factor where the blocks would overlap. Where it has none for some
    block, or spreading does not help, the blocks are laid out in layers.

    Args:
        flow: the flow, for its positions.
        picture: its blocks and branches.
        sizes: width and height of each block.
    """
    positions = own_positions(flow)
    if picture.blocks and all(identifier in positions for identifier in picture.blocks):
        for scale in _SCALES:
            boxes = {
                identifier: Box(
                    round(positions[identifier][0] * scale), round(positions[identifier][1] * scale), *size
                )
                for identifier, size in sizes.items()
            }
            if not _any_overlap(list(boxes.values())):
                return Layout(boxes, {})
    return _Layers(picture, sizes).layout()


def own_positions(flow: Flow) -> dict[str, tuple[float, float]]:
    """Where the flow's designer put its blocks."""
    metadata = flow.document.get("Metadata")
    blocks = metadata.get("ActionMetadata") if isinstance(metadata, Mapping) else None
    positions = {}
    for identifier, settings in blocks.items() if isinstance(blocks, Mapping) else ():
        position = settings.get("position") if isinstance(settings, Mapping) else None
        if isinstance(position, Mapping):
            x, y = _coordinate(position.get("x")), _coordinate(position.get("y"))
            if x is not None and y is not None:
                positions[identifier] = (x, y)
    return positions


def _coordinate(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1_000_000
    return float(value) if usable else None


def _any_overlap(boxes: list[Box]) -> bool:
    boxes = sorted(boxes, key=lambda box: box.x)
    for number, box in enumerate(boxes):
        for other in boxes[number + 1 :]:
            if other.x >= box.x + box.width + GAP:
                break
            if box.overlaps(other, GAP):
                return True
    return False


class _Layers:
    """Places blocks in columns, each right of those that lead to it, as far as that can be (Sugiyama's method).

    A line that passes a column has a place of its own there, so that it crosses no block. Written here, since the
    libraries at hand need Graphviz, or give another picture each time.

    Args:
        picture: blocks and branches.
        sizes: width and height of each block.
    """

    def __init__(self, picture: Picture, sizes: Mapping[str, tuple[float, float]]) -> None:
        self._sizes = sizes
        self._ways = list(
            dict.fromkeys(
                (block.identifier, branch.target)
                for block in picture.blocks.values()
                for branch in block.branches
                if block.identifier != branch.target
            )
        )
        first = [picture.start] if picture.start else []
        self._order = list(dict.fromkeys([*first, *picture.blocks]))
        # A node is a block, or the place of a line in a column, as (source, target, column).
        self._columns: list[list[Any]] = []
        self._before: dict[Any, list[Any]] = defaultdict(list)
        self._after: dict[Any, list[Any]] = defaultdict(list)

    def layout(self) -> Layout:
        """Columns, order within them, then heights."""
        self._fill_columns()
        for sweep in range(_SWEEPS):
            self._sort(forward=sweep % 2 == 0)
        middles = self._middles()
        width = max((width for width, _ in self._sizes.values()), default=0.0)
        boxes: dict[str, Box] = {}
        ways: dict[Way, list[Point]] = defaultdict(list)
        for number, column in enumerate(self._columns):
            x = number * (width + _COLUMN_GAP)
            for node in column:
                if isinstance(node, str):
                    own_width, height = self._sizes[node]
                    boxes[node] = Box(x, round(middles[node] - height / 2), own_width, height)
                else:
                    ways[node[:2]] += [(x, round(middles[node])), (x + width, round(middles[node]))]
        return Layout(
            {identifier: boxes[identifier] for identifier in self._sizes},
            {way: tuple(points) for way, points in ways.items()},
        )

    def _fill_columns(self) -> None:
        forward = self._forward_ways()
        into: dict[str, list[str]] = defaultdict(list)
        for source, target in forward:
            into[target].append(source)
        column: dict[str, int] = {}
        for identifier in self._finished[::-1]:  # those that lead to a block come before it
            column[identifier] = max((column[source] + 1 for source in into[identifier]), default=0)
        self._columns = [[] for _ in range(max(column.values(), default=-1) + 1)]
        for identifier in self._finished[::-1]:
            self._columns[column[identifier]].append(identifier)
        for source, target in forward:
            between = [(source, target, number) for number in range(column[source] + 1, column[target])]
            for node in between:
                self._columns[node[2]].append(node)
            for left, right in zip([source, *between], [*between, target], strict=True):
                self._after[left].append(right)
                self._before[right].append(left)

    def _forward_ways(self) -> list[Way]:
        """The ways without those that lead back to a block on the way there; fills the order of leaving blocks."""
        targets: dict[str, list[str]] = defaultdict(list)
        for source, target in self._ways:
            targets[source].append(target)
        for onward in targets.values():
            onward.reverse()  # the blocks are taken in the opposite order, and the first branch should come out on top
        open_, done = set[str](), set[str]()
        self._finished: list[str] = []
        back = set[Way]()
        for root in self._order:
            pending = [(root, iter(targets[root]))] if root not in done else []
            open_.update(root for root, _ in pending)
            while pending:
                here, untried = pending[-1]
                following = next(untried, None)  # an identifier may be empty, which is found elsewhere
                if following is None:
                    pending.pop()
                    open_.discard(here)
                    done.add(here)
                    self._finished.append(here)
                elif following in open_:
                    back.add((here, following))
                elif following not in done:
                    open_.add(following)
                    pending.append((following, iter(targets[following])))
        return [way for way in self._ways if way not in back]

    def _sort(self, *, forward: bool) -> None:
        """Moves every node to the middle of those it is joined with in the column before, or behind."""
        joined = self._before if forward else self._after
        columns = self._columns if forward else self._columns[::-1]
        for fixed, column in pairwise(columns):
            rank = {node: number for number, node in enumerate(fixed)}
            own = {node: number for number, node in enumerate(column)}
            scale = len(fixed) / max(len(column), 1)

            def wish(node: Any, rank: Any = rank, own: Any = own, scale: float = scale) -> tuple[float, int]:
                ranks = [rank[other] for other in joined[node] if other in rank]
                return (sum(ranks) / len(ranks) if ranks else own[node] * scale, own[node])

            column.sort(key=wish)

    def _middles(self) -> dict[Any, float]:
        """The height of every node's middle: near those it is joined with, and clear of its neighbours."""
        middles: dict[Any, float] = {}
        for column in self._columns:
            middles.update(zip(column, self._apart(column, [0.0] * len(column)), strict=True))
        for sweep in range(_SWEEPS):
            joined = self._before if sweep % 2 == 0 else self._after
            for column in self._columns if sweep % 2 == 0 else self._columns[::-1]:
                wishes = [_mean((middles[other] for other in joined[node]), middles[node]) for node in column]
                middles.update(zip(column, self._apart(column, wishes), strict=True))
        return middles

    def _apart(self, column: list[Any], wishes: list[float]) -> list[float]:
        """The places nearest to the wishes that keep the order and leave room between neighbours.

        Neighbours that would come too near move together, to the mean of their wishes (pool adjacent violators).
        """
        ends = [self._half(node) for node in column]
        offsets, offset = [], 0.0
        for number in range(len(column)):
            if number:
                lines = isinstance(column[number - 1], tuple) and isinstance(column[number], tuple)
                offset += ends[number - 1] + ends[number] + (_LINE_GAP if lines else _ROW_GAP)
            offsets.append(offset)
        pools: list[tuple[float, int]] = []
        for wish, offset in zip(wishes, offsets, strict=True):
            mean, count = wish - offset, 1
            while pools and pools[-1][0] > mean:
                other, others = pools.pop()
                mean = (mean * count + other * others) / (count + others)
                count += others
            pools.append((mean, count))
        means = [mean for mean, count in pools for _ in range(count)]
        return [mean + offset for mean, offset in zip(means, offsets, strict=True)]

    def _half(self, node: Any) -> float:
        return self._sizes[node][1] / 2 if isinstance(node, str) else 0.0


def _mean(values: Iterable[float], default: float) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else default
