"""Fixtures for the tests of the components."""

from __future__ import annotations

import pytest

from tests.support.engine import Engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Limits the duration of tests that run a program.

    Pulumi waits for outstanding calls even after an exception, so the signal that pytest-timeout sends by default would not
    stop a test. The thread method ends the process.
    """
    for item in items:
        if "engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(60, method="thread"))


@pytest.fixture
def engine() -> Engine:
    """Returns an engine that records registered resources."""
    return Engine()
