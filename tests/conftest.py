"""Shared test setup: the emulator fixture and the hypothesis profile."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from callroute.local.emulator import Emulator

# No test asserts a duration, so examples have no deadline. CI always uses the same examples, so that only a change can
# cause a failure. Elsewhere, each run tries new ones.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("project")


SLOW = [
    Path(__file__).parent / path
    for path in ("engine", "faults", "policies/exam", "aws/test_second_database.py")
]


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """An emulator shared by all tests.

    A module that deploys a stack calls `emulator.reset()` first, so that names are available. As a result, no module can
    rely on another module's resources.
    """
    if importlib.util.find_spec("ministack") is None:
        pytest.skip("needs the emulator: pip install -r requirements/local.txt")
    with Emulator() as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Adds the emulator marker to all tests that use the emulator, directly or through another fixture.

    With several workers, the slowest files come first, so that no worker runs one of them alone at the end.
    """
    for item in items:
        if "emulator" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.emulator)
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: not any(item.path.is_relative_to(path) for path in SLOW))
