"""Guards against commands that work on a local cloud that has ended, or that other users can read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from callroute.cli.stacks import choose_stack, local_stack
from callroute.errors import InputError
from callroute.local.cloud import LocalCloud
from callroute.local.shared_cloud import share, shared_cloud


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "call-route-tracker" / "local-cloud.json"


@pytest.mark.emulator
def test_commands_find_the_shared_local_cloud_until_it_ends(state: Path) -> None:
    with LocalCloud() as cloud, share(cloud):
        stack = local_stack()
        assert stack.outputs == cloud.deployment.outputs
        assert stack.client("dynamodb").describe_table(TableName=stack.output("tableName"))
        assert stack.pipe is not None
        assert "filterCriteria" in json.dumps(stack.pipe)
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
        with pytest.raises(InputError, match="stack local: has no output missing"):
            stack.output("missing")
    assert not state.exists()


def test_without_a_local_cloud_the_error_says_how_to_start_one() -> None:
    with pytest.raises(InputError, match=r"no local cloud is running[.] Start one with `callroute serve`"):
        choose_stack(None, local=True)


def test_a_file_left_by_a_process_that_was_killed_is_ignored(state: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    content = {"process_id": ended.pid, "endpoint": "", "region": "", "stack": "", "outputs": {}, "pipe": {}}
    state.parent.mkdir()
    state.write_text(json.dumps(content), encoding="utf-8")

    assert shared_cloud() is None


@pytest.mark.parametrize(("name", "local"), [(None, False), ("dev", True)])
def test_exactly_one_of_stack_and_local_is_required(name: str | None, local: bool) -> None:
    with pytest.raises(InputError, match="either --stack NAME or --local is required"):
        choose_stack(name, local)


def test_errors_of_pulumi_are_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(
        "#!/bin/sh\necho \"error: no stack named 'dve' found\" >&2\nexit 255\n", encoding="utf-8"
    )
    pulumi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    with pytest.raises(
        InputError, match=r"stack dve: its outputs cannot be read \(no stack named 'dve' found\)"
    ):
        choose_stack("dve", local=False)


def test_a_missing_pulumi_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(InputError, match="the Pulumi CLI is not on PATH"):
        choose_stack("dev", local=False)
