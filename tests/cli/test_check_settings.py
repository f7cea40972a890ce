"""Tests of the settings of `callroute check`: ignored findings, allowed block types and baselines."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from callroute.cli.app import app
from callroute.flows.lint import RULES
from tests.support.paths import REPOSITORY

BAD = REPOSITORY / "tests" / "flows" / "fixtures" / "bad"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the flow `flows/menu.json`, which has one finding of mixed-reference."""
    monkeypatch.chdir(tmp_path)
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "menu.json").write_bytes((BAD / "mixed-reference.json").read_bytes())
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["check", *(arguments or ("flows",)), "--format", "json"])


def rules_found(result: Result) -> list[str]:
    findings: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    return [each["rule"] for each in findings if each["severity"] != "note"]


def block_found() -> str:
    return next(
        str(each["block"])
        for each in json.loads(run().stdout)["findings"]
        if each["rule"] == "mixed-reference"
    )


def settings(text: str, name: str = "callroute.toml") -> None:
    Path(name).write_text(text, encoding="utf-8")


def test_without_settings_the_finding_is_reported() -> None:
    assert rules_found(run()) == ["mixed-reference"]


@pytest.mark.parametrize("name", ["callroute.toml", "pyproject.toml"])
@pytest.mark.parametrize("place", ["", 'files = "flows/*.json"', 'block = "BLOCK"'])
def test_a_finding_is_ignored_by_file_or_block(name: str, place: str) -> None:
    table = "check.ignore" if name == "callroute.toml" else "tool.callroute.check.ignore"
    place = place.replace("BLOCK", block_found())
    settings(
        f'[[{table}]]\nrule = "mixed-reference"\nreason = "Resolved by the Lambda function."\n{place}\n', name
    )

    result = run()

    assert (result.exit_code, rules_found(result)) == (0, [])


def test_settings_apply_below_their_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings('[[check.ignore]]\nrule = "mixed-reference"\nfiles = "flows/*"\nreason = "Known."\n')
    monkeypatch.chdir(folder / "flows")

    assert rules_found(run("menu.json")) == []


def test_a_block_can_contain_its_ignores() -> None:
    block = block_found()
    path = Path("flows/menu.json")
    flow = json.loads(path.read_text(encoding="utf-8"))
    flow["Metadata"] = {"ActionMetadata": {block: {"callroute": {"ignore": {"mixed-reference": "Known."}}}}}
    path.write_text(json.dumps(flow), encoding="utf-8")

    assert rules_found(run()) == []


def test_an_unused_ignore_is_reported() -> None:
    settings('[[check.ignore]]\nrule = "dead-end"\nreason = "Known."\n')

    result = run()

    assert result.exit_code == 1
    assert (
        "callroute.toml: ignore 1: this ignore matches no findings of dead-end. Remove it." in result.stderr
    )


def test_an_ignore_for_files_that_were_not_checked_is_not_unused() -> None:
    settings('[[check.ignore]]\nrule = "dead-end"\nfiles = "other/*"\nreason = "Known."\n')

    assert run().stderr == ""


def test_allowed_block_types_are_accepted() -> None:
    Path("flows/menu.json").write_bytes((BAD / "unknown-block-type.json").read_bytes())
    flow = json.loads(Path("flows/menu.json").read_text(encoding="utf-8"))
    known = {rule.id for rule in RULES}
    assert "unknown-block-type" in rules_found(run())
    types = {each["Type"] for each in flow["Actions"]}

    settings(f"[check]\nallow-blocks = {json.dumps(sorted(types))}\n")

    assert "unknown-block-type" in known - set(rules_found(run()))


def test_a_baseline_hides_known_findings_and_shows_new_ones() -> None:
    written = run("flows", "--write-baseline", "baseline.json")
    settings('[check]\nbaseline = "baseline.json"\n')
    known = run()
    Path("flows/other.json").write_bytes((BAD / "mixed-reference.json").read_bytes())

    assert (written.exit_code, written.stdout) == (0, "")
    assert (known.exit_code, json.loads(known.stdout)["findings"]) == (0, [])
    assert {each["file"] for each in json.loads(run().stdout)["findings"]} == {"flows/other.json"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[check", "is not valid TOML"),
        ("[check]\nignores = []", "'ignores' is unknown. Did you mean ignore?"),
        ('[check]\nallow-blocks = "X"', "allow-blocks: 'X' is not a list of block types"),
        ("[check]\nbaseline = 1", "baseline: 1 is not a path"),
        ("[check]\nignore = 1", "ignore: is not a list of tables"),
        ('[[check.ignore]]\nrule = "dead-end"', "ignore 1: reason is missing"),
        ('[[check.ignore]]\nrule = "dead-end"\nreason = " "', "reason must be a nonempty string"),
        (
            '[[check.ignore]]\nrule = "deadend"\nreason = "x"',
            "rule 'deadend' does not exist. Did you mean dead-end?",
        ),
        ('[check]\nbaseline = "flows/menu.json"', "is not a `callroute check` baseline"),
    ],
)
def test_invalid_settings_are_reported(text: str, message: str) -> None:
    settings(text)

    result = run()

    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("ignore", "message"),
    [
        (1, "contains no rules to ignore"),
        ({"ignore": {"deadend": "x"}}, "Did you mean dead-end?"),
        ({"ignore": {"dead-end": ""}}, "the ignore for dead-end has no reason"),
    ],
)
def test_invalid_ignores_in_a_block_are_reported(ignore: object, message: str) -> None:
    path = Path("flows/menu.json")
    flow = json.loads(path.read_text(encoding="utf-8"))
    flow["Metadata"] = {"ActionMetadata": {"x": {"callroute": ignore}}}
    path.write_text(json.dumps(flow), encoding="utf-8")

    result = run()

    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_explained(rule: Any) -> None:
    result = CliRunner().invoke(app, ["explain", rule.id])

    assert result.exit_code == 0
    assert rule.description in result.stdout
    assert f'rule = "{rule.id}"' in result.stdout


def test_an_unknown_rule_is_not_explained() -> None:
    result = CliRunner().invoke(app, ["explain", "dead-ends"])

    assert result.exit_code == 2
    assert "Did you mean dead-end?" in result.stderr


def test_the_action_uses_the_ignores_and_the_baseline(folder: Path) -> None:
    action = yaml.safe_load((REPOSITORY / ".github/actions/flow-check/action.yml").read_text("utf-8"))
    (step,) = action["runs"]["steps"]
    (folder / "callroute").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m callroute "$@"\n')
    (folder / "callroute").chmod(0o700)
    environment = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PATHS": "flows",
        "SARIF": "found.sarif",
    }
    run("flows", "--write-baseline", "old.json")
    ignore = '[[check.ignore]]\nrule = "mixed-reference"\nreason = "x"\n'
    found = []
    for text in ("", ignore, '[check]\nbaseline = "old.json"\n'):
        settings(text)
        command = ["bash", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, env=environment, check=False)  # noqa: S603 - the action's script
        (sarif,) = json.loads(Path("found.sarif").read_text("utf-8"))["runs"]
        found.append((done.returncode, "mixed-reference" in {each["ruleId"] for each in sarif["results"]}))

    assert found == [(1, True), (0, False), (0, False)]
