"""What routes are called in reports: what callers hear there; and the text of a route catalog."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import attributes_of
from callroute.flows.block_types import NO_CONDITION, StopKind, type_of
from callroute.flows.references import paths_in, whole

if TYPE_CHECKING:
    from callroute.flows.flow import Block
    from callroute.flows.route_catalog import Route, RouteCatalog
    from callroute.flows.tracking.graph import Graph, Way

LONGEST = 80
"""Characters of a text that make a label."""

# For stops that say nothing that stands in the flow.
_SILENT: Mapping[StopKind, tuple[str, str]] = {
    "prompt": ("Recorded message", "録音メッセージ"),
    "menu": ("Menu", "メニュー"),
    "input": ("Input", "番号の入力"),
    "bot": ("Bot", "自動音声の対話"),
    "view": ("View", "画面"),
    "wait": ("Waiting", "待機"),
    "hold": ("On hold", "保留"),
    "queue": ("Transfer to a queue", "キューへの転送"),
    "agent": ("Transfer to an agent", "担当者への転送"),
    "third party": ("Transfer to a telephone number", "外線への転送"),
    "other flow": ("Another flow", "別のフロー"),
}
_END = ("End of the call", "通話の終了")

_TAG = re.compile(r"<[^>]*>")
# JSON leaves these as they are, and YAML does not take them so.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def label(graph: Graph, blocks: Iterable[str]) -> tuple[str, str]:
    """What a caller hears first from one of these blocks on, in English and in Japanese.

    What happens when all goes well goes before what happens after an error, when closed, or otherwise; a text goes
    before a stop that says nothing. The language of a text is not known: it stands for both, until somebody translates
    it.
    """
    seen: set[str] = set()
    likely: list[tuple[str, Mapping[str, str]]] = [(block, {}) for block in blocks]
    while likely:
        silent: tuple[str, str] | None = None
        less_likely: list[tuple[str, Mapping[str, str]]] = []
        pending = deque(likely)
        while pending:
            block, known = pending.popleft()
            if block in seen:
                continue
            seen.add(block)
            action = graph.flow.blocks[block]
            row = type_of(action)
            if row is not None and row.stop is not None:
                text = spoken(action)
                if text:
                    return text, text
                silent = silent or _SILENT[row.stop]
                continue
            known = {**known, **{name: str(value) for name, value in attributes_of(action).items()}}
            ways = _taken(graph, action, known)
            silent = silent or (None if ways else _END)
            for way in ways:
                otherwise = len(ways) > 1 and way.label == NO_CONDITION
                onward = less_likely if otherwise or graph.failure(way) else pending
                onward.append((way.target, known))
        if silent:
            return silent
        likely = less_likely
    return _END


def _taken(graph: Graph, action: Block, known: Mapping[str, str]) -> Sequence[Way]:
    """The ways out of a block; of a Compare of an attribute that was set on the way here, the one for its value."""
    ways = graph.ways(action.identifier)
    subject = whole(str(action.parameters.get("ComparisonValue"))) if action.type == "Compare" else None
    value = known.get(subject[1]) if subject and subject[0] == "Attributes" and len(subject) > 1 else None
    if value is None or paths_in(value):
        return ways
    return [way for way in ways if way.label == value] or [way for way in ways if way.label == NO_CONDITION]


def spoken(action: Block) -> str:
    """The text that a block speaks, on one line, cut to a label's length; empty where it speaks none."""
    text = action.parameters.get("Text") or _TAG.sub(" ", str(action.parameters.get("SSML") or ""))
    return _cut(" ".join(str(text).split()))


def told_apart(route: str, text: str, others: Iterable[str]) -> str:
    """A label as it is, or with its route in front where another route has the same."""
    return _cut(f"{route}: {text}") if text in others else text


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def catalog_text(catalog: RouteCatalog) -> str:
    """A route catalog as YAML, a line for each route."""
    lines = [
        "# What the flow gives to call_route. Labels are what callers hear there; put your own words in their place.",
        f"flow: {_quoted(catalog.flow)}",
    ]
    if catalog.call_flow is not None:
        lines.append(f"call_flow: {_quoted(catalog.call_flow)}")
    if catalog.placeholders:
        lines.append("placeholders:")
        lines += [f"  {_quoted(name)}: {_quoted(text)}" for name, text in catalog.placeholders.items()]
    lines.append("routes:")
    lines += [route_line(route) for route in catalog.routes.values()]
    return "\n".join(lines) + "\n"


def route_line(route: Route) -> str:
    """A route as a line of a catalog."""
    parent = f"parent: {_quoted(route.parent)}, " if route.parent is not None else ""
    return f"  - {{route: {_quoted(route.route)}, {parent}en: {_quoted(route.en)}, ja: {_quoted(route.ja)}}}"


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
