"""Checks that the documentation matches the code: commands, links, examples, tables and file names."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from callroute.aws.state_machine import ITEM_ATTRIBUTES
from callroute.cli.serve import serve
from tests.support import aws_cli
from tests.support.engine import Engine
from tests.support.paths import REPOSITORY

README = REPOSITORY / "README.md"
JAPANESE_README = REPOSITORY / "README.ja.md"
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
CALLROUTE = ("callroute ", ".venv/bin/python -m callroute ")
PULUMI_COMMANDS = {
    ("config", "set"),
    ("destroy",),
    ("install",),
    ("login",),
    ("package", "add"),
    ("preview",),
    ("stack", "init"),
    ("stack", "output"),
    ("stack", "rm"),
    ("up",),
}


def console_lines(document: Path) -> Iterator[str]:
    """Yields the commands in the console blocks of a document."""
    text = document.read_text(encoding="utf-8")
    for block in re.findall(r"^ *```console\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            assert line.strip().startswith("$ "), (
                f"{document.name}: a console block contains only commands: {line}"
            )
            yield line.strip()[2:]


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_a_document_has_no_conflict_markers(document: Path) -> None:
    text = document.read_text(encoding="utf-8")

    assert not re.search(r"^(<<<<<<<|=======|>>>>>>>)", text, re.MULTILINE)


LINES = sorted({line for document in DOCUMENTS for line in console_lines(document)})


def commands(*prefixes: str) -> list[str]:
    return [line for line in LINES if line.startswith(prefixes)]


SERVING = commands("callroute serve")


@pytest.mark.parametrize("readme", [README, JAPANESE_README], ids=lambda path: path.name)
def test_a_readme_starts_with_the_two_commands(readme: Path) -> None:
    assert list(console_lines(readme))[:2] == ["make demo", "make test"]


def test_the_japanese_readme_contains_the_same_commands_in_the_same_order() -> None:
    assert list(console_lines(JAPANESE_README)) == list(console_lines(README))


def test_the_japanese_readme_has_the_same_structure() -> None:
    def levels(path: Path) -> list[int]:
        prose = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        return [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)]

    assert levels(JAPANESE_README) == levels(README)


def test_every_command_is_checked_by_a_test_in_this_file() -> None:
    checked = commands(*CALLROUTE, "make ", "pulumi ", "aws ", "pip install ")

    assert set(LINES) == set(checked)


@pytest.mark.emulator
@pytest.mark.parametrize("line", [line for line in commands(*CALLROUTE) if line not in SERVING])
def test_a_callroute_command_succeeds(line: str, tmp_path: Path) -> None:
    words = shlex.split(line.removeprefix(".venv/bin/python -m "))[1:]
    output = tmp_path / words[words.index("-o") + 1] if "-o" in words else None
    if output:
        words[words.index("-o") + 1] = str(output)

    completed = subprocess.run(  # noqa: S603 - a command from this repository's documentation
        [sys.executable, "-m", "callroute", *words],
        cwd=REPOSITORY,
        input="",
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )

    assert completed.returncode == 0, completed.stderr
    assert output.exists() if output else completed.stdout


@pytest.mark.parametrize("line", SERVING)
def test_a_serve_command_has_known_options(line: str) -> None:
    # tests/cli/test_serve.py runs the command until Ctrl-C.
    with serve.make_context("serve", shlex.split(line)[2:]) as context:
        assert context.params


@pytest.mark.parametrize(
    "target", sorted({target for line in commands("make ") for target in shlex.split(line)[1:]})
)
def test_a_make_target_exists(target: str) -> None:
    completed = subprocess.run(  # noqa: S603 - a target from this repository's documentation
        ["make", "--dry-run", target],  # noqa: S607 - found on PATH
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )

    assert completed.returncode == 0, completed.stderr


@pytest.mark.parametrize("line", commands("pip install "))
def test_pip_installs_this_project_with_extras_that_it_defines(line: str) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (requirement,) = shlex.split(line)[2:]
    found = re.fullmatch(r"\.(?:\[([a-z,]+)\])?", requirement)

    assert found, requirement
    assert set((found[1] or "").split(",")) - {""} <= set(project["optional-dependencies"])


@pytest.mark.parametrize("line", commands("pulumi "))
def test_a_pulumi_command_exists_and_names_paths_of_this_repository(line: str) -> None:
    words = shlex.split(line)[1:]
    (command,) = {tuple(words[:1]), tuple(words[:2])} & PULUMI_COMMANDS

    if "--policy-pack" in words or "--cwd" in words:
        folder = words[words.index("--policy-pack" if "--policy-pack" in words else "--cwd") + 1]
        assert (REPOSITORY / folder / "PulumiPolicy.yaml").exists()
    if command == ("package", "add"):
        assert (REPOSITORY / Path(words[2]).name / "PulumiPlugin.yaml").exists()
    if pulumi := shutil.which("pulumi"):
        completed = subprocess.run(  # noqa: S603 - the Pulumi CLI
            [pulumi, *command, "--help"], capture_output=True, encoding="utf-8", timeout=60, check=False
        )
        assert completed.returncode == 0, completed.stderr
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert options <= set(re.findall(r"--[a-z-]+", completed.stdout))


@pytest.mark.parametrize("line", commands("aws "))
def test_an_aws_command_has_known_options_and_all_required_ones(line: str) -> None:
    aws_cli.read(shlex.split(re.sub(r"\"\$\([^)]*\)\"", "VALUE", line))[1:])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_to_existing_files_and_headings(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if re.match(r"https?:", target):
            continue
        path, _, heading = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
            assert heading in anchors, target


def test_the_record_contract_lists_exactly_the_attributes_of_an_item() -> None:
    listed = re.findall(
        r"^\| `(\w+)` \| [SNLM](?=[ ,])",
        (REPOSITORY / "docs/record.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )

    assert listed == ["contact_id", *ITEM_ATTRIBUTES]


def test_the_index_lists_every_decision_record() -> None:
    folder = REPOSITORY / "docs/adr"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))

    assert listed == sorted(path.name for path in folder.glob("0*.md"))


def test_a_decision_record_has_the_three_sections() -> None:
    for path in (REPOSITORY / "docs/adr").glob("0*.md"):
        headings = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], path.name


def test_folders_in_the_layout_table_exist() -> None:
    table = re.findall(
        r"^\| (`.+?`) \|", (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    for name in re.findall(r"`([^`]+)`", " ".join(table)):
        assert list(REPOSITORY.glob(name.rstrip("/"))), name


def test_fidelity_names_existing_tests() -> None:
    text = (REPOSITORY / "docs/fidelity.md").read_text(encoding="utf-8")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("*.py"))
    defined = set(re.findall(r"def (test_\w+)", sources))

    named = set(re.findall(r"`(test_\w+)`", text))
    assert named
    assert named <= defined, named - defined


def test_json_examples_are_valid() -> None:
    for document in DOCUMENTS:
        for block in re.findall(r"```json\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
            json.loads(block)


def test_the_architecture_picture_is_accessible_and_self_contained() -> None:
    namespace = "{http://www.w3.org/2000/svg}"
    picture = REPOSITORY / "docs/architecture.svg"
    root = ElementTree.parse(picture).getroot()  # noqa: S314 - a file of this repository

    assert root.get("role") == "img"
    for part in ("title", "desc"):
        element = root.find(namespace + part)
        assert element is not None
        assert element.text
        assert element.get("id") in (root.get("aria-labelledby") or "").split()
    assert not re.search(r"(href|src)=|@import|url\(http", picture.read_text(encoding="utf-8"))


@pytest.mark.parametrize("document", [README], ids=lambda path: path.name)
def test_generated_tables_are_up_to_date(document: Path) -> None:
    cogapp = pytest.importorskip("cogapp", reason="needs cogapp, which generates the tables")

    assert cogapp.Cog().main(["cog", "--check", str(document)]) == 0, f"run cog -r {document.name}"


@pytest.mark.timeout(60, method="thread")
@pytest.mark.parametrize("readme", [README, JAPANESE_README], ids=lambda path: path.name)
def test_the_component_example_runs(readme: Path) -> None:
    engine = Engine()
    (example,) = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)

    engine.run(lambda: exec(example, {}))  # noqa: S102 - an example from this repository's documentation

    assert "call-route-tracker:index:CallRouteTracker" in {resource.type for resource in engine.resources}
