"""Guards `callroute draw` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from callroute.cli.app import app
from tests.support.paths import FLOW_DEFINITIONS

PLAIN = str(FLOW_DEFINITIONS / "call_route.json")


def draw(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["draw", *arguments])


def test_mermaid_comes_to_the_terminal_unless_told_otherwise() -> None:
    result = draw(PLAIN)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("flowchart LR\n")
    assert result.stdout.endswith("\n")
    assert draw(PLAIN, "--format", "mermaid").stdout == result.stdout


@pytest.mark.parametrize(
    ("count", "keys", "text", "limit"),
    [
        (60, "123456789", "x", "edges, but Mermaid renders at most 500"),
        (200, "1", "*ill* " * 40, "characters, but Mermaid renders at most 50,000"),
    ],
)
def test_a_chart_that_mermaid_would_not_render_is_given_with_a_note(
    tmp_path: Path, count: int, keys: str, text: str, limit: str
) -> None:
    """Mermaid shows an error in place of a chart with more lines or characters than its defaults allow."""
    menus = [
        {
            "Identifier": f"menu-{number}-{'m' * 40}",
            "Type": "GetParticipantInput",
            "Parameters": {"Text": text, "StoreInput": "False", "InputTimeLimitSeconds": "5"},
            "Transitions": {
                "NextAction": "end",
                "Conditions": [
                    {
                        "NextAction": f"menu-{(number + int(key)) % count}-{'m' * 40}",
                        "Condition": {"Operator": "Equals", "Operands": [key]},
                    }
                    for key in keys
                ],
                "Errors": [{"NextAction": "end", "ErrorType": "NoMatchingError"}],
            },
        }
        for number in range(count)
    ]
    end = {"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}
    path = tmp_path / "large.json"
    path.write_text(
        json.dumps(
            {"Version": "2019-10-30", "StartAction": menus[0]["Identifier"], "Actions": [*menus, end]}
        ),
        encoding="utf-8",
    )
    result = draw(str(path))
    assert result.exit_code == 0
    assert result.stdout.startswith("flowchart LR\n")
    assert limit in result.stderr
    assert "--format svg" in result.stderr
    assert draw(str(path), "--format", "svg").stderr == ""


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
