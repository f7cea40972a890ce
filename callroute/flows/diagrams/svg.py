"""A flow as SVG: blocks with their branches at the right edge, as the flow designer shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from callroute.flows.diagrams.diagram import picture
from callroute.flows.diagrams.layout import GAP, Box, Point, Way, layout
from callroute.flows.diagrams.text_metrics import shorten, width, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from callroute.flows.diagrams.diagram import DrawnBlock, Edge, Picture
    from callroute.flows.flow import Flow

_WIDTH = 248.0
_PADDING = 12.0
_MARGIN = 56.0
_HEADER = 30.0
_LINE = 18.0
_ROW = 22.0
_TITLE_SIZE, _TEXT_SIZE, _ROUTE_SIZE = 14.0, 13.0, 12.0
_DETAIL_LINES = 4
_BELOW_NAME = 4.0
_FOOT = 64.0
_APART = 5.0  # what goes down and what goes up between the same two blocks

# The picture brings its own ground, so that it reads the same on light and dark pages. All texts have a contrast of at
# least 4.5 to 1 against what is behind them.
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
class _Face:
    """The texts of a block, in lines, and where its branches leave it, counted from its upper edge."""

    title: str
    name: str
    lines: tuple[str, ...]
    rows: tuple[tuple[Edge, str, float], ...]
    height: float


def svg(flow: Flow) -> str:
    """A flow as an SVG document.

    Each block says what it does, what it plays or sets, the route it gives the call, and its branches; blocks in which
    a caller can hang up are marked as stops. Blocks stand where the flow's designer has them, else in layers.
    """
    drawn = picture(flow)
    faces = {identifier: _face(block) for identifier, block in drawn.blocks.items()}
    placed = layout(flow, drawn, {identifier: (_WIDTH, face.height) for identifier, face in faces.items()})
    left = min((box.x for box in placed.boxes.values()), default=0) - _MARGIN
    top = min((box.y for box in placed.boxes.values()), default=0) - _MARGIN
    boxes = {
        identifier: Box(box.x - left, box.y - top, box.width, box.height)
        for identifier, box in placed.boxes.items()
    }
    ways = {way: [(x - left, y - top) for x, y in points] for way, points in placed.ways.items()}
    across = max((box.x + box.width for box in boxes.values()), default=_WIDTH) + _MARGIN
    across = max(across, 560)
    down = max((box.y + box.height for box in boxes.values()), default=0) + _MARGIN + _FOOT
    return "\n".join(_document(drawn, faces, boxes, ways, across, down)) + "\n"


def _face(block: DrawnBlock) -> _Face:
    inner = _WIDTH - 2 * _PADDING
    room = inner - (width("stop", _TEXT_SIZE) + 12 if block.stop else 0)
    lines = wrap(block.detail, _TEXT_SIZE, inner, _DETAIL_LINES)
    name = shorten(block.name, _TEXT_SIZE, inner) if block.name else ""
    route = _ROW + 4 + (_BELOW_NAME if name else 0) if block.route is not None else 0
    height = _HEADER + _LINE * (len(lines) + bool(name)) + route + 4
    rows = []
    for branch in block.branches:
        if branch.label:
            rows.append((branch, shorten(branch.label, _TEXT_SIZE, inner), height + _ROW / 2))
            height += _ROW
        else:
            rows.append((branch, "", _HEADER / 2))
    return _Face(
        shorten(block.title, _TITLE_SIZE * 1.05, room), name, tuple(lines), tuple(rows), height + _PADDING / 2
    )


def _document(
    drawn: Picture,
    faces: Mapping[str, _Face],
    boxes: Mapping[str, Box],
    ways: Mapping[Way, list[Point]],
    across: float,
    down: float,
) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across:g}" height="{down:g}" '
        f'viewBox="0 0 {across:g} {down:g}" role="img" aria-labelledby="title description">'
    )
    yield f'<title id="title">{escape(drawn.title)}</title>'
    yield f'<desc id="description">{escape(drawn.description)}</desc>'
    yield f"<style>{_STYLE}</style>"
    yield (
        "<defs>"
        + "".join(
            f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
            f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>'
            for name, colour in {"arrow": "#57606a", "arrow-error": "#a40e26"}.items()
        )
        + "</defs>"
    )
    yield f'<rect class="ground" width="{across:g}" height="{down:g}" rx="8"/>'
    if drawn.start:
        yield from _call(boxes[drawn.start])
    for identifier, block in drawn.blocks.items():
        yield from _ways(block, faces[identifier], boxes, ways)
    for identifier, block in drawn.blocks.items():
        yield from _block(block, faces[identifier], boxes[identifier])
    yield from _legend(down)
    yield "</svg>"


def _call(start: Box) -> Iterator[str]:
    """Where the call comes in."""
    x, y = start.x - 34, start.y + _HEADER / 2
    yield f'<circle class="port" cx="{x:g}" cy="{y:g}" r="7"><title>the call comes in</title></circle>'
    yield f'<path class="way" marker-end="url(#arrow)" d="M{x + 7:g} {y:g}H{start.x - 1:g}"/>'


def _block(block: DrawnBlock, face: _Face, box: Box) -> Iterator[str]:
    kind = "stop" if block.stop else "step"
    yield f'<g class="{kind}" data-block={quoteattr(block.identifier)} transform="translate({box.x:g} {box.y:g})">'
    full = "\n".join(filter(None, (block.title, block.identifier, block.detail)))
    yield f"<title>{escape(full)}</title>"
    yield f'<rect class="block" width="{box.width:g}" height="{box.height:g}" rx="6"/>'
    yield _text(_PADDING, 20, face.title, "title")
    if block.stop:
        yield _text(box.width - _PADDING, 20, "stop", "mark", end=True)
    y = _HEADER + 13
    if face.name:
        yield _text(_PADDING, y, face.name, "name")
        y += _LINE
    if block.route is not None:
        y += _BELOW_NAME if face.name else 0
        room = box.width - 2 * _PADDING - 12
        label = f"call_route = {block.route}"
        if width(label, _ROUTE_SIZE) > room:
            label = shorten(block.route, _ROUTE_SIZE, room)
        yield (
            f'<g class="route"><rect x="{_PADDING:g}" y="{y - 14:g}" width="{box.width - 2 * _PADDING:g}" '
            f'height="{_ROW:g}" rx="4"/>{_text(_PADDING + 6, y + 2, label)}</g>'
        )
        y += _ROW + 4
    for line in face.lines:
        yield _text(_PADDING, y, line)
        y += _LINE
    for branch, label, at in face.rows:
        error = " error" if branch.error else ""
        if label:
            yield f'<path class="line" d="M0 {at - _ROW / 2:g}H{box.width:g}"/>'
            yield _text(box.width - _PADDING, at + 5, label, f"branch{error}", end=True)
        yield f'<circle class="port{error}" cx="{box.width:g}" cy="{at:g}" r="3.5"/>'
    yield "</g>"


def _text(x: float, y: float, text: str, kind: str = "", *, end: bool = False) -> str:
    classes = f' class="{kind}"' if kind else ""
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x:g}" y="{y:g}"{classes}{anchor}>{escape(text)}</text>'


def _ways(
    block: DrawnBlock, face: _Face, boxes: Mapping[str, Box], ways: Mapping[Way, list[Point]]
) -> Iterator[str]:
    box = boxes[block.identifier]
    for number, (branch, _, at) in enumerate(face.rows):
        target = boxes[branch.target]
        error = " error" if branch.error else ""
        over = ways.get((block.identifier, branch.target))
        path = _way(box, at, target, 14 + 5 * number) if over is None else _over(box, at, target, over)
        yield (
            f'<path class="way{error}" marker-end="url(#arrow{"-error" if error else ""})" d="{path}">'
            f"<title>{escape(block.name or block.title)}: {escape(branch.label or 'next')}</title></path>"
        )


def _way(box: Box, at: float, target: Box, aside: float) -> str:
    """A line from the right edge of a block to the left edge of another."""
    x1, y1 = box.x + box.width, box.y + at
    x2, y2 = target.x - 1, target.y + _HEADER / 2
    if x2 - x1 >= GAP / 2:
        bend = max((x2 - x1) / 2, GAP)
        return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    # Back or straight down: round the outside of both, between them where there is room.
    if target.y > box.y + box.height:
        between = (box.y + box.height + target.y) / 2 - _APART
    elif box.y > target.y + target.height:
        between = (target.y + target.height + box.y) / 2 + _APART
    else:
        between = max(box.y + box.height, target.y + target.height) + aside
    right, left = x1 + aside, x2 - aside
    corners = [(x1, y1), (right, y1), (right, between), (left, between), (left, y2), (x2, y2)]
    return _rounded(corners, 8)


def _over(box: Box, at: float, target: Box, points: list[Point]) -> str:
    """A line that passes columns of blocks on the level given."""
    stations = [
        (box.x + box.width, box.y + at),
        *points,
        (target.x - 1, target.y + _HEADER / 2),
    ]
    path = f"M{stations[0][0]:g} {stations[0][1]:g}"
    for (x1, y1), (x2, y2) in zip(stations[::2], stations[1::2], strict=True):
        bend = (x1 + x2) / 2
        path += f"C{bend:g} {y1:g} {bend:g} {y2:g} {x2:g} {y2:g}"
        if (x2, y2) != stations[-1]:
            path += f"H{x2 + box.width:g}"
    return path


def _rounded(corners: list[tuple[float, float]], radius: float) -> str:
    """A line of straight pieces, its corners rounded off."""
    path = f"M{corners[0][0]:g} {corners[0][1]:g}"
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        near, far = _towards(corner, before, radius), _towards(corner, after, radius)
        path += f"L{near[0]:g} {near[1]:g}Q{corner[0]:g} {corner[1]:g} {far[0]:g} {far[1]:g}"
    return path + f"L{corners[-1][0]:g} {corners[-1][1]:g}"


def _towards(corner: tuple[float, float], other: tuple[float, float], radius: float) -> tuple[float, float]:
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)  # pieces are level or upright
    share = min(radius, length / 2) / length if length else 0
    return corner[0] + dx * share, corner[1] + dy * share


def _legend(down: float) -> Iterator[str]:
    y = down - 34
    yield '<g class="legend">'
    yield f'<g class="stop"><rect class="block" x="{_MARGIN:g}" y="{y - 14:g}" width="26" height="20" rx="4"/></g>'
    yield _text(_MARGIN + 34, y, "a caller can hang up here")
    yield f'<g class="route"><rect x="{_MARGIN + 216:g}" y="{y - 14:g}" width="26" height="20" rx="4"/></g>'
    yield _text(_MARGIN + 250, y, "sets call_route")
    yield f'<path class="way error" d="M{_MARGIN + 364:g} {y - 4:g}h30"/>'
    yield _text(_MARGIN + 402, y, "on error")
    yield "</g>"
