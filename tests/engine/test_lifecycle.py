"""Guards against a program that Pulumi's real engine cannot preview, deploy, update or destroy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callroute.local.emulator import Emulator
from tests.engine.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Emulator() as emulator:
        yield Project.copy(tmp_path, emulator)


@pytest.mark.emulator
def test_a_stack_goes_up_stays_unchanged_and_is_destroyed(project: Project) -> None:
    project.stack("dev")

    up = project.pulumi("up", "--yes", "--skip-preview")
    assert up.code == 0, up.text
    again = project.pulumi("up", "--yes", "--expect-no-changes")
    assert again.code == 0, again.text
    refreshed = project.pulumi("refresh", "--yes", "--expect-no-changes")
    assert refreshed.code == 0, refreshed.text
    destroyed = project.pulumi("destroy", "--yes")
    assert destroyed.code == 0, destroyed.text
    assert project.state() == []
