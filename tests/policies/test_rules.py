"""Guards against a rule that does not tell what it is for, or tells it of the wrong resource, or not alone."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel, ResourceValidationPolicy, StackValidationPolicy

from call_route_policies import POLICIES, RULES
from call_route_policies.rule import Rule
from tests.policies.mutations import CASES
from tests.policies.mutations.case import Case
from tests.policies.pack import FOLDER, Pack, Violation, interpreter
from tests.policies.stacks import recorded
from tests.policies.tables import DOCUMENT, mutation_table, need_table, rule_table
from tests.policies.values import STACK

by_name = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


@pytest.mark.parametrize(
    ("name", "case"), [pytest.param(name, case, id=f"{name}: {title}") for name, title, case in CASES]
)
def test_what_is_broken_is_told_by_its_rule_and_by_no_other(pack: Pack, name: str, case: Case) -> None:
    stack = recorded(STACK)
    case.edit(stack)
    (rule,) = [rule for rule in RULES if rule.name == name]

    assert pack.judge(stack) == sorted(
        Violation(name, case.resource, f"{case.resource} {message}.", rule.level.value)
        for message in case.messages
    )


def test_every_rule_is_broken_in_three_ways_at_least() -> None:
    counted = Counter(name for name, _, _ in CASES)

    assert set(counted) == {rule.name for rule in RULES}
    assert min(counted.values()) >= 3


@by_name
def test_every_rule_says_what_must_hold_why_and_what_to_do(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name)
    for sentence in (rule.description, rule.reason, rule.remediation):
        assert re.fullmatch(r"[A-Z].*[^.]\.", sentence, re.DOTALL), sentence
    assert rule.url.startswith("https://")
    assert rule.level in (EnforcementLevel.MANDATORY, EnforcementLevel.ADVISORY)
    if rule.level is EnforcementLevel.ADVISORY:
        assert rule.reason.startswith("Advisory: ")
    assert (rule.check is None) != (rule.check_stack is None)
    assert isinstance(rule.policy(), ResourceValidationPolicy if rule.check else StackValidationPolicy)
    for name, schema in rule.settings.items():
        assert re.fullmatch(r"[a-z][A-Za-z]+", name)
        assert {"type", "description", "default"} <= schema.keys()


def test_rules_have_names_of_their_own() -> None:
    names = [policy.name for policy in POLICIES]

    assert len(names) == len(set(names)) == len(RULES)


@by_name
def test_the_pack_tells_the_engine_all_about_a_rule(pack: Pack, rule: Rule) -> None:
    (told,) = [policy for policy in pack.info().policies if policy.name == rule.name]

    assert told.description == rule.description
    assert told.remediation_steps == rule.remediation
    assert told.url == rule.url
    assert analyzer_pb2.EnforcementLevel.Name(told.enforcementLevel).lower() == rule.level.value
    assert analyzer_pb2.PolicySeverity.Name(told.severity) == f"POLICY_SEVERITY_{rule.severity.name}"
    assert set(told.configSchema.properties) == set(rule.settings)


def test_the_pack_has_a_name_and_takes_a_configuration(pack: Pack) -> None:
    info = pack.info()

    assert info.name == "call-route-tracker"
    assert info.supportsConfig
    assert len(info.policies) == len(RULES)


def test_pulumi_finds_a_virtual_environment_and_locked_dependencies_in_the_packs_folder() -> None:
    project = yaml.safe_load((FOLDER / "PulumiPolicy.yaml").read_text(encoding="utf-8"))
    assert project["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}

    lines = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (required,) = (line.removeprefix("-r ") for line in lines if line.startswith("-r "))
    locked = (FOLDER / required).read_text(encoding="utf-8")
    for package in ("cloudsplaining", "policy-sentry", "pulumi-policy", "pyyaml"):
        assert re.search(rf"^{package}==", locked, re.MULTILINE)


def test_the_pack_runs_with_what_is_locked_and_nothing_else() -> None:
    program = "from importlib.metadata import distributions as all; print(*{f'{d.name}=={d.version}' for d in all()})"
    printed = subprocess.run(  # noqa: S603 - the pack's own interpreter
        [interpreter(), "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    found = {_normal(each) for each in printed.split() if not each.startswith(("pip==", "setuptools=="))}
    locked = (FOLDER.parent / "requirements/policy.txt").read_text(encoding="utf-8")

    assert found <= {
        _normal(each) for each in re.findall(r"^[A-Za-z0-9._-]+==[^ ;]+", locked, re.MULTILINE)
    }, "policy/.venv is out of date: run `make test`"
    assert any(each.startswith("pulumi-policy==") for each in found)


def _normal(pinned: str) -> str:
    name, _, version = pinned.partition("==")
    return f"{re.sub(r'[._-]+', '-', name).lower()}=={version}"


def test_a_pack_without_its_virtual_environment_says_how_to_make_one(tmp_path: Path) -> None:
    project = "runtime: {name: python, options: {virtualenv: elsewhere}}"
    (tmp_path / "PulumiPolicy.yaml").write_text(project, encoding="utf-8")

    with pytest.raises(RuntimeError, match=r"elsewhere/bin/python is missing\. Run `make test`"):
        interpreter(tmp_path)

    python = tmp_path / "elsewhere/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert interpreter(tmp_path) == python


def test_the_tables_in_the_docs_are_those_of_the_rules_and_of_the_mutations() -> None:
    document = Path(DOCUMENT).read_text(encoding="utf-8")

    for table in (rule_table(), mutation_table(), need_table()):
        assert table in document, "docs/policies.md is out of date: run `python -m tests.policies.tables`"
