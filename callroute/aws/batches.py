"""Splits items into batches that fit within a request's limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(
    items: Iterable[T], *, size: Callable[[T], int], max_items: int, max_size: int
) -> Iterator[list[T]]:
    """Splits items into batches, in order. An item larger than the maximum size gets a batch of its own.

    Args:
        items: the items.
        size: returns the size of an item.
        max_items: maximum number of items in a batch.
        max_size: maximum total size of the items in a batch.
    """
    batch: list[T] = []
    total = 0
    for item in items:
        length = size(item)
        if batch and (len(batch) == max_items or total + length > max_size):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += length
    if batch:
        yield batch
