"""Runs the state machine in the emulator, with the permissions that are derived from its definition."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from call_route_tracker import CallRouteTrackerArgs
from callroute.aws.permissions import state_machine_policy
from callroute.aws.state_machine import definition
from callroute.local.emulator import Emulator
from tests.support.options import tracker_args


@dataclass
class Recorder:
    """A state machine with a table, a quarantine queue and a role."""

    emulator: Emulator
    args: CallRouteTrackerArgs = field(default_factory=tracker_args)

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
        self.definition = definition(
            self.args,
            table_name=name,
            quarantine_queue_url=self.queue_url,
            salt=str(self.args.phone_number_salt or ""),
        )
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
        response = self.emulator.client("stepfunctions").create_state_machine(
            name=name, definition=json.dumps(machine), roleArn=self.role_arn, type="EXPRESS"
        )
        return str(response["stateMachineArn"])

    def changed(self, machine: dict[str, Any]) -> None:
        """Uses another definition for the following executions."""
        self.arn = self._create(f"test-{uuid.uuid4().hex}", machine)

    def use(self, args: CallRouteTrackerArgs) -> None:
        """Uses the state machine of other options, with the same table and queue, for the following executions."""
        self.changed(
            definition(
                args,
                table_name=self.table,
                quarantine_queue_url=self.queue_url,
                salt=str(args.phone_number_salt or ""),
            )
        )

    def execute(self, contacts: Sequence[Any]) -> dict[str, Any]:
        """Runs one synchronous execution on a batch, like the pipe. Returns the response of StartSyncExecution."""
        batch = [
            {"event_id": f"shardId-000000000000:{number}", "sequence_number": str(number), "contact": contact}
            for number, contact in enumerate(contacts)
        ]
        response: dict[str, Any] = self.emulator.client("stepfunctions").start_sync_execution(
            stateMachineArn=self.arn, input=json.dumps(batch)
        )
        return response

    def store(self, contacts: Sequence[Any]) -> list[str]:
        """Returns the result of each contact record of a batch. The execution must succeed."""
        response = self.execute(contacts)
        assert response["status"] == "SUCCEEDED", (response.get("error"), response.get("cause"))
        results: list[str] = json.loads(response["output"])
        return results

    def items(self) -> dict[str, dict[str, Any]]:
        """Returns the items of the table as plain values, by contact ID."""
        read = TypeDeserializer().deserialize
        pages = self.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=self.table)
        items = [
            {name: read(value) for name, value in item.items()} for page in pages for item in page["Items"]
        ]
        return {item.pop("contact_id"): item for item in items}

    def quarantined(self) -> list[dict[str, Any]]:
        """Receives and deletes all messages of the quarantine queue."""
        queue = self.emulator.client("sqs")
        bodies: list[dict[str, Any]] = []
        while messages := queue.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            bodies += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                queue.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return bodies
