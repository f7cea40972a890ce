"""Guards against a first preview in which the policy pack does not inspect everything.

The first preview introduces the permissions, so it is the one that a reviewer needs.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from call_route_policies.testing import secret
from tests.engine import recorder_pack
from tests.engine.mutated_program import PROVIDER_VERSION
from tests.engine.project import Done, Project
from tests.policies.stacks import FIRST_PREVIEW, RECORDING, STACKS, UNKNOWN, first_preview, recorded


def unknown(value: Any, path: str = "") -> list[str]:
    """Returns the paths of unknown values."""
    if isinstance(value, dict):
        return [each for key in sorted(value) for each in unknown(value[key], f"{path}.{key}".strip("."))]
    if isinstance(value, list):
        return [each for index, part in enumerate(value) for each in unknown(part, f"{path}[{index}]")]
    return [path] if value == UNKNOWN else []


def recorded_preview(project: Project, folder: Path, *arguments: str) -> tuple[Done, list[dict[str, Any]]]:
    """Runs a preview, and returns the resources that the engine sends to policy packs."""
    log = folder / "resources.jsonl"
    recorder = str(recorder_pack.install(folder / "recorder"))
    run = replace(project, variables={recorder_pack.LOG: str(log)})
    done = run.pulumi("preview", *arguments, "--policy-pack", recorder)
    return done, [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("stack", STACKS)
def test_the_first_preview_of_a_stack_inspects_everything_and_finds_nothing(
    previews: Project, tmp_path: Path, stack: str
) -> None:
    previews.stack(stack)

    done, sent = recorded_preview(previews, tmp_path, "--policy-pack", "policy")

    assert done.code == 0, done.text
    assert "✅ call-route-tracker" in done.out, done.text
    assert "can't run policy" not in done.text

    # The tests in tests/policies do without an engine. They must send what the engine sends.
    sent = [each for each in sent if each["type"].startswith("aws:")]
    simulated = {each.name: each for each in first_preview(recorded(stack)) if each.type.startswith("aws:")}
    assert sorted(each["name"] for each in sent) == sorted([*simulated, *simulated])
    for each in sent:
        resource = simulated[each["name"]]
        properties = resource.inputs if each["kind"] == "inputs" else resource.state
        assert unknown(each["properties"]) == unknown(properties), each["name"]
        if each["kind"] == "state":
            assert names(each["dependencies"]) == names(resource.dependencies), each["name"]


def names(dependencies: dict[str, list[str]]) -> dict[str, list[str]]:
    """Returns the logical names of the resources that each property depends on."""
    return {
        key: sorted(urn.rpartition("::")[2] for urn in urns) for key, urns in dependencies.items() if urns
    }


PROGRAM = f"""
import json
from pathlib import Path

import pulumi


def create(type_, name, inputs):
    version = "{PROVIDER_VERSION}" if type_.startswith("aws:") else None
    return pulumi.CustomResource(type_, name, inputs, pulumi.ResourceOptions(version=version))


for type_ in json.loads(Path("types.json").read_text(encoding="utf-8")):
    create(type_, type_.replace(":", "-"), {{}})

unknown = create("aws:sqs/queue:Queue", "queue", {{"arn": None}}).arn
secret = pulumi.Output.secret("a")
create(
    "aws:sqs/queue:Queue",
    "values",
    {{
        "name": "values",
        "unknown": unknown,
        "text": pulumi.Output.concat(unknown, "/*"),
        "parts": {{"list": ["known", {{"part": unknown}}]}},
        "secret": secret,
        "unknownSecret": pulumi.Output.secret(unknown),
        "secretParts": {{"map": {{"part": secret}}, "list": ["known", secret]}},
        "secretWithUnknown": pulumi.Output.secret(["known", unknown]),
    }},
)
"""
"""A program with a new resource of each type, and one with each kind of value."""

VALUES = {
    "name": "values",
    "unknown": UNKNOWN,
    "text": UNKNOWN,
    "parts": {"list": ["known", {"part": UNKNOWN}]},
    "secret": secret("a"),
    "unknownSecret": secret(UNKNOWN),
    "secretParts": {"map": {"part": secret("a")}, "list": secret(["known", "a"])},
    "secretWithUnknown": secret(UNKNOWN),
}
"""Values of that program, as the engine sends them. A secret in a list makes the list a secret."""


@pytest.fixture(scope="module")
def new_resources(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Resources of the program, as the engine sends them in a first preview."""
    folder = tmp_path_factory.mktemp("types")
    project = Project.empty(folder, any_type=True)
    (project.folder / "Pulumi.yaml").write_text("name: types\nruntime: python\n", encoding="utf-8")
    (project.folder / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    types = list(FIRST_PREVIEW)
    if "UPDATE_GOLDEN" in os.environ:
        from tests.policies.resource_types import used_types

        types = used_types()
    (project.folder / "types.json").write_text(json.dumps(types), encoding="utf-8")
    project.succeed("stack", "init", "dev")
    done, sent = recorded_preview(project, folder)
    assert done.code == 0, done.text
    return sent


def test_new_resources_of_all_types_are_sent_as_recorded(new_resources: list[dict[str, Any]]) -> None:
    found: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for each in new_resources:
        if each["name"] != each["type"].replace(":", "-"):
            continue
        if each["kind"] == "inputs":
            found[each["type"]]["inputs"] = list(each["properties"])
        else:
            found[each["type"]]["outputs"] = unknown(each["properties"])
    lines = [f"{json.dumps(type_)}: {json.dumps(found[type_], sort_keys=True)}" for type_ in sorted(found)]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    if "UPDATE_GOLDEN" in os.environ:
        RECORDING.write_text(text, encoding="utf-8")

    assert text == RECORDING.read_text("utf-8"), "run this test with UPDATE_GOLDEN=1, and review the changes"


def test_unknown_values_and_secrets_are_sent_as_the_test_kit_does(
    new_resources: list[dict[str, Any]],
) -> None:
    inputs, state = (
        next(each["properties"] for each in new_resources if (each["name"], each["kind"]) == ("values", kind))
        for kind in ("inputs", "state")
    )

    assert inputs == VALUES
    assert state == {**dict.fromkeys(FIRST_PREVIEW["aws:sqs/queue:Queue"]["outputs"], UNKNOWN), **VALUES}
