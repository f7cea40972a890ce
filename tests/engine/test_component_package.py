"""Guards against a component package that programs in other Pulumi languages cannot use.

The YAML program in examples/yaml runs in Pulumi's real engine. The schema, from which Pulumi generates the packages for other
languages, is pinned by a golden file: UPDATE_GOLDEN=1 writes it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callroute.local.cloud import pipe_of
from callroute.local.dialer import put_records
from tests.engine.aws_resources import TABLE
from tests.engine.project import Project
from tests.support.contact_records import contact_record
from tests.support.paths import REPOSITORY

GOLDEN = Path(__file__).with_name("schema.json")
COMPONENT = "call-route-tracker:index:CallRouteTracker"


@pytest.fixture(scope="module")
def schema(previews: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(previews.succeed("package", "get-schema", "./components").out)
    return found


def test_the_schema_is_that_of_the_golden_file(schema: dict[str, Any]) -> None:
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")

    assert text == GOLDEN.read_text(encoding="utf-8")


def test_every_input_and_output_has_a_type_and_a_description(schema: dict[str, Any]) -> None:
    component = schema["resources"][COMPONENT]
    described = {**component["inputProperties"], **component["properties"]}
    for type_ in schema["types"].values():
        described.update(type_["properties"])

    assert [name for name, each in described.items() if not each.get("description")] == []
    assert [name for name, each in described.items() if "type" not in each and "$ref" not in each] == []


def test_only_the_connect_instance_is_required(schema: dict[str, Any]) -> None:
    assert schema["resources"][COMPONENT]["requiredInputs"] == ["connectInstance"]


@pytest.fixture(scope="module")
def yaml(project: Project) -> Project:
    """The YAML program, with its stack `dev` selected."""
    if shutil.which("pulumi-language-yaml") is None:
        pytest.skip("needs pulumi-language-yaml, which is installed with Pulumi's CLI")
    program = Project(project.folder / "examples" / "yaml", project.home, project.emulator)
    program.succeed("stack", "select", "--create", "--stack", "dev")
    return program


@pytest.mark.emulator
def test_a_program_in_yaml_is_previewed(yaml: Project) -> None:
    done = yaml.succeed("preview", "--policy-pack", str(yaml.folder.parent.parent / "policy"))

    assert "call-route-tracker:index:CallRouteTracker" in done.out
    assert "aws:pipes:Pipe" in done.out
    assert "can't run policy" not in done.text
    assert "[mandatory]" not in done.text
    assert "[advisory]" not in done.text


@pytest.mark.parametrize("readme", ["README.md", "README.ja.md"])
def test_the_snippet_in_the_readme_is_part_of_the_example(readme: str) -> None:
    (snippet,) = re.findall(
        r"```yaml\n(packages:.*?)```", (REPOSITORY / readme).read_text("utf-8"), re.DOTALL
    )
    example = (REPOSITORY / "examples" / "yaml" / "Pulumi.yaml").read_text("utf-8").splitlines()

    assert [line for line in snippet.splitlines() if line not in example] == []


@pytest.mark.emulator
def test_a_program_in_yaml_is_deployed_and_stores_records(yaml: Project) -> None:
    assert yaml.emulator is not None
    yaml.succeed("up", "--yes", "--skip-preview")
    deployment = yaml.deployment("dev")
    pipe = pipe_of(deployment)
    now = datetime.now(UTC)
    ended = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    started = (now - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    # The example keeps records for a year.
    record = contact_record(InitiationTimestamp=started, DisconnectTimestamp=ended, LastUpdateTimestamp=ended)

    put_records(yaml.emulator, pipe.settings.stream_arn, [json.dumps(record).encode()])
    handled = list(pipe.drain())

    assert [each.outcome for each in handled] == ["delivered"]
    item = yaml.emulator.client("dynamodb").get_item(
        TableName=deployment.one(TABLE).id, Key={"contact_id": {"S": record["ContactId"]}}
    )["Item"]
    assert item["call_route"] == {"S": "1"}
    yaml.succeed("up", "--yes", "--skip-preview", "--expect-no-changes")


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("valid", "invalid", "message"),
    [
        ("Asia/Tokyo", "Asia/Tokio", "Did you mean Asia/Tokyo"),
        ("tableName: call-records", "tableName: calls", "To use another name, migrate the table"),
    ],
)
def test_an_invalid_option_in_yaml_is_reported_without_a_traceback(
    yaml: Project, valid: str, invalid: str, message: str
) -> None:
    file = yaml.folder / "Pulumi.yaml"
    original = file.read_text(encoding="utf-8")
    protected = original.replace("protectData: false", "protectData: true")
    file.write_text(protected.replace(valid, invalid), encoding="utf-8")

    done = yaml.pulumi("preview")

    file.write_text(original, encoding="utf-8")
    assert done.code != 0
    assert done.text.count(message) == 1
    assert "Traceback" not in done.text
