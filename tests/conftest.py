"""What tests of several rooms share: the emulator, and how examples are chosen."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from callroute.local.emulator import Emulator

# No test asserts a time, so no example has a deadline either. CI tries the same examples each time: a change is judged by
# what it changed. Elsewhere chance goes on looking.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("project")


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """One running emulator for all tests, started by the first that asks for it.

    It is shared: a module that deploys a stack calls `emulator.reset()` before, so that the names are free. Nothing
    deployed may therefore live longer than its module.
    """
    if importlib.util.find_spec("ministack") is None:
        pytest.skip("needs the emulator: pip install -r requirements/local.txt")
    with Emulator() as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks whatever uses the emulator, through whichever fixture, so that `-m 'not emulator'` is quick and complete."""
    for item in items:
        if "emulator" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.emulator)
