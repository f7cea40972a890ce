"""Colors of the report. One accent marks callers who gave up; everything else is neutral."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from callroute.flows.diagrams import HEAT_COLORS
from callroute.reports.report import Ending, Outcome

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
PALE_COLORS: Mapping[Outcome, str] = {
    "answered": "#b1bdcc",
    "abandoned_in_queue": "#fbdfc4",
    "completed": "#dde4ec",
    "abandoned_in_flow": "#e3b99e",
}
"""Colors of the previous span."""
ENDING_COLORS: Mapping[Ending, str] = {
    "hung_up": ACCENT,
    "silence": "#f3a45f",
    "wrong_key": "#7d3405",
    "error": "#2e1300",
    "completed": "#a9bcd0",
    "transferred": "#3d5a80",
    "continued": RULE,
}
"""Colors in the waterfall, in the order of the bar. Adjacent ones differ in lightness."""
HEAT = ["#f4f6f8", *HEAT_COLORS[1:]]


def heat(calls: int, most: int) -> int:
    """Returns the index of a color in HEAT_COLORS for a number of calls.

    Args:
        calls: the number.
        most: the largest number in the drawing.
    """
    return ceil((len(HEAT_COLORS) - 1) * calls / max(most, 1))
