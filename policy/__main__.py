"""Starts the policy pack."""

from __future__ import annotations

from call_route_policies import create_pack

create_pack("call-route-tracker")
