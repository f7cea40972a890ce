"""Draws a flow as an SVG image that resembles the flow designer, with branches on the right edge of each block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING

from callroute.flows.diagrams.diagram import build_diagram
from callroute.flows.diagrams.layout import layout
from callroute.flows.diagrams.routing import CORNER, ENTRY_HEIGHT, Box, Line, Path
from callroute.flows.diagrams.text_metrics import shorten, width, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from callroute.flows.diagrams.diagram import Diagram, DrawnBlock, DrawnEdge
    from callroute.flows.diagrams.words import Language
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
_FIGURES_HEIGHT = 26.0

HEAT_COLORS = ("#ffffff", "#fdebd9", "#fbcfa4", "#f3a45f", "#b9510d", "#7a2f06")
"""Colors from few to many. Their lightness decreases, so they are distinct without color vision and in print."""

# The image has its own background, so that it looks the same in light and dark mode. All text has a contrast ratio of
# at least 4.5:1. @ marks the start of a selector.
_STYLE = """
    @text { font-family: system-ui, 'Noto Sans', 'Noto Sans JP', 'Noto Sans CJK JP', sans-serif; fill: #1f2328;
           font-size: 13px }
    @.ground { fill: #ffffff }
    @.block { fill: #f6f8fa; stroke: #6e7781 }
    @.stop .block { fill: #fff8e6; stroke: #8a5a00; stroke-width: 3 }
    @.title { font-size: 14px; font-weight: 600 }
    @.name, @.branch { fill: #57606a }
    @.mark { font-weight: 600; fill: #6b4600 }
    @.route rect { fill: #dff3e4; stroke: #1a7f37 }
    @.route text { fill: #0f5323; font-size: 12px }
    @.line { stroke: #d0d7de }
    @.way, @.entry { fill: none; stroke: #57606a; stroke-width: 1.5 }
    @.halo { fill: none; stroke: #ffffff; stroke-width: 6 }
    @.way.error { stroke: #a40e26; stroke-dasharray: 5 4 }
    @.port { fill: #57606a }
    @.port.error { fill: #a40e26 }
    @.branch.error { fill: #a40e26 }
    @.figures { font-weight: 600 }
""" + "".join(
    f"    @.heat-{level} .block {{ fill: {color}; stroke: {HEAT_COLORS[-1]} }}\n"
    f"    @.heat-{level} text, @.heat-{level} .branch.error {{ fill: {'#1f2328' if level < 4 else '#ffffff'} }}\n"
    for level, color in enumerate(HEAT_COLORS)
)

STYLE = _STYLE.replace("@", ".flow ")
"""Style sheet of the image, for documents that contain several images."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers to show in a block.

    Attributes:
        text: the numbers as text.
        heat: index of the block's color in HEAT_COLORS; None for its usual color.
    """

    text: str
    heat: int | None = None


@dataclass(frozen=True, slots=True)
class _BlockText:
    """A block's text, wrapped into lines.

    Attributes:
        title: its title.
        name: its name, which can be empty.
        lines: the lines of its detail.
        rows: its edges, each with its label and the distance from the top of the block to its port.
        height: height of the block.
        figures: figures at the bottom of the block, if any.
    """

    title: str
    name: str
    lines: tuple[str, ...]
    rows: tuple[tuple[DrawnEdge, str, float], ...]
    height: float
    figures: Figures | None


def svg(
    flow: Flow,
    *,
    language: Language = "en",
    figures: Mapping[str, Figures] = MappingProxyType({}),
    embedded_as: str = "",
) -> str:
    """Returns a flow as an SVG document.

    Each block shows its title, its main parameter, the route that it sets and its branches. Stops are highlighted. If
    possible, blocks are arranged as in the flow designer, and otherwise in layers.

    Args:
        flow: the flow.
        language: language of titles and labels.
        figures: figures by block identifier.
        embedded_as: prefix of the IDs, which must be unique in the document that contains the image. The image then has
            no legend, and the document must contain STYLE.
    """
    diagram = build_diagram(flow, language)
    texts = {
        identifier: _block_text(block, figures.get(identifier))
        for identifier, block in diagram.blocks.items()
    }
    sizes = {identifier: (_WIDTH, text.height) for identifier, text in texts.items()}
    lines = [
        Line(identifier, port, edge.target, edge.error)
        for identifier, text in texts.items()
        for edge, _, port in text.rows
    ]
    placed = layout(flow, diagram, sizes, lines)
    corners = [corner for path in placed.paths.values() for corner in path.points]
    corners += [
        (box.x + dx, box.y + dy)
        for box in placed.boxes.values()
        for dx, dy in ((0, 0), (box.width, box.height))
    ]
    if diagram.start:
        corners.append((placed.boxes[diagram.start].x, placed.boxes[diagram.start].y - ENTRY_HEIGHT))
    left, top = (min((corner[axis] for corner in corners), default=0) - _MARGIN for axis in (0, 1))
    boxes = {
        identifier: Box(box.x - left, box.y - top, box.width, box.height)
        for identifier, box in placed.boxes.items()
    }
    paths = {
        line: Path(tuple((x - left, y - top) for x, y in path.points), path.joins)
        for line, path in placed.paths.items()
    }
    total_width = max(max((x for x, _ in corners), default=0) - left + _MARGIN, 560)
    total_height = max((y for _, y in corners), default=0) - top + _MARGIN
    total_height += 0 if embedded_as else _LEGEND_HEIGHT
    content = _document(diagram, texts, boxes, paths, (total_width, total_height), embedded_as)
    return "\n".join(content) + "\n"


def _block_text(block: DrawnBlock, figures: Figures | None) -> _BlockText:
    inner = _WIDTH - 2 * _PADDING
    title_width = inner - (width(block.stop, _TEXT_SIZE) + 12 if block.stop else 0)
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
    height += _FIGURES_HEIGHT if figures else _PADDING / 2
    return _BlockText(title, name, tuple(lines), tuple(rows), height, figures)


def _document(
    diagram: Diagram,
    texts: Mapping[str, _BlockText],
    boxes: Mapping[str, Box],
    paths: Mapping[Line, Path],
    size: tuple[float, float],
    prefix: str,
) -> Iterator[str]:
    total_width, total_height = size
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total_width:g}" height="{total_height:g}" '
        f'viewBox="0 0 {total_width:g} {total_height:g}" class="flow" role="img" aria-labelledby="{prefix}title {prefix}description">'
    )
    yield f'<title id="{prefix}title">{_escape(diagram.title)}</title>'
    yield f'<desc id="{prefix}description">{_escape(diagram.description)}</desc>'
    if not prefix:
        yield f"<style>{_STYLE.replace('@', '')}</style>"
    yield (
        "<defs>"
        + "".join(
            f'<marker id="{prefix}{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
            f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z" fill="{color}"/></marker>'
            for name, color in {"arrow": "#57606a", "arrow-error": "#a40e26"}.items()
        )
        + "</defs>"
    )
    yield f'<rect class="ground" width="{total_width:g}" height="{total_height:g}" rx="8"/>'
    if diagram.start:
        yield from _entry(boxes[diagram.start], diagram, prefix)
    yield from _edges(diagram, texts, paths, prefix)
    for identifier, block in diagram.blocks.items():
        yield from _block(block, texts[identifier], boxes[identifier])
    if not prefix:
        yield from _legend(total_height)
    yield "</svg>"


def _entry(start: Box, diagram: Diagram, prefix: str) -> Iterator[str]:
    """Draws the point where calls enter the flow."""
    x, y = start.x + 20, start.y - ENTRY_HEIGHT + 8
    yield f'<circle class="port" cx="{x:g}" cy="{y:g}" r="7"><title>{_escape(diagram.entry)}</title></circle>'
    yield f'<path class="entry" marker-end="url(#{prefix}arrow)" d="M{x:g} {y + 7:g}V{start.y - 1:g}"/>'


def _block(block: DrawnBlock, text: _BlockText, box: Box) -> Iterator[str]:
    kind = "stop" if block.stop else "step"
    if text.figures and text.figures.heat is not None:
        kind += f" heat-{text.figures.heat}"
    yield f'<g class="{kind}" data-block="{_attribute(block.identifier)}" transform="translate({box.x:g} {box.y:g})">'
    route = f"call_route = {block.route}" if block.route is not None else ""
    branches = [edge.label for edge, label, _ in text.rows if label != edge.label]
    tooltip = "\n".join(filter(None, (block.title, block.identifier, route, block.detail, *branches)))
    yield f"<title>{_escape(tooltip)}</title>"
    yield f'<rect class="block" width="{box.width:g}" height="{box.height:g}" rx="6"/>'
    yield _text(_PADDING, 20, text.title, "title")
    if block.stop:
        yield _text(box.width - _PADDING, 20, block.stop, "mark", end=True)
    y = _HEADER + 13
    if text.name:
        yield _text(_PADDING, y, text.name, "name")
        y += _LINE_HEIGHT
    if block.route is not None:
        y += _NAME_GAP if text.name else 0
        max_width = box.width - 2 * _PADDING - 12
        fits = width(route, _ROUTE_SIZE) <= max_width
        label = route if fits else shorten(block.route, _ROUTE_SIZE, max_width)
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
    if text.figures:
        y = box.height - _FIGURES_HEIGHT
        yield f'<path class="line" d="M0 {y:g}H{box.width:g}"/>'
        yield _text(_PADDING, y + 18, text.figures.text, "figures")
    yield "</g>"


def _escape(text: str) -> str:
    return escape(text, quote=False)


def _attribute(text: str) -> str:
    """Escapes an attribute value. XML parsers would replace line breaks and tabs with spaces."""
    return escape(text).translate({ord(character): f"&#{ord(character)};" for character in "\t\n\r"})


def _text(x: float, y: float, text: str, kind: str = "", *, end: bool = False) -> str:
    classes = f' class="{kind}"' if kind else ""
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x:g}" y="{y:g}"{classes}{anchor}>{_escape(text)}</text>'


def _edges(
    diagram: Diagram, texts: Mapping[str, _BlockText], paths: Mapping[Line, Path], prefix: str
) -> Iterator[str]:
    """Draws the lines. Where two lines cross, the lower one has a gap, so that it does not seem to join the other one."""
    bundles: dict[tuple[str, bool], list[tuple[str, str]]] = {}
    for identifier, text in texts.items():
        block = diagram.blocks[identifier]
        for edge, _, port in text.rows:
            path = paths[Line(identifier, port, edge.target, edge.error)]
            points = list(path.points)
            if not path.joins:
                points[-1] = (points[-1][0] - 1, points[-1][1])
            shape = _rounded(points)
            error = " error" if edge.error else ""
            marker = (
                "" if path.joins else f' marker-end="url(#{prefix}arrow{"-error" if edge.error else ""})"'
            )
            drawn = (
                f'<path class="way{error}"{marker} d="{shape}">'
                f"<title>{_escape(block.name or block.title)}: {_escape(edge.label or diagram.default)}</title></path>"
            )
            bundles.setdefault((edge.target, edge.error), []).append((shape, drawn))
    for bundle in bundles.values():
        yield f'<path class="halo" d="{"".join(shape for shape, _ in bundle)}"/>'
        yield from (drawn for _, drawn in bundle)


def _rounded(corners: Sequence[tuple[float, float]]) -> str:
    """Returns a path of straight segments with rounded corners."""
    path = f"M{corners[0][0]:g} {corners[0][1]:g}"
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        radius = min(CORNER, *(math.dist(corner, other) / 2 for other in (before, after)))
        start, end = _towards(corner, before, radius), _towards(corner, after, radius)
        path += f"L{start[0]:g} {start[1]:g}Q{corner[0]:g} {corner[1]:g} {end[0]:g} {end[1]:g}"
    return path + f"L{corners[-1][0]:g} {corners[-1][1]:g}"


def _towards(corner: tuple[float, float], other: tuple[float, float], radius: float) -> tuple[float, float]:
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)  # segments are horizontal or vertical
    share = radius / length if length else 0
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
