"""Tests of `callroute draw`: formats, files and errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callroute.cli.app import app
from tests.support.paths import FLOW_DEFINITIONS

PLAIN = str(FLOW_DEFINITIONS / "call_route.json")


def draw(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["draw", *arguments], input=stdin)


def test_mermaid_is_printed_by_default() -> None:
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
def test_charts_beyond_the_limits_of_mermaid_are_printed_with_a_note(
    tmp_path: Path, count: int, keys: str, text: str, limit: str
) -> None:
    """Mermaid shows an error instead of a chart if it exceeds the default number of lines or characters."""
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


@pytest.mark.parametrize(
    ("name", "options", "beginning"),
    [
        ("flow.svg", (), "<svg "),
        ("flow.SVG", (), "<svg "),
        ("flow.mmd", (), "flowchart LR"),
        ("flow.mermaid", (), "flowchart LR"),
        ("flow.mmd", ("--format", "svg"), "<svg "),
        ("flow.svg", ("--format", "mermaid"), "flowchart LR"),
        ("flow.txt", ("--format", "mermaid"), "flowchart LR"),
    ],
)
@pytest.mark.parametrize("option", ["-o", "--output"])
def test_suffix_decides_the_format_and_format_overrides_it(
    tmp_path: Path, option: str, name: str, options: tuple[str, ...], beginning: str
) -> None:
    out = tmp_path / name

    result = draw(PLAIN, option, str(out), *options)

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert out.read_text(encoding="utf-8").startswith(beginning)


def test_file_and_standard_output_get_the_same_drawing(tmp_path: Path) -> None:
    out = tmp_path / "flow.svg"
    draw(PLAIN, "-o", str(out))
    assert out.read_text(encoding="utf-8") == draw(PLAIN, "--format", "svg").stdout


def test_a_flow_can_come_from_standard_input() -> None:
    text = Path(PLAIN).read_text(encoding="utf-8")
    assert draw("-", stdin=text).stdout.startswith("flowchart LR\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.json",), "nowhere.json"),
        ((PLAIN, "--format", "png"), "--format: 'png' is not one of 'mermaid', 'svg'. See"),
        ((PLAIN, "-o", "flow.png"), "'flow.png' does not end in .svg, .mmd or .mermaid"),
        ((PLAIN, "-o", "flow"), "'flow' does not end in .svg, .mmd or .mermaid"),
        ((PLAIN, "-o", "/nowhere/at/all.svg"), "/nowhere/at/all.svg"),
        (("EMPTY",), "the flow has no blocks to draw"),
        ((), "missing argument 'FLOW'"),
    ],
)
def test_unusable_arguments_exit_with_2(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    empty = tmp_path / "empty.json"
    empty.write_text('{"Version": "2019-10-30", "StartAction": "a", "Actions": []}', encoding="utf-8")
    result = draw(*(each.replace("EMPTY", str(empty)) for each in arguments))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
