"""Guards against a test kit that works only for this pack, and against examples in docs/policies.md that do not run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from call_route_policies.testing import Pack, Resource, interpreter, secret
from tests.policies.tables import DOCUMENT

PACK_CODE, TEST_CODE = re.findall(
    r"^```python\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL
)

OTHER_PACK = """
from pulumi_policy import EnforcementLevel, PolicyConfigSchema, PolicyPack, ResourceValidationPolicy, StackValidationPolicy


def check_size(args, report):
    limit = int(args.get_config()["limit"])
    if args.props["size"] > limit:
        report(f"size must be at most {limit}")


def check_names(args, report):
    for resource in args.resources:
        if resource.props["arn"] == "arn:of:a":
            report("must not be called a", resource.urn)


PolicyPack(
    "other",
    [
        ResourceValidationPolicy(
            "size",
            "Sizes are limited.",
            check_size,
            EnforcementLevel.ADVISORY,
            PolicyConfigSchema({"limit": {"type": "integer", "default": 5}}),
        ),
        StackValidationPolicy("names", "Names are chosen.", check_names),
    ],
    EnforcementLevel.MANDATORY,
)
"""


def write_pack(folder: Path, program: str, runtime: str) -> Path:
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text(f"runtime: {runtime}\nversion: 0.1.0\n", encoding="utf-8")
    (folder / "__main__.py").write_text(program, encoding="utf-8")
    return folder


def test_the_documented_test_of_a_pack_passes(tmp_path: Path) -> None:
    assert len(TEST_CODE.splitlines()) <= 25
    virtualenv = f"{{name: python, options: {{virtualenv: {sys.prefix}}}}}"
    write_pack(tmp_path / "policy", PACK_CODE, virtualenv)
    (tmp_path / "conftest.py").write_text(
        'pytest_plugins = ["call_route_policies.testing"]\n', encoding="utf-8"
    )
    (tmp_path / "test_topics.py").write_text(TEST_CODE, encoding="utf-8")

    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", ".", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 - our own interpreter

    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_the_kit_runs_a_pack_without_rules_of_this_project(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "other", OTHER_PACK, "python")
    stack = [
        Resource("any:index:Thing", name, inputs={"size": size}, outputs={"arn": f"arn:of:{name}"})
        for name, size in (("a", 4), ("b", 6))
    ]

    with Pack(folder) as pack:
        assert [(each.rule, each.resource, each.message, each.level) for each in pack.analyze(stack)] == [
            ("names", "a", "must not be called a", "mandatory"),
            ("size", "b", "size must be at most 5", "advisory"),
        ]
        with pytest.raises(ValueError, match="the pack has no rule 'sizes'"):
            pack.configure({"sizes": {"limit": 3}})
        pack.configure({"size": {"limit": 3}, "names": {"enforcementLevel": "disabled"}})
        assert [(each.resource, each.level) for each in pack.analyze(stack)] == [
            ("a", "advisory"),
            ("b", "advisory"),
        ]


def test_a_pack_that_does_not_start_is_an_error_with_its_output(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "broken", "raise SystemExit('no rules today')", "python")

    with (
        pytest.raises(RuntimeError, match=r"instead of its port, and to standard error:\n.*no rules today"),
        Pack(folder),
    ):
        pass


def test_a_missing_environment_is_an_error_with_the_command_that_creates_it(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack", "", "{name: python, options: {virtualenv: elsewhere}}")

    with pytest.raises(RuntimeError, match=r"elsewhere/bin/python is missing\. Run `pulumi install` in "):
        interpreter(folder)

    python = folder / "elsewhere/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert interpreter(folder) == python


def test_resources_of_the_kit_have_distinct_urns_and_secrets() -> None:
    one, two = Resource("any:index:Thing", "one"), Resource("any:index:Thing", "two")

    assert one.urn == "urn:pulumi:test::test::any:index:Thing::one"
    assert one.urn != two.urn
    assert secret("text")["value"] == "text"
