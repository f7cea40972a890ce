"""Suggests known words for a misspelled word."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches


def did_you_mean(word: str, known: Collection[str], otherwise: str = "", *, limit: int = 1) -> str:
    """Returns a question that suggests similar words, or `otherwise` if no word is similar."""
    near = get_close_matches(word, known, n=limit)
    return f"Did you mean {' or '.join(near)}?" if near else otherwise


def suggestion(word: str, known: Collection[str]) -> str:
    """Returns ` (did you mean 'x'?)` for the most similar known word, or an empty string if none is similar."""
    near = get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
