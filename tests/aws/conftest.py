"""Fixtures for the tests of AWS documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from callroute.local.emulator import Emulator
from tests.support.options import tracker_args
from tests.support.recorder import Recorder


@pytest.fixture
def recorder(emulator: Emulator) -> Callable[..., Recorder]:
    """Returns a function that creates a state machine from options of the tracker."""

    def make(**options: Any) -> Recorder:
        return Recorder(emulator, tracker_args(**options))

    return make
