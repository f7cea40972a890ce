"""Provides a small flow for the scenario tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callroute.flows.flow import Flow
from tests.flows.simulation.shop import BLOCKS


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    """A small flow with a menu, stored as shop.json in a temporary folder."""
    text = json.dumps({"Version": "2019-10-30", "StartAction": "menu", "Actions": BLOCKS})
    return Flow.parse(text, str(tmp_path / "shop.json"))
