"""Guards against a first preview in which the policy pack does not inspect everything.

The first preview introduces the permissions, so it is the one that a reviewer needs.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine import recorder_pack
from tests.engine.project import Project
from tests.policies.stacks import STACKS, UNKNOWN, UNKNOWN_OUTPUTS, UNKNOWN_VALUES, first_preview, recorded


def unknown(value: Any, path: str = "") -> list[str]:
    """Returns the paths of unknown values."""
    if isinstance(value, dict):
        return [each for key in sorted(value) for each in unknown(value[key], f"{path}.{key}".strip("."))]
    if isinstance(value, list):
        return [each for index, part in enumerate(value) for each in unknown(part, f"{path}[{index}]")]
    return [path] if value == UNKNOWN else []


@pytest.mark.parametrize("stack", STACKS)
def test_the_first_preview_of_a_stack_inspects_everything_and_finds_nothing(
    previews: Project, tmp_path: Path, stack: str
) -> None:
    log = tmp_path / "resources.jsonl"
    recorder = str(recorder_pack.install(tmp_path / "recorder"))
    previews.stack(stack)

    run = replace(previews, variables={recorder_pack.LOG: str(log)})
    done = run.pulumi("preview", "--policy-pack", "policy", "--policy-pack", recorder)

    assert done.code == 0, done.text
    assert "✅ call-route-tracker" in done.out, done.text
    assert "can't run policy" not in done.text

    # The tests in tests/policies do without an engine. They must send what the engine sends.
    sent = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    sent = [each for each in sent if each["type"].startswith("aws:")]
    simulated = {each.name: each for each in first_preview(recorded(stack)) if each.type.startswith("aws:")}
    outputs = {each["type"]: unknown(each["properties"]) for each in sent if each["kind"] == "state"}
    if "UPDATE_GOLDEN" in os.environ:
        UNKNOWN_VALUES.write_text(json.dumps(outputs, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert outputs == UNKNOWN_OUTPUTS, "run this test with UPDATE_GOLDEN=1, and review the changes"
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
