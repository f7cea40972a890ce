"""Fixtures for the tests of AWS documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="module")
def patched_engine() -> Iterator[None]:
    """Applies the emulator's patches to its JSONata engine."""
    pytest.importorskip("ministack", reason="needs the emulator: pip install -r requirements/local.txt")
    from callroute.local.ministack_patches.patches import ENGINE_PATCHES

    with pytest.MonkeyPatch.context() as patched:
        for patch in ENGINE_PATCHES:
            patched.setattr(patch.owner, patch.name, patch.wrap(patch.original()))
        yield
