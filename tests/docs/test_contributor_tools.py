"""Checks the configuration of pre-commit, the dev container and the issue forms."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.support.paths import REPOSITORY


def hooks() -> list[dict[str, object]]:
    document = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [repository["repo"] for repository in document["repos"]] == ["local"], "hooks use the locked tools"
    found: list[dict[str, object]] = document["repos"][0]["hooks"]
    return found


def test_pre_commit_hooks_run_existing_tools_of_the_virtual_environment() -> None:
    for hook in hooks():
        program, *arguments = shlex.split(str(hook["entry"]))
        assert Path(program).parent == Path(".venv/bin"), hook["id"]
        for argument in arguments:
            if argument.endswith(".py"):
                assert (REPOSITORY / argument).exists(), argument


def test_the_published_hook_checks_flows_with_the_console_script() -> None:
    (hook,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text("utf-8"))

    assert hook["entry"] == "callroute check"
    assert hook["language"] == "python"
    flows = [path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("flow_definitions/*.json")]
    assert flows
    assert all(re.search(hook["files"], flow) for flow in flows)


def test_the_dev_container_uses_a_docker_hub_image_by_its_short_name() -> None:
    document = json.loads((REPOSITORY / ".devcontainer" / "devcontainer.json").read_text("utf-8"))

    assert re.fullmatch(r"python:3\.1[1-4]", document["image"])
    assert "make .venv/.dev" in document["postCreateCommand"]


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.name
)
def test_an_issue_form_has_labeled_fields_with_unique_ids(path: Path) -> None:
    form = yaml.safe_load(path.read_text("utf-8"))
    fields = [each for each in form["body"] if each["type"] != "markdown"]

    assert form["name"]
    assert form["description"]
    assert all(each["attributes"]["label"] for each in fields)
    assert len({each["id"] for each in fields}) == len(fields)
