"""Guards against violations that the policy pack reports in one phase of a deployment and misses in another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from call_route_policies import RULES
from tests.engine.event_log import AUTOMATIC_SUFFIX, Finding, run_with_pack
from tests.engine.mutated_program import MUTATIONS, case_of
from tests.engine.project import Project
from tests.policies.values import STACK

GROUPS: tuple[dict[str, str], ...] = (
    {
        "resources-are-inspectable": "aws:cloudcontrol/resource:Resource",
        "iam-documents-are-valid": "not JSON",
        "iam-documents-match-reference": "a Sid used twice",
        "iam-no-broad-managed-policies": "an argument of a role",
        "iam-no-wildcard-actions": "a wildcard for one character",
        "iam-no-allow-by-exclusion": "NotAction",
        "iam-no-wildcard-resources": "one of several actions",
        "iam-no-privilege-escalation": "a role for an instance",
        "iam-no-combined-privilege-escalation": "the arguments of a role and a RolePolicy",
        "iam-no-public-resources": "a queue",
        "iam-resources-stay-in-account": "a table",
        "iam-trust-only-allowed-principals": "another account",
        "iam-services-have-source-condition": "no condition",
        "iam-trust-stays-in-account": "its ID",
        "state-machine-role-matches-definition": "a state that writes to another table",
        "no-lambda": "a function",
        "pipe-invokes-synchronously": 'targetParameters.stepFunctionStateMachineParameters.invocationType: "request_response"',
        "pipe-target-is-express": 'type: "STANDARD"',
        "pipe-retries-are-limited": "sourceParameters.kinesisStreamParameters.maximumRetryAttempts: null",
        "pipe-age-below-stream-retention": "an age that equals the retention",
        "pipe-bisects-failing-batches": "sourceParameters.kinesisStreamParameters.onPartialBatchItemFailure: null",
        "pipe-starts-at-trim-horizon": 'sourceParameters.kinesisStreamParameters.startingPosition: "LATEST"',
        "pipe-is-running": 'desiredState: "STOPPED"',
        "pipe-filter-passes-tracked-calls": '{"data": {"Attributes": {"call_route": ["sales"]}}}',
        "pipe-passes-whole-record": "None",
        "contact-records-reach-a-pipe": "another stream",
        "state-machine-keeps-every-record": "every error ignored",
        "queues-retain-messages": "messageRetentionSeconds: 60",
        "no-execution-data-in-logs": "the state machine",
        "log-groups-have-retention": "retentionInDays: null",
        "data-is-encrypted-at-rest": "a table",
        "tables-are-recoverable": "recovery disabled",
        "data-has-protect-option": "call-route-tracker-table",
        "tables-have-explicit-expiry": "no ttl",
        "no-secrets-in-plain-text": "the salt of phone numbers",
        "data-stays-in-account": "a key of another region",
        "no-long-lived-credentials": "an access key",
        "data-settings-are-safe": "a public bucket",
        "buckets-block-public-access": "a bucket of the old type",
        "flow-content-is-valid": "not JSON",
        "resources-have-required-tags": "no tags",
    },
    {
        "pipe-role-matches-pipe": "a permission to write",
        "pipe-has-dead-letter-queue": "no dead-letter queue",
        "flow-stops-are-tracked": "no route",
        "flow-completion-is-tracked": "true at the start",
    },
)
"""One mutation of each rule, by its title. Those in a group do not affect each other, so that one program contains them all."""


UNUSED = {"resource": "urn:pulumi:dev::shop::*::orders", "reason": "SHOP-1", "until": "2999-12-31"}
STRICT = {"all": "mandatory", "no-lambda": {"exemptions": [UNUSED]}}
"""Settings in which every violation is mandatory. They violate exemptions-are-needed, which is about the settings."""
UNUSED_EXEMPTION = (
    "mandatory",
    "exemptions-are-needed",
    f"call-route-tracker-{STACK}",
    f"call-route-tracker-{STACK} has an unused exemption from no-lambda for {UNUSED['resource']}.",
)


def test_every_rule_has_a_violation_in_one_of_the_groups() -> None:
    rules = [*(rule for group in GROUPS for rule in group), "exemptions-are-needed"]

    assert sorted(rules) == sorted(rule.name for rule in RULES)


def expected(group: dict[str, str], level: str = "") -> list[Finding]:
    """Returns the findings of a group, at the level of each rule or at the given one."""
    levels = {rule.name: level or rule.level.value for rule in RULES}
    cases = ((rule, case_of(rule, title)) for rule, title in group.items())
    return sorted(
        (levels[rule], rule, case.resource, AUTOMATIC_SUFFIX.sub("", f"{case.resource} {message}."))
        for rule, case in cases
        for message in case.messages
    )


@pytest.fixture
def broken(tmp_path: Path, request: pytest.FixtureRequest) -> Project:
    """A copy of the project whose program contains the mutations of a group."""
    project = Project.copy(tmp_path, any_type=True)
    (project.folder / "__main__.py").rename(project.folder / "program.py")
    program = "from tests.engine.mutated_program import run\n\nrun()\n"
    (project.folder / "__main__.py").write_text(program, encoding="utf-8")
    project.stack(STACK)
    project.variables[MUTATIONS] = json.dumps(list(request.param.items()))
    return project


@pytest.mark.parametrize(("broken", "group"), [(each, each) for each in GROUPS], indirect=["broken"], ids=len)
def test_violations_are_found_in_a_first_preview_an_update_and_a_later_preview(
    broken: Project, group: dict[str, str], tmp_path: Path
) -> None:
    strict = tmp_path / "strict.json"
    strict.write_text(json.dumps(STRICT), encoding="utf-8")
    done, found = run_with_pack(broken, "preview", "--policy-pack-config", str(strict))
    assert found == sorted([*expected(group, "mandatory"), UNUSED_EXEMPTION]), done.text
    assert done.code != 0

    # A violation of a mandatory rule would end the update before the next resource is registered.
    advisory = tmp_path / "advisory.json"
    advisory.write_text('{"all": "advisory"}', encoding="utf-8")
    done, found = run_with_pack(
        broken, "up", "--yes", "--skip-preview", "--policy-pack-config", str(advisory)
    )
    assert found == expected(group, "advisory"), done.text
    assert done.code == 0, done.text

    # The preview that is part of the command refuses the update.
    done, found = run_with_pack(broken, "up", "--yes")
    assert found == expected(group), done.text
    assert done.code != 0
