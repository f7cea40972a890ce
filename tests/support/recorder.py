"""Runs the project's state machine in the emulator, with the permissions derived from its definition."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from callroute.aws.permissions import state_machine_policy
from callroute.aws.state_machine import RecordFormat, definition
from callroute.local.emulator import Emulator


@dataclass
class Recorder:
    """A new state machine with a new table and quarantine queue."""

    emulator: Emulator
    record: RecordFormat = field(default_factory=RecordFormat)

    def __post_init__(self) -> None:
        name = f"test-{uuid.uuid4().hex}"
        self.table = name
        self.emulator.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "contact_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "contact_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.queue_url = self.emulator.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        self.definition = definition(table_name=name, quarantine_queue_url=self.queue_url, record=self.record)
        self.role_arn = self.emulator.client("iam").create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
        )["Role"]["Arn"]
        policy = state_machine_policy(
            self.definition,
            table_arn=f"arn:aws:dynamodb:{self.emulator.region}:{self.emulator.account_id}:table/{name}",
            quarantine_queue_arn=f"arn:aws:sqs:{self.emulator.region}:{self.emulator.account_id}:{name}",
        )
        self.emulator.client("iam").put_role_policy(
            RoleName=name, PolicyName="policy", PolicyDocument=json.dumps(policy)
        )
        self.arn = self._create(name, self.definition)

    def _create(self, name: str, machine: dict[str, Any]) -> str:
        answer = self.emulator.client("stepfunctions").create_state_machine(
            name=name, definition=json.dumps(machine), roleArn=self.role_arn, type="EXPRESS"
        )
        return str(answer["stateMachineArn"])

    def changed(self, machine: dict[str, Any]) -> None:
        """Replaces the definition."""
        self.arn = self._create(f"test-{uuid.uuid4().hex}", machine)

    def execute(self, contacts: Sequence[Any]) -> dict[str, Any]:
        """Runs an execution with a batch, as the pipe does, and returns the response of StartSyncExecution."""
        batch = [
            {"event_id": f"shardId-000000000000:{number}", "sequence_number": str(number), "contact": contact}
            for number, contact in enumerate(contacts)
        ]
        answer: dict[str, Any] = self.emulator.client("stepfunctions").start_sync_execution(
            stateMachineArn=self.arn, input=json.dumps(batch)
        )
        return answer

    def store(self, contacts: Sequence[Any]) -> list[str]:
        """Runs an execution that must succeed, and returns the outcome of each contact record."""
        answer = self.execute(contacts)
        assert answer["status"] == "SUCCEEDED", (answer.get("error"), answer.get("cause"))
        outcomes: list[str] = json.loads(answer["output"])
        return outcomes

    def items(self) -> dict[str, dict[str, Any]]:
        """Returns all items of the table by contact ID, as plain values."""
        read = TypeDeserializer().deserialize
        pages = self.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=self.table)
        items = [
            {name: read(value) for name, value in item.items()} for page in pages for item in page["Items"]
        ]
        return {item.pop("contact_id"): item for item in items}

    def quarantined(self) -> list[dict[str, Any]]:
        """Removes all messages from the quarantine queue and returns their bodies."""
        queue = self.emulator.client("sqs")
        bodies: list[dict[str, Any]] = []
        while messages := queue.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            bodies += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                queue.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return bodies
