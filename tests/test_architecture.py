"""Guards the direction of imports: a reader sees the architecture from the folders, so the folders must not lie."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

# folder -> the packages of this project that it may import, besides itself, callroute.arn and callroute.errors
MAY_IMPORT = {
    "callroute/formats": set(),
    "callroute/aws": set(),
    "callroute/flows": {"callroute.formats"},
    "callroute/local": {"callroute.aws", "callroute.flows", "callroute.formats"},
    "callroute/reports": {"callroute.flows"},
    "callroute/cli": {
        "callroute.aws",
        "callroute.flows",
        "callroute.formats",
        "callroute.local",
        "callroute.reports",
    },
    "components/call_route_tracker": {"callroute.aws", "callroute.flows", "callroute.formats"},
    "policy/call_route_policies": {"callroute.aws", "callroute.flows", "callroute.formats"},
}
CLOUD = {"pulumi", "pulumi_aws", "boto3", "botocore", "ministack"}
WITHOUT = {
    "callroute/formats": CLOUD,
    "callroute/aws": CLOUD,
    "callroute/flows": CLOUD,
    "components/call_route_tracker": {"boto3", "botocore", "ministack"},
}
OURS = (
    "callroute",
    "call_route_tracker",
    "call_route_policies",
    "components",
    "policy",
    "tests",
    "benchmarks",
)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def modules(room: str) -> list[Path]:
    found = list((REPOSITORY / room).rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    allowed = {room.replace("/", "."), "callroute.arn", "callroute.errors", *MAY_IMPORT[room]}
    for path in modules(room):
        for name in imported(path):
            if name.split(".")[0] in OURS and name != "callroute":  # which has only the version
                assert any(name == each or name.startswith(f"{each}.") for each in allowed), (
                    f"{path} imports {name}"
                )


@pytest.mark.parametrize("room", WITHOUT)
def test_what_needs_no_cloud_imports_none(room: str) -> None:
    for path in modules(room):
        assert not {name.split(".")[0] for name in imported(path)} & WITHOUT[room], path


def test_the_program_needs_no_more_than_its_own_dependencies() -> None:
    # What `pulumi install` installs is requirements/deploy.txt; these come with the other groups.
    absent = ("boto3", "botocore", "ministack", "rich", "typer", "cfnlint", "pytest")
    program = f"import sys; sys.modules.update(dict.fromkeys({absent}))\nimport call_route_tracker.config, call_route_tracker.tracker"

    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
