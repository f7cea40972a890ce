"""Draws the paths of callers through the stops of a flow as a Sankey diagram.

Stops form a tree, so bands never cross. At each stop, the bands of callers who went on lead to the next stops, and the
others lead to the outcomes of the calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from callroute.flows.diagrams.text_metrics import width, wrap
from callroute.reports.html.colors import MUTED, OUTCOME_COLORS
from callroute.reports.labels import OUTCOME_LABELS
from callroute.reports.report import OUTCOMES, Language, Outcome, Stop

_HEIGHT = 340.0  # height of the band that contains all calls
_COLUMN = 222.0
_FITTED = 6  # maximum number of columns that are scaled to the page's width instead of scrolled
_BAR = 10.0
_LABEL_GAP = 6.0
_TEXT_SIZE = 13.0
_LINE_HEIGHT = 16.0
_SLOT_GAP = 6.0
_BAND_COLOR = "#d5dce4"
_OPACITY: Mapping[Outcome, float] = {
    "answered": 0.3,
    "abandoned_in_queue": 0.55,
    "completed": 0.45,
    "abandoned_in_flow": 0.55,
}


@dataclass(slots=True)
class _Node:
    """A stop, or the end of calls with one outcome.

    Attributes:
        lines: lines of its label.
        calls: number of calls.
        color: color of its bar.
        column: its column.
        children: nodes to which its calls lead.
        top: upper edge of its bar.
        span: height of the area of this node and the nodes to its right.
    """

    lines: list[str]
    calls: int
    color: str
    column: int
    outcome: Outcome | None
    children: list[_Node] = field(default_factory=list)
    top: float = 0.0
    span: float = 0.0


def sankey(stops: Sequence[Stop], language: Language, label: str) -> str:
    """Returns the diagram as an SVG element, leaving out stops that no caller reached.

    Args:
        stops: stops of a flow, parents before children.
        language: language of the labels.
        label: alternative text.
    """
    roots = _nodes(stops, language)
    scale = _HEIGHT / max(sum(root.calls for root in roots), 1)
    top = 0.0
    for root in roots:
        _measure(root, scale)
        _place(root, scale, top)
        top += root.span + _SLOT_GAP
    columns = max((node.column for root in roots for node in _all(root)), default=0) + 1
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="sankey{" fitted" if columns <= _FITTED else ""}" '
            f'width="{columns * _COLUMN:g}" role="img" aria-label={quoteattr(label)} '
            f'viewBox="0 0 {columns * _COLUMN:g} {max(top, 20):g}">',
            *(part for root in roots for part in _bands(root, scale)),
            *(part for root in roots for node in _all(root) for part in _bar(node, scale)),
            "</svg>",
        ]
    )


def _nodes(stops: Sequence[Stop], language: Language) -> list[_Node]:
    """Returns the first stops, each with the stops below it."""
    roots: list[_Node] = []
    by_route: dict[str, _Node] = {}
    for stop in stops:
        if not stop.reached:
            continue
        lines = wrap(stop.label(language), _TEXT_SIZE, _COLUMN - _BAR - 2 * _LABEL_GAP, 2)
        node = _Node([*lines, f"{stop.reached:,}"], stop.reached, MUTED, stop.depth, None)
        by_route[stop.route] = node
        (by_route[stop.parent].children if stop.parent is not None else roots).append(node)
    for stop in stops:
        if stop.reached:
            by_route[stop.route].children += _ends(stop, language)
    return roots


def _ends(stop: Stop, language: Language) -> Iterator[_Node]:
    for outcome in OUTCOMES:
        calls = stop.outcomes.of(outcome)
        if calls:
            text = f"{calls:,} {OUTCOME_LABELS[outcome][language]}"
            lines = wrap(text, _TEXT_SIZE, _COLUMN - _BAR - 2 * _LABEL_GAP, 2)
            yield _Node(lines, calls, OUTCOME_COLORS[outcome], stop.depth + 1, outcome)


def _measure(node: _Node, scale: float) -> None:
    for child in node.children:
        _measure(child, scale)
    below = sum(child.span for child in node.children) + _SLOT_GAP * max(len(node.children) - 1, 0)
    node.span = max(below, node.calls * scale, len(node.lines) * _LINE_HEIGHT)


def _place(node: _Node, scale: float, top: float) -> None:
    """Places a node in the middle of its area, and the nodes to its right from top to bottom."""
    node.top = top + (node.span - node.calls * scale) / 2
    below = sum(child.span for child in node.children) + _SLOT_GAP * max(len(node.children) - 1, 0)
    top += (node.span - below) / 2
    for child in node.children:
        _place(child, scale, top)
        top += child.span + _SLOT_GAP


def _all(node: _Node) -> Iterator[_Node]:
    yield node
    for child in node.children:
        yield from _all(child)


def _bands(node: _Node, scale: float) -> Iterator[str]:
    start = node.top
    left = node.column * _COLUMN + _BAR
    for child in node.children:
        height = max(child.calls * scale, 0.75)
        right = child.column * _COLUMN
        middle = (left + right) / 2
        color = _BAND_COLOR if child.outcome is None else child.color
        opacity = 0.8 if child.outcome is None else _OPACITY[child.outcome]
        yield (
            f'<path fill="{color}" fill-opacity="{opacity}" d="M{left:g} {start:.1f}C{middle:g} {start:.1f} {middle:g} '
            f"{child.top:.1f} {right:g} {child.top:.1f}V{child.top + height:.1f}C{middle:g} "
            f'{child.top + height:.1f} {middle:g} {start + height:.1f} {left:g} {start + height:.1f}z"/>'
        )
        start += child.calls * scale
        yield from _bands(child, scale)


def _bar(node: _Node, scale: float) -> Iterator[str]:
    x, height = node.column * _COLUMN, max(node.calls * scale, 1.5)
    yield f'<rect x="{x:g}" y="{node.top:.1f}" width="{_BAR:g}" height="{height:.1f}" fill="{node.color}"/>'
    y = node.top + height / 2 - _LINE_HEIGHT * len(node.lines) / 2 + 12
    if height < _LINE_HEIGHT:  # a band this thin would look like a hyphen between the labels
        widest = max(width(line, _TEXT_SIZE) for line in node.lines)
        yield (
            f'<rect class="ground" x="{x + _BAR + _LABEL_GAP - 2:g}" y="{y - 12:.1f}" width="{widest + 4:.0f}" '
            f'height="{_LINE_HEIGHT * len(node.lines):g}" fill="#fff"/>'
        )
    for number, line in enumerate(node.lines):
        bold = ' class="figure"' if node.outcome is None and number == len(node.lines) - 1 else ""
        yield f'<text x="{x + _BAR + _LABEL_GAP:g}" y="{y:.1f}"{bold}>{escape(line)}</text>'
        y += _LINE_HEIGHT
