"""Tests the Pulumi component package that `pulumi package add` offers to other languages."""

from __future__ import annotations

import json
import runpy
from dataclasses import fields
from functools import cache
from typing import Any

import pytest
import yaml
from pulumi.provider.experimental.component import ComponentProvider

from call_route_tracker import CallRouteTrackerArgs, ContactFlowArgs
from call_route_tracker.constraints import ConfigError, camel_case
from tests.components.test_program import OUTPUTS
from tests.support.engine import Engine
from tests.support.options import INSTANCE
from tests.support.paths import REPOSITORY

FOLDER = REPOSITORY / "components"


@cache
def plugin() -> dict[str, Any]:
    """Returns the names that the plugin defines."""
    return runpy.run_path(str(FOLDER / "__main__.py"), run_name="plugin")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The schema of the package."""
    provider = ComponentProvider([plugin()["CallRouteTracker"]], plugin()["NAME"])
    schema: dict[str, Any] = json.loads(provider.schema or "{}")
    return schema


@pytest.fixture
def component(schema: dict[str, Any]) -> dict[str, Any]:
    """The component's schema. It has the same type token as the Python component."""
    found: dict[str, Any] = schema["resources"]["call-route-tracker:index:CallRouteTracker"]
    return found


def test_only_the_connect_instance_is_required(component: dict[str, Any]) -> None:
    assert component["requiredInputs"] == ["connectInstance"]


def test_every_option_is_an_input(component: dict[str, Any]) -> None:
    assert list(component["inputProperties"]) == [
        camel_case(each.name) for each in fields(CallRouteTrackerArgs)
    ]


def test_every_output_of_the_program_is_an_output(component: dict[str, Any]) -> None:
    assert set(component["properties"]) == OUTPUTS


def test_everything_is_described(schema: dict[str, Any], component: dict[str, Any]) -> None:
    (flow,) = schema["types"].values()
    described = {**component["inputProperties"], **component["properties"], **flow["properties"]}

    assert component["description"].startswith("Records where each caller leaves")
    assert flow["description"]
    assert [name for name, value in described.items() if not value.get("description")] == []


def test_inputs_have_the_types_of_the_options(schema: dict[str, Any], component: dict[str, Any]) -> None:
    inputs = component["inputProperties"]

    assert inputs["batchSize"]["type"] == "integer"
    assert inputs["protectData"]["type"] == "boolean"
    assert inputs["trackedInitiationMethods"]["items"]["type"] == "string"
    assert inputs["tags"]["additionalProperties"]["type"] == "string"
    assert "plain" not in inputs["streamArn"], "the stream can be an output of another resource"
    assert inputs["flows"]["items"]["$ref"] == "#/types/call-route-tracker:index:ContactFlowArgs"
    flow = schema["types"]["call-route-tracker:index:ContactFlowArgs"]
    assert sorted(flow["required"]) == ["content", "key", "name"]
    assert list(flow["properties"]) == [camel_case(each.name) for each in fields(ContactFlowArgs)]


def test_the_component_accepts_the_values_that_pulumi_passes(engine: Engine) -> None:
    inputs = {
        "connect_instance": INSTANCE,
        "batch_size": 20.0,
        "flows": [{"key": "menu", "name": "Menu", "content": "{}"}],
    }

    engine.run(lambda: plugin()["CallRouteTracker"]("calls", inputs))

    source = engine.one("aws:pipes/pipe:Pipe").inputs["sourceParameters"]["kinesisStreamParameters"]
    assert source["batchSize"] == 20
    assert engine.one("aws:connect/contactFlow:ContactFlow").inputs["name"] == "Menu"


def test_a_fraction_is_not_a_whole_number(engine: Engine) -> None:
    inputs = {"connect_instance": INSTANCE, "batch_size": 2.5}

    with pytest.raises(ConfigError, match=r"batch_size is 2\.5; allowed: 1 to 52 records"):
        engine.run(lambda: plugin()["CallRouteTracker"]("calls", inputs))


def test_pulumi_can_start_the_plugin() -> None:
    definition = yaml.safe_load((FOLDER / "PulumiPlugin.yaml").read_text(encoding="utf-8"))

    assert definition["runtime"]["name"] == "python"
    assert (FOLDER / "requirements.txt").exists()
