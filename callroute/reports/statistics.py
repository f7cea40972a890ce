"""Compares two shares and computes confidence intervals."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from statistics import NormalDist

from callroute.reports.report import Change, Share

CONFIDENCE = 0.95


def change(now: Share, before: Share, comparisons: int = 1) -> Change:
    """Returns the difference between two shares, with its confidence interval.

    The interval is method 10 in R. G. Newcombe, Interval estimation for the difference between independent proportions,
    Statistics in Medicine 17 (1998): it combines the Wilson score intervals of both shares. For several comparisons, each
    interval is widened by Bonferroni's correction, so that all of them hold together with 95% confidence.

    Args:
        now: the later share.
        before: the earlier share.
        comparisons: number of comparisons in the report.
    """
    share, earlier = now.value, before.value
    if share is None or earlier is None:
        return Change(now, before, None, None, None, significant=False)
    z = _quantile(comparisons)
    (low, high), (earlier_low, earlier_high) = _wilson(now, z), _wilson(before, z)
    difference = share - earlier
    lower = difference - sqrt((share - low) ** 2 + (earlier_high - earlier) ** 2)
    upper = difference + sqrt((high - share) ** 2 + (earlier - earlier_low) ** 2)
    return Change(now, before, difference, lower, upper, significant=lower > 0 or upper < 0)


def difference(share: Share, other: Share, comparisons: int) -> Change:
    """Returns the difference between the shares of two groups of calls, like `change`.

    Unlike there, it is significant only if the two-proportion test with a pooled variance also rejects equal shares. Both
    the test and the interval use Bonferroni's correction.

    Args:
        share: share in one group.
        other: share in the other group.
        comparisons: number of comparisons.
    """
    found = change(share, other, comparisons)
    calls = share.of + other.of
    pooled = (share.count + other.count) / calls if calls else 0.0
    if found.difference is None or not 0 < pooled < 1:
        return replace(found, significant=False)
    score = found.difference / sqrt(pooled * (1 - pooled) * (1 / share.of + 1 / other.of))
    return replace(found, significant=found.significant and abs(score) > _quantile(comparisons))


def interval(share: Share) -> tuple[float, float] | None:
    """Returns the 95% score interval of a share, or None if there are no calls."""
    return _wilson(share, _quantile(1)) if share.of else None


def _quantile(comparisons: int) -> float:
    """Returns the quantile of the normal distribution for two-sided intervals with Bonferroni's correction."""
    return NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / comparisons / 2)


def _wilson(share: Share, z: float) -> tuple[float, float]:
    """Returns the score interval of a share: E. B. Wilson, Journal of the American Statistical Association 22 (1927)."""
    n, p = share.of, share.count / share.of
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = (middle - half) / (1 + z * z / n) if share.count else 0.0
    high = (middle + half) / (1 + z * z / n) if share.count < n else 1.0
    return low, high
