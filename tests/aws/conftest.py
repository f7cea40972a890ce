"""Fixtures of the documents' tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from callroute.aws.state_machine import RecordFormat
from callroute.local.emulator import Emulator
from tests.support.recorder import Recorder


@pytest.fixture
def recorder(emulator: Emulator) -> Callable[..., Recorder]:
    """Makes a state machine; takes the fields of RecordFormat."""

    def make(**record: Any) -> Recorder:
        return Recorder(emulator, RecordFormat(**record))

    return make
