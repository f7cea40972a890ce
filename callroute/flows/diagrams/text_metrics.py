"""Estimates the width of text without font metrics. Estimates tend to be too wide rather than too narrow."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_NARROW = frozenset("iljtfrI.,:;'|!()[]{} -\"`")
_NOT_AT_LINE_START = frozenset("、。，．・：；！？）」』】〉》ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ")
_WIDE = frozenset("mwMW@%&—…")


@lru_cache(maxsize=4096)
def _ems(character: str) -> float:
    if unicodedata.combining(character):
        return 0
    if unicodedata.east_asian_width(character) in "WFA":
        return 1.0
    if character in _NARROW:
        return 0.38
    if character in _WIDE:
        return 0.98
    return 0.72 if character.isupper() else 0.6


def width(text: str, size: float) -> float:
    """Returns the width of a text, in the same unit as the font size."""
    return size * sum(_ems(character) for character in text)


def shorten(text: str, size: float, max_width: float) -> str:
    """Truncates a text to a maximum width and adds an ellipsis if anything was cut."""
    available, kept, used = max_width - width("…", size), 0, 0.0
    for position, character in enumerate(text, start=1):
        used += size * _ems(character)
        if used <= available:
            kept = position
        if used > max_width:
            return text[:kept].rstrip() + "…"
    return text


def wrap(text: str, size: float, max_width: float, max_lines: int) -> list[str]:
    """Wraps a text into lines of a maximum width. If there are too many lines, the last one is truncated.

    Japanese text can break anywhere, and other text breaks at spaces. Words that are too long are split.
    """
    wrapped: list[str] = []
    for paragraph in text.splitlines():
        rest = paragraph.strip()
        while rest:
            if len(wrapped) == max_lines:
                wrapped[-1] = shorten(f"{wrapped[-1]} {rest}…", size, max_width)
                return wrapped
            cut = _cut(rest, size, max_width)
            wrapped.append(rest[:cut].rstrip())
            rest = rest[cut:].lstrip()
    return wrapped


def _cut(text: str, size: float, max_width: float) -> int:
    """Returns the index at which the first line ends."""
    end, used = 0, 0.0
    while end < len(text) and used + size * _ems(text[end]) <= max_width:
        used += size * _ems(text[end])
        end += 1
    if end == len(text):
        return end
    space = text.rfind(" ", 0, end + 1)
    breaks_anywhere = unicodedata.east_asian_width(text[end]) in "WF" or (
        end and unicodedata.east_asian_width(text[end - 1]) in "WF"
    )
    if space > 0 and not breaks_anywhere:
        return space
    while end > 1 and text[end] in _NOT_AT_LINE_START:
        end -= 1
    return max(end, 1)
