"""Replaces Amazon Connect, which the emulator lacks: simulates calls and publishes their contact records.

A call uses the content of a registered flow. Its contact records go to the stream that the registered instance is
associated with.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from callroute.aws.batches import batches
from callroute.errors import InputError, LocalCloudError
from callroute.flows.flow import Flow
from callroute.flows.simulation import Call, Caller, Clock, Environment, Event, simulate
from callroute.flows.simulation.contact_record import (
    CUSTOMER_NUMBER,
    contact_records,
    last_emission,
    versions,
)
from callroute.local.emulator import Emulator
from callroute.local.resource_creators import instance_arn
from callroute.local.stack_runner import Deployment, Registered

CONTACT_FLOW = "aws:connect/contactFlow:ContactFlow"
STORAGE_CONFIG = "aws:connect/instanceStorageConfig:InstanceStorageConfig"

# PutRecords limits. AWS has since raised the byte limit; every stream accepts the earlier one.
RECORDS_PER_REQUEST = 500
BYTES_PER_REQUEST = 5 * 1024 * 1024


class StreamError(LocalCloudError):
    """The stream rejected at least one record."""


@dataclass(frozen=True)
class PlacedCall:
    """A completed call."""

    call: Call
    """The simulated call."""
    versions: list[dict[str, Any]]
    """All published versions of the call's contact record, oldest first."""
    leg_versions: list[dict[str, Any]]
    """All published versions of the contact records of transfers and callbacks."""

    @property
    def contact_record(self) -> dict[str, Any]:
        """The newest version of the call's contact record."""
        return self.versions[-1]


class Dialer:
    """Places calls to the flows of a deployed stack."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._flows: dict[str, Flow] = {}

    def call(
        self,
        flow: str,
        caller: Caller,
        *,
        clock: Clock,
        on_event: Callable[[Event], object] = lambda _event: None,
        environment: Environment | None = None,
        contact_id: str | None = None,
        customer_number: str | None = CUSTOMER_NUMBER,
    ) -> PlacedCall:
        """Places a call, and publishes and returns its contact records.

        All versions are published as soon as the call ends. A simulated clock is first advanced to the last version. With
        a real-time clock, contacts that have not ended are left out, and no timestamp is in the future.

        Args:
            flow: name or ID of the flow in Connect.
            caller: the simulated caller.
            clock: the clock of the call.
            on_event: called with each event, before the caller has to react to it.
            environment: opening hours, queues and agents.
            contact_id: ID of the contact. Default: a random ID.
            customer_number: the caller's number in E.164 format, or None if it is withheld.

        Raises:
            InputError: the stack does not contain the flow, or does not stream contact records.
            SimulationError: the simulation does not support the flow.
        """
        registered = self._registered(flow)
        # Looked up before the call starts, so that a missing stream is reported immediately.
        stream_arn = self._stream_arn(registered.inputs["instanceId"])
        parsed = self._parse(registered)
        call = simulate(parsed, caller, clock=clock, on_event=on_event, environment=environment)
        clock.advance(max(0.0, (last_emission(call) - clock.now()).total_seconds()))
        now = clock.now()
        own, *legs = contact_records(
            call,
            contact_id=contact_id or str(uuid.uuid4()),
            now=now,
            customer_number=customer_number,
            instance_arn=instance_arn(self._deployment.emulator, registered.inputs["instanceId"]),
        )
        placed = PlacedCall(
            call, versions(own, now=now), [version for leg in legs for version in versions(leg, now=now)]
        )
        records = (
            json.dumps(version, ensure_ascii=False).encode()
            for version in (*placed.versions, *placed.leg_versions)
        )
        put_records(self._deployment.emulator, stream_arn, records)
        return placed

    def _registered(self, flow: str) -> Registered:
        flows = self._deployment.all(CONTACT_FLOW)
        for registered in flows:
            if flow in (registered.outputs["name"], registered.outputs["contactFlowId"]):
                return registered
        names = ", ".join(registered.outputs["name"] for registered in flows) or "none"
        raise InputError(
            f"stack {self._deployment.stack}",
            "",
            f"does not contain a flow {flow!r}",
            f"Use one of its flows: {names}.",
        )

    def _parse(self, registered: Registered) -> Flow:
        if registered.id not in self._flows:
            inputs = registered.inputs
            flow = Flow.parse(inputs["content"], registered.outputs["name"], inputs.get("type"))
            self._flows[registered.id] = flow
        return self._flows[registered.id]

    def _stream_arn(self, instance_id: str) -> str:
        """Returns the stream that receives the instance's contact records. An instance has at most one."""
        for config in self._deployment.all(STORAGE_CONFIG):
            storage = config.inputs["storageConfig"]
            association = (config.inputs["instanceId"], config.inputs["resourceType"], storage["storageType"])
            if association == (instance_id, "CONTACT_TRACE_RECORDS", "KINESIS_STREAM"):
                arn: str = storage["kinesisStreamConfig"]["streamArn"]
                return arn
        raise InputError(
            f"stack {self._deployment.stack}",
            STORAGE_CONFIG,
            f"the Connect instance {instance_id} does not stream contact records, so calls would not be recorded",
            "Associate the instance with a stream: set streamContactRecords to true.",
        )


def put_records(emulator: Emulator, stream_arn: str, payloads: Iterable[bytes]) -> list[str]:
    """Puts records on a stream, in as few requests as possible.

    AWS guarantees neither the partition key nor the order of contact records. Each record gets a random key, so that
    code that relies on either fails locally.

    Args:
        emulator: the emulator.
        stream_arn: ARN of the stream.
        payloads: the data of each record. Connect writes JSON in UTF-8.

    Returns:
        The sequence number of each record, in the same order.

    Raises:
        StreamError: the stream rejected at least one record.
    """
    kinesis = emulator.client("kinesis")
    numbers: list[str] = []
    for batch in batches(payloads, size=len, max_items=RECORDS_PER_REQUEST, max_size=BYTES_PER_REQUEST):
        records = [{"Data": data, "PartitionKey": uuid.uuid4().hex} for data in batch]
        answer = kinesis.put_records(StreamARN=stream_arn, Records=records)
        if answer["FailedRecordCount"]:
            reasons = sorted({record["ErrorCode"] for record in answer["Records"] if "ErrorCode" in record})
            raise StreamError(
                f"{stream_arn} rejected {answer['FailedRecordCount']} of {len(batch)} records: {', '.join(reasons)}"
            )
        numbers += [record["SequenceNumber"] for record in answer["Records"]]
    return numbers
