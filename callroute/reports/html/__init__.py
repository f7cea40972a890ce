"""Writes a report as one HTML page that needs no other file and no network."""

from __future__ import annotations

from callroute.reports.html.page import write_html

__all__ = ["write_html"]
