"""Draws lines between the blocks of a diagram so that no line passes behind a block.

Blocks are arranged in columns. Lines run vertically in the channels between columns, and horizontally in lanes between
the blocks of a column. Lines of one kind to the same target merge into a bundle, which has at most one lane
per column and one track per channel. Channels and the gaps between blocks widen to fit their lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ENTRY_HEIGHT = 36.0
"""Space above the first block, for the arrow that marks where calls enter."""

ROW_GAP = 32.0
"""Minimum distance between two blocks in a column."""

LANE_DISTANCE = 12.0
"""Minimum distance between two lines that cross a column."""

CORNER = 6.0
"""Radius of the corners of lines."""

_ENTRY = 15.0  # distance from the top of a block to the lines that lead to it
_SECOND_ENTRY = 12.0  # extra spacing before error lines if there are other lines too
_LANE_GAP = 20.0  # between a lane and a block
_TRACK_DISTANCE = 10.0
_TRACK_MARGINS = (22.0, 30.0)  # distance between the tracks and the columns to their left and right
_CHANNEL_WIDTH = 72.0
_PIN_DISTANCE = 5
_SORT_PASSES = 8

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """Upper left corner and size of a block, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Box, gap: float = 0.0) -> bool:
        """Returns whether two boxes overlap or are closer together than the given gap."""
        return (
            self.x < other.x + other.width + gap
            and other.x < self.x + self.width + gap
            and self.y < other.y + other.height + gap
            and other.y < self.y + self.height + gap
        )


@dataclass(frozen=True, slots=True)
class Column:
    """Preferred positions of the blocks in a column.

    Attributes:
        x: the left edge, or None to place the column directly to the right of the previous one.
        tops: the upper edges of the blocks, which must not overlap.
    """

    x: float | None
    tops: dict[str, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A line to draw.

    Attributes:
        source: identifier of the block that it leaves.
        port: distance from the top of that block to the start of the line.
        target: identifier of the block that it leads to.
        error: whether it is an error branch.
    """

    source: str
    port: float
    target: str
    error: bool


@dataclass(frozen=True, slots=True)
class Path:
    """The path of a line.

    Attributes:
        points: its corners. All segments are horizontal or vertical.
        joins: whether it ends at another line to the same target instead of the target itself.
    """

    points: tuple[Point, ...]
    joins: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions of blocks and paths of lines.

    Attributes:
        boxes: the boxes by block identifier.
        paths: the paths by line.
    """

    boxes: Mapping[str, Box]
    paths: Mapping[Line, Path]


@dataclass(slots=True)
class _Bundle:
    """The lines of one kind to one target.

    Attributes:
        number: its position in the list of bundles.
        column: column of the target.
        sources: columns of the sources.
        entry: distance from the top of the target to the end of the lines.
        lanes: vertical positions of the lanes, by column.
    """

    number: int
    column: int
    lines: list[Line]
    sources: list[int]
    entry: float
    lanes: dict[int, float] = field(default_factory=dict)

    @property
    def target(self) -> str:
        return self.lines[0].target

    def forward(self) -> range:
        """Returns the columns crossed by lines that run to the right."""
        return range(min(self.sources) + 1, self.column)

    def backward(self) -> range:
        """Returns the columns crossed by lines that run to the left, starting with the last one."""
        return range(max(self.sources), self.column - 1, -1)

    def channels(self) -> range:
        """Returns the channels that contain a line. Channel n is to the left of column n."""
        return range(min(min(self.sources) + 1, self.column), max(max(self.sources) + 1, self.column) + 1)


@dataclass(frozen=True, slots=True)
class _Trunk:
    """The part of a bundle inside a channel: a vertical line joined by horizontal lines from both sides.

    Attributes:
        left: vertical positions of the horizontal lines to the left.
        right: vertical positions of the horizontal lines to the right.
        top: the smallest of these positions.
        bottom: the largest of these positions.
    """

    left: tuple[float, ...]
    right: tuple[float, ...]
    top: float
    bottom: float

    def crossings(self, other: _Trunk) -> int:
        """Returns the number of crossings if this trunk is to the left of the other one."""
        count = 0
        for y in other.left:
            count += self.top < y < self.bottom
        for y in self.right:
            count += other.top < y < other.bottom
        return count


def route_lines(
    columns: Sequence[Column], sizes: Mapping[str, tuple[float, float]], lines: Sequence[Line], start: str
) -> Layout:
    """Draws lines and moves blocks apart where the lines need more space.

    Args:
        columns: the columns from left to right.
        sizes: width and height of each block.
        lines: the lines to draw.
        start: the first block, which needs space above it. Can be empty.
    """
    return _Router(columns, sizes, lines, start).layout()


def separate(ideal: Sequence[float], distances: Sequence[float]) -> list[float]:
    """Returns the positions closest to the ideal ones that preserve the order and the minimum distances.

    Items that would be too close to each other move as a group to the mean of their ideal positions (pool adjacent
    violators algorithm).
    """
    offsets = [0.0]
    for distance in distances:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, int]] = []
    for position, offset in zip(ideal, offsets, strict=False):
        mean, count = position - offset, 1
        while pools and pools[-1][0] > mean:
            other_mean, other_count = pools.pop()
            mean = (mean * count + other_mean * other_count) / (count + other_count)
            count += other_count
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


class _Router:
    """Assigns lanes, vertical positions, tracks and then horizontal positions."""

    def __init__(
        self,
        columns: Sequence[Column],
        sizes: Mapping[str, tuple[float, float]],
        lines: Sequence[Line],
        start: str,
    ) -> None:
        self._columns = columns
        self._sizes = sizes
        self._start = start
        self._column = {block: number for number, column in enumerate(columns) for block in column.tops}
        self._tops = {block: top for column in columns for block, top in column.tops.items()}
        self._outgoing: dict[str, list[tuple[Line, _Bundle]]] = defaultdict(list)
        self._incoming: dict[str, list[_Bundle]] = defaultdict(list)
        self._bundles = list(self._bundle(lines))

    def _bundle(self, lines: Sequence[Line]) -> Iterator[_Bundle]:
        grouped: dict[tuple[str, bool], list[Line]] = defaultdict(list)
        for line in lines:
            grouped[line.target, line.error].append(line)
        for number, ((target, error), members) in enumerate(grouped.items()):
            entry = _ENTRY + (_SECOND_ENTRY if error and (target, False) in grouped else 0)
            sources = [self._column[line.source] for line in members]
            bundle = _Bundle(number, self._column[target], members, sources, entry)
            self._incoming[target].append(bundle)
            for line in members:
                self._outgoing[line.source].append((line, bundle))
            yield bundle

    def layout(self) -> Layout:
        """Returns the positions of all blocks and lines."""
        for number, order in enumerate(self._assign_lanes()):
            self._position(number, order)
        trunks = self._trunks()
        tracks = [_tracks(trunks[channel]) for channel in range(len(self._columns) + 1)]
        boxes, track_positions = self._horizontally(tracks)
        paths: dict[Line, Path] = {}
        for bundle in self._bundles:
            drawn: dict[int, tuple[float, float]] = {}
            for line in bundle.lines:
                paths[line] = self._path(bundle, line, boxes, track_positions, drawn)
        return Layout({block: boxes[block] for block in self._sizes}, paths)

    def _assign_lanes(self) -> list[list[str | _Bundle]]:
        """Returns the blocks and lanes of each column, from top to bottom."""
        gaps = [_Gaps(column.tops, self._sizes) for column in self._columns]
        for bundle in self._bundles:
            target = self._tops[bundle.target] + bundle.entry
            for crossed in (bundle.forward(), bundle.backward()):
                first = min(bundle.sources) if crossed.step > 0 else max(bundle.sources)
                before = median(
                    self._tops[line.source] + line.port
                    for line in bundle.lines
                    if self._column[line.source] == first
                )
                for column in crossed:
                    before = bundle.lanes[column] = gaps[column].add(bundle, before, target)
        return [each.order() for each in gaps]

    def _position(self, number: int, order: list[str | _Bundle]) -> None:
        """Assigns the vertical positions of a column.

        On both sides of a channel, lines of different bundles keep a distance, so that they never run on top of each
        other.
        """
        ideal = []
        for node in order:
            if isinstance(node, str):
                ideal.append(self._tops[node])
            else:
                before = node.lanes.get(number - 1)
                ideal.append(node.lanes[number] if before is None or number == node.column else before)
        distances = [self._distance(above, below) for above, below in pairwise(order)]
        taken = self._taken(number)
        lowest = float("-inf")
        for index, (node, preferred) in enumerate(zip(order, separate(ideal, distances), strict=True)):
            if index:
                lowest += distances[index - 1]
            position = max(round(preferred), lowest)
            entries = self._entries(node)
            while any(
                taken.get(round(position + offset), bundle) is not bundle for offset, bundle in entries
            ):
                position += 1
            if isinstance(node, str):
                self._tops[node] = position
            else:
                node.lanes[number] = position
            lowest = position

    def _distance(self, above: str | _Bundle, below: str | _Bundle) -> float:
        height = self._sizes[above][1] if isinstance(above, str) else 0.0
        entry = ENTRY_HEIGHT if below == self._start else 0.0
        if isinstance(above, str) and isinstance(below, str):
            return height + ROW_GAP + entry
        return height + (LANE_DISTANCE if height == 0 and not isinstance(below, str) else _LANE_GAP) + entry

    def _entries(self, node: str | _Bundle) -> list[tuple[float, _Bundle]]:
        """Returns the lines at the left edge of a block or lane."""
        if isinstance(node, str):
            return [(bundle.entry, bundle) for bundle in self._incoming[node]]
        return [(0.0, node)]

    def _taken(self, number: int) -> dict[int, _Bundle | None]:
        """Returns vertical positions close to the lines at the right edge of the previous column.

        Only the bundle that contains these lines can use the position. If there are several bundles, none
        can.
        """
        if number == 0:
            return {}
        pins = [
            (self._tops[block] + line.port, bundle)
            for block in self._columns[number - 1].tops
            for line, bundle in self._outgoing[block]
        ]
        pins += [(bundle.lanes[number - 1], bundle) for bundle in self._bundles if number - 1 in bundle.lanes]
        taken: dict[int, _Bundle | None] = {}
        for y, bundle in pins:
            for near in range(round(y) - _PIN_DISTANCE + 1, round(y) + _PIN_DISTANCE):
                taken[near] = bundle if taken.get(near, bundle) is bundle else None
        return taken

    def _trunks(self) -> dict[int, dict[int, _Trunk]]:
        """Returns the trunks by channel and bundle number."""
        trunks: dict[int, dict[int, _Trunk]] = defaultdict(dict)
        for bundle in self._bundles:
            for channel in bundle.channels():
                left = [
                    self._tops[line.source] + line.port
                    for line in bundle.lines
                    if self._column[line.source] == channel - 1
                ]
                left += [bundle.lanes[channel - 1]] if channel - 1 in bundle.lanes else []
                right = [bundle.lanes[channel]] if channel in bundle.lanes else []
                right += [self._end(bundle)] if channel == bundle.column else []
                pins = left + right
                trunks[channel][bundle.number] = _Trunk(tuple(left), tuple(right), min(pins), max(pins))
        return trunks

    def _end(self, bundle: _Bundle) -> float:
        return self._tops[bundle.target] + bundle.entry

    def _horizontally(self, tracks: list[dict[int, int]]) -> tuple[dict[str, Box], list[dict[int, float]]]:
        """Returns the boxes, and the horizontal positions of trunks by channel and bundle number."""
        boxes: dict[str, Box] = {}
        positions: list[dict[int, float]] = []
        x = self._columns[0].x or 0.0 if self._columns else 0.0
        left, right = _TRACK_MARGINS
        edge = x - 2 * right  # right edge of the previous column
        for number, used in enumerate(tracks):
            count = len(set(used.values()))
            needed = left + right + _TRACK_DISTANCE * max(count - 1, 0)
            if number == 0:
                edge = x - needed
            elif number < len(self._columns):
                preferred = self._columns[number].x
                x = max(edge + needed, edge + _CHANNEL_WIDTH if preferred is None else preferred)
            else:
                x = edge + needed
            first = edge + left + (x - edge - needed) / 2
            positions.append(
                {bundle: round(first + _TRACK_DISTANCE * track) for bundle, track in used.items()}
            )
            if number < len(self._columns):
                for block in self._columns[number].tops:
                    boxes[block] = Box(x, self._tops[block], *self._sizes[block])
                    edge = max(edge, x + self._sizes[block][0])
        return boxes, positions

    def _path(
        self,
        bundle: _Bundle,
        line: Line,
        boxes: Mapping[str, Box],
        tracks: list[dict[int, float]],
        drawn: dict[int, tuple[float, float]],
    ) -> Path:
        """Returns the path of a line up to its target, or up to the first point where it joins an earlier line.

        Args:
            bundle: its bundle.
            line: the line.
            boxes: the boxes of the blocks.
            tracks: horizontal positions of trunks by channel and bundle number.
            drawn: the top and bottom of the parts of the bundle's trunks that earlier lines have drawn, by channel.
        """
        source = boxes[line.source]
        y = source.y + line.port
        points = [(source.x + source.width, y)]
        channel = self._column[line.source] + 1
        while True:
            x = tracks[channel].get(bundle.number)
            rightwards = channel <= bundle.column
            out = (
                self._end(bundle)
                if channel == bundle.column
                else bundle.lanes[channel if rightwards else channel - 1]
            )
            if channel in drawn:
                top, bottom = drawn[channel]
                joint = min(max(y, top), bottom)
                drawn[channel] = min(y, top), max(y, bottom)
                if x is not None:
                    points += [(x, y), (x, joint)]
                    if joint != out:
                        points.append((x, joint + CORNER * (1 if out > joint else -1)))
                    else:
                        points.append((x + CORNER * (1 if rightwards else -1), joint))
                return Path(_simplified(points), joins=True)
            drawn[channel] = min(y, out), max(y, out)
            if x is not None:
                points += [(x, y), (x, out)]
            y = out
            if channel == bundle.column:
                points.append((boxes[bundle.target].x, y))
                return Path(_simplified(points), joins=False)
            channel += 1 if rightwards else -1


class _Gaps:
    """Gaps above, between and below the blocks of a column, with the lanes in each gap.

    Args:
        tops: the upper edges of the blocks.
        sizes: width and height of each block.
    """

    def __init__(self, tops: Mapping[str, float], sizes: Mapping[str, tuple[float, float]]) -> None:
        self._blocks = sorted(tops, key=lambda block: tops[block])
        edges = [float("-inf")]
        for block in self._blocks:
            edges += [tops[block] - _LANE_GAP, tops[block] + sizes[block][1] + _LANE_GAP]
        edges.append(float("inf"))
        self._gaps = [(top, max(top, bottom)) for top, bottom in zip(edges[::2], edges[1::2], strict=True)]
        self._lanes: list[list[tuple[float, float, int, _Bundle]]] = [[] for _ in self._gaps]

    def add(self, bundle: _Bundle, before: float, target: float) -> float:
        """Adds a lane to the gap with the shortest way to the target and returns the lane's position.

        Args:
            bundle: the lines in the lane.
            before: vertical position of the lines before they cross the column.
            target: vertical position of the target.
        """

        def cost(number: int) -> float:
            y = self._nearest(number, before)
            top, bottom = self._gaps[number]
            excess = max(len(self._lanes[number]) * LANE_DISTANCE - (bottom - top), 0)
            return 1.3 * abs(y - before) + abs(y - target) + excess

        number = min(range(len(self._gaps)), key=cost)
        y = self._nearest(number, before)
        self._lanes[number].append((y, before, bundle.number, bundle))
        return y

    def _nearest(self, number: int, y: float) -> float:
        top, bottom = self._gaps[number]
        return min(max(y, top), bottom)

    def order(self) -> list[str | _Bundle]:
        """Returns the blocks and lanes from top to bottom."""
        order: list[str | _Bundle] = []
        for number, lanes in enumerate(self._lanes):
            order += [bundle for *_, bundle in sorted(lanes, key=lambda lane: lane[:3])]
            order += self._blocks[number : number + 1]
        return order


def _tracks(trunks: Mapping[int, _Trunk]) -> dict[int, int]:
    """Returns the tracks of the trunks in a channel, from left to right, in an order with few crossings.

    Trunks without a vertical part need no track.
    """
    order = [number for number, trunk in trunks.items() if trunk.top < trunk.bottom]
    order.sort(key=lambda number: trunks[number].bottom, reverse=True)
    for _ in range(_SORT_PASSES):
        swapped = False
        for index in range(len(order) - 1):
            one, other = trunks[order[index]], trunks[order[index + 1]]
            if other.crossings(one) < one.crossings(other):
                order[index : index + 2] = order[index + 1], order[index]
                swapped = True
        if not swapped:
            break
    tracks: dict[int, int] = {}
    for number in order:
        trunk, used, lowest = trunks[number], set(), 0
        for placed, track in tracks.items():
            other = trunks[placed]
            if other.top - LANE_DISTANCE < trunk.bottom and trunk.top < other.bottom + LANE_DISTANCE:
                used.add(track)
                if track >= lowest and other.crossings(trunk) < trunk.crossings(other):
                    lowest = track + 1
        while lowest in used:
            lowest += 1
        tracks[number] = lowest
    return tracks


def _simplified(points: list[Point]) -> tuple[Point, ...]:
    """Removes points that are not corners."""
    kept = [points[0]]
    for point in points[1:]:
        if len(kept) > 1 and (
            kept[-2][0] == kept[-1][0] == point[0] or kept[-2][1] == kept[-1][1] == point[1]
        ):
            kept.pop()
        if point != kept[-1]:
            kept.append(point)
    return tuple(kept)
