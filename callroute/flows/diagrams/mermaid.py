"""Draws a flow as a Mermaid flowchart, which pull requests and most wikis can display."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from callroute.flows.diagrams.diagram import build_diagram
from callroute.flows.diagrams.text_metrics import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callroute.flows.diagrams.diagram import DrawnBlock, DrawnEdge
    from callroute.flows.flow import Flow

_MAX_DETAIL_WIDTH = 60.0  # in full-width characters
_MAX_LABEL_WIDTH = 30.0
# Mermaid's defaults for maxEdges and maxTextSize. A chart cannot override them.
_MAX_EDGES = 500
_MAX_CHARACTERS = 50_000

# Special characters in labels: quotes end the label, # begins an entity, < begins a tag, and ` and a leading "1. "
# are Markdown.
_ESCAPED = re.compile(r"[\"#&<>`\\*_~\[\]{}|]")
# $$ begins a formula and fa:fa- an icon, even if they are written as entities. A zero-width space breaks them up.
_SPLIT = re.compile(r"(?<=\$)(?=\$)|(?<=:)(?=fa-)")
_LIST_MARKER = re.compile(r"^(\d+)([.)])|^([-+])(?= )")


_STYLES = {
    # Both text and background colors are set, so that blocks are readable in light and dark mode.
    "stop": "fill:#fff4d6,stroke:#8a5a00,stroke-width:3px,color:#1f2328",
    "route": "fill:#dff3e4,stroke:#1a7f37,color:#1f2328",
    "block": "fill:#f6f8fa,stroke:#6e7781,color:#1f2328",
}
_CHANGE_STYLES = {
    "added": "fill:#aceebb,stroke:#1a7f37,stroke-width:3px,color:#1f2328",
    "changed": "fill:#fae17d,stroke:#9a6700,stroke-width:3px,color:#1f2328",
    "removed": "fill:#ffcecb,stroke:#a40e26,stroke-width:3px,stroke-dasharray:5 5,color:#1f2328",
    "unchanged": "fill:#f6f8fa,stroke:#6e7781,color:#1f2328",
}


def mermaid(flow: Flow, changes: Mapping[str, str] | None = None, old: Flow | None = None) -> str:
    """Returns a flow as a Mermaid flowchart.

    Stops have a thick border. Blocks that set `call_route` are green and show the route. Error branches are dashed.
    Long text is truncated.

    Args:
        flow: the flow.
        changes: `added`, `changed` or `removed` by block, which determine the colors.
        old: the old version of the flow, whose removed blocks are drawn without branches.
    """
    diagram = build_diagram(flow)
    if changes is not None and old is not None:
        removed = {
            identifier: replace(block, edges=())
            for identifier, block in build_diagram(old).blocks.items()
            if changes.get(identifier) == "removed" and identifier not in diagram.blocks
        }
        diagram = replace(diagram, blocks={**diagram.blocks, **removed})
    names = {identifier: f"b{number}" for number, identifier in enumerate(diagram.blocks, start=1)}
    lines = [
        "flowchart LR",
        f"    accTitle: {_one_line(diagram.title)}",
        f"    accDescr: {_one_line(diagram.description)}",
    ]
    lines += [f"    {names[block.identifier]}{_shape(block)}" for block in diagram.blocks.values()]
    if diagram.start:
        lines += ['    b0(("call"))', f"    b0 --> {names[diagram.start]}"]
    for block in diagram.blocks.values():
        lines += [
            f"    {names[block.identifier]} {_arrow(edge)} {names[edge.target]}" for edge in block.edges
        ]
    for style, definition in (_STYLES if changes is None else _CHANGE_STYLES).items():
        members = [
            names[block.identifier]
            for block in diagram.blocks.values()
            if (_style(block) if changes is None else changes.get(block.identifier, "unchanged")) == style
        ]
        if members:
            lines += [f"    classDef {style} {definition}", f"    class {','.join(members)} {style}"]
    return "\n".join(lines) + "\n"


def exceeded_limit(chart: str) -> str:
    """Returns a message that names the Mermaid limit that a chart exceeds, or an empty string."""
    edges = len(re.findall(r"^    b\d+ -", chart, re.MULTILINE))
    if edges > _MAX_EDGES:
        return f"{edges} edges, but Mermaid renders at most {_MAX_EDGES}"
    if len(chart) > _MAX_CHARACTERS:
        return f"{len(chart):,} characters, but Mermaid renders at most {_MAX_CHARACTERS:,}"
    return ""


def _style(block: DrawnBlock) -> str:
    if block.stop:
        return "stop"
    return "block" if block.route is None else "route"


def _shape(block: DrawnBlock) -> str:
    texts = [f"<b>{_text(block.title)}</b>", _text(shorten(block.name, 1, _MAX_LABEL_WIDTH))]
    if block.route is not None:
        texts.append(f"call_route = {_text(shorten(block.route, 1, _MAX_LABEL_WIDTH))}")
    detail = " · ".join(line.strip() for line in block.detail.splitlines() if line.strip())
    texts.append(_text(shorten(detail, 1, _MAX_DETAIL_WIDTH)))
    label = "<br/>".join(filter(None, texts))
    return f'(["{label}"])' if block.stop else f'["{label}"]'


def _arrow(edge: DrawnEdge) -> str:
    label = _text(shorten(edge.label, 1, _MAX_LABEL_WIDTH))
    line = "-.->" if edge.error else "-->"
    return f'{line}|"{label}"|' if label else line


def _text(text: str) -> str:
    text = _SPLIT.sub("\N{ZERO WIDTH SPACE}", " ".join(text.split()))
    text = _ESCAPED.sub(lambda found: f"#{ord(found[0])};", text)
    return _LIST_MARKER.sub(lambda found: f"{found[0][:-1]}#{ord(found[0][-1])};", text)


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("#", "").replace(";", ",")
