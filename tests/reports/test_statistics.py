"""Tests the confidence intervals of changes against published values, and how often noise is marked."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from callroute.reports.report import Change, Share
from callroute.reports.statistics import change, difference, interval


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


@pytest.mark.parametrize("compare", [change, difference])
def test_noise_is_rarely_marked_in_any_of_many_comparisons(compare: Callable[..., Change]) -> None:
    chance, stops, marked = random.Random(1), 12, 0

    def share() -> Share:
        return Share(sum(chance.random() < 0.1 for _ in range(400)), 400)

    for _ in range(200):
        shares = [(share(), share()) for _ in range(stops)]
        marked += any(compare(now, before, stops).significant for now, before in shares)

    assert marked / 200 <= 0.08


def test_a_large_change_is_marked_even_among_many_comparisons() -> None:
    assert change(Share(80, 400), Share(40, 400), 12).significant
    assert not change(Share(50, 400), Share(40, 400), 12).significant


@pytest.mark.parametrize(
    ("share", "other", "significant"),
    [
        # The pooled two-proportion test gives z = 2.01 and 1.93. The limit is 1.96.
        (Share(117, 400), Share(92, 400), True),
        (Share(116, 400), Share(92, 400), False),
        (Share(0, 400), Share(0, 400), False),
        (Share(400, 400), Share(400, 400), False),
        (Share(0, 0), Share(1, 400), False),
    ],
)
def test_the_difference_of_two_groups_is_tested(share: Share, other: Share, significant: bool) -> None:
    assert difference(share, other, 1).significant is significant
    assert not difference(share, other, 12).significant


def test_the_interval_of_a_share_equals_a_published_value() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
    assert interval(Share(81, 263)) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert interval(Share(0, 0)) is None
    bounds = [interval(Share(count, 5)) or (0, 0) for count in (0, 5)]
    assert (bounds[0][0], bounds[1][1]) == (0, 1), "without rounding errors"
