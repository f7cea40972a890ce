"""Estimates the width of text without font metrics. Estimates tend to be too wide rather than too narrow."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NARROW = frozenset("iljtfrI.,:;'|!()[]{} -\"`")
_NOT_AT_LINE_START = frozenset("、。，．・：；！？）」』】〉》ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ")
_SPLIT_AFTER = frozenset("._-/:,;=@&?")
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
    """Returns the width of a string, in the same unit as the font size."""
    return size * sum(_ems(character) for character in text)


def shorten(text: str, size: float, max_width: float) -> str:
    """Truncates a string to a maximum width and adds an ellipsis if anything was cut."""
    available, kept, used = max_width - width("…", size), 0, 0.0
    for position, character in enumerate(text, start=1):
        used += size * _ems(character)
        if used <= available:
            kept = position
        if used > max_width:
            return text[:kept].rstrip() + "…"
    return text


def wrap(text: str, size: float, max_width: float, max_lines: int) -> list[str]:
    """Wraps a string into lines of a maximum width. If there are too many lines, the last one is truncated.

    Lines end at spaces or Japanese characters. A word that is longer than a line is split after punctuation or before
    a capital letter in it, and truncated if it has neither.
    """
    wrapped: list[str] = []
    space = " "
    for paragraph in text.splitlines():
        rest = paragraph.strip()
        while rest:
            if len(wrapped) == max_lines:
                wrapped[-1] = shorten(f"{wrapped[-1]}{space}{rest}…", size, max_width)
                return wrapped
            line, left = _first_line(rest, size, max_width)
            # A word that was split has no space in it.
            space = "" if rest.startswith(line + left) else " "
            rest = left
            wrapped.append(line)
    return wrapped


def _first_line(text: str, size: float, max_width: float) -> tuple[str, str]:
    """Splits a string into its first line and the rest."""
    end = _fitting(text, size, max_width)
    if end == len(text):
        return text, ""
    cut = _last_break(text, end, _between_words)
    next_break = next(
        (index for index in range(cut + 1, len(text)) if _between_words(text, index)), len(text)
    )
    if _fitting(text[cut:next_break].strip(), size, max_width) < len(text[cut:next_break].strip()):
        # The next word is too long even for a line of its own.
        cut = _last_break(text, end, _inside_word) or cut
        if not cut:
            return shorten(text[:next_break], size, max_width), text[next_break:].lstrip()
    return text[:cut].rstrip(), text[cut:].lstrip()


def _fitting(text: str, size: float, max_width: float) -> int:
    """Returns the number of characters that fit on a line."""
    used = 0.0
    for number, character in enumerate(text):
        used += size * _ems(character)
        if used > max_width:
            return number
    return len(text)


def _last_break(text: str, end: int, allowed: Callable[[str, int], bool]) -> int:
    return next((index for index in range(end, 0, -1) if allowed(text, index)), 0)


def _between_words(text: str, index: int) -> bool:
    """Returns whether a line can end before the character at this index."""
    before, after = text[index - 1], text[index]
    if before == " " or after == " ":
        return True
    if after in _NOT_AT_LINE_START or unicodedata.combining(after):
        return False
    return any(unicodedata.east_asian_width(character) in "WF" for character in (before, after))


def _inside_word(text: str, index: int) -> bool:
    """Returns whether a long word can be split before the character at this index."""
    before, after = text[index - 1], text[index]
    return (
        _between_words(text, index)
        or (before in _SPLIT_AFTER and after not in _SPLIT_AFTER)
        or (before.islower() and after.isupper())
    )
