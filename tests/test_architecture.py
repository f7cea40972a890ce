"""Checks the direction of imports, so that the folders reflect the architecture."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

# folder -> the packages of this project that it may import, besides itself, callroute.arn and callroute.errors
OPTIONS = {f"call_route_tracker.{module}" for module in ("config", "constraints", "options")}
"""Modules of the component that know its options. The local cloud and the commands import them only when they need them."""

MAY_IMPORT = {
    "callroute/formats": set(),
    "callroute/aws": set(),
    "callroute/flows": {"callroute.formats"},
    "callroute/local": {"callroute.aws", "callroute.flows", "callroute.formats", *OPTIONS},
    "callroute/operations": {"callroute.aws"},
    "callroute/reports": {"callroute.flows"},
    "callroute/live": {"callroute.flows", "callroute.local", "callroute.reports"},
    "callroute/cli": {
        "callroute.aws",
        "callroute.flows",
        "callroute.formats",
        "callroute.live",
        "callroute.local",
        "callroute.operations",
        "callroute.reports",
        *OPTIONS,
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
PACKAGES = (
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


def modules(folder: str) -> list[Path]:
    found = list((REPOSITORY / folder).rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_the_packages_that_it_may_use(folder: str) -> None:
    allowed = {folder.replace("/", "."), "callroute.arn", "callroute.errors", *MAY_IMPORT[folder]}
    for path in modules(folder):
        for name in imported(path):
            if name.split(".")[0] in PACKAGES and name != "callroute":  # which has only the version
                assert any(name == each or name.startswith(f"{each}.") for each in allowed), (
                    f"{path} imports {name}"
                )


@pytest.mark.parametrize("folder", ["callroute/local", "callroute/cli"])
def test_options_of_the_component_are_imported_inside_functions(folder: str) -> None:
    for path in modules(folder):
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                names = [getattr(statement, "module", None), *(alias.name for alias in statement.names)]
                assert not any(str(name).startswith("call_route_tracker") for name in names), path


@pytest.mark.parametrize("folder", WITHOUT)
def test_a_folder_does_not_import_libraries_that_it_must_work_without(folder: str) -> None:
    for path in modules(folder):
        assert not {name.split(".")[0] for name in imported(path)} & WITHOUT[folder], path


def test_the_program_needs_only_its_own_dependencies() -> None:
    # `pulumi install` installs requirements/deploy.txt. These modules come with the other groups.
    absent = ("boto3", "botocore", "ministack", "click", "rich", "cfnlint", "pytest")
    program = f"import sys; sys.modules.update(dict.fromkeys({absent}))\nimport call_route_tracker.config, call_route_tracker.tracker"

    ran = subprocess.run(  # noqa: S603 - this project's program
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
