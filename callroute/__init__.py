"""Amazon Connect flows, the local cloud, reports and commands of call-route-tracker."""

from __future__ import annotations

__version__ = "0.2.0"
