"""Derives labels for routes from the first prompt that callers hear."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import attributes_of
from callroute.flows.block_types import NO_CONDITION, StopKind, type_of
from callroute.flows.references import paths_in, whole

if TYPE_CHECKING:
    from callroute.flows.flow import Block
    from callroute.flows.tracking.graph import Edge, FlowGraph

MAX_LABEL = 80
"""Maximum number of characters in a label."""

# English and Japanese labels for stops without a prompt.
_STOP_LABELS: Mapping[StopKind, tuple[str, str]] = {
    "prompt": ("Recorded message", "録音メッセージ"),
    "menu": ("Menu", "メニュー"),
    "input": ("Input", "番号の入力"),
    "bot": ("Bot", "自動音声の対話"),
    "view": ("View", "画面"),
    "wait": ("Waiting", "待機"),
    "hold": ("On hold", "保留"),
    "queue": ("Transfer to a queue", "キューへの転送"),
    "agent": ("Transfer to an agent", "担当者への転送"),
    "third party": ("Transfer to a phone number", "外線への転送"),
    "other flow": ("Another flow", "別のフロー"),
}
_END_LABEL = ("End of the call", "通話の終了")

_TAG = re.compile(r"<[^>]*>")


def route_label(graph: FlowGraph, blocks: Iterable[str]) -> tuple[str, str]:
    """Returns the English and Japanese labels for a route that begins at one of these blocks.

    Prompts reached without a failure are preferred. Stops without a prompt are a fallback. The language of a prompt
    is unknown, so it is used for both labels until a user edits them.
    """
    seen: set[str] = set()
    likely: list[tuple[str, Mapping[str, str]]] = [(block, {}) for block in blocks]
    while likely:
        fallback: tuple[str, str] | None = None
        less_likely: list[tuple[str, Mapping[str, str]]] = []
        pending = deque(likely)
        while pending:
            identifier, attributes = pending.popleft()
            if identifier in seen:
                continue
            seen.add(identifier)
            block = graph.flow.blocks[identifier]
            block_type = type_of(block)
            if block_type is not None and block_type.stop is not None:
                text = _prompt_text(block)
                if text:
                    return text, text
                fallback = fallback or _STOP_LABELS[block_type.stop]
                continue
            attributes = {
                **attributes,
                **{name: str(value) for name, value in attributes_of(block).items()},
            }
            edges = _possible_edges(graph, block, attributes)
            fallback = fallback or (None if edges else _END_LABEL)
            for edge in edges:
                no_match = len(edges) > 1 and edge.label == NO_CONDITION
                following = less_likely if no_match or graph.is_failure(edge) else pending
                following.append((edge.target, attributes))
        if fallback:
            return fallback
        likely = less_likely
    return _END_LABEL


def _possible_edges(graph: FlowGraph, block: Block, attributes: Mapping[str, str]) -> Sequence[Edge]:
    """Returns the outgoing edges. If the block compares an attribute whose value is known, only the matching ones."""
    edges = graph.outgoing(block.identifier)
    compared = whole(str(block.parameters.get("ComparisonValue"))) if block.type == "Compare" else None
    value = (
        attributes.get(compared[1])
        if compared and compared[0] == "Attributes" and len(compared) > 1
        else None
    )
    if value is None or paths_in(value):
        return edges
    matching = [edge for edge in edges if edge.label == value]
    return matching or [edge for edge in edges if edge.label == NO_CONDITION]


def _prompt_text(block: Block) -> str:
    """Returns a block's prompt as a single line, truncated to the maximum label length, or an empty string."""
    text = block.parameters.get("Text") or _TAG.sub(" ", str(block.parameters.get("SSML") or ""))
    return _cut(" ".join(str(text).split()))


def unique_label(route: str, label: str, others: Iterable[str]) -> str:
    """Returns the label, prefixed with the route if another route has the same label."""
    return _cut(f"{route}: {label}") if label in others else label


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LABEL else line[: MAX_LABEL - 1].rstrip() + "…"
