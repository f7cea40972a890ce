"""The phone: plays a caller through a flow of the deployed stack, and sends the contact record as Amazon Connect would.

The emulator has no Amazon Connect, so this is its part of the chain: the flow is the registered content, the stream the one
on which the registered instance streams its contact records. Everything behind the stream is not ours to touch.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

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

# Limits of PutRecords. The bytes are AWS's older, smaller limit, which every stream accepts.
RECORDS_OF_A_REQUEST = 500
BYTES_OF_A_REQUEST = 5 * 1024 * 1024


class StreamError(LocalCloudError):
    """The stream did not take every record."""


@dataclass(frozen=True)
class PlacedCall:
    """A call that was placed and is over."""

    call: Call
    """How it went."""
    versions: list[dict[str, Any]]
    """The contact record of its own contact as sent: the first version, then the later ones."""
    leg_versions: list[dict[str, Any]]
    """Likewise those of its legs, the contacts that came of it by a transfer or a callback."""

    @property
    def contact_record(self) -> dict[str, Any]:
        """The newest version."""
        return self.versions[-1]


class Dialer:
    """Places calls to the flows of a deployed stack.

    Args:
        deployment: the stack.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._flows: dict[str, Flow] = {}

    def call(
        self,
        flow: str,
        caller: Caller,
        *,
        clock: Clock,
        environment: Environment | None = None,
        contact_id: str | None = None,
        customer_number: str | None = CUSTOMER_NUMBER,
    ) -> Generator[Event, None, PlacedCall]:
        """Places a call: yields what happens as it happens, then sends the contact record and returns it.

        All versions are sent at once, in the order in which Connect emits them. A simulated clock is first advanced to
        the last version. With a real-time clock, contacts that have not ended yet are left out, and no timestamp lies in
        the future.

        Args:
            flow: the flow's name in Connect, or its id.
            caller: who is on the line.
            clock: the time of the call.
            environment: conditions outside the flow, for example opening hours and agents.
            contact_id: identifier of the contact; random unless told.
            customer_number: the caller's number in E.164 form; None where it is withheld.

        Raises:
            InputError: the stack has no such flow, or does not stream contact records.
            SimulationError: the flow does what the simulator does not know.
        """
        registered = self._registered(flow)
        stream_arn = self._stream_arn(
            registered.inputs["instanceId"]
        )  # before the caller has gone through it all
        call = yield from simulate(self._read(registered), caller, clock=clock, environment=environment)
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
        sent = (*placed.versions, *placed.leg_versions)
        datas = (json.dumps(version, ensure_ascii=False).encode() for version in sent)
        put_records(self._deployment.emulator, stream_arn, datas)
        return placed

    def _registered(self, flow: str) -> Registered:
        flows = self._deployment.all(CONTACT_FLOW)
        for registered in flows:
            if flow in (registered.outputs["name"], registered.outputs["contactFlowId"]):
                return registered
        names = ", ".join(registered.outputs["name"] for registered in flows) or "none"
        raise InputError(
            f"stack {self._deployment.stack}", "", f"has no contact flow {flow!r}", f"Its flows: {names}."
        )

    def _read(self, registered: Registered) -> Flow:
        if registered.id not in self._flows:
            self._flows[registered.id] = Flow.parse(registered.inputs["content"], registered.outputs["name"])
        return self._flows[registered.id]

    def _stream_arn(self, instance_id: str) -> str:
        """The stream to which the instance sends its contact records; an instance has at most one."""
        for config in self._deployment.all(STORAGE_CONFIG):
            storage = config.inputs["storageConfig"]
            about = (config.inputs["instanceId"], config.inputs["resourceType"], storage["storageType"])
            if about == (instance_id, "CONTACT_TRACE_RECORDS", "KINESIS_STREAM"):
                arn: str = storage["kinesisStreamConfig"]["streamArn"]
                return arn
        raise InputError(
            f"stack {self._deployment.stack}",
            STORAGE_CONFIG,
            f"the Connect instance {instance_id} does not stream contact records, so that no call leaves a record",
            "Let the stack associate the instance with a stream.",
        )


def put_records(emulator: Emulator, stream_arn: str, datas: Iterable[bytes]) -> list[str]:
    """Puts records on a stream, in as few requests as possible.

    AWS promises neither the partition key nor the order of contact records. Each gets a random key, so that whatever
    leans on more than is promised fails here.

    Args:
        emulator: whose stream it is.
        stream_arn: the stream.
        datas: the records' data; Connect's is JSON in UTF-8.

    Returns:
        The sequence number of each record, in the order given.

    Raises:
        StreamError: the stream refused some of them.
    """
    kinesis = emulator.client("kinesis")
    numbers: list[str] = []
    for batch in _batches(datas):
        records = [{"Data": data, "PartitionKey": uuid.uuid4().hex} for data in batch]
        answer = kinesis.put_records(StreamARN=stream_arn, Records=records)
        if answer["FailedRecordCount"]:
            reasons = sorted({record["ErrorCode"] for record in answer["Records"] if "ErrorCode" in record})
            raise StreamError(
                f"{stream_arn} refused {answer['FailedRecordCount']} of {len(batch)} records: {', '.join(reasons)}"
            )
        numbers += [record["SequenceNumber"] for record in answer["Records"]]
    return numbers


def _batches(datas: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for data in datas:
        if batch and (len(batch) == RECORDS_OF_A_REQUEST or size + len(data) > BYTES_OF_A_REQUEST):
            yield batch
            batch, size = [], 0
        batch.append(data)
        size += len(data)
    if batch:
        yield batch
