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
def parsed_once() -> Iterator[None]:
    """Makes the emulator's JSONata engine parse each expression only once, which makes many evaluations faster."""
    pytest.importorskip("ministack", reason="needs the emulator: pip install -r requirements/local.txt")
    from jsonata.parser import Parser

    from callroute.local.ministack_patches.jsonata_engine import parse_once

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Parser, "parse", parse_once(Parser.parse))
        yield
