"""Tests the confidence intervals of changes against published values, and how often noise is marked."""

from __future__ import annotations

import random

import pytest

from callroute.reports.report import Share
from callroute.reports.statistics import change


@pytest.mark.parametrize(
    ("now", "before", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table II, method 10.
        (Share(56, 70), Share(48, 80), 0.0524, 0.3339),
        (Share(9, 10), Share(3, 10), 0.1705, 0.8090),
        (Share(10, 10), Share(0, 20), 0.6791, 1.0),
    ],
)
def test_intervals_equal_published_values(now: Share, before: Share, low: float, high: float) -> None:
    found = change(now, before)

    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


def test_a_share_without_calls_has_no_change() -> None:
    found = change(Share(0, 0), Share(1, 2))

    assert (found.difference, found.significant) == (None, False)


def test_noise_is_rarely_marked_in_any_of_many_comparisons() -> None:
    chance, stops, marked = random.Random(1), 12, 0

    def share() -> Share:
        return Share(sum(chance.random() < 0.1 for _ in range(400)), 400)

    for _ in range(200):
        shares = [(share(), share()) for _ in range(stops)]
        marked += any(change(now, before, stops).significant for now, before in shares)

    assert marked / 200 <= 0.08


def test_a_large_change_is_marked_even_among_many_comparisons() -> None:
    assert change(Share(80, 400), Share(40, 400), 12).significant
    assert not change(Share(50, 400), Share(40, 400), 12).significant
