"""Options of a tracker for tests."""

from __future__ import annotations

from typing import Any

from call_route_tracker import CallRouteTrackerArgs

INSTANCE = "00000000-0000-0000-0000-000000000000"


def tracker_args(**options: Any) -> CallRouteTrackerArgs:
    """Returns the options of a tracker: the defaults with some changes."""
    return CallRouteTrackerArgs(connect_instance=INSTANCE, **options)
