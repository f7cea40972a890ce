"""Guards against Pulumi commands in the GitHub workflows that Pulumi's real engine rejects, or whose results are not shown.

The tests run in this order, on one stack. Each script is run as the workflow contains it.
"""

from __future__ import annotations

import re
import shutil

import pytest

from tests.engine.project import Done, Project
from tests.engine.test_previews import WIDER_ROLE
from tests.workflows.test_workflows import GH, command, step_named

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, which GitHub's runners have"),
]


@pytest.fixture(scope="module")
def dev(project: Project) -> Project:
    """The project with an empty stack `dev`."""
    project.stack("dev")
    return project


def run_step(project: Project, workflow: str, job: str, name: str, **variables: str) -> Done:
    """Runs a step like GitHub, with its environment, except for the backend and values that GitHub fills in."""
    step = step_named(workflow, job, name)
    environment = {
        key: value
        for key, value in step.get("env", {}).items()
        if "${{" not in value and key != "PULUMI_BACKEND_URL"
    }
    project.variables = {**environment, "STACK": "dev", **variables}
    try:
        return project.run("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])
    finally:
        project.variables = {}


def test_a_stack_is_deployed(dev: Project) -> None:
    done = run_step(dev, "deploy-stack.yml", "deploy", "Deploy", GITHUB_SHA="0123456789abcdef")

    assert done.code == 0, done.text
    assert re.search(r"\+ \d+ created", done.out)
    history = dev.succeed("stack", "history").out
    assert "0123456789abcdef" in history


def test_its_outputs_are_reported(dev: Project) -> None:
    summary = dev.home / "summary.md"

    done = run_step(dev, "deploy-stack.yml", "deploy", "Report", GITHUB_STEP_SUMMARY=str(summary))

    assert done.code == 0, done.text
    assert "| tableName | `call-records-dev` |" in summary.read_text(encoding="utf-8")


def test_a_change_is_previewed_and_findings_come_first_in_the_comment(dev: Project) -> None:
    program = dev.folder / "__main__.py"
    program.write_text(program.read_text(encoding="utf-8") + WIDER_ROLE, encoding="utf-8")
    dev.succeed("config", "set", "batchSize", "20")

    previewed = run_step(dev, "preview.yml", "preview", "Preview")
    assert previewed.code != 0, "a mandatory violation fails the job"
    summarized = run_step(dev, "preview.yml", "preview", "Summarize")
    assert summarized.code == 0, summarized.text
    body = comment(dev)

    assert body.startswith("<!-- preview -->\n## Preview: failure ([log](https://run.example))")
    positions = [
        body.index(text)
        for text in (
            "Policy pack: 2 mandatory, ",
            "[mandatory] iam-no-wildcard-actions: other-policy\n      other-policy must ",
            "Changes: 1 to update, 2 to create",
            "update  call-route-tracker-pipe  (aws:pipes/pipe:Pipe): sourceParameters",
            "create  other-policy  (aws:iam/rolePolicy:RolePolicy)",
            "<details><summary>Plan of dev</summary>",
            "batchSize",
        )
    ]
    assert positions == sorted(positions), body
    assert len(body) < 65_536


def comment(project: Project) -> str:
    """Returns the comment that the workflow posts."""
    plans = project.folder / "plans"
    plans.mkdir()
    for file in ("dev.txt", "dev.findings.txt", "dev.changes.txt"):
        shutil.copyfile(project.folder / file, plans / file)
    command(project.folder, "gh", GH)
    (project.folder / "comments").touch()
    done = run_step(
        project,
        "preview.yml",
        "comment",
        "Comment on the pull request",
        PATH=f"{project.folder / 'bin'}:{project.environment['PATH']}",
        REPOSITORY="us/calls",
        NUMBER="7",
        RUN="https://run.example",
        RESULT="failure",
    )
    assert done.code == 0, done.text
    return (project.folder / "sent").read_text(encoding="utf-8")
