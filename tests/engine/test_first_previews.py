"""Guards against a first preview in which the policy pack does not inspect everything.

The first preview introduces the permissions, so it is the one that a reviewer needs.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from call_route_policies import RULES
from tests.engine.mutated_program import MUTATION, is_applicable
from tests.engine.project import Done, Project
from tests.engine.provider import ANY_TYPE
from tests.policies.mutations import CASES
from tests.policies.mutations.case import Case
from tests.policies.stacks import STACKS, UNKNOWN, first_preview, recorded
from tests.policies.values import STACK

AUTOMATIC_SUFFIX = re.compile(r"(?<=[a-z])-[0-9a-f]{7}\b")
"""End of an automatic name."""

Finding = tuple[str, str, str]
"""Level, rule and message."""


def preview(
    project: Project, stack: str, **variables: str
) -> tuple[Done, list[Finding], dict[str, dict[str, Any]]]:
    """Runs the first preview of a stack.

    Returns:
        The command, the findings of the policy pack, and the inputs of AWS resources by logical name.
    """
    log = project.home / "events.jsonl"
    log.unlink(missing_ok=True)
    run = replace(project, variables={**variables, "PULUMI_DEBUG_COMMANDS": "true"})
    done = run.pulumi("preview", "--stack", stack, "--policy-pack", "policy", "--event-log", str(log))
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert any("policyAnalyzeStackSummaryEvent" in event for event in events), done.text
    findings = [
        (found["enforcementLevel"], found["policyName"], found["message"].strip())
        for event in events
        if (found := event.get("policyEvent"))
    ]
    inputs = {
        step["urn"].rpartition("::")[2]: step["new"]["inputs"]
        for event in events
        if (step := event.get("resourcePreEvent", {}).get("metadata")) and step["type"].startswith("aws:")
    }
    return done, findings, inputs


def unknown(value: Any, path: str = "") -> list[str]:
    """Returns the paths of unknown values."""
    if isinstance(value, dict):
        return [each for key in sorted(value) for each in unknown(value[key], f"{path}.{key}")]
    if isinstance(value, list):
        return [each for index, part in enumerate(value) for each in unknown(part, f"{path}[{index}]")]
    return [path] if value == UNKNOWN else []


@pytest.mark.parametrize("stack", STACKS)
def test_the_first_preview_of_a_stack_inspects_everything_and_finds_nothing(
    previews: Project, stack: str
) -> None:
    previews.stack(stack)

    done, findings, inputs = preview(previews, stack)

    assert done.code == 0, done.text
    assert findings == []
    # The tests in tests/policies do without an engine. They must hide at least what a preview hides.
    hidden = {each.name: unknown(each.inputs) for each in first_preview(recorded(stack))}
    assert {
        name: paths for name, each in inputs.items() if (paths := {*unknown(each)} - {*hidden[name]})
    } == {}


@cache
def broken(rule: str) -> tuple[str, Case]:
    """Returns the title and the edits of the first mutation of a rule that can be applied to the program."""
    for name, title, case in CASES:
        if name == rule and is_applicable(case, STACK):
            return title, case
    raise LookupError(
        f"no mutation of {rule} can be applied to the program: add one to tests/policies/mutations"
    )


@pytest.fixture(scope="module")
def mutations(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project whose program has the mutation that the environment names."""
    project = Project.copy(tmp_path_factory.mktemp("mutations"))
    (project.folder / "__main__.py").rename(project.folder / "program.py")
    program = "from tests.engine.mutated_program import run\n\nrun()\n"
    (project.folder / "__main__.py").write_text(program, encoding="utf-8")
    project.stack(STACK)
    return project


# exemptions-are-needed is about the configuration of the pack, not about a program.
@pytest.mark.parametrize("rule", [rule.name for rule in RULES if rule.name != "exemptions-are-needed"])
def test_a_broken_program_is_refused_in_its_first_preview(mutations: Project, rule: str) -> None:
    title, case = broken(rule)
    (level,) = (each.level.value for each in RULES if each.name == rule)

    done, findings, _ = preview(mutations, STACK, **{MUTATION: json.dumps([rule, title]), ANY_TYPE: "1"})

    # Automatic names differ from those in the mutations.
    messages = [AUTOMATIC_SUFFIX.sub("", message) for _, _, message in findings]
    for message in case.messages:
        expected = AUTOMATIC_SUFFIX.sub("", f"{case.resource} {message}.")
        assert any(expected in each for each in messages), (expected, messages, done.text)
    assert {(found, name) for found, name, _ in findings} == {(level, rule)}
    assert (done.code != 0) == (level == "mandatory"), done.text
