"""Core package of call-route-tracker: Amazon Connect flow tools, the local cloud, reports and the command line."""

from __future__ import annotations

__version__ = "0.2.0"
