"""Builds the pack and serves it."""

from __future__ import annotations

from pulumi_policy import EnforcementLevel, PolicyPack

from call_route_policies import POLICIES

PolicyPack("call-route-tracker", POLICIES, enforcement_level=EnforcementLevel.MANDATORY)
