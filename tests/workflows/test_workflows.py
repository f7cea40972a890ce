"""Guards the workflows.

Failures they are for: an action that its tag's owner can swap, a token that can do more than its job, credentials for code
from a fork, a deployment that the policy pack did not judge or nobody approved, a failed preview that looks like a passed
one, a stack that no workflow knows of.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
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
"""The stack of the local cloud, which is never deployed."""
STACKS = {path.name.split(".")[1] for path in REPOSITORY.glob("Pulumi.*.yaml")} - {LOCAL_STACK}

# Not PyYAML's default: YAML 1.1 reads the key `on` as true and versions as numbers.
Loader = yaml.BaseLoader


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(WORKFLOWS[name].read_text(encoding="utf-8"), Loader)  # noqa: S506 - BaseLoader makes text only
    return document


def action() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(ACTION.read_text(encoding="utf-8"), Loader)  # noqa: S506 - BaseLoader makes text only
    return document


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every job, with the names of its workflow and its own."""
    for name in WORKFLOWS:
        for job, content in read(name)["jobs"].items():
            yield name, job, content


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step of workflows and action, with a name for it."""
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
    """Every script, by the name of its step."""
    return {where: step["run"] for where, step in steps() if "run" in step}


def bash(script: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a step's script as GitHub does: `shell: bash`."""
    file = directory / "script.sh"
    file.write_text(script, encoding="utf-8")
    path = f"{directory / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(  # noqa: S603 - our own workflows' scripts
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(file)],  # noqa: S607 - found where the user's PATH says
        cwd=directory,
        env={**os.environ, **environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def command(directory: Path, name: str, script: str) -> None:
    """Puts a command of that name before all others."""
    file = directory / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/usr/bin/env bash\n{script}\n", encoding="utf-8")
    file.chmod(0o700)


def test_every_action_of_others_is_pinned_to_one_commit_and_says_its_version() -> None:
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
        "the same everywhere, or one of them is old"
    )


def test_nothing_runs_with_rights_that_it_was_not_given_by_name() -> None:
    assert {name: read(name)["permissions"] for name in WORKFLOWS} == {name: {} for name in WORKFLOWS}


def test_a_job_that_runs_changed_code_can_write_nowhere_and_one_that_writes_runs_none() -> None:
    writing = {
        (name, job): {right for right, level in content.get("permissions", {}).items() if level == "write"}
        for name, job, content in jobs()
    }

    assert {place: rights for place, rights in writing.items() if rights - {"id-token"}} == {
        ("preview.yml", "comment"): {"pull-requests"}
    }
    comment = read("preview.yml")["jobs"]["comment"]
    used = [step["uses"].partition("@")[0] for step in comment["steps"] if "uses" in step]
    assert used == ["actions/download-artifact"], "no checkout, nothing of the pull request"
    assert not re.search(r"\b(python|pip|make|source|eval|bash|sh)\b", scripts()["preview.yml: comment[1]"])


def test_who_asks_github_for_a_token_works_in_an_environment() -> None:
    asking = [
        (name, job)
        for name, job, content in jobs()
        if content.get("permissions", {}).get("id-token") == "write" and "steps" in content
    ]

    assert asking == [("deploy-stack.yml", "deploy"), ("preview.yml", "preview")]
    assert all("environment" in read(name)["jobs"][job] for name, job in asking)


def test_no_credentials_are_kept_in_github_or_in_the_checkout() -> None:
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


def test_every_job_ends_in_time_on_a_runner_of_a_known_version() -> None:
    running = [(f"{name}: {job}", content) for name, job, content in jobs() if "steps" in content]

    assert len(running) >= 5
    for where, content in running:
        assert 1 <= int(content["timeout-minutes"]) < 60, f"{where}: the credentials last an hour"
        assert re.fullmatch(r"ubuntu-\d\d\.\d\d", content["runs-on"]), where


def test_every_workflow_says_what_may_run_at_the_same_time_and_deployments_are_not_cut_short() -> None:
    assert all("concurrency" in read(name) for name in WORKFLOWS)

    turns = {name: read(name)["concurrency"] for name in ("deploy.yml", "deploy-stack.yml")}
    assert {each["cancel-in-progress"] for each in turns.values()} == {"false"}
    assert turns["deploy-stack.yml"]["group"] == "deploy-${{ inputs.stack }}", "one at a time for each stack"


def test_nothing_that_others_write_becomes_part_of_a_script() -> None:
    assert {where: script for where, script in scripts().items() if "${{" in script} == {}
    for path in (*WORKFLOWS.values(), ACTION):
        assert not re.search(r"(title|body|head_ref|head\.ref|label|message) *}}", path.read_text("utf-8"))


def test_no_workflow_starts_with_rights_on_the_word_of_a_stranger() -> None:
    risky = {"pull_request_target", "workflow_run", "issue_comment", "issues", "discussion", "fork"}

    assert {trigger for name in WORKFLOWS for trigger in read(name)["on"]} & risky == set()


def evaluated(condition: str, context: Mapping[str, str]) -> bool:
    """What a job's condition says, for conditions made of ==, !=, && and ||."""
    expression = condition.replace("&&", " and ").replace("||", " or ")
    for name in sorted(context, key=len, reverse=True):
        expression = expression.replace(name, repr(context[name]))
    assert re.fullmatch(r"('[^']*'|==|!=|and|or|\s)+", expression), expression
    return bool(eval(" ".join(expression.split()), {}))  # noqa: S307 - only quoted words and operators, see above


@pytest.mark.parametrize(
    ("head", "author", "enabled"),
    list(itertools.product(["us/calls", "them/calls", ""], ["person", "dependabot[bot]"], ["enabled", ""])),
)
def test_a_pull_request_is_previewed_only_if_its_code_is_ours_and_else_its_author_is_told(
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
    ("fork", "dependabot", "told"),
    [
        ("true", "false", "comes from a fork"),
        ("false", "true", "new versions of others' code"),
        ("false", "false", "AWS_DEPLOYMENT is not 'enabled'"),
    ],
)
def test_the_author_is_told_why_there_is_no_preview(
    tmp_path: Path, fork: str, dependabot: str, told: str
) -> None:
    summary = tmp_path / "summary"

    done = bash(
        step_named("preview.yml", "not-previewed", "Say why")["run"],
        tmp_path,
        FORK=fork,
        DEPENDABOT=dependabot,
        GITHUB_STEP_SUMMARY=str(summary),
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("::notice title=No preview::")
    assert told in done.stdout
    assert told in summary.read_text("utf-8")


def test_whatever_previews_or_deploys_is_judged_by_the_policy_pack() -> None:
    found = {
        where: script for where, script in scripts().items() if re.search(r"pulumi (preview|up)\b", script)
    }

    assert {where.partition(":")[0] for where in found} == {"preview.yml", "deploy-stack.yml"}
    for where, script in found.items():
        (line,) = re.findall(r"pulumi (?:preview|up) .*", script.replace("\\\n", ""))
        assert "--policy-pack policy " in line, where
        assert "--refresh " in line, f"{where}: what was changed by hand is part of the plan"
        assert "--non-interactive" in line, where
    assert (REPOSITORY / "policy" / "PulumiPolicy.yaml").exists()


def test_a_preview_that_the_policy_pack_refuses_fails_though_its_output_goes_through_a_pipe(
    tmp_path: Path,
) -> None:
    command(tmp_path, "pulumi", 'echo "Policy violation"; exit 255')

    done = bash(step_named("preview.yml", "preview", "Preview")["run"], tmp_path, STACK="dev")

    assert done.returncode == 255
    assert (tmp_path / "dev.txt").read_text("utf-8") == "Policy violation\n", (
        "the plan is kept for the comment"
    )


def test_scripts_run_in_the_shell_that_fails_before_a_pipe() -> None:
    for name in WORKFLOWS:
        if any(
            "|" in step.get("run", "") for job in read(name)["jobs"].values() for step in job.get("steps", [])
        ):
            assert read(name)["defaults"]["run"]["shell"] == "bash", name
    assert all(step["shell"] == "bash" for step in action()["runs"]["steps"] if "run" in step)


def test_every_stack_but_the_local_one_is_previewed_and_deployed() -> None:
    deploying = [
        content["with"]["stack"] for content in read("deploy.yml")["jobs"].values() if "with" in content
    ]

    assert set(read("preview.yml")["jobs"]["preview"]["strategy"]["matrix"]["stack"]) == STACKS
    assert sorted(deploying) == sorted(STACKS)
    listed = re.search(
        r"for stack in (.*); do", step_named("preview.yml", "comment", "Comment on the pull request")["run"]
    )
    assert listed
    assert set(listed[1].split()) == STACKS


def test_nothing_is_deployed_unchecked_or_from_another_branch_and_prod_comes_last() -> None:
    found = read("deploy.yml")["jobs"]

    assert found["check"]["uses"] == "$/.github/workflows/ci.yml"
    assert found["dev"]["needs"] == "check"
    assert found["prod"]["needs"] == "dev"
    for ref, enabled in itertools.product(["refs/heads/main", "refs/heads/mine"], ["enabled", ""]):
        context = {"github.ref": ref, "vars.AWS_DEPLOYMENT": enabled}
        expected = (ref, enabled) == ("refs/heads/main", "enabled")
        assert evaluated(found["dev"]["if"], context) is expected
    assert "if" not in found["prod"], "it would run though dev did not"


def test_the_environments_are_those_that_the_roles_trust() -> None:
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


def test_credentials_come_after_the_installation_and_only_for_the_account_that_is_meant() -> None:
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


def test_every_supported_python_is_checked() -> None:
    check = read("ci.yml")["jobs"]["check"]
    pythons = check["strategy"]["matrix"]["python"]

    oldest, newest = (int(each.removeprefix("3.")) for each in (pythons[0], pythons[-1]))
    assert pythons == [f"3.{minor}" for minor in range(oldest, newest + 1)]
    supported = f'requires-python = ">=3.{oldest},<3.{newest + 1}"'
    assert supported in (REPOSITORY / "pyproject.toml").read_text("utf-8")
    assert f"(3, {oldest}) <= sys.version_info < (3, {newest + 1})" in (REPOSITORY / "Makefile").read_text(
        "utf-8"
    )
    assert f"Python 3.{oldest} to 3.{newest}" in (REPOSITORY / "README.md").read_text("utf-8")
    assert check["steps"][-1]["run"] == "make check"
    assert set(read("ci.yml")["on"]) == {"pull_request", "push", "workflow_call"}


def test_the_cli_has_the_version_of_the_locked_library(tmp_path: Path) -> None:
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


def test_dependencies_are_installed_by_their_hashes_where_pulumi_looks_for_them() -> None:
    script = action()["runs"]["steps"][-1]["run"]

    assert "--require-hashes" in script
    for folder, project in (("", "Pulumi.yaml"), ("policy/", "PulumiPolicy.yaml")):
        options = yaml.safe_load((REPOSITORY / folder / project).read_text("utf-8"))["runtime"]["options"]
        assert f"install {folder}{options['virtualenv']} requirements/" in script


GH = """
echo "$*" >> calls
for word in "$@"; do [ "$word" != body=@comment.md ] || cp comment.md sent; done
case "$*" in *--paginate*) cat comments;; esac
"""


def commented(directory: Path, plans: Mapping[str, str], comments: str = "") -> tuple[str, list[str]]:
    """What the job sends to GitHub, and how it calls `gh`."""
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


def test_the_plans_of_all_stacks_are_one_comment(tmp_path: Path) -> None:
    body, calls = commented(tmp_path, {"dev": "+ create a table\n", "prod": "~ update a pipe\n"})

    assert body.startswith("<!-- preview -->\n## Preview: success ([log](https://run.example))")
    assert body.index("### dev") < body.index("+ create a table") < body.index("### prod")
    assert "~ update a pipe" in body
    assert calls[-1].startswith("api --silent --method POST repos/us/calls/issues/7/comments ")


def test_the_next_preview_takes_the_place_of_the_last(tmp_path: Path) -> None:
    _, calls = commented(tmp_path, {"dev": "x"}, comments="12345\n")

    assert calls[-1].startswith("api --silent --method PATCH repos/us/calls/issues/comments/12345 ")


def test_a_plan_can_neither_leave_its_frame_nor_be_too_long(tmp_path: Path) -> None:
    escape = "~~~~~~~~\n<img src=x> @everyone\n"
    body, _ = commented(tmp_path, {"dev": escape * 3_000, "prod": escape})

    assert len(body) < 65_536
    assert body.count("~~~~~~~~") == 4, "two frames, each opened and closed once"
    assert "Only its beginning: the log has it all." in body


def test_a_plan_is_not_too_long_where_all_of_it_has_to_be_disarmed(tmp_path: Path) -> None:
    body, _ = commented(tmp_path, {"dev": "~" * 40_000, "prod": "~" * 40_000})

    assert len(body) < 65_536
    assert body.count("~~~~~~~~") == 4


def test_a_stack_without_a_plan_is_said_to_have_none(tmp_path: Path) -> None:
    body, _ = commented(tmp_path, {"prod": "x"})

    assert "### dev\nThere is no plan: the log tells why.\n" in body


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
