"""Draws a flow as a Mermaid flowchart or as an SVG image.

The output is deterministic: The same flow always produces the same text.
"""

from __future__ import annotations

from callroute.flows.diagrams.mermaid import exceeded_limit, mermaid
from callroute.flows.diagrams.svg import HEAT_COLORS, STYLE, Figures, svg

__all__ = ["HEAT_COLORS", "STYLE", "Figures", "exceeded_limit", "mermaid", "svg"]
