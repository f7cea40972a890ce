"""Tests of `callroute diff`: what differs, the effect on routes, formats and Git revisions."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from callroute.cli.app import app
from tests.support.paths import FLOW_DEFINITIONS

MENU = json.loads((FLOW_DEFINITIONS / "call_route.json").read_text(encoding="utf-8"))
END = {"Identifier": "extra", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the flow `old.json`."""
    monkeypatch.chdir(tmp_path)
    write("old.json", MENU)
    return tmp_path


def write(name: str, flow: Any) -> None:
    Path(name).write_text(json.dumps(flow), encoding="utf-8")


def changed() -> dict[str, Any]:
    """Returns the flow with another prompt, another branch, an additional block and another position."""
    flow: dict[str, Any] = copy.deepcopy(MENU)
    menu = block_of(flow, "menu-start")
    menu["Parameters"]["Text"] = "New text"
    menu["Transitions"]["Conditions"][0]["NextAction"] = "route-2"
    flow["Actions"].append(END)
    flow["Metadata"] = {"entryPointPosition": {"x": 1, "y": 1}}
    return flow


def block_of(flow: dict[str, Any], identifier: str) -> dict[str, Any]:
    return next(each for each in flow["Actions"] if each["Identifier"] == identifier)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["diff", *arguments])


def only_flow(result: Result) -> dict[str, Any]:
    (flow,) = json.loads(result.stdout)["flows"]
    return dict(flow)


def test_a_prompt_a_branch_and_a_block_that_differ_are_shown_with_the_effect_on_routes() -> None:
    write("new.json", changed())

    result = run("old.json", "new.json")

    assert result.exit_code == 0
    assert "~ 'menu-start' (GetParticipantInput)" in result.stdout
    assert 'prompt Text is "New text" instead of "お電話' in result.stdout
    assert "branch condition 1 leads to 'route-2' instead of 'route-1'" in result.stdout
    assert "+ 'extra' (DisconnectParticipant)" in result.stdout
    assert "routes that vanish from reports: '1', '1-1', '1-2'" in result.stdout
    assert "stops that no call reaches anymore: 'menu-1', 'notice-1'" in result.stdout


def test_json_contains_every_change() -> None:
    write("new.json", changed())

    flow = only_flow(run("old.json", "new.json", "--format", "json"))

    assert [(each["change"], each["block"]) for each in flow["blocks"]] == [
        ("changed", "menu-start"),
        ("added", "extra"),
    ]
    assert flow["blocks"][0]["branches"] == [{"name": "condition 1", "old": "route-1", "new": "route-2"}]
    assert flow["routes"]["removed"] == ["1", "1-1", "1-2"]
    assert flow["start"] is None


def test_a_stop_that_loses_its_route_is_a_finding() -> None:
    flow = copy.deepcopy(MENU)
    flow["StartAction"] = "menu-start"
    write("new.json", flow)

    result = run("old.json", "new.json")

    assert result.exit_code == 1
    assert "calls start at 'menu-start' instead of" in result.stdout
    assert "stops without a route on some path: 'menu-start'" in result.stdout


def test_tracking_blocks_and_positions_are_not_differences() -> None:
    tracked = CliRunner().invoke(app, ["track", "old.json"])
    flow = json.loads(tracked.stdout)
    flow["Metadata"] = {}
    write("new.json", flow)

    result = run("old.json", "new.json", "--format", "json")

    assert json.loads(result.stdout)["flows"] == []


def test_a_chart_colors_what_changed_and_keeps_removed_blocks() -> None:
    write("new.json", changed())

    forward = run("old.json", "new.json", "--format", "mermaid").stdout
    backward = run("new.json", "old.json", "--format", "mermaid").stdout

    assert " added\n" in forward
    assert " changed\n" in forward
    assert " removed\n" in backward
    assert "extra" in backward


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)  # noqa: S603, S607


def test_flows_that_changed_since_a_revision_are_compared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows = folder / "flows"
    flows.mkdir()
    for name in ("changed", "removed", "same"):
        write(f"flows/{name}.json", MENU)
    write("flows/settings.json", {"unrelated": 1})
    git("init")
    git("add", ".")
    git("commit", "--message", "Flows")
    write("flows/changed.json", changed())
    write("flows/added.json", MENU)
    write("flows/settings.json", {"unrelated": 2})
    (flows / "removed.json").unlink()

    text = run("--base", "HEAD", "flows")
    monkeypatch.chdir(flows)
    below = run("--base", "HEAD", ".", "--format", "json")

    assert [line for line in text.stdout.splitlines() if not line.startswith(" ")] == [
        "flows/added.json (new)",
        "flows/changed.json",
        "flows/removed.json (removed)",
    ]
    names = [each["flow"] for each in json.loads(below.stdout)["flows"]]
    assert names == ["added.json", "changed.json", "removed.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("old.json",), "two files are required, not 1. Pass OLD and NEW, or use --base REV"),
        (("--base", "nowhere", "old.json"), "--base: nowhere: "),
        (("old.json", "missing.json"), "missing.json"),
        (("old.json", "."), ".: is a folder. Pass two files, or use --base REV to compare folders"),
        (("--base", "HEAD", "missing.json"), "does not exist in the working tree or at HEAD"),
    ],
)
def test_unusable_arguments_are_errors(arguments: tuple[str, ...], message: str) -> None:
    git("init")
    git("add", ".")
    git("commit", "--message", "Flows")

    result = run(*arguments)

    assert result.exit_code == 2
    assert message in result.stderr
