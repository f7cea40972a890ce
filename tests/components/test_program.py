"""Tests the program with the committed stacks: options exist, prod is protected, and outputs are complete."""

from __future__ import annotations

import json
import runpy
from typing import Any

import pytest
import yaml

from components.call_route_tracker.constraints import ConfigError
from tests.support.engine import PROJECT, Engine
from tests.support.paths import REPOSITORY

STACKS = ("dev", "local", "prod")
OUTPUTS = {
    "tableName",
    "tableArn",
    "indexName",
    "streamName",
    "streamArn",
    "stateMachineArn",
    "pipeName",
    "pipeArn",
    "deadLetterQueueUrl",
    "deadLetterQueueArn",
    "quarantineQueueUrl",
    "quarantineQueueArn",
    "connectInstanceId",
    "flowIds",
    "timeZone",
    "stateMachineLogGroup",
    "pipeLogGroup",
    "alarmTopicArn",
    "dashboardName",
}


def config(stack: str) -> dict[str, str]:
    """Returns a stack's configuration as Pulumi passes it to the program: strings, with structured values as JSON."""
    values = yaml.safe_load((REPOSITORY / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def run(engine: Engine, stack: str, preview: bool = False, **changes: str) -> None:
    """Runs the program for one of the committed stacks."""
    changed = {f"{PROJECT}:{key}": value for key, value in changes.items()}
    engine.run(
        lambda: runpy.run_path(str(REPOSITORY / "__main__.py")),
        stack=stack,
        preview=preview,
        config={**config(stack), **changed},
    )


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_can_be_deployed_and_has_all_outputs(engine: Engine, stack: str) -> None:
    run(engine, stack)

    assert set(engine.outputs) == OUTPUTS
    assert all(engine.outputs.values())


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_can_be_previewed(engine: Engine, stack: str) -> None:
    run(engine, stack, preview=True)

    assert engine.one("aws:pipes/pipe:Pipe").inputs["name"] == f"{PROJECT}-{stack}"


@pytest.mark.parametrize("stack", STACKS)
def test_every_resource_has_the_tags_of_the_program(engine: Engine, stack: str) -> None:
    run(engine, stack, tags='{"team": "calls"}')

    tagged = [resource.inputs["tags"] for resource in engine.resources if "tags" in resource.inputs]
    assert len(tagged) >= 9
    assert all(tags == {"project": PROJECT, "stack": stack, "team": "calls"} for tags in tagged)


def test_prod_is_protected_and_keeps_data_longer_than_dev(engine: Engine) -> None:
    dev, prod = engine, Engine()
    run(dev, "dev")
    run(prod, "prod")

    def limits(of: Engine) -> dict[str, Any]:
        source = of.one("aws:pipes/pipe:Pipe").inputs["sourceParameters"]["kinesisStreamParameters"]
        return {
            "stream": of.one("aws:kinesis/stream:Stream").inputs["retentionPeriod"],
            "batch": source["batchSize"],
            "age": source["maximumRecordAgeInSeconds"],
            "logs": of.of("aws:cloudwatch/logGroup:LogGroup")[0].inputs["retentionInDays"],
        }

    assert all(limits(prod)[key] > limits(dev)[key] for key in limits(dev))
    assert limits(dev)["stream"] == 24, "one day is the minimum and has no extra cost"
    assert {
        resource.type for resource in prod.resources if resource.protect and resource.retain_on_delete
    } == {
        "aws:dynamodb/table:Table",
        "aws:kinesis/stream:Stream",
        "aws:sqs/queue:Queue",
    }
    assert not any(resource.protect or resource.retain_on_delete for resource in dev.resources)


def test_dev_and_prod_can_be_in_the_same_account(engine: Engine) -> None:
    dev, prod = engine, Engine()
    run(dev, "dev")
    run(prod, "prod")

    names = [
        {(resource.type, resource.inputs["name"]) for resource in of.resources if "name" in resource.inputs}
        for of in (dev, prod)
    ]
    assert names[0] & names[1] == set(), "physical names are unique in an account"


def test_the_local_stack_has_both_flows_and_no_batching_window(engine: Engine) -> None:
    run(engine, "local")

    assert set(engine.outputs["flowIds"]) == {"call-route", "call-route-with-operator"}
    source = engine.one("aws:pipes/pipe:Pipe").inputs["sourceParameters"]["kinesisStreamParameters"]
    assert source["maximumBatchingWindowInSeconds"] == 0


def test_a_salt_in_plain_text_is_rejected_before_anything_is_registered(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="plain text") as caught:
        run(engine, "dev", phoneNumber="hashed", phoneNumberSalt="a-salt-for-tests-only")

    assert "a-salt-for-tests-only" not in str(caught.value)
    assert engine.resources == []


def test_pulumi_install_uses_the_locked_dependencies() -> None:
    runtime = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text(encoding="utf-8"))["runtime"]
    assert runtime == {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}

    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (required,) = (line.removeprefix("-r ") for line in lines if line.startswith("-r "))
    assert "pulumi-aws==" in (REPOSITORY / required).read_text(encoding="utf-8")
