"""Guards against commands that run for hours on a flow that Connect would reject for its size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from callroute.cli.app import app
from tests.flows.generated import oversized

pytestmark = pytest.mark.timeout(100)


@pytest.fixture
def flow(tmp_path: Path) -> str:
    path = tmp_path / "large.json"
    path.write_text(oversized(100_001), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("command", ["track", "simulate"])
def test_commands_reject_an_oversized_flow_with_exit_code_2(command: str, flow: str) -> None:
    result = CliRunner().invoke(app, [command, flow])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Actions: the flow has 100,001 blocks; Connect allows 250" in result.stderr


def test_check_reports_only_the_sizes_with_exit_code_1(flow: str) -> None:
    result = CliRunner().invoke(app, ["check", "--format", "json", flow])
    assert result.exit_code == 1
    findings = json.loads(result.stdout)["findings"]
    assert {finding["rule"] for finding in findings} == {"too-many-blocks", "content-too-long"}
    assert {finding["line"] for finding in findings} == {1}
