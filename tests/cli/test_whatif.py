"""Tests `callroute whatif`: the calls it uses, its output and errors, and the action's comment."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from callroute.cli.app import app
from callroute.reports.behavior import Journey, Visit
from callroute.reports.report import Outcome
from tests.support.menus import Menu, menu_flow
from tests.support.paths import REPOSITORY

DAYS = ("--from", "2026-04-06", "--to", "2026-04-12")
OLD = {"start": Menu({"1": "a", "2": "b"}, 2, "none")}
NEW = {"start": Menu({"1": "b", "2": "a"}, 3, "none")}
CATALOG = """
flow: old.json
call_flow: menus
routes:
  - {route: "start", en: "First menu", ja: "最初のメニュー"}
  - {route: "a", parent: "start", en: "Balance", ja: "残高"}
  - {route: "b", parent: "start", en: "Cards", ja: "カード"}
  - {route: "none", parent: "start", en: "No choice", ja: "選択なし"}
"""
START = Visit("start")
CALLS: Mapping[Journey, int] = {
    Journey((START, Visit("a")), "completed"): 50,
    Journey((START, Visit("b")), "completed"): 10,
    Journey((Visit("start", 1), Visit("b")), "completed"): 5,
    Journey((START,), "abandoned_in_flow"): 15,
    Journey((Visit("start", 1, 1), Visit("none")), "abandoned_in_flow"): 20,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two flows and the items of CALLS."""
    monkeypatch.chdir(tmp_path)
    for name, menus in (("old", OLD), ("new", NEW)):
        Path(f"{name}.json").write_text(menu_flow(menus, ends=["none"]).write(), encoding="utf-8")
    Path("old.routes.yaml").write_text(CATALOG, encoding="utf-8")
    write_items("items.jsonl", items(CALLS))
    return tmp_path


def items(calls: Mapping[Journey, int], **changes: Any) -> list[dict[str, Any]]:
    """Returns items with detail."""
    found = []
    for call, number in calls.items():
        for _ in range(number):
            trouble = {
                visit.stop: {kind: getattr(visit, kind) for kind in visit._fields[1:] if getattr(visit, kind)}
                for visit in call.visits
            }
            found.append(
                {
                    **item(call.visits[-1].stop, call.outcome),
                    "stops_visited": [visit.stop for visit in call.visits],
                    "trouble": {stop: kinds for stop, kinds in trouble.items() if kinds},
                    **changes,
                }
            )
    return found


def item(route: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "call_route": route,
        "outcome": outcome,
        "call_flow": "menus",
        "call_date": "2026-04-07",
        "start_time": "2026-04-07T10:00:00+09:00",
    }


def write_items(name: str, found: list[dict[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(each) + "\n" for each in found), encoding="utf-8")


def whatif(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["whatif", *arguments])


def as_json(*arguments: str, new: str = "new.json", source: str = "items.jsonl") -> dict[str, Any]:
    result = whatif("old.json", new, "--items", source, *DAYS, "--samples", "50", "--json", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_json_contains_the_shares_before_and_after() -> None:
    found = as_json("--interval", "95", "--seed", "7")

    assert (found["calls"], found["confidence"], found["samples"], found["seed"]) == (100, 0.95, 50, 7)
    assert (found["from"], found["to"], found["time_zone"]) == ("2026-04-06", "2026-04-12", "Asia/Tokyo")
    left = found["outcomes"]["abandoned_in_flow"]
    assert left["before"] == pytest.approx(0.35)
    # The third attempt of 20 callers is like the second: 5 of 25 chose b.
    assert left["after"]["value"] == pytest.approx(0.15 + 0.2 * 20 / 25)
    assert left["after"]["low"] < left["after"]["value"] < left["after"]["high"]
    assert left["change"]["value"] == pytest.approx(left["after"]["value"] - 0.35)
    stops = {stop["route"]: stop for stop in found["stops"]}
    assert list(stops) == ["start", "b", "a", "none"]
    assert stops["a"]["label"] == "Balance"
    assert stops["b"]["reached"]["before"] == pytest.approx(0.15)
    assert stops["b"]["reached"]["after"]["value"] == pytest.approx(0.15 + 0.2 * 5 / 25)
    assert stops["start"]["left"]["before"] == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            [
                "What if: old.json → new.json",
                "100 calls",
                "90% interval",
                "Left in the menu",
                "First menu",
                "- start: no",
            ],
        ),
        (
            "ja",
            [
                "フロー変更の影響予測",
                "100 件の通話",
                "90%区間",
                "メニューの途中で離脱",
                "最初のメニュー",
                "- start: 2回を",
            ],
        ),
    ],
)
def test_text_contains_both_tables_and_the_assumptions(language: str, expected: list[str]) -> None:
    result = whatif(
        "old.json", "new.json", "--items", "items.jsonl", *DAYS, "--samples", "20", "--lang", language
    )

    assert (result.exit_code, result.stderr) == (0, "")
    assert all(text in result.stdout for text in expected)
    (row,) = [line.split("  ") for line in result.stdout.splitlines() if "35.0%" in line]
    assert [cell.strip() for cell in row if cell][1:3] == ["35.0%", "31.0%"]


def test_calls_of_other_flows_and_days_and_calls_without_detail_are_left_out() -> None:
    expected = as_json()
    other = items({Journey((START,), "abandoned_in_flow"): 40}, call_flow="other")
    earlier = items({Journey((START,), "abandoned_in_flow"): 40}, call_date="2026-04-05")
    write_items("more.jsonl", [*items(CALLS), *other, *earlier, *[item("a", "completed")] * 30])

    found = as_json(source="more.jsonl")

    assert found["outcomes"] == expected["outcomes"]
    assert [text for text in found["assumptions"] if text not in expected["assumptions"]] == [
        "Calls without detail are left out (30)."
    ]


@pytest.mark.parametrize(
    ("version", "calls", "assumption"),
    [
        ("0123456789ab", 100, "Calls without the flow_version of the old flow are left out (40)."),
        (
            "fedcba987654",
            140,
            "No call has the flow_version of the old flow, so calls with its other versions are used.",
        ),
    ],
)
def test_calls_of_other_versions_are_left_out_if_any_has_the_version_of_the_old_flow(
    version: str, calls: int, assumption: str
) -> None:
    old = Path("old.json").read_text("utf-8")
    Path("old.json").write_text(old.replace('"call_flow"', f'"flow_version": "{version}", "call_flow"', 1))
    other = items({Journey((START,), "abandoned_in_flow"): 40}, flow_version="other")
    write_items("items.jsonl", [*items(CALLS, flow_version="0123456789ab"), *other])

    found = as_json()

    assert found["calls"] == calls
    assert assumption in found["assumptions"]


def test_without_detail_calls_follow_the_tree_of_the_catalog() -> None:
    write_items("items.jsonl", [item("a", "completed")] * 6 + [item("start", "abandoned_in_flow")] * 4)
    Path("keys.json").write_text(
        menu_flow({"start": Menu({"7": "b", "8": "a"}, 2, "none")}, ends=["none"]).write()
    )

    found = as_json(new="keys.json")

    stops = {stop["route"]: stop for stop in found["stops"]}
    assert stops["start"]["left"]["after"]["value"] == pytest.approx(0.4)
    assert (
        "No call has detail, so calls take the paths in the tree of the route catalog."
        in found["assumptions"]
    )


def test_missing_assumptions_exit_with_2_and_can_be_added() -> None:
    Path("fewer.json").write_text(menu_flow({"start": Menu({"1": "a"}, 2, "none")}, ends=["none"]).write())
    arguments = ("old.json", "fewer.json", "--items", "items.jsonl", *DAYS, "--samples", "20")

    result = whatif(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: callroute whatif: an assumption is missing. Add:\n"
        "  --assume start/b=NAME or --assume start/b=leave=…%,a=…%,none=…%\n"
        "      no longer offered; chosen by 15 of 100 calls\n"
    )
    assert whatif(*arguments, "--assume", "start/b=leave=50%,a=50%").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["old.json", "new.json"], "needs exactly one source of call records"),
        (["old.json", "new.json", "--items", "items.jsonl", "--stack", "dev"], "needs exactly one source"),
        (["old.json", "new.json", "--items", "x.jsonl"], "error: x.jsonl: there is no such file"),
        (
            ["old.json", "plain.json", "--items", "items.jsonl"],
            "plain.json: the flow does not set call_route. Run `callroute track`",
        ),
        (
            ["old.json", "new.json", "--items", "items.jsonl", "--to", "2026-01-01"],
            "Choose days from 2026-04-07 to",
        ),
        (
            ["bare.json", "new.json", "--items", "no_detail.jsonl", *DAYS],
            "no call has detail, and the flow has no route",
        ),
        (["old.json", "new.json", "--items", "other.jsonl", *DAYS], "Pass the flow of these calls: 'other'"),
        (
            ["old.json", "new.json", "--items", "items.jsonl", *DAYS, "--assume", "x"],
            "--assume: x: is not an assumption",
        ),
        (
            ["old.json", "new.json", "--items", "items.jsonl", "--interval", "10"],
            "--interval: 10.0 is not in the range",
        ),
    ],
)
def test_unusable_arguments_exit_with_2(arguments: list[str], message: str) -> None:
    plain = {"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}
    document = {"Version": "2019-10-30", "StartAction": "end", "Actions": [plain]}
    Path("plain.json").write_text(json.dumps(document))
    Path("bare.json").write_text(Path("old.json").read_text())
    write_items("no_detail.jsonl", [item("a", "completed")])
    write_items("other.jsonl", items(CALLS, call_flow="other"))

    result = whatif(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_comment_of_the_action_contains_the_estimate_and_charts(folder: Path) -> None:
    action = yaml.safe_load((REPOSITORY / ".github/actions/flow-diff/action.yml").read_text("utf-8"))
    (script,) = [step["run"] for step in action["runs"]["steps"] if step.get("id") == "compare"]
    (folder / "bin").mkdir()
    command = folder / "bin" / "callroute"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m callroute "$@"\n')
    command.chmod(0o700)
    repository = folder / "repository"
    repository.mkdir()
    for name in ("old.json", "old.routes.yaml", "other.json"):
        (repository / name).write_bytes((folder / name.replace("other", "old")).read_bytes())
    git = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.com")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "Old flows")):
        subprocess.run((*git, *arguments), cwd=repository, check=True)  # noqa: S603 - fixed arguments
    (repository / "old.json").write_bytes((folder / "new.json").read_bytes())
    (repository / "other.json").write_text(
        menu_flow({"start": Menu({"1": "a"}, 2, "none")}, ends=["none"]).write()
    )
    recent = (date.today() - timedelta(1)).isoformat()
    write_items("recent.jsonl", items(CALLS, call_date=recent))

    subprocess.run(  # noqa: S603 - the action's script
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],  # noqa: S607 - found on PATH
        cwd=repository,
        env={
            **os.environ,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "BASE": "HEAD",
            "PATHS": ".",
            "COMMENT": str(folder / "comment.md"),
            "OLD": str(folder / "before"),
            "ITEMS": str(folder / "recent.jsonl"),
            "OPTIONS": "--samples=20\n\n--lang=en\n",
            "GITHUB_OUTPUT": str(folder / "output"),
        },
        timeout=60,
        check=True,
    )

    comment = (folder / "comment.md.cut").read_text("utf-8")
    assert comment.startswith("<!-- callroute diff -->\n### Flow changes\n```\nold.json\n")
    text, *charts = comment.split("\n<details><summary>")
    changes, estimate, missing = text.split("### Expected effect on callers: ")
    assert estimate.startswith("`old.json`\n```\nWhat if: ")
    assert "Left in the menu" in estimate
    assert "Balance" in estimate, "labels are those of the old catalog"
    assert missing.startswith("`other.json`\n```\nerror: callroute whatif: an assumption is missing")
    assert [part.count("```") for part in (changes, estimate, missing)] == [2, 2, 2]
    assert [chart.partition("</summary>")[0] for chart in charts] == ["old.json", "other.json"]
    assert all("\n```mermaid\nflowchart " in chart and "classDef " in chart for chart in charts)
