"""Draws a flow: as Mermaid, which renders in pull requests, or as SVG, which shows it as the flow designer does.

The same flow gives the same text to the last character.
"""

from __future__ import annotations

from callroute.flows.diagrams.mermaid import beyond_limits, mermaid
from callroute.flows.diagrams.svg import svg

__all__ = ["beyond_limits", "mermaid", "svg"]
