"""A flow as a Mermaid flowchart, which renders in pull requests and most wikis."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from callroute.flows.diagrams.diagram import picture
from callroute.flows.diagrams.text_metrics import shorten

if TYPE_CHECKING:
    from callroute.flows.diagrams.diagram import DrawnBlock, Edge
    from callroute.flows.flow import Flow

_LONGEST_DETAIL = 60.0  # in widths of a full-width character
_LONGEST_LABEL = 30.0
# What Mermaid renders unless its maxEdges and maxTextSize were raised, which a chart cannot do itself.
_MOST_LINES = 500
_MOST_CHARACTERS = 50_000

# Mermaid takes these for its own: quotes end a label, # begins an entity, < a tag, ` and leading "1. " are Markdown.
_ESCAPED = re.compile(r"[\"#&<>`\\*_~\[\]{}|]")
# $$ begins a formula and fa:fa- an icon, looked for after entities are resolved: a blank without width parts them.
_PARTED = re.compile(r"(?<=\$)(?=\$)|(?<=:)(?=fa-)")
_LISTED = re.compile(r"^(\d+)([.)])|^([-+])(?= )")


def mermaid(flow: Flow) -> str:
    """A flow in Mermaid's language, in Markdown-ready lines.

    Stops have a heavy border, blocks that set call_route another colour and the route in their text; what happens on
    errors is dashed. Texts are shortened.
    """
    drawn = picture(flow)
    names = {identifier: f"b{number}" for number, identifier in enumerate(drawn.blocks, start=1)}
    lines = [
        "flowchart LR",
        f"    accTitle: {_one_line(drawn.title)}",
        f"    accDescr: {_one_line(drawn.description)}",
    ]
    lines += [f"    {names[block.identifier]}{_shape(block)}" for block in drawn.blocks.values()]
    if drawn.start:
        lines += ['    b0(("call"))', f"    b0 --> {names[drawn.start]}"]
    for block in drawn.blocks.values():
        lines += [
            f"    {names[block.identifier]} {_arrow(branch)} {names[branch.target]}"
            for branch in block.branches
        ]
    for style, looks in {
        # Own colours of text and ground, so that they read on light and dark pages alike.
        "stop": "fill:#fff4d6,stroke:#8a5a00,stroke-width:3px,color:#1f2328",
        "route": "fill:#dff3e4,stroke:#1a7f37,color:#1f2328",
        "block": "fill:#f6f8fa,stroke:#6e7781,color:#1f2328",
    }.items():
        members = [names[block.identifier] for block in drawn.blocks.values() if _style(block) == style]
        if members:
            lines += [f"    classDef {style} {looks}", f"    class {','.join(members)} {style}"]
    return "\n".join(lines) + "\n"


def beyond_limits(chart: str) -> str:
    """By how much a chart is more than Mermaid renders by default; empty where it is not."""
    lines = len(re.findall(r"^    b\d+ -", chart, re.MULTILINE))
    if lines > _MOST_LINES:
        return f"{lines} lines between blocks, and Mermaid renders {_MOST_LINES}"
    if len(chart) > _MOST_CHARACTERS:
        return f"{len(chart):,} characters, and Mermaid renders {_MOST_CHARACTERS:,}"
    return ""


def _style(block: DrawnBlock) -> str:
    if block.stop:
        return "stop"
    return "block" if block.route is None else "route"


def _shape(block: DrawnBlock) -> str:
    texts = [f"<b>{_text(block.title)}</b>", _text(shorten(block.name, 1, _LONGEST_LABEL))]
    if block.route is not None:
        texts.append(f"call_route = {_text(shorten(block.route, 1, _LONGEST_LABEL))}")
    detail = " · ".join(line.strip() for line in block.detail.splitlines() if line.strip())
    texts.append(_text(shorten(detail, 1, _LONGEST_DETAIL)))
    label = "<br/>".join(filter(None, texts))
    return f'(["{label}"])' if block.stop else f'["{label}"]'


def _arrow(branch: Edge) -> str:
    label = _text(shorten(branch.label, 1, _LONGEST_LABEL))
    line = "-.->" if branch.error else "-->"
    return f'{line}|"{label}"|' if label else line


def _text(text: str) -> str:
    text = _PARTED.sub("\N{ZERO WIDTH SPACE}", " ".join(text.split()))
    text = _ESCAPED.sub(lambda found: f"#{ord(found[0])};", text)
    return _LISTED.sub(lambda found: f"{found[0][:-1]}#{ord(found[0][-1])};", text)


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("#", "").replace(";", ",")
