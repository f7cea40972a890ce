"""Adds drop-off tracking to a flow: blocks that set `call_route`, `call_completed`, `call_flow` and `flow_version`."""

from __future__ import annotations

from callroute.flows.tracking.catalog import catalog_text, route_line
from callroute.flows.tracking.detail import ATTRIBUTE_BYTES, Detail
from callroute.flows.tracking.route_names import RouteName, RouteNames
from callroute.flows.tracking.tracked_flow import TrackedFlow, add_detail_to_content, add_tracking

__all__ = [
    "ATTRIBUTE_BYTES",
    "Detail",
    "RouteName",
    "RouteNames",
    "TrackedFlow",
    "add_detail_to_content",
    "add_tracking",
    "catalog_text",
    "route_line",
]
