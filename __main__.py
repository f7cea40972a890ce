"""The Pulumi program: creates a CallRouteTracker from the stack configuration and exports its outputs."""

from __future__ import annotations

import pulumi

from components.call_route_tracker import CallRouteTracker, load_config

tracker = CallRouteTracker(pulumi.get_project(), load_config())
for name, value in tracker.outputs.items():
    pulumi.export(name, value)
