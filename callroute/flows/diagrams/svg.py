"""Draws a flow as an SVG image that resembles the flow designer, with branches on the right edge of each block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from callroute.flows.diagrams.diagram import build_diagram
from callroute.flows.diagrams.layout import GAP, Box, EdgeKey, Polyline, layout
from callroute.flows.diagrams.text_metrics import shorten, width, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from callroute.flows.diagrams.diagram import Diagram, DrawnBlock, DrawnEdge
    from callroute.flows.flow import Flow

_WIDTH = 248.0
_PADDING = 12.0
_MARGIN = 56.0
_HEADER = 30.0
_LINE_HEIGHT = 18.0
_ROW_HEIGHT = 22.0
_TITLE_SIZE, _TEXT_SIZE, _ROUTE_SIZE = 14.0, 13.0, 12.0
_DETAIL_LINES = 4
_NAME_GAP = 4.0
_LEGEND_HEIGHT = 64.0
_LANE_OFFSET = 5.0  # separates upward and downward lines between the same two blocks

# The image has its own background, so that it looks the same in light and dark mode. All text has a contrast ratio of
# at least 4.5:1.
_STYLE = """
    text { font-family: system-ui, 'Noto Sans', 'Noto Sans JP', 'Noto Sans CJK JP', sans-serif; fill: #1f2328;
           font-size: 13px }
    .ground { fill: #ffffff }
    .block { fill: #f6f8fa; stroke: #6e7781 }
    .stop .block { fill: #fff8e6; stroke: #8a5a00; stroke-width: 3 }
    .title { font-size: 14px; font-weight: 600 }
    .name, .branch { fill: #57606a }
    .mark { font-weight: 600; fill: #6b4600 }
    .route rect { fill: #dff3e4; stroke: #1a7f37 }
    .route text { fill: #0f5323; font-size: 12px }
    .line { stroke: #d0d7de }
    .way { fill: none; stroke: #57606a; stroke-width: 1.5 }
    .way.error { stroke: #a40e26; stroke-dasharray: 5 4 }
    .port { fill: #57606a }
    .port.error { fill: #a40e26 }
    .branch.error { fill: #a40e26 }
"""


@dataclass(frozen=True, slots=True)
class _BlockText:
    """A block's text, wrapped into lines.

    Attributes:
        title: its title.
        name: its name, which can be empty.
        lines: the lines of its detail.
        rows: its edges, each with its label and the distance from the top of the block to its port.
        height: height of the block.
    """

    title: str
    name: str
    lines: tuple[str, ...]
    rows: tuple[tuple[DrawnEdge, str, float], ...]
    height: float


def svg(flow: Flow) -> str:
    """Returns a flow as an SVG document.

    Each block shows its title, its main parameter, the route that it sets and its branches. Stops are highlighted. If
    possible, blocks are positioned as in the flow designer, and otherwise in layers.
    """
    diagram = build_diagram(flow)
    texts = {identifier: _block_text(block) for identifier, block in diagram.blocks.items()}
    sizes = {identifier: (_WIDTH, text.height) for identifier, text in texts.items()}
    placed = layout(flow, diagram, sizes)
    left = min((box.x for box in placed.boxes.values()), default=0) - _MARGIN
    top = min((box.y for box in placed.boxes.values()), default=0) - _MARGIN
    boxes = {
        identifier: Box(box.x - left, box.y - top, box.width, box.height)
        for identifier, box in placed.boxes.items()
    }
    polylines = {
        edge: tuple((x - left, y - top) for x, y in points) for edge, points in placed.polylines.items()
    }
    total_width = max((box.x + box.width for box in boxes.values()), default=_WIDTH) + _MARGIN
    total_width = max(total_width, 560)
    total_height = max((box.y + box.height for box in boxes.values()), default=0) + _MARGIN + _LEGEND_HEIGHT
    return "\n".join(_document(diagram, texts, boxes, polylines, total_width, total_height)) + "\n"


def _block_text(block: DrawnBlock) -> _BlockText:
    inner = _WIDTH - 2 * _PADDING
    title_width = inner - (width("stop", _TEXT_SIZE) + 12 if block.stop else 0)
    lines = wrap(block.detail, _TEXT_SIZE, inner, _DETAIL_LINES)
    name = shorten(block.name, _TEXT_SIZE, inner) if block.name else ""
    route_height = _ROW_HEIGHT + 4 + (_NAME_GAP if name else 0) if block.route is not None else 0
    height = _HEADER + _LINE_HEIGHT * (len(lines) + bool(name)) + route_height + 4
    rows = []
    for edge in block.edges:
        if edge.label:
            rows.append((edge, shorten(edge.label, _TEXT_SIZE, inner), height + _ROW_HEIGHT / 2))
            height += _ROW_HEIGHT
        else:
            rows.append((edge, "", _HEADER / 2))
    title = shorten(block.title, _TITLE_SIZE * 1.05, title_width)
    return _BlockText(title, name, tuple(lines), tuple(rows), height + _PADDING / 2)


def _document(
    diagram: Diagram,
    texts: Mapping[str, _BlockText],
    boxes: Mapping[str, Box],
    polylines: Mapping[EdgeKey, Polyline],
    total_width: float,
    total_height: float,
) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total_width:g}" height="{total_height:g}" '
        f'viewBox="0 0 {total_width:g} {total_height:g}" role="img" aria-labelledby="title description">'
    )
    yield f'<title id="title">{escape(diagram.title)}</title>'
    yield f'<desc id="description">{escape(diagram.description)}</desc>'
    yield f"<style>{_STYLE}</style>"
    yield (
        "<defs>"
        + "".join(
            f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
            f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z" fill="{color}"/></marker>'
            for name, color in {"arrow": "#57606a", "arrow-error": "#a40e26"}.items()
        )
        + "</defs>"
    )
    yield f'<rect class="ground" width="{total_width:g}" height="{total_height:g}" rx="8"/>'
    if diagram.start:
        yield from _entry(boxes[diagram.start])
    for identifier, block in diagram.blocks.items():
        yield from _edges(block, texts[identifier], boxes, polylines)
    for identifier, block in diagram.blocks.items():
        yield from _block(block, texts[identifier], boxes[identifier])
    yield from _legend(total_height)
    yield "</svg>"


def _entry(start: Box) -> Iterator[str]:
    """Draws the point where calls enter the flow."""
    x, y = start.x - 34, start.y + _HEADER / 2
    yield f'<circle class="port" cx="{x:g}" cy="{y:g}" r="7"><title>the call comes in</title></circle>'
    yield f'<path class="way" marker-end="url(#arrow)" d="M{x + 7:g} {y:g}H{start.x - 1:g}"/>'


def _block(block: DrawnBlock, text: _BlockText, box: Box) -> Iterator[str]:
    kind = "stop" if block.stop else "step"
    yield f'<g class="{kind}" data-block={quoteattr(block.identifier)} transform="translate({box.x:g} {box.y:g})">'
    tooltip = "\n".join(filter(None, (block.title, block.identifier, block.detail)))
    yield f"<title>{escape(tooltip)}</title>"
    yield f'<rect class="block" width="{box.width:g}" height="{box.height:g}" rx="6"/>'
    yield _text(_PADDING, 20, text.title, "title")
    if block.stop:
        yield _text(box.width - _PADDING, 20, "stop", "mark", end=True)
    y = _HEADER + 13
    if text.name:
        yield _text(_PADDING, y, text.name, "name")
        y += _LINE_HEIGHT
    if block.route is not None:
        y += _NAME_GAP if text.name else 0
        max_width = box.width - 2 * _PADDING - 12
        label = f"call_route = {block.route}"
        if width(label, _ROUTE_SIZE) > max_width:
            label = shorten(block.route, _ROUTE_SIZE, max_width)
        yield (
            f'<g class="route"><rect x="{_PADDING:g}" y="{y - 14:g}" width="{box.width - 2 * _PADDING:g}" '
            f'height="{_ROW_HEIGHT:g}" rx="4"/>{_text(_PADDING + 6, y + 2, label)}</g>'
        )
        y += _ROW_HEIGHT + 4
    for line in text.lines:
        yield _text(_PADDING, y, line)
        y += _LINE_HEIGHT
    for edge, label, port in text.rows:
        error = " error" if edge.error else ""
        if label:
            yield f'<path class="line" d="M0 {port - _ROW_HEIGHT / 2:g}H{box.width:g}"/>'
            yield _text(box.width - _PADDING, port + 5, label, f"branch{error}", end=True)
        yield f'<circle class="port{error}" cx="{box.width:g}" cy="{port:g}" r="3.5"/>'
    yield "</g>"


def _text(x: float, y: float, text: str, kind: str = "", *, end: bool = False) -> str:
    classes = f' class="{kind}"' if kind else ""
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x:g}" y="{y:g}"{classes}{anchor}>{escape(text)}</text>'


def _edges(
    block: DrawnBlock, text: _BlockText, boxes: Mapping[str, Box], polylines: Mapping[EdgeKey, Polyline]
) -> Iterator[str]:
    box = boxes[block.identifier]
    for number, (edge, _, port) in enumerate(text.rows):
        target = boxes[edge.target]
        error = " error" if edge.error else ""
        polyline = polylines.get((block.identifier, edge.target))
        if polyline is None:
            path = _direct_path(box, port, target, 14 + 5 * number)
        else:
            path = _polyline_path(box, port, target, polyline)
        yield (
            f'<path class="way{error}" marker-end="url(#arrow{"-error" if error else ""})" d="{path}">'
            f"<title>{escape(block.name or block.title)}: {escape(edge.label or 'next')}</title></path>"
        )


def _direct_path(box: Box, port: float, target: Box, distance: float) -> str:
    """Returns a path from the right edge of a block to the left edge of another.

    Args:
        box: the block that it leaves.
        port: distance from the top of that block to the start of the path.
        target: the block that it leads to.
        distance: distance to keep from both blocks if the path has to go around them.
    """
    x1, y1 = box.x + box.width, box.y + port
    x2, y2 = target.x - 1, target.y + _HEADER / 2
    if x2 - x1 >= GAP / 2:
        bend = max((x2 - x1) / 2, GAP)
        return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    # The target is not to the right, so go between the blocks if one is below the other, and around both otherwise.
    if target.y > box.y + box.height:
        middle = (box.y + box.height + target.y) / 2 - _LANE_OFFSET
    elif box.y > target.y + target.height:
        middle = (target.y + target.height + box.y) / 2 + _LANE_OFFSET
    else:
        middle = max(box.y + box.height, target.y + target.height) + distance
    right, left = x1 + distance, x2 - distance
    corners = [(x1, y1), (right, y1), (right, middle), (left, middle), (left, y2), (x2, y2)]
    return _rounded(corners, 8)


def _polyline_path(box: Box, port: float, target: Box, polyline: Polyline) -> str:
    """Returns a path from one block to another along the horizontal segments of a polyline."""
    points = [(box.x + box.width, box.y + port), *polyline, (target.x - 1, target.y + _HEADER / 2)]
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for (x1, y1), (x2, y2) in zip(points[::2], points[1::2], strict=True):
        bend = (x1 + x2) / 2
        path += f"C{bend:g} {y1:g} {bend:g} {y2:g} {x2:g} {y2:g}"
        if (x2, y2) != points[-1]:
            path += f"H{x2 + box.width:g}"
    return path


def _rounded(corners: list[tuple[float, float]], radius: float) -> str:
    """Returns a path of straight segments with rounded corners."""
    path = f"M{corners[0][0]:g} {corners[0][1]:g}"
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        start, end = _towards(corner, before, radius), _towards(corner, after, radius)
        path += f"L{start[0]:g} {start[1]:g}Q{corner[0]:g} {corner[1]:g} {end[0]:g} {end[1]:g}"
    return path + f"L{corners[-1][0]:g} {corners[-1][1]:g}"


def _towards(corner: tuple[float, float], other: tuple[float, float], radius: float) -> tuple[float, float]:
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)  # segments are horizontal or vertical
    share = min(radius, length / 2) / length if length else 0
    return corner[0] + dx * share, corner[1] + dy * share


def _legend(total_height: float) -> Iterator[str]:
    y = total_height - 34
    yield '<g class="legend">'
    yield f'<g class="stop"><rect class="block" x="{_MARGIN:g}" y="{y - 14:g}" width="26" height="20" rx="4"/></g>'
    yield _text(_MARGIN + 34, y, "a caller can hang up here")
    yield f'<g class="route"><rect x="{_MARGIN + 216:g}" y="{y - 14:g}" width="26" height="20" rx="4"/></g>'
    yield _text(_MARGIN + 250, y, "sets call_route")
    yield f'<path class="way error" d="M{_MARGIN + 364:g} {y - 4:g}h30"/>'
    yield _text(_MARGIN + 402, y, "on error")
    yield "</g>"
