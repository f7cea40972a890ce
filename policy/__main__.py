"""Builds the pack and serves it. The engine starts this in the pack's own folder, with nothing else on the path."""

from __future__ import annotations

import sys
from pathlib import Path

# The rules share the flow toolkit and the derived permissions with the program, which lies one folder up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pulumi_policy import EnforcementLevel, PolicyPack

from policy.rules import POLICIES

PolicyPack("call-route-tracker", POLICIES, enforcement_level=EnforcementLevel.MANDATORY)
