"""Fixtures of the engine tests."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture(autouse=True, scope="session")
def _pulumi() -> None:
    if shutil.which("pulumi") is None:
        pytest.skip(
            "Pulumi's CLI is not on PATH. Install it as described at https://www.pulumi.com/docs/install/ and run the tests again."
        )
