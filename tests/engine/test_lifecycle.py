"""Guards against a program that Pulumi's real engine cannot deploy, refresh, repair or destroy.

The tests run in this order, on one stack.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callroute.flows.simulation import KeyedCaller, SimulatedClock
from callroute.local.cloud import pipe_of
from callroute.local.dialer import Dialer, put_records
from callroute.local.pipe import Pipe
from callroute.local.stack_runner import Deployment
from tests.engine.aws_resources import PIPE, ROLE, TABLE
from tests.engine.project import Project
from tests.support.contact_records import contact_record

pytestmark = pytest.mark.emulator

START = datetime(2026, 4, 17, 23, 47, 52, tzinfo=UTC)
CHANGED_BY_HAND = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def item(project: Project, contact_id: str) -> dict[str, dict[str, str]]:
    """Returns the item of a contact in the stack's table, as DynamoDB writes it."""
    assert project.emulator is not None
    table = project.deployment("dev").one(TABLE).outputs["name"]
    answer = project.emulator.client("dynamodb").get_item(
        TableName=table, Key={"contact_id": {"S": contact_id}}
    )
    found: dict[str, dict[str, str]] = answer.get("Item", {})
    return found


@pytest.fixture(scope="module")
def deployment(dev: Project) -> Deployment:
    return dev.deployment("dev")


@pytest.fixture(scope="module")
def pipe(deployment: Deployment) -> Pipe:
    return pipe_of(deployment)


def test_a_contact_record_on_the_stream_becomes_an_item(dev: Project, pipe: Pipe) -> None:
    assert dev.emulator is not None
    record = contact_record()

    put_records(dev.emulator, pipe.settings.stream_arn, [json.dumps(record).encode()])
    handled = list(pipe.drain())

    assert [each.outcome for each in handled] == ["delivered"]
    assert item(dev, record["ContactId"])["call_route"] == {"S": "1"}


def test_a_call_to_the_deployed_flow_becomes_an_item(
    dev: Project, deployment: Deployment, pipe: Pipe
) -> None:
    call = Dialer(deployment).call(
        "call-route-dev", KeyedCaller("1"), clock=SimulatedClock(START), contact_id="call"
    )
    for _ in call:
        pass

    list(pipe.drain())

    assert item(dev, "call")["call_route"]["S"].startswith("1")


def test_a_second_update_and_a_refresh_change_nothing(dev: Project) -> None:
    dev.succeed("up", "--yes", "--skip-preview", "--expect-no-changes")
    dev.succeed("refresh", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_refresh_shows_a_role_that_was_changed_by_hand_and_an_update_restores_it(dev: Project) -> None:
    assert dev.emulator is not None
    iam = dev.emulator.client("iam")
    (role,) = (each for each in dev.deployment("dev").all(ROLE) if each.name.endswith("-recorder-role"))
    iam.update_assume_role_policy(RoleName=role.id, PolicyDocument=json.dumps(CHANGED_BY_HAND))
    policy = iam.list_role_policies(RoleName=role.id)["PolicyNames"][0]
    before = iam.get_role_policy(RoleName=role.id, PolicyName=policy)["PolicyDocument"]
    wider = json.dumps({**before, "Statement": [{**before["Statement"][0], "Resource": "*"}]})
    iam.put_role_policy(RoleName=role.id, PolicyName=policy, PolicyDocument=wider)

    refreshed = dev.succeed("refresh", "--yes", "--skip-preview", "--diff")
    assert "ec2.amazonaws.com" in refreshed.out
    assert "2 updated" in refreshed.out
    dev.succeed("up", "--yes", "--skip-preview")

    trust = iam.get_role(RoleName=role.id)["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Principal"] == {"Service": "states.amazonaws.com"}
    assert iam.get_role_policy(RoleName=role.id, PolicyName=policy)["PolicyDocument"] == before


def test_a_pipe_that_was_deleted_by_hand_is_created_again(dev: Project) -> None:
    assert dev.emulator is not None
    pipes = dev.emulator.client("pipes")
    name = dev.deployment("dev").one(PIPE).id
    pipes.delete_pipe(Name=name)

    dev.succeed("up", "--yes", "--skip-preview", "--refresh")

    assert pipes.describe_pipe(Name=name)["Name"] == name


def test_an_exported_state_can_be_audited_without_access_to_the_stack(dev: Project, tmp_path: Path) -> None:
    exported = tmp_path / "state.json"
    dev.succeed("stack", "export", "--file", str(exported))

    audited = dev.succeed("policy", "analyze", "--file", str(exported), "--policy-pack", "policy")
    assert "call-route-tracker@" in audited.out
    assert "mandatory" not in audited.out

    wider = exported.read_text(encoding="utf-8").replace("dynamodb:UpdateItem", "dynamodb:*")
    exported.write_text(wider, encoding="utf-8")
    found = dev.pulumi("policy", "analyze", "--file", str(exported), "--policy-pack", "policy")
    assert found.code != 0
    assert "iam-no-wildcard-actions" in found.text


def test_a_stack_without_protection_is_destroyed(dev: Project) -> None:
    dev.succeed("destroy", "--yes", "--skip-preview")

    assert dev.state() == []
