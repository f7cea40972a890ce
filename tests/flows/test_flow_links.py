"""Tests that flows checked together are linked by their ARNs, IDs and file names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from callroute.cli.check import lint_files
from callroute.flows.load import load_flow

FIXTURES = Path(__file__).parent / "fixtures"
ARN = "arn:aws:connect:us-east-1:111111111111:instance/i/flow-module/"


def invoking(*modules: str, module: bool = True) -> str:
    """Returns a flow that invokes modules and then ends."""
    names = [*(f"invoke-{number}" for number in range(len(modules))), "end"]
    blocks = [
        {
            "Identifier": name,
            "Type": "InvokeFlowModule",
            "Parameters": {"FlowModuleId": identifier},
            "Transitions": {
                "NextAction": following,
                "Errors": [{"ErrorType": "NoMatchingError", "NextAction": following}],
            },
        }
        for name, following, identifier in zip(names, names[1:], modules, strict=False)
    ]
    end = "EndFlowModuleExecution" if module else "DisconnectParticipant"
    last = {"Identifier": "end", "Type": end, "Parameters": {}, "Transitions": {}}
    flow = {"Version": "2019-10-30", "StartAction": names[0], "Actions": [*blocks, last]}
    return json.dumps(flow | ({"Settings": {}} if module else {}))


def described(identifier: str, content: str) -> str:
    """Returns a module as `aws connect describe-contact-flow-module` prints it."""
    return json.dumps(
        {"ContactFlowModule": {"Arn": f"{ARN}{identifier}", "Id": identifier, "Content": content}}
    )


def nesting(folder: Path, flows: dict[str, str]) -> list[tuple[str, str | None, str]]:
    """Checks flows together and returns the file, block and message of each finding of module-nesting."""
    for name, text in flows.items():
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return [
        (Path(finding.file).stem, finding.block, finding.message)
        for finding in lint_files([folder]).findings
        if finding.rule == "module-nesting"
    ]


@pytest.mark.parametrize("reference", ["0a1b", f"{ARN}0a1b", f"{ARN}0a1b:live", "Greeting", "${GreetingArn}"])
def test_a_module_is_known_by_its_arn_its_id_and_its_file(tmp_path: Path, reference: str) -> None:
    module = described("0a1b", invoking(reference))
    assert nesting(tmp_path, {"greeting": module}) == [("greeting", "invoke-0", "The module invokes itself.")]


def test_the_arn_and_the_id_of_a_described_flow_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(described("0a1b", invoking("other")), encoding="utf-8")
    assert load_flow(path).identifiers == (f"{ARN}0a1b", "0a1b")


def test_modules_that_invoke_each_other_are_reported(tmp_path: Path) -> None:
    flows = {"a": invoking("b"), "b": invoking("other", "c"), "c": invoking("a"), "d": invoking("a")}
    assert nesting(tmp_path, flows) == [
        ("a", "invoke-0", "The module invokes itself through b > c."),
        ("b", "invoke-1", "The module invokes itself through c > a."),
        ("c", "invoke-0", "The module invokes itself through a > b."),
    ]


@pytest.mark.parametrize("module", [False, True])
def test_five_nested_modules_are_accepted_and_six_are_reported(tmp_path: Path, module: bool) -> None:
    flows = {f"m{number}": invoking(f"m{number + 1}") for number in range(2, 6)}
    flows["start"] = invoking("m3" if module else "m2", module=module)
    assert nesting(tmp_path, flows) == []

    flows["start"] = invoking("m5", "m2" if module else "m1", module=module)
    flows["m1"] = invoking("m2")
    flows["m6"] = invoking("other")
    ((file, block, message),) = (each for each in nesting(tmp_path, flows) if each[0] == "start")
    assert (file, block) == ("start", "invoke-1")
    first = "start" if module else "m1"
    assert message == f"6 modules are nested here ({first} > m2 > m3 > m4 > m5 > m6); Connect allows 5."


def test_a_name_of_two_modules_or_of_a_contact_flow_is_not_a_link(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "twice.json").write_text(invoking("once"), encoding="utf-8")
    flows = {"twice": invoking("twice"), "flow": invoking("flow", module=False)}
    assert nesting(tmp_path, flows) == []


@pytest.mark.parametrize(("sets", "rules"), [(True, {"disconnect-route"}), (False, set())])
def test_a_disconnect_flow_that_sets_the_route_is_reported(
    tmp_path: Path, sets: bool, rules: set[str]
) -> None:
    flow = (FIXTURES / "bad" / "disconnect-route.json").read_text(encoding="utf-8")
    (tmp_path / "main.json").write_text(flow.replace('"disconnect-route"', '"survey-flow"'), encoding="utf-8")
    survey = tmp_path / "survey-flow.json"
    survey.write_text(flow if sets else flow.replace('"call_route"', '"survey"'), encoding="utf-8")

    found = [finding for finding in lint_files([tmp_path]).findings if finding.severity != "note"]
    assert {finding.rule for finding in found} == rules
    assert {finding.file for finding in found} <= {str(survey)}
    alone = {finding.rule for finding in lint_files([survey]).findings}
    assert ("not-tracked" in alone) is not sets
