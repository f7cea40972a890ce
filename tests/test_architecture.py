"""Guards the direction of imports: a reader sees the architecture from the folders, so the folders must not lie."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# room -> the rooms of ours that it may import, besides itself and callroute.errors
MAY_IMPORT = {
    "callroute/flows": set(),
    "callroute/local": {"callroute.flows", "components.documents"},
    "callroute/reports": {"callroute.flows"},
    "callroute/cli": {"callroute.flows", "callroute.local", "callroute.reports"},
    "components/documents": {"callroute.flows"},
    "components": {"components.documents", "callroute.flows"},
    "policy": {"components.documents", "callroute.flows"},
}
WITHOUT = {
    "callroute/flows": {"pulumi", "pulumi_aws", "boto3", "botocore", "ministack"},
    "components/documents": {"pulumi", "pulumi_aws", "boto3", "botocore", "ministack"},
    "components": {"boto3", "botocore", "ministack"},
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def modules(room: str) -> list[Path]:
    others = [REPOSITORY / other for other in MAY_IMPORT if other.startswith(f"{room}/")]
    others.append(REPOSITORY / room / ".venv")  # the policy pack's, which others have written
    found = [
        path
        for path in (REPOSITORY / room).rglob("*.py")
        if not any(path.is_relative_to(other) for other in others)
    ]
    assert found
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    allowed = {room.replace("/", "."), "callroute.errors", *MAY_IMPORT[room]}
    for path in modules(room):
        for name in imported(path):
            if name.split(".")[0] in ("callroute", "components", "policy", "tests", "benchmarks"):
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
    program = f"import sys; sys.modules.update(dict.fromkeys({absent}))\nimport components.settings, components.call_route_tracker"

    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
