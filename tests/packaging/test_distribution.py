"""Guards against a wheel or sdist that lacks a module, contains private files, or cannot be installed with each extra."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import callroute
from tests.support.paths import REPOSITORY

PACKAGES = {
    "callroute": REPOSITORY / "callroute",
    "call_route_tracker": REPOSITORY / "components" / "call_route_tracker",
    "call_route_policies": REPOSITORY / "policy" / "call_route_policies",
}
FLOW = REPOSITORY / "flow_definitions" / "call_route.json"


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - commands of this module
        [str(part) for part in command],
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def sources() -> set[str]:
    """Returns the files of the three packages that git tracks, keyed by their name in the wheel."""
    listed = run("git", "ls-files", "callroute", "components", "policy").stdout.splitlines()
    return {
        f"{name}/{(REPOSITORY / line).relative_to(folder).as_posix()}"
        for line in listed
        for name, folder in PACKAGES.items()
        if (REPOSITORY / line).is_relative_to(folder) and (REPOSITORY / line).exists()
    }


def test_the_wheel_contains_the_three_packages_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        contents = set(archive.namelist())

    metadata = {name for name in contents if ".dist-info/" in name}
    assert contents - metadata == sources()
    assert f"call_route_tracker-{callroute.__version__}.dist-info/entry_points.txt" in metadata
    assert "call_route_tracker/py.typed" in contents
    assert "callroute/aws/record.jsonata" in contents


def test_the_sdist_contains_the_packages_their_build_files_and_nothing_else(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    root = f"call_route_tracker-{callroute.__version__}/"
    with tarfile.open(sdist) as archive:
        contents = {member.name.removeprefix(root) for member in archive if member.isfile()}

    packages = {name for name in contents if name.startswith(("callroute/", "components/", "policy/"))}
    folders = {"call_route_tracker": "components/", "call_route_policies": "policy/", "callroute": ""}
    assert packages == {folders[name.split("/")[0]] + name for name in sources()}
    assert contents - packages == {
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
    }


def test_the_policy_pack_has_the_version_of_the_distribution() -> None:
    pack = yaml.safe_load((REPOSITORY / "policy" / "PulumiPolicy.yaml").read_text(encoding="utf-8"))

    assert pack["version"] == callroute.__version__


@pytest.mark.skipif(
    not os.environ.get("CALLROUTE_TEST_INSTALL"),
    reason="downloads packages; `make package` sets CALLROUTE_TEST_INSTALL",
)
@pytest.mark.timeout(900)
def test_each_extra_of_the_wheel_installs_into_an_empty_environment_and_works(
    built: Path, tmp_path: Path
) -> None:
    (wheel,) = built.glob("*.whl")
    environment = tmp_path / "environment"
    python, command = environment / "bin" / "python", environment / "bin" / "callroute"
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(unhashed((REPOSITORY / "requirements" / "dev.txt").read_text("utf-8")), "utf-8")
    assert run(sys.executable, "-m", "venv", environment).returncode == 0

    def install(extra: str) -> None:
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        done = run(*pip, "--constraint", constraints, f"{wheel}{extra}")
        assert done.returncode == 0, done.stderr

    install("")
    assert run(command, "--version").stdout.strip().endswith(callroute.__version__)
    assert run(command, "check", FLOW).returncode == 0
    assert run(command, "simulate", FLOW, "--keys", "1,2").returncode == 0
    assert run(command, "draw", FLOW).stdout.startswith("flowchart")
    assert run(python, "-m", "callroute", "track", FLOW).returncode == 0
    absent = run(python, "-c", "import pulumi")
    assert "No module named 'pulumi'" in absent.stderr
    without = run(command, "demo")
    assert without.returncode == 2
    assert "Install call-route-tracker[local]" in without.stderr

    calls = REPOSITORY / "examples" / "call_records.jsonl"
    assert "Install call-route-tracker[report]" in run(command, "report", calls).stderr
    install("[report]")
    assert run(command, "report", calls, "--format", "csv").stdout.startswith("call_flow,route,")

    install("[policy]")
    listed = run(python, "-c", "from call_route_policies import RULES; import sys; sys.exit(len(RULES) < 20)")
    assert listed.returncode == 0, listed.stderr

    install("[pulumi]")
    done = run(python, "-c", "from call_route_tracker import CallRouteTracker, CallRouteTrackerArgs")
    assert done.returncode == 0, done.stderr

    install("[local]")
    done = run(command, "demo", "--calls", "5", "--json")
    assert done.returncode == 0, done.stderr


def unhashed(lock: str) -> str:
    """Returns the versions of a lock file without their hashes, as constraints for pip."""
    return "\n".join(line.removesuffix(" \\") for line in lock.splitlines() if "==" in line)
