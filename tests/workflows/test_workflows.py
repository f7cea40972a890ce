"""Checks the GitHub workflows.

The tests guard against unpinned actions, tokens with more permissions than their job needs, credentials for code from
forks, deployments without policy checks or approval, failed previews that look successful, and stacks that no workflow
covers.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from callroute.aws.deployment_roles import DeploymentTarget, documents
from tests.support.options import tracker_args
from tests.support.paths import REPOSITORY

WORKFLOWS = {path.name: path for path in sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))}
ACTION = REPOSITORY / ".github" / "actions" / "pulumi" / "action.yml"
LOCAL_STACK = "local"
"""Stack of the local cloud, which is never deployed."""
STACKS = {path.name.split(".")[1] for path in REPOSITORY.glob("Pulumi.*.yaml")} - {LOCAL_STACK}

# PyYAML's default loader reads the key `on` as true and versions as numbers.
Loader = yaml.BaseLoader


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(WORKFLOWS[name].read_text(encoding="utf-8"), Loader)  # noqa: S506 - BaseLoader creates only strings
    return document


def action() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(ACTION.read_text(encoding="utf-8"), Loader)  # noqa: S506 - BaseLoader creates only strings
    return document


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields every job with the name of its workflow and its own name."""
    for name in WORKFLOWS:
        for job, content in read(name)["jobs"].items():
            yield name, job, content


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields every step of the workflows and the action, with a name that identifies it."""
    for name, job, content in jobs():
        for number, step in enumerate(content.get("steps", [])):
            yield f"{name}: {job}[{number}]", step
    for number, step in enumerate(action()["runs"]["steps"]):
        yield f"action.yml[{number}]", step


def step_named(workflow: str, job: str, name: str) -> dict[str, Any]:
    (found,) = (step for step in read(workflow)["jobs"][job]["steps"] if step.get("name") == name)
    result: dict[str, Any] = found
    return result


def scripts() -> dict[str, str]:
    """Returns every script by the name of its step."""
    return {where: step["run"] for where, step in steps() if "run" in step}


def bash(script: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a script as GitHub runs a step with `shell: bash`."""
    file = directory / "script.sh"
    file.write_text(script, encoding="utf-8")
    path = f"{directory / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(  # noqa: S603 - scripts of this repository's workflows
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(file)],  # noqa: S607 - found on PATH
        cwd=directory,
        env={**os.environ, **environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def command(directory: Path, name: str, script: str) -> None:
    """Puts a command with this name first on PATH."""
    file = directory / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/usr/bin/env bash\n{script}\n", encoding="utf-8")
    file.chmod(0o700)


def test_every_third_party_action_is_pinned_to_a_commit_with_its_version() -> None:
    pins: dict[str, set[str]] = {}
    for path in (*WORKFLOWS.values(), ACTION):
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := re.search(r"uses: (.*)", line):
                if found[1].startswith("$/"):
                    assert (REPOSITORY / found[1].removeprefix("$/")).exists(), line
                    continue
                pinned = re.fullmatch(r"([\w.-]+/[\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", found[1])
                assert pinned, f"{path.name}: {line.strip()}"
                pins.setdefault(pinned[1], set()).add(pinned[2])

    assert len(pins) >= 6
    assert {name: found for name, found in pins.items() if len(found) != 1} == {}, (
        "every workflow uses the same version of an action"
    )


def test_workflows_have_no_default_permissions() -> None:
    assert {name: read(name)["permissions"] for name in WORKFLOWS} == {name: {} for name in WORKFLOWS}


def test_a_job_with_write_access_runs_no_code_from_the_pull_request() -> None:
    writing = {
        (name, job): {right for right, level in content.get("permissions", {}).items() if level == "write"}
        for name, job, content in jobs()
    }

    assert {place: rights for place, rights in writing.items() if rights - {"id-token"}} == {
        ("preview.yml", "comment"): {"pull-requests"}
    }
    comment = read("preview.yml")["jobs"]["comment"]
    used = [step["uses"].partition("@")[0] for step in comment["steps"] if "uses" in step]
    assert used == ["actions/download-artifact"], "the job does not check out the pull request"
    assert not re.search(r"\b(python|pip|make|source|eval|bash|sh)\b", scripts()["preview.yml: comment[1]"])


def test_jobs_that_request_an_oidc_token_run_in_an_environment() -> None:
    asking = [
        (name, job)
        for name, job, content in jobs()
        if content.get("permissions", {}).get("id-token") == "write" and "steps" in content
    ]

    assert asking == [("deploy-stack.yml", "deploy"), ("preview.yml", "preview")]
    assert all("environment" in read(name)["jobs"][job] for name, job in asking)


def test_no_credentials_are_stored_in_github_or_in_the_checkout() -> None:
    for path in (*WORKFLOWS.values(), ACTION):
        text = path.read_text(encoding="utf-8")
        assert "secrets." not in text
        assert "access-key" not in text.lower()
    checkouts = [
        (where, step) for where, step in steps() if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert len(checkouts) >= 3
    for where, step in checkouts:
        assert step["with"] == {"persist-credentials": "false"}, where


def test_every_job_has_a_timeout_and_a_fixed_runner_version() -> None:
    running = [(f"{name}: {job}", content) for name, job, content in jobs() if "steps" in content]

    assert len(running) >= 5
    for where, content in running:
        assert 1 <= int(content["timeout-minutes"]) < 60, f"{where}: the credentials expire after an hour"
        assert re.fullmatch(r"ubuntu-\d\d\.\d\d", content["runs-on"]), where


def test_every_workflow_limits_concurrency_and_deployments_are_not_canceled() -> None:
    assert all("concurrency" in read(name) for name in WORKFLOWS)

    turns = {name: read(name)["concurrency"] for name in ("deploy.yml", "deploy-stack.yml")}
    assert {each["cancel-in-progress"] for each in turns.values()} == {"false"}
    assert turns["deploy-stack.yml"]["group"] == "deploy-${{ inputs.stack }}", (
        "one deployment at a time per stack"
    )


def test_no_untrusted_text_becomes_part_of_a_script() -> None:
    assert {where: script for where, script in scripts().items() if "${{" in script} == {}
    for path in (*WORKFLOWS.values(), ACTION):
        assert not re.search(r"(title|body|head_ref|head\.ref|label|message) *}}", path.read_text("utf-8"))


def test_no_workflow_has_a_trigger_that_gives_permissions_to_outside_contributors() -> None:
    risky = {"pull_request_target", "workflow_run", "issue_comment", "issues", "discussion", "fork"}

    assert {trigger for name in WORKFLOWS for trigger in read(name)["on"]} & risky == set()


def evaluated(condition: str, context: Mapping[str, str]) -> bool:
    """Evaluates the condition of a job that consists of ==, !=, && and ||."""
    expression = condition.replace("&&", " and ").replace("||", " or ")
    for name in sorted(context, key=len, reverse=True):
        expression = expression.replace(name, repr(context[name]))
    assert re.fullmatch(r"('[^']*'|==|!=|and|or|\s)+", expression), expression
    return bool(eval(" ".join(expression.split()), {}))  # noqa: S307 - contains only quoted words and operators


@pytest.mark.parametrize(
    ("head", "author", "enabled"),
    list(itertools.product(["us/calls", "them/calls", ""], ["person", "dependabot[bot]"], ["enabled", ""])),
)
def test_only_pull_requests_of_this_repository_are_previewed_and_others_get_an_explanation(
    head: str, author: str, enabled: str
) -> None:
    context = {
        "github.event.pull_request.head.repo.full_name": head,
        "github.repository": "us/calls",
        "github.event.pull_request.user.login": author,
        "vars.AWS_DEPLOYMENT": enabled,
    }
    found = read("preview.yml")["jobs"]

    previewed = evaluated(found["preview"]["if"], context)
    assert previewed is (head == "us/calls" and author == "person" and enabled == "enabled")
    assert evaluated(found["not-previewed"]["if"], context) is not previewed


@pytest.mark.parametrize(
    ("fork", "dependabot", "explanation"),
    [
        ("true", "false", "comes from a fork"),
        ("false", "true", "updates third-party code"),
        ("false", "false", "AWS_DEPLOYMENT is not 'enabled'"),
    ],
)
def test_a_pull_request_without_a_preview_gets_the_reason(
    tmp_path: Path, fork: str, dependabot: str, explanation: str
) -> None:
    summary = tmp_path / "summary"

    done = bash(
        step_named("preview.yml", "not-previewed", "Explain")["run"],
        tmp_path,
        FORK=fork,
        DEPENDABOT=dependabot,
        GITHUB_STEP_SUMMARY=str(summary),
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("::notice title=No preview::")
    assert explanation in done.stdout
    assert explanation in summary.read_text("utf-8")


def test_every_preview_and_deployment_runs_the_policy_pack() -> None:
    found = {
        where: script for where, script in scripts().items() if re.search(r"pulumi (preview|up)\b", script)
    }

    assert {where.partition(":")[0] for where in found} == {"preview.yml", "deploy-stack.yml"}
    for where, script in found.items():
        (line,) = re.findall(r"pulumi (?:preview|up) .*", script.replace("\\\n", ""))
        assert "--policy-pack policy " in line, where
        assert "--refresh " in line, f"{where}: the plan includes manual changes"
        assert "--non-interactive" in line, where
    assert (REPOSITORY / "policy" / "PulumiPolicy.yaml").exists()


def test_a_preview_with_policy_violations_fails_although_its_output_is_piped(
    tmp_path: Path,
) -> None:
    command(tmp_path, "pulumi", 'echo "Policy violation"; exit 255')

    done = bash(step_named("preview.yml", "preview", "Preview")["run"], tmp_path, STACK="dev")

    assert done.returncode == 255
    assert (tmp_path / "dev.txt").read_text("utf-8") == "Policy violation\n", (
        "the plan is available for the comment"
    )


def test_scripts_with_pipes_run_with_pipefail() -> None:
    for name in WORKFLOWS:
        if any(
            "|" in step.get("run", "") for job in read(name)["jobs"].values() for step in job.get("steps", [])
        ):
            assert read(name)["defaults"]["run"]["shell"] == "bash", name
    assert all(step["shell"] == "bash" for step in action()["runs"]["steps"] if "run" in step)


def test_every_stack_except_the_local_one_is_previewed_and_deployed() -> None:
    deploying = [
        content["with"]["stack"] for content in read("deploy.yml")["jobs"].values() if "with" in content
    ]

    assert set(read("preview.yml")["jobs"]["preview"]["strategy"]["matrix"]["stack"]) == STACKS
    assert sorted(deploying) == sorted(STACKS)
    listed = re.search(
        r"stacks=\((.*)\)", step_named("preview.yml", "comment", "Comment on the pull request")["run"]
    )
    assert listed
    assert set(listed[1].split()) == STACKS


def test_only_main_is_deployed_after_the_checks_with_prod_last() -> None:
    found = read("deploy.yml")["jobs"]

    assert found["check"]["uses"] == "$/.github/workflows/ci.yml"
    assert found["dev"]["needs"] == "check"
    assert found["prod"]["needs"] == "dev"
    for ref, enabled in itertools.product(["refs/heads/main", "refs/heads/mine"], ["enabled", ""]):
        context = {"github.ref": ref, "vars.AWS_DEPLOYMENT": enabled}
        expected = (ref, enabled) == ("refs/heads/main", "enabled")
        assert evaluated(found["dev"]["if"], context) is expected
    assert "if" not in found["prod"], "a condition could run prod although dev was skipped"


def test_the_environments_match_the_trust_policies() -> None:
    target = DeploymentTarget(
        args=tracker_args(),
        account_id="111111111111",
        region="ap-northeast-1",
        stack="prod",
        repository="us/calls",
        state_bucket="bucket",
        state_key_arn="key",
    )
    trusted = {
        name: json.dumps(document).partition(":environment:")[2].partition('"')[0]
        for name, document in documents(target).items()
    }

    preview = read("preview.yml")["jobs"]["preview"]["environment"]
    assert preview.replace("${{ matrix.stack }}", "prod") == trusted["preview-trust.json"]
    deploying = read("deploy-stack.yml")["jobs"]["deploy"]["environment"]
    assert deploying.replace("${{ inputs.stack }}", "prod") == trusted["deploy-trust.json"]


def test_credentials_are_requested_after_the_installation_and_only_for_the_expected_account() -> None:
    for name, job in (("preview.yml", "preview"), ("deploy-stack.yml", "deploy")):
        used = [step.get("uses", "").partition("@")[0] for step in read(name)["jobs"][job]["steps"]]
        assert used.index("$/.github/actions/pulumi") < used.index("aws-actions/configure-aws-credentials")
        (given,) = (
            step["with"]
            for step in read(name)["jobs"][job]["steps"]
            if "configure-aws" in step.get("uses", "")
        )
        assert given["role-to-assume"] == "${{ vars.AWS_ROLE_ARN }}"
        assert given["allowed-account-ids"] == "${{ vars.AWS_ACCOUNT_ID }}"


def test_ci_tests_every_supported_python_version() -> None:
    check = read("ci.yml")["jobs"]["check"]
    pythons = check["strategy"]["matrix"]["python"]

    oldest, newest = (int(each.removeprefix("3.")) for each in (pythons[0], pythons[-1]))
    assert pythons == [f"3.{minor}" for minor in range(oldest, newest + 1)]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["requires-python"] == f">=3.{oldest},<3.{newest + 1}"
    versions = [each.rpartition(" :: ")[2] for each in project["classifiers"] if " :: Python :: 3." in each]
    assert versions == pythons
    assert f"(3, {oldest}) <= sys.version_info < (3, {newest + 1})" in (REPOSITORY / "Makefile").read_text(
        "utf-8"
    )
    assert f"Python 3.{oldest} to 3.{newest}" in (REPOSITORY / "README.md").read_text("utf-8")
    assert check["steps"][-1]["run"] == "make check"
    assert set(read("ci.yml")["on"]) == {"pull_request", "push", "workflow_call"}


def test_the_pulumi_cli_has_the_version_of_the_locked_library(tmp_path: Path) -> None:
    (step,) = (step for step in action()["runs"]["steps"] if step.get("id") == "locked")
    shutil.copytree(REPOSITORY / "requirements", tmp_path / "requirements")
    output = tmp_path / "output"

    done = bash(step["run"], tmp_path, GITHUB_OUTPUT=str(output))
    assert done.returncode == 0, done.stderr
    assert output.read_text("utf-8") == f"pulumi={version('pulumi')}\n"

    (tmp_path / "requirements" / "deploy.txt").write_text("pulumi-aws==1.0\n", encoding="utf-8")
    done = bash(step["run"], tmp_path, GITHUB_OUTPUT=str(output))
    assert done.returncode != 0
    assert "is not in requirements/deploy.txt" in done.stderr


def test_dependencies_are_installed_with_hashes_into_the_environment_that_pulumi_uses() -> None:
    script = action()["runs"]["steps"][-1]["run"]

    assert "python -m venv .venv\n" in script
    assert "--require-hashes --requirement requirements/deploy.txt" in script
    for project in (REPOSITORY / "Pulumi.yaml", REPOSITORY / "policy" / "PulumiPolicy.yaml"):
        options = yaml.safe_load(project.read_text("utf-8"))["runtime"]["options"]
        assert (project.parent / options["virtualenv"]).resolve() == REPOSITORY / ".venv"


GH = """
echo "$*" >> calls
for word in "$@"; do [ "$word" != body=@comment.md ] || cp comment.md sent; done
case "$*" in *--paginate*) cat comments;; esac
"""


def commented(directory: Path, plans: Mapping[str, str], comments: str = "") -> tuple[str, list[str]]:
    """Returns the comment that the job sends to GitHub, and its calls of `gh`."""
    command(directory, "gh", GH)
    (directory / "plans").mkdir()
    for stack, plan in plans.items():
        (directory / "plans" / f"{stack}.txt").write_text(plan, encoding="utf-8")
    (directory / "comments").write_text(comments, encoding="utf-8")
    script = step_named("preview.yml", "comment", "Comment on the pull request")["run"]
    done = bash(
        script, directory, REPOSITORY="us/calls", NUMBER="7", RUN="https://run.example", RESULT="success"
    )
    assert done.returncode == 0, done.stderr
    return (directory / "sent").read_text("utf-8"), (directory / "calls").read_text("utf-8").splitlines()


def test_the_plans_of_all_stacks_form_one_comment(tmp_path: Path) -> None:
    body, calls = commented(tmp_path, {"dev": "+ create a table\n", "prod": "~ update a pipe\n"})

    assert body.startswith("<!-- preview -->\n## Preview: success ([log](https://run.example))")
    assert body.index("Plan of dev") < body.index("+ create a table") < body.index("Plan of prod")
    assert "~ update a pipe" in body
    assert calls[-1].startswith("api --silent --method POST repos/us/calls/issues/7/comments ")


def test_a_new_preview_replaces_the_previous_comment(tmp_path: Path) -> None:
    _, calls = commented(tmp_path, {"dev": "x"}, comments="12345\n")

    assert calls[-1].startswith("api --silent --method PATCH repos/us/calls/issues/comments/12345 ")


def test_a_plan_is_truncated_and_cannot_close_its_code_block(tmp_path: Path) -> None:
    escape = "~~~~~~~~\n<img src=x> @everyone\n"
    body, _ = commented(tmp_path, {"dev": escape * 3_000, "prod": escape})

    assert len(body) < 65_536
    assert body.count("~~~~~~~~") == 4, "two code blocks, each opened and closed once"
    assert "This is truncated. See the log." in body


def test_a_plan_that_consists_of_code_fences_fits_into_the_comment(tmp_path: Path) -> None:
    body, _ = commented(tmp_path, {"dev": "~" * 40_000, "prod": "~" * 40_000})

    assert len(body) < 65_536
    assert body.count("~~~~~~~~") == 4


def test_the_findings_of_all_stacks_come_before_their_changes_and_plans(tmp_path: Path) -> None:
    order = [f"{part} of {stack}" for part in ("findings", "changes", "plan") for stack in ("dev", "prod")]
    plans = {
        f"{stack}{ending}": f"{part} of {stack}\n"
        for part, ending in (("plan", ""), ("changes", ".changes"), ("findings", ".findings"))
        for stack in ("prod", "dev")
    }
    body, _ = commented(tmp_path, plans)

    assert re.findall(r"^(?:findings|changes|plan) of \w+$", body, re.MULTILINE) == order


def test_the_largest_comment_is_accepted_by_github(tmp_path: Path) -> None:
    files = [f"{stack}{part}" for stack in ("dev", "prod") for part in ("", ".findings", ".changes")]
    body, _ = commented(tmp_path, dict.fromkeys(files, "x" * 100_000))

    assert len(body) < 65_536
    assert body.count("This is truncated. See the log.") == 6


def test_a_missing_plan_is_reported(tmp_path: Path) -> None:
    body, _ = commented(tmp_path, {"prod": "x"})

    assert body.count("#### dev\nNot available. See the log.\n") == 2
    assert "Plan of dev</summary>\n\nNo plan was created. See the log.\n" in body


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, which GitHub's runners have")
def test_a_deployment_reports_its_outputs(tmp_path: Path) -> None:
    command(tmp_path, "pulumi", """echo '{"tableName": "call-records", "flowIds": {"a": "1"}}'""")
    summary = tmp_path / "summary"

    done = bash(
        step_named("deploy-stack.yml", "deploy", "Report")["run"],
        tmp_path,
        STACK="prod",
        GITHUB_STEP_SUMMARY=str(summary),
    )

    assert done.returncode == 0, done.stderr
    assert summary.read_text("utf-8").splitlines() == [
        "## prod is deployed",
        "",
        "| output | value |",
        "| --- | --- |",
        "| tableName | `call-records` |",
        '| flowIds | `{"a":"1"}` |',
    ]
