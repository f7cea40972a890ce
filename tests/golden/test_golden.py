"""Compares the resources, the command output and the deployment role documents with the golden files.

After an intended change, rewrite the files with `UPDATE_GOLDEN=1 python -m pytest tests/golden` and review the diff.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
from pathlib import Path

import pytest

from tests.golden.subjects import (
    COMMANDS,
    FOLDER,
    REGISTRATIONS,
    TARGETS,
    Registration,
    documents,
    dumped,
    printed,
    registered,
)

UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"
SHOWN_LINES = 200

OFFLINE = [name for name, command in COMMANDS.items() if not command.emulator]
LOCAL_CLOUD = [name for name, command in COMMANDS.items() if command.emulator]
FILES = {
    *(f"{run.name}.json" for run in REGISTRATIONS),
    *(f"commands/{name}.txt" for name in COMMANDS),
    *(f"deploy_role/{name}.json" for name in TARGETS),
}


@pytest.mark.parametrize("run", REGISTRATIONS, ids=lambda run: run.name)
def test_resources_and_outputs_are_as_pinned(run: Registration) -> None:
    actual, texts = registered(run)
    file = f"{run.name}.json"
    if UPDATE:
        for name, text in texts.items():
            write(name, text)
        write(file, actual)
    wanted = read(file)
    kept = {name: read(name) for name in references(wanted)}

    compare(file, expanded(wanted, kept), expanded(actual, texts))


@pytest.mark.parametrize("name", OFFLINE)
def test_command_output_is_as_pinned(name: str) -> None:
    check(f"commands/{name}.txt", printed(COMMANDS[name]))


@pytest.mark.emulator
@pytest.mark.skipif(importlib.util.find_spec("ministack") is None, reason="needs requirements/local.txt")
@pytest.mark.parametrize("name", LOCAL_CLOUD)
def test_output_of_commands_with_a_local_cloud_is_as_pinned(name: str) -> None:
    check(f"commands/{name}.txt", printed(COMMANDS[name]))


@pytest.mark.parametrize("name", TARGETS)
def test_documents_of_the_deployment_roles_are_as_pinned(name: str) -> None:
    check(f"deploy_role/{name}.json", documents(name))


def test_every_golden_file_is_in_use() -> None:
    stacks = [f"{run.name}.json" for run in REGISTRATIONS]
    used = {*FILES, *(text for stack in stacks for text in references(read(stack)))}
    found = {
        path.relative_to(FOLDER).as_posix()
        for folder in ("stacks", "texts", "commands", "deploy_role")
        for path in (FOLDER / folder).iterdir()
    }
    if UPDATE:
        for name in found - used:
            (FOLDER / name).unlink()
        found &= used

    assert found == used


def check(file: str, actual: str) -> None:
    if UPDATE:
        write(file, actual)
    compare(file, read(file), actual)


def compare(file: str, wanted: str, actual: str) -> None:
    """Fails with a diff of the lines."""
    if wanted == actual:
        return
    diff = list(difflib.unified_diff(wanted.splitlines(), actual.splitlines(), file, "now", lineterm="", n=4))
    more = [f"… and {len(diff) - SHOWN_LINES} more lines"] if len(diff) > SHOWN_LINES else []
    if not diff:
        more = ["Only line ends differ."]
    pytest.fail("\n".join([f"{file} has changed:", *diff[:SHOWN_LINES], *more]), pytrace=False)


def references(stack: str) -> set[str]:
    """Returns the names of the files that contain a stack's long texts."""
    return {
        value["file"]
        for resource in json.loads(stack)["resources"]
        for value in resource["inputs"].values()
        if isinstance(value, dict) and "sha256" in value and "file" in value
    }


def expanded(stack: str, texts: dict[str, str]) -> str:
    """Inserts the long texts, so that a diff shows what changed in them."""
    parsed = json.loads(stack)
    for resource in parsed["resources"]:
        for value in resource["inputs"].values():
            if isinstance(value, dict) and "sha256" in value and "file" in value:
                value["json"] = json.loads(texts[value.pop("file")])
    return dumped(parsed)


def read(file: str) -> str:
    path = FOLDER / file
    assert path.is_file(), f"{file} is missing: write it with UPDATE_GOLDEN=1"
    return path.read_bytes().decode()


def write(file: str, text: str) -> None:
    path: Path = FOLDER / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
