"""Guards `callroute draw` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from callroute.cli.app import app

PLAIN = str(Path(__file__).parents[3] / "flow_definitions" / "call_route.json")


def draw(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["draw", *arguments])


def test_mermaid_comes_to_the_terminal_unless_told_otherwise() -> None:
    result = draw(PLAIN)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("flowchart LR\n")
    assert result.stdout.endswith("\n")
    assert draw(PLAIN, "--format", "mermaid").stdout == result.stdout


@pytest.mark.parametrize("option", ["-o", "--output"])
def test_a_picture_is_written_to_the_file_told(tmp_path: Path, option: str) -> None:
    out = tmp_path / "flow.svg"
    result = draw(PLAIN, "--format", "svg", option, str(out))
    assert (result.exit_code, result.stdout) == (0, "")
    assert out.read_text(encoding="utf-8") == draw(PLAIN, "--format", "svg").stdout
    assert out.read_text(encoding="utf-8").startswith("<svg ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.json",), "nowhere.json"),
        ((PLAIN, "--format", "png"), "png"),
        ((PLAIN, "-o", "/nowhere/at/all.svg"), "/nowhere/at/all.svg"),
        ((), "FLOW"),
    ],
)
def test_what_cannot_be_drawn_or_written_is_refused(arguments: tuple[str, ...], message: str) -> None:
    result = draw(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
