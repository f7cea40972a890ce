"""Adds drop-off tracking to a flow: blocks that set `call_route`, `call_completed` and `call_flow`."""

from __future__ import annotations

from callroute.flows.tracking.catalog import catalog_text, route_line
from callroute.flows.tracking.rewrite import PREFIX, strip_tracking
from callroute.flows.tracking.route_names import RouteName, RouteNames
from callroute.flows.tracking.tracked_flow import TrackedFlow, add_tracking

__all__ = [
    "PREFIX",
    "RouteName",
    "RouteNames",
    "TrackedFlow",
    "add_tracking",
    "catalog_text",
    "route_line",
    "strip_tracking",
]
