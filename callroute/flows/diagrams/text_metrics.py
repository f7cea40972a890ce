"""How wide texts are, without a font at hand: estimates that err on the wide side."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_NARROW = frozenset("iljtfrI.,:;'|!()[]{} -\"`")
_NOT_FIRST = frozenset("、。，．・：；！？）」』】〉》ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ")
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
    """The width of a text, in the units of the font's size."""
    return size * sum(_ems(character) for character in text)


def shorten(text: str, size: float, most: float) -> str:
    """A text cut to a width, with an ellipsis where something is missing."""
    room, kept, used = most - width("…", size), 0, 0.0
    for position, character in enumerate(text, start=1):
        used += size * _ems(character)
        if used <= room:
            kept = position
        if used > most:
            return text[:kept].rstrip() + "…"
    return text


def wrap(text: str, size: float, most: float, lines: int) -> list[str]:
    """A text in lines of a width, the last one shortened if there is more.

    Japanese may break anywhere, other text at blanks; a word that is too long is broken.
    """
    wrapped: list[str] = []
    for paragraph in text.splitlines():
        rest = paragraph.strip()
        while rest:
            if len(wrapped) == lines:
                wrapped[-1] = shorten(f"{wrapped[-1]} {rest}…", size, most)
                return wrapped
            cut = _cut(rest, size, most)
            wrapped.append(rest[:cut].rstrip())
            rest = rest[cut:].lstrip()
    return wrapped


def _cut(text: str, size: float, most: float) -> int:
    """Where a line ends."""
    end, used = 0, 0.0
    while end < len(text) and used + size * _ems(text[end]) <= most:
        used += size * _ems(text[end])
        end += 1
    if end == len(text):
        return end
    blank = text.rfind(" ", 0, end + 1)
    breaks_anywhere = unicodedata.east_asian_width(text[end]) in "WF" or (
        end and unicodedata.east_asian_width(text[end - 1]) in "WF"
    )
    if blank > 0 and not breaks_anywhere:
        return blank
    while end > 1 and text[end] in _NOT_FIRST:
        end -= 1
    return max(end, 1)
