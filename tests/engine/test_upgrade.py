"""Guards against upgrades that would replace resources of stacks that an earlier version deployed."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from callroute.local.emulator import Emulator
from tests.engine.event_log import operations, run_with_log
from tests.engine.project import Project
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.emulator

EARLIER = "d9e9dbd8b752d4d301b356d0712db51c69710077"
"""Last commit before the ARNs in documents were built from names."""
PROGRAM = ("__main__.py", "callroute", "components", "flow_definitions", "policy")
NEW_OPTIONS = re.compile(r"^ *(call-route-tracker:alarmAfterHoursWithoutCalls|detail): .*\n", re.MULTILINE)
"""Options in the configuration of the stacks that the earlier version does not have."""
DATA = {"aws:dynamodb/table:Table", "aws:kinesis/stream:Stream", "aws:sqs/queue:Queue"}


@pytest.fixture(scope="module")
def earlier() -> bytes:
    """An archive of the earlier program."""
    done = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", "archive", EARLIER, *PROGRAM],  # noqa: S607 - git from PATH
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"needs the history of the repository, which has no commit {EARLIER[:7]}")
    return done.stdout


@pytest.mark.parametrize("stack", ["prod", "local"])
def test_a_stack_of_the_earlier_version_goes_up_without_a_replacement(
    earlier: bytes, stack: str, tmp_path: Path
) -> None:
    with Emulator() as emulator:
        upgrade(Project.copy(tmp_path, emulator), earlier, stack, tmp_path / "current")


def upgrade(project: Project, earlier: bytes, stack: str, current: Path) -> None:
    current.mkdir()
    for name in PROGRAM:
        (project.folder / name).rename(current / name)
    with tarfile.open(fileobj=io.BytesIO(earlier)) as archive:
        archive.extractall(project.folder, filter="data")
    project.stack(stack)
    configuration = project.folder / f"Pulumi.{stack}.yaml"
    configuration.write_text(NEW_OPTIONS.sub("", configuration.read_text(encoding="utf-8")), encoding="utf-8")
    project.succeed("up", "--yes", "--skip-preview")
    before = {each["urn"]: each for each in project.state()}
    for name in PROGRAM:
        old = project.folder / name
        shutil.rmtree(old) if old.is_dir() else old.unlink()
        (current / name).rename(old)
    project.stack(stack)

    done, events = run_with_log(project, "up", "--yes", "--skip-preview")

    assert done.code == 0, done.text
    steps = operations(events)
    after = {each["urn"]: each for each in project.state()}
    assert {operation for operation, *_ in steps} <= {"same", "update", "create"}
    assert before.keys() <= after.keys()
    assert {urn: each["id"] for urn, each in before.items() if each.get("custom")}.items() <= {
        urn: each["id"] for urn, each in after.items() if each.get("custom")
    }.items()
    assert not [name for operation, type_, name in steps if operation == "update" and type_ in DATA]
