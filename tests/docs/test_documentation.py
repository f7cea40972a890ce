"""Guards against documentation that no longer tells the truth: commands that fail, links and files that are gone."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from callroute.aws.state_machine import ITEM_ATTRIBUTES
from callroute.flows.diagrams import mermaid
from callroute.flows.flow import Flow
from tests.support.engine import Engine
from tests.support.paths import REPOSITORY

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
COMMAND = ".venv/bin/python -m callroute "


def console_lines(document: Path) -> Iterator[str]:
    """What a reader is shown to type."""
    for block in re.findall(
        r"^ *```console\n(.*?)^ *```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        for line in block.splitlines():
            if line.strip().startswith("$ "):
                yield line.strip()[2:]


LINES = [(document, line) for document in DOCUMENTS for line in console_lines(document)]
OURS = sorted({line for _, line in LINES if line.startswith(COMMAND)})
TARGETS = sorted({target for _, line in LINES if line.startswith("make ") for target in line.split()[1:]})


def test_the_readme_begins_with_the_two_commands() -> None:
    assert list(console_lines(REPOSITORY / "README.md"))[:2] == ["make demo", "make test"]


def test_every_command_that_is_shown_belongs_to_a_tool_that_the_reader_has() -> None:
    tools = {shlex.split(line)[0] for _, line in LINES}

    assert tools <= {"make", "git", "pulumi", "aws", ".venv/bin/python"}


@pytest.mark.emulator
@pytest.mark.parametrize("line", OURS)
def test_a_command_that_is_shown_works(line: str) -> None:
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *shlex.split(line)[1:]],
        cwd=REPOSITORY,
        input="",
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_that_is_shown_exists(target: str) -> None:
    ran = subprocess.run(  # noqa: S603 - make, which got us here
        ["make", "--dry-run", target],  # noqa: S607 - likewise
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_to_files_and_headings_that_are_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if re.match(r"https?:", target):
            continue
        path, _, heading = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}, (
                target
            )


def test_the_contract_lists_the_attributes_of_an_item_and_no_others() -> None:
    listed = re.findall(
        r"^\| `(\w+)` \| [SN](?=[ ,])",
        (REPOSITORY / "docs/record.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )

    assert listed == ["contact_id", *ITEM_ATTRIBUTES]


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = REPOSITORY / "docs/adr"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))

    assert listed == sorted(path.name for path in folder.glob("0*.md"))


def test_rooms_that_the_layout_names_are_there() -> None:
    table = re.findall(
        r"^\| (`.+?`) \|", (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    for name in re.findall(r"`([^`]+)`", " ".join(table)):
        assert list(REPOSITORY.glob(name.rstrip("/"))), name


def test_fidelity_names_tests_that_exist() -> None:
    text = (REPOSITORY / "docs/fidelity.md").read_text(encoding="utf-8")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("*.py"))
    defined = set(re.findall(r"def (test_\w+)", sources))

    named = set(re.findall(r"`(test_\w+)`", text))
    assert named
    assert named <= defined, named - defined


def test_json_that_is_shown_is_json() -> None:
    for document in DOCUMENTS:
        for block in re.findall(r"```json\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
            json.loads(block)


def test_the_readme_shows_the_flow_as_it_is() -> None:
    blocks = re.findall(
        r"```mermaid\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )

    assert mermaid(Flow.load(REPOSITORY / "flow_definitions/call_route.json")) in blocks


@pytest.mark.timeout(60, method="thread")
def test_the_component_can_be_used_as_the_readme_shows() -> None:
    engine = Engine()
    (example,) = re.findall(
        r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )

    engine.run(lambda: exec(example, {}))  # noqa: S102 - our own document

    assert "call-route-tracker:index:CallRouteTracker" in {resource.type for resource in engine.resources}
