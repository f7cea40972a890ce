"""Compares the AWS cost of the state machine with that of an earlier design.

The earlier design is a Standard state machine that handles one record per execution and decodes, reads and writes it in
three states. AWS bills Standard state machines per state transition, and Express state machines per request and by
duration. Both run in the emulator.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import Any

from benchmarks.measurement import Measurement
from benchmarks.pipeline import contacts
from benchmarks.prices import PER_TRANSITION, express_cost
from callroute.local.cloud import LocalCloud

BATCH = 10
GOAL_RATIO = 50


def measure() -> list[Measurement]:
    """Measures the cost per contact for both designs."""
    with LocalCloud() as cloud:
        records = list(contacts(BATCH))
        transitions = _standard_transitions(cloud, records[0])
        milliseconds = _express_milliseconds(cloud, records)
    standard = transitions * PER_TRANSITION
    express = express_cost(milliseconds / 1000) / BATCH
    ratio = standard / express
    return [
        Measurement(
            "state machine cost per contact, earlier design to this one",
            f"{ratio:.0f} to 1",
            f"{GOAL_RATIO} or more",
            ratio >= GOAL_RATIO,
            f"earlier: {transitions} transitions per contact; now: 1 request and {milliseconds:.0f} ms per batch of {BATCH}",
        )
    ]


def _standard_transitions(cloud: LocalCloud, record: bytes) -> int:
    machine = {
        "StartAt": "Decode",
        "States": {
            "Decode": {
                "Type": "Pass",
                "Parameters": {"text.$": "States.Base64Decode($[0].data)"},
                "Next": "Read",
            },
            "Read": {
                "Type": "Pass",
                "Parameters": {"contact.$": "States.StringToJson($.text)"},
                "Next": "Write",
            },
            "Write": {
                "Type": "Task",
                "Resource": "arn:aws:states:::dynamodb:putItem",
                "Parameters": {
                    "TableName": cloud.table_name,
                    "Item": {
                        "contact_id": {"S.$": "$.contact.ContactId"},
                        "call_route": {"S.$": "$.contact.Attributes.call_route"},
                        "call_completed": {"S.$": "$.contact.Attributes.call_completed"},
                        "start_time": {"S.$": "$.contact.InitiationTimestamp"},
                        "phone_number": {"S.$": "$.contact.CustomerEndpoint.Address"},
                    },
                },
                "End": True,
            },
        },
    }
    states = cloud.emulator.client("stepfunctions")
    iam, name = cloud.emulator.client("iam"), f"earlier-{uuid.uuid4().hex}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": []}))["Role"]
    full_access = {"Statement": {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}}
    iam.put_role_policy(RoleName=name, PolicyName="full-access", PolicyDocument=json.dumps(full_access))
    arn = states.create_state_machine(
        name=name, definition=json.dumps(machine), roleArn=role["Arn"], type="STANDARD"
    )["stateMachineArn"]
    event = [{"data": base64.b64encode(record).decode()}]
    execution = states.start_execution(stateMachineArn=arn, input=json.dumps(event))["executionArn"]
    deadline = time.monotonic() + 30
    while states.describe_execution(executionArn=execution)["status"] == "RUNNING":
        if time.monotonic() > deadline:
            raise TimeoutError("the earlier design's execution did not finish within 30 s")
        time.sleep(0.02)
    if (status := states.describe_execution(executionArn=execution)["status"]) != "SUCCEEDED":
        raise RuntimeError(f"the earlier design's execution ended with status {status}")
    history: list[dict[str, Any]] = states.get_execution_history(executionArn=execution)["events"]
    return sum(event["type"].endswith("StateEntered") for event in history)


def _express_milliseconds(cloud: LocalCloud, records: list[bytes]) -> float:
    arn = cloud.deployment.outputs["stateMachineArn"]
    batch = [
        {"event_id": f"shard:{number}", "sequence_number": str(number), "contact": json.loads(record)}
        for number, record in enumerate(records)
    ]
    start = time.perf_counter()
    answer = cloud.emulator.client("stepfunctions").start_sync_execution(
        stateMachineArn=arn, input=json.dumps(batch)
    )
    if answer["status"] != "SUCCEEDED":
        raise RuntimeError(f"the execution ended with status {answer['status']}: {answer.get('error')}")
    return (time.perf_counter() - start) * 1000
