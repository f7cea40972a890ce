"""Guards against a rule that misses its violation, reports another resource, or is poorly described."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pulumi_aws
import pytest
import yaml
from packaging.version import Version
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel, ResourceValidationPolicy, StackValidationPolicy

from call_route_policies import POLICIES, RULES, create_pack
from call_route_policies.rule import Rule
from call_route_policies.tags import TAGGABLE_TYPES
from call_route_policies.testing import interpreter
from tests.policies.mutations import CASES
from tests.policies.mutations.case import Case
from tests.policies.pack import FOLDER, Pack, Violation
from tests.policies.stacks import first_preview, first_preview_of_outputs, recorded
from tests.policies.tables import DOCUMENT, need_table, rule_list
from tests.policies.values import STACK
from tests.support.paths import REPOSITORY

for_each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


for_each_case = pytest.mark.parametrize(
    ("name", "case"), [pytest.param(name, case, id=f"{name}: {title}") for name, title, case in CASES]
)


@for_each_case
def test_each_mutation_is_reported_by_exactly_one_rule(pack: Pack, name: str, case: Case) -> None:
    stack = recorded(STACK)
    case.edit(stack)
    (rule,) = [rule for rule in RULES if rule.name == name]

    assert pack.analyze(stack) == sorted(
        Violation(name, case.resource, f"{case.resource} {message}.", rule.level.value)
        for message in case.messages
    )


@for_each_case
def test_each_mutation_is_reported_in_a_first_preview(pack: Pack, name: str, case: Case) -> None:
    for preview in (first_preview, first_preview_of_outputs):
        stack = recorded(STACK)
        case.edit(stack)

        assert {(each.rule, each.resource) for each in pack.analyze(preview(stack))} == {
            (name, case.resource)
        }


STACK_RULES = {rule.name for rule in RULES if rule.check_stack}


@pytest.mark.parametrize(
    ("name", "case"),
    [pytest.param(name, case, id=f"{name}: {title}") for name, title, case in CASES if name in STACK_RULES],
)
def test_the_order_of_registration_changes_no_finding(pack: Pack, name: str, case: Case) -> None:
    stack = recorded(STACK)
    case.edit(stack)
    expected = sorted(f"{case.resource} {message}." for message in case.messages)

    assert sorted(each.message for each in pack.analyze_stack(stack[::-1]) if each.rule == name) == expected


def test_every_rule_has_at_least_three_mutations() -> None:
    counted = Counter(name for name, _, _ in CASES)

    assert set(counted) == {rule.name for rule in RULES} - {"exemptions-are-needed"}
    assert min(counted.values()) >= 3


@for_each_rule
def test_every_rule_has_a_complete_description(rule: Rule) -> None:
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


def test_rule_names_are_unique() -> None:
    names = [policy.name for policy in POLICIES]

    assert len(names) == len(set(names)) == len(RULES)


@for_each_rule
def test_the_pack_sends_the_description_of_every_rule_to_the_engine(pack: Pack, rule: Rule) -> None:
    (sent,) = [policy for policy in pack.info().policies if policy.name == rule.name]

    assert sent.description == rule.description
    assert sent.remediation_steps == rule.remediation
    assert sent.url == rule.url
    assert analyzer_pb2.EnforcementLevel.Name(sent.enforcementLevel).lower() == rule.level.value
    assert analyzer_pb2.PolicySeverity.Name(sent.severity) == f"POLICY_SEVERITY_{rule.severity.name}"
    assert set(sent.configSchema.properties) == {*rule.settings, "exemptions"}


def test_the_pack_has_a_name_and_accepts_configuration(pack: Pack) -> None:
    info = pack.info()

    assert info.name == "call-route-tracker"
    assert info.version == version("call-route-tracker")
    assert info.supportsConfig
    assert len(info.policies) == len(RULES)


def test_a_rule_can_be_excluded_from_a_pack() -> None:
    program = (
        "from call_route_policies.pack import policies;"
        "print(*(policy.name for policy in policies(exclude={'no-lambda'})))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter

    assert printed.stdout.split() == [rule.name for rule in RULES if rule.name != "no-lambda"]


def test_excluding_an_unknown_rule_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no rule is called 'no-lamda'\. Names: .*no-lambda"):
        create_pack("acme", exclude={"no-lamda"})


def test_the_pack_runs_in_the_environment_of_the_program() -> None:
    project = yaml.safe_load((FOLDER / "PulumiPolicy.yaml").read_text(encoding="utf-8"))

    assert project["runtime"] == {
        "name": "python",
        "options": {"toolchain": "pip", "virtualenv": "../.venv"},
    }
    assert project["version"] == version("call-route-tracker")
    requirements = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in requirements if not line.startswith("#")] == ["-e ..[policy]"]


LOCKED = dict(
    re.findall(
        r"^([a-z0-9-]+)==(\S+)(?: ;.*)? \\$",
        (REPOSITORY / "requirements/deploy.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)


@pytest.mark.parametrize("package", ["cloudsplaining", "policy-sentry", "pulumi-policy", "pyyaml"])
def test_the_lock_file_contains_the_dependencies_of_the_pack_with_hashes(package: str) -> None:
    text = (REPOSITORY / "requirements/deploy.txt").read_text(encoding="utf-8")

    assert re.search(rf"^{package}=={re.escape(LOCKED[package])} \\\n    --hash=sha256:", text, re.MULTILINE)


def test_the_interpreter_of_the_pack_has_at_least_the_locked_versions() -> None:
    program = "from importlib.metadata import distributions as d; print(*{f'{each.name}=={each.version}' for each in d()})"
    printed = subprocess.run(  # noqa: S603 - the interpreter of the pack
        [interpreter(FOLDER), "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    installed = {
        re.sub(r"[._-]+", "-", name).lower(): installed_version
        for name, _, installed_version in (each.partition("==") for each in printed.split())
    }

    for package in ("cloudsplaining", "policy-sentry", "pulumi", "pulumi-policy", "pyyaml"):
        assert Version(installed[package]) >= Version(LOCKED[package]), "run `make test`, which installs them"


def test_the_documentation_lists_the_rules_and_the_needs() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    for part in (rule_list(), need_table()):
        assert part in text, "docs/policies.md is out of date: run `python -m tests.policies.tables`"


def test_the_taggable_types_are_those_of_the_installed_provider() -> None:
    argument = re.compile(r'^\s+__props__\.__dict__\["tags"\] = tags$', re.MULTILINE)
    token = re.compile(r"__self__\)\.__init__\(\s*'(aws:[^']+)',")
    sources = [path.read_text("utf-8") for path in Path(str(pulumi_aws.__path__[0])).rglob("*.py")]

    assert set(TAGGABLE_TYPES) == {
        found[1] for source in sources if argument.search(source) and (found := token.search(source))
    }
