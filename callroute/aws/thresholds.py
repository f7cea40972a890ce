"""Thresholds shared by the alarms and `callroute doctor`."""

from __future__ import annotations

MAX_ITERATOR_AGE_SECONDS = 600
"""Age of the oldest record at which the pipe is too far behind."""
OBSERVED_SECONDS = 900
"""Period in which the pipe is observed."""
