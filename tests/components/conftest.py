"""One recording engine for all tests of the components."""

from __future__ import annotations

import pytest

from tests.support.engine import Engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bounds the process of a test that runs a program.

    Pulumi waits for outstanding calls even after an exception, so that the signal with which pytest-timeout usually
    stops a test would itself be waited out. Its thread method ends the process.
    """
    for item in items:
        if "engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(60, method="thread"))


@pytest.fixture
def engine() -> Engine:
    """A fresh engine that records what is registered."""
    return Engine()
