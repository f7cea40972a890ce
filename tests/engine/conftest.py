"""Fixtures of the engine tests."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from callroute.local.emulator import Emulator
from tests.engine.project import Project

SECONDS = 600
"""Time limit of a test, which runs several commands of the CLI."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Extends the time limit of the tests in this folder."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(autouse=True, scope="session")
def _pulumi() -> None:
    if shutil.which("pulumi") is None:
        pytest.skip(
            "Pulumi's CLI is not on PATH. Install it as described at https://www.pulumi.com/docs/install/ and run the tests again."
        )


@pytest.fixture(scope="module")
def previews(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project that is only previewed."""
    return Project.copy(tmp_path_factory.mktemp("previews"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of the project with an emulator for its resources."""
    if importlib.util.find_spec("ministack") is None:
        pytest.skip("needs the emulator: pip install -r requirements/local.txt")
    with Emulator() as emulator:
        yield Project.copy(tmp_path_factory.mktemp("project"), emulator)


@pytest.fixture(scope="module")
def dev(project: Project) -> Project:
    """The project with the stack `dev` deployed. Its pipe does not wait for full batches, and it keeps old records."""
    project.stack("dev", {"batchingWindowSeconds": "0", "retentionDays": "0"})
    project.succeed("up", "--yes", "--skip-preview")
    return project
