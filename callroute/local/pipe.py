"""A local EventBridge pipe from the stream to the state machine, configured like the registered pipe.

The emulator accepts pipes but does not run them, so this module does. It polls each shard, drops the records that the
filter does not match, applies the input template and runs the state machine with each batch. A failing batch is halved
until the failing record is isolated. That record is retried within the limits for attempts and age, and then its position
is sent to the dead-letter queue. Every API call uses the permissions of the pipe's role. docs/fidelity.md lists the
evidence.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol
from zlib import crc32

from botocore.exceptions import ClientError

from callroute.arn import Arn
from callroute.aws.pipe import BATCH_BYTES
from callroute.aws.pipe_delivery import PipeDelivery, StreamRecord
from callroute.errors import LocalCloudError

logger = logging.getLogger(__name__)

FIRST_RETRY_PAUSE = 0.1
"""Seconds before the first retry of a record. Doubled for each further retry. AWS does not publish its values."""
MAX_RETRY_PAUSE = 2.0
MAX_RECORDS_PER_READ = 10_000
"""Maximum number of records in a GetRecords response."""
POLL_PAUSE = 0.05
"""Seconds between two reads of an empty shard."""

ACCESS_DENIED_CODES = {"AccessDenied", "AccessDeniedException", "KMSAccessDeniedException", "KmsAccessDenied"}
"""Kinesis, Step Functions and SQS error codes for a missing permission, including one on a customer managed key."""


class PipeError(LocalCloudError):
    """The pipe cannot run as registered: an argument is not supported, or its role lacks a permission."""


class Clients(Protocol):
    """A factory for the boto3 clients that the pipe uses."""

    def __call__(self, service: str) -> Any:
        """Returns a client for a service, with the credentials of the pipe's role."""
        ...


@dataclass(frozen=True)
class PipeSettings:
    """Settings of the registered pipe. Times are in seconds; -1 means no limit, as in the API."""

    arn: str
    state_machine_arn: str
    delivery: PipeDelivery
    window: int
    starting_position: str
    retry_attempts: int
    bisect: bool
    lanes: int
    dead_letter_arn: str | None

    @property
    def stream_arn(self) -> str:
        """ARN of the source stream."""
        return self.delivery.stream_arn

    @classmethod
    def read(cls, arn: str, registered: Mapping[str, Any]) -> PipeSettings:
        """Reads the inputs of a registered `aws:pipes/pipe:Pipe`.

        Raises:
            PipeError: the pipe uses an argument or value that the local pipe does not support.
        """
        source = dict(registered.get("sourceParameters") or {})
        kinesis = dict(source.pop("kinesisStreamParameters", None) or {})
        target = dict(registered.get("targetParameters") or {})
        read_by_delivery = (
            (source, "filterCriteria"),
            (target, "inputTemplate"),
            (kinesis, "batchSize"),
            (kinesis, "maximumRecordAgeInSeconds"),
        )
        for parameters, argument in read_by_delivery:
            parameters.pop(argument, None)
        call = dict(target.pop("stepFunctionStateMachineParameters", None) or {})
        invocation = call.pop("invocationType", "REQUEST_RESPONSE")
        if invocation != "REQUEST_RESPONSE":
            raise PipeError(
                f"invocationType is {invocation!r}, but a pipe detects failed executions only with REQUEST_RESPONSE"
            )
        settings = cls(
            arn=arn,
            state_machine_arn=registered["target"],
            delivery=PipeDelivery.read(registered),
            window=int(kinesis.pop("maximumBatchingWindowInSeconds", 0)),
            starting_position=kinesis.pop("startingPosition"),
            retry_attempts=int(kinesis.pop("maximumRetryAttempts", -1)),
            bisect=kinesis.pop("onPartialBatchItemFailure", None) == "AUTOMATIC_BISECT",
            lanes=int(kinesis.pop("parallelizationFactor", 1)),
            dead_letter_arn=(kinesis.pop("deadLetterConfig", None) or {}).get("arn"),
        )
        unknown = [*source, *kinesis, *target, *call]
        if unknown:
            raise PipeError(
                f"the registered pipe sets {', '.join(unknown)}, which the local pipe does not support"
            )
        return settings


@dataclass(frozen=True)
class HandledRecord:
    """A record that the pipe has finished processing."""

    record: StreamRecord
    outcome: Literal["filtered", "delivered", "dead_lettered"]
    output: Any = None
    """Output of the target's execution for this record."""


class Pipe:
    """Moves records from the stream to the target.

    Args:
        settings: settings of the registered pipe.
        clients: factory for clients with the permissions of the pipe's role.
        positions: last handled sequence number, keyed by shard. Pass the same mapping to another pipe to continue from
            there.
        now: returns the current time in seconds since 1970.
        pause: waits for a number of seconds.
    """

    def __init__(
        self,
        settings: PipeSettings,
        clients: Clients,
        positions: MutableMapping[str, str] | None = None,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self.positions: MutableMapping[str, str] = {} if positions is None else positions
        self._kinesis = clients("kinesis")
        self._states = clients("stepfunctions")
        self._queue = clients("sqs")
        self._now = now
        self._pause = pause
        self._iterators: dict[str, str] = {}
        self._ended: set[str] = set()
        """Closed shards that have been read to their end."""
        self._started = False

    def poll(self) -> list[HandledRecord]:
        """Reads and handles up to one batch per lane from each shard. Returns an empty list if there is nothing new."""
        handled: list[HandledRecord] = []
        if not self._started:
            self._start()
        for shard_id in self._shards():
            if shard_id in self._ended:
                continue
            records, next_iterator = self._read(shard_id)
            if records:
                handled += self._handle(records)
                # Updated only after the records are handled, so that an interrupted pipe loses none of them.
                self.positions[shard_id] = records[-1].sequence_number
            if next_iterator is None:
                self._ended.add(shard_id)
            else:
                self._iterators[shard_id] = next_iterator
        return handled

    def drain(self) -> Iterator[HandledRecord]:
        """Polls until all shards are empty."""
        while handled := self.poll():
            yield from handled

    def _start(self) -> None:
        """Describes the stream only to check the permissions for it, which AWS documents that a pipe needs."""
        self._request(self._kinesis.describe_stream_summary, StreamARN=self.settings.stream_arn)
        self._request(self._kinesis.describe_stream, StreamARN=self.settings.stream_arn, Limit=1)
        self._started = True

    def _shards(self) -> list[str]:
        answer = self._request(self._kinesis.list_shards, StreamARN=self.settings.stream_arn)
        return [shard["ShardId"] for shard in answer["Shards"]]

    def _read(self, shard_id: str) -> tuple[list[StreamRecord], str | None]:
        """Reads up to one full batch per lane, waiting for the batching window after the first record.

        Returns:
            The records and the iterator for the next read, which is None at the end of a closed shard.
        """
        wanted = self.settings.delivery.batch_size * self.settings.lanes
        iterator: str | None = self._iterators.get(shard_id) or self._iterator(shard_id)
        records: list[StreamRecord] = []
        deadline: float | None = None
        while len(records) < wanted:
            answer = self._request(
                self._kinesis.get_records,
                ShardIterator=iterator,
                Limit=min(wanted - len(records), MAX_RECORDS_PER_READ),
                StreamARN=self.settings.stream_arn,
            )
            iterator = answer.get("NextShardIterator")
            new = [StreamRecord.read(shard_id, each) for each in answer["Records"]]
            records += new
            if iterator is None:
                break
            if records and deadline is None:
                deadline = self._now() + self.settings.window
            if not new:
                if deadline is None or self._now() >= deadline:
                    break
                self._pause(POLL_PAUSE)
        return records, iterator

    def _iterator(self, shard_id: str) -> str:
        position = self.positions.get(shard_id)
        start = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position}
            if position
            else {"ShardIteratorType": self.settings.starting_position}
        )
        answer = self._request(
            self._kinesis.get_shard_iterator, StreamARN=self.settings.stream_arn, ShardId=shard_id, **start
        )
        return str(answer["ShardIterator"])

    def _handle(self, records: Sequence[StreamRecord]) -> list[HandledRecord]:
        """Filters records and delivers the rest in parallel lanes. A partition key always uses the same lane."""
        accepted: list[StreamRecord] = []
        handled: list[HandledRecord] = []
        for record in records:
            if self.settings.delivery.accepts(record):
                accepted.append(record)
            else:
                handled.append(HandledRecord(record, "filtered"))
        if self.settings.lanes == 1:
            return handled + self._run_lane(accepted)
        lanes: list[list[StreamRecord]] = [[] for _ in range(self.settings.lanes)]
        for record in accepted:
            lanes[crc32(record.partition_key.encode()) % self.settings.lanes].append(record)
        with ThreadPoolExecutor(self.settings.lanes) as pool:
            for done in pool.map(self._run_lane, lanes):
                handled += done
        return handled

    def filter_reason(self, record: StreamRecord) -> str:
        """Returns why the filter drops a record, excluding personal data."""
        return self.settings.delivery.filter_reason(record)

    def _run_lane(self, records: Sequence[StreamRecord]) -> list[HandledRecord]:
        size = self.settings.delivery.batch_size
        handled: list[HandledRecord] = []
        for start in range(0, len(records), size):
            handled += self._deliver(records[start : start + size])
        return handled

    def _deliver(self, batch: Sequence[StreamRecord]) -> list[HandledRecord]:
        """Delivers one batch, bisecting and retrying it until each record is delivered or dead-lettered."""
        handled: list[HandledRecord] = []
        retries = 0
        while batch:
            too_old = [record for record in batch if self._is_too_old(record)]
            if too_old:
                handled += self._dead_letter(too_old, "RecordAgeExceeded")
                batch = [record for record in batch if record not in too_old]
                continue
            output = self._call_target(batch)
            if output is not None:
                return handled + [
                    HandledRecord(record, "delivered", each)
                    for record, each in zip(batch, output, strict=True)
                ]
            if self.settings.bisect and len(batch) > 1:
                middle = len(batch) // 2
                return handled + self._deliver(batch[:middle]) + self._deliver(batch[middle:])
            if 0 <= self.settings.retry_attempts <= retries:
                return handled + self._dead_letter(batch, "RetryAttemptsExhausted")
            self._pause(min(FIRST_RETRY_PAUSE * 2**retries, MAX_RETRY_PAUSE))
            retries += 1
        return handled

    def _is_too_old(self, record: StreamRecord) -> bool:
        return 0 <= self.settings.delivery.record_age < self._now() - record.arrived.timestamp()

    def _call_target(self, batch: Sequence[StreamRecord]) -> list[Any] | None:
        """Runs the state machine. Returns the output for each record, or None if the execution failed."""
        payload = self.settings.delivery.execution_input(batch)
        if len(payload.encode()) > BATCH_BYTES:
            return None
        try:
            answer = self._request(
                self._states.start_sync_execution,
                stateMachineArn=self.settings.state_machine_arn,
                input=payload,
            )
        except ClientError as error:
            logger.warning(
                "the target rejected a batch of %d records: %s", len(batch), error.response["Error"]["Code"]
            )
            return None
        if answer["status"] != "SUCCEEDED":
            logger.warning(
                "an execution with %d records ended with status %s: %s: %s",
                len(batch),
                answer["status"],
                answer.get("error"),
                answer.get("cause"),
            )
            return None
        output = json.loads(answer["output"])
        return output if isinstance(output, list) and len(output) == len(batch) else [output] * len(batch)

    def _dead_letter(self, batch: Sequence[StreamRecord], condition: str) -> list[HandledRecord]:
        if self.settings.dead_letter_arn is not None:
            queue = Arn.parse(self.settings.dead_letter_arn)
            # Built from the ARN, because GetQueueUrl would need a permission that the role does not need on AWS.
            url = f"{self._queue.meta.endpoint_url}/{queue.account_id}/{queue.name}"
            message = dead_letter(self.settings, batch, condition, self._now())
            self._request(self._queue.send_message, QueueUrl=url, MessageBody=json.dumps(message))
        return [HandledRecord(record, "dead_lettered") for record in batch]

    def _request(self, call: Callable[..., Any], **arguments: Any) -> Any:
        """Sends a request to the emulator. A missing permission raises an error, because on AWS no record would get through."""
        try:
            return call(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in ACCESS_DENIED_CODES:
                message = error.response["Error"].get("Message", "")
                raise PipeError(
                    f"the role of pipe {self.settings.arn} lacks a permission: {message}"
                ) from error
            raise


def dead_letter(
    settings: PipeSettings, batch: Sequence[StreamRecord], condition: str, now: float
) -> dict[str, Any]:
    """Returns the message for the dead-letter queue. It contains the position of the records, not their data."""
    return {
        "context": {"partnerResourceArn": settings.arn, "condition": condition},
        "version": "1.0",
        "timestamp": _iso(datetime.fromtimestamp(now, UTC)),
        "KinesisBatchInfo": {
            "shardId": batch[0].shard_id,
            "startSequenceNumber": batch[0].sequence_number,
            "endSequenceNumber": batch[-1].sequence_number,
            "approximateArrivalOfFirstRecord": _iso(batch[0].arrived),
            "approximateArrivalOfLastRecord": _iso(batch[-1].arrived),
            "batchSize": len(batch),
            "streamArn": settings.stream_arn,
        },
    }


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
