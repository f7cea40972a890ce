"""Folders of the repository that tests read from."""

from __future__ import annotations

from pathlib import Path

import callroute

REPOSITORY = Path(callroute.__file__).resolve().parent.parent
FLOW_DEFINITIONS = REPOSITORY / "flow_definitions"
