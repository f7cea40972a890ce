"""Colors of the report. One accent marks callers who gave up; everything else is neutral."""

from __future__ import annotations

from collections.abc import Mapping

from callroute.flows.diagrams import HEAT_COLORS
from callroute.reports.report import Outcome

INK = "#1d2733"
MUTED = "#556170"
RULE = "#dde2e8"
ACCENT = "#b9510d"

OUTCOME_COLORS: Mapping[Outcome, str] = {
    "answered": "#3d5a80",
    "abandoned_in_queue": "#f3a45f",
    "completed": "#a9bcd0",
    "abandoned_in_flow": ACCENT,
}
"""Colors that differ in lightness, so they are distinct without color vision and in print."""
HEAT = ["#f4f6f8", *HEAT_COLORS[1:]]


def heat(share: float, most: float) -> int:
    """Returns the index of a color in HEAT_COLORS for a share.

    Args:
        share: the share, from 0 to 1.
        most: the largest share in the report.
    """
    if not share or not most:
        return 0
    return min(len(HEAT_COLORS) - 1, 1 + int((len(HEAT_COLORS) - 1) * share / most * 0.999))
