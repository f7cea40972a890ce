"""Writes a report as a single HTML page that needs no other files and no network access."""

from __future__ import annotations

from callroute.reports.html.page import write_html

__all__ = ["write_html"]
