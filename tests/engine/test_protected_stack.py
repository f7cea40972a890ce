"""Guards against the loss of call records on a stack with `protectData`.

The tests run in this order, on one stack.
"""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest

from tests.engine.aws_resources import TABLE
from tests.engine.project import Project
from tests.engine.test_workflow_commands import run_step
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.emulator

needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, which GitHub's runners have")
REFUSAL = (
    'tableName is "calls"; allowed: "call-records", the name of the deployed table, because protectData is true.'
    " To use another name, migrate the table: docs/updates.md#change-the-name-of-the-table"
)
PROTECTED = ("table", "stream", "quarantine", "pipe-dead-letters")


@pytest.fixture(scope="module")
def prod(project: Project) -> Project:
    """The project with the stack `prod` deployed."""
    project.stack("prod")
    project.succeed("up", "--yes", "--skip-preview")
    return project


def tables(project: Project) -> list[str]:
    assert project.emulator is not None
    names: list[str] = project.emulator.client("dynamodb").list_tables()["TableNames"]
    return sorted(names)


def resources(project: Project) -> list[tuple[str, str, dict[str, Any]]]:
    """Returns the URN, the ID and the outputs of the AWS resources in the state."""
    found = (each for each in project.state() if each["type"].startswith("aws:"))
    return sorted((each["urn"], each["id"], each["outputs"]) for each in found)


def test_destroying_the_stack_is_refused(prod: Project) -> None:
    done = prod.pulumi("destroy", "--yes", "--skip-preview")

    assert done.code != 0
    assert "call-route-tracker-table" in done.text
    assert "protect" in done.text
    assert len({each["type"] for each in prod.state()}) > len(PROTECTED), "nothing was deleted"
    assert tables(prod) == ["call-records"]


def test_another_name_of_the_table_is_refused_with_instructions_to_migrate(prod: Project) -> None:
    before = resources(prod)
    prod.succeed("config", "set", "tableName", "calls")

    for command in (["preview"], ["up", "--yes"], ["up", "--yes", "--skip-preview", "--refresh"]):
        done = prod.pulumi(*command, "--suppress-progress")
        assert done.code != 0
        assert done.out.count(REFUSAL) == 1, done.text
        assert "Traceback" not in done.text
        assert "unprotect" not in done.text

    assert resources(prod) == before
    assert tables(prod) == ["call-records"]


@needs_jq
def test_the_comment_on_a_pull_request_shows_the_instructions(prod: Project) -> None:
    assert run_step(prod, "preview.yml", "preview", "Preview", STACK="prod").code != 0

    run_step(prod, "preview.yml", "preview", "Summarize", STACK="prod")

    assert REFUSAL in (prod.folder / "prod.findings.txt").read_text(encoding="utf-8")


@needs_jq
def test_the_documented_migration_keeps_the_old_table_and_protects_the_new_one(prod: Project) -> None:
    text = (REPOSITORY / "docs" / "updates.md").read_text(encoding="utf-8")
    unprotect = re.findall(r"^   ```sh\n(.*?)^   ```", text, re.MULTILINE | re.DOTALL)[0]

    done = prod.run("bash", "-eo", "pipefail", "-c", unprotect)
    assert done.code == 0, done.text
    prod.succeed("up", "--yes", "--skip-preview")

    assert tables(prod) == ["call-records", "calls"]
    (table,) = (each for each in prod.state() if each["type"] == TABLE)
    assert (table["id"], table["protect"], table["retainOnDelete"]) == ("calls", True, True)
    prod.succeed("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes")


def test_all_data_is_protected(prod: Project) -> None:
    protected = [each["urn"].rpartition("::")[2] for each in prod.state() if each.get("protect")]

    assert sorted(protected) == sorted(f"call-route-tracker-{role}" for role in PROTECTED)
