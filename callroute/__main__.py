"""`python -m callroute`."""

from __future__ import annotations

from callroute.cli.app import app

app(prog_name="callroute")
