"""The EventBridge pipe on this machine: from the stream to the state machine, as the registered pipe says.

The emulator accepts pipes but moves nothing, so this does what AWS does (docs/fidelity.md lists the evidence): poll each
shard from its position, drop what the filter does not match, shape each record by the template, call the state machine
with the batch and wait for it, halve a failing batch until the bad record stands alone, retry that within attempts and
age, and then put its position on the dead-letter queue. Every call is made with the permissions of the pipe's role.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol
from zlib import crc32

from botocore.exceptions import ClientError

from callroute.aws.pipe import BATCH_BYTES
from callroute.errors import LocalCloudError
from callroute.local.event_pattern import matches

logger = logging.getLogger(__name__)

FIRST_RETRY_PAUSE = 0.1
"""Seconds before the first retry of a record; doubled each time. AWS does not publish its own."""
LONGEST_RETRY_PAUSE = 2.0
MOST_RECORDS_OF_A_READ = 10_000
"""Limit of GetRecords."""
POLL_PAUSE = 0.05
"""Seconds between two looks at a shard in which nothing was new."""


MISSING_PERMISSION = {"AccessDenied", "AccessDeniedException", "KMSAccessDeniedException", "KmsAccessDenied"}
"""Codes of the errors with which Kinesis, Step Functions and SQS tell of one, also of one on a customer key."""


class PipeError(LocalCloudError):
    """The pipe cannot run as registered: an argument it does not know, or a permission its role lacks."""


class Clients(Protocol):
    """Gives the clients with which the pipe acts."""

    def __call__(self, service: str) -> Any:
        """The client of a service, with the credentials of the pipe's role."""
        ...


@dataclass(frozen=True)
class PipeSettings:
    """What the registered pipe says. Times in seconds; -1 stands for without end, as in the API."""

    arn: str
    stream_arn: str
    state_machine_arn: str
    patterns: tuple[Mapping[str, Any], ...]
    input_template: str
    batch_size: int
    window: int
    starting_position: str
    retry_attempts: int
    record_age: int
    bisect: bool
    lanes: int
    dead_letter_arn: str | None

    @classmethod
    def read(cls, arn: str, registered: Mapping[str, Any]) -> PipeSettings:
        """From the inputs of a registered `aws:pipes/pipe:Pipe`.

        Raises:
            PipeError: the pipe uses something that this one does not do.
        """
        source = dict(registered.get("sourceParameters") or {})
        kinesis = dict(source.pop("kinesisStreamParameters", None) or {})
        filters = dict(source.pop("filterCriteria", None) or {}).get("filters") or []
        target = dict(registered.get("targetParameters") or {})
        call = dict(target.pop("stepFunctionStateMachineParameters", None) or {})
        invocation = call.pop("invocationType", "REQUEST_RESPONSE")
        if invocation != "REQUEST_RESPONSE":
            raise PipeError(
                f"invocationType is {invocation!r}; only REQUEST_RESPONSE lets a pipe see a failed execution"
            )
        settings = cls(
            arn=arn,
            stream_arn=registered["source"],
            state_machine_arn=registered["target"],
            patterns=tuple(json.loads(each["pattern"]) for each in filters),
            input_template=target.pop("inputTemplate", "<$>"),
            batch_size=int(kinesis.pop("batchSize", 100)),
            window=int(kinesis.pop("maximumBatchingWindowInSeconds", 0)),
            starting_position=kinesis.pop("startingPosition"),
            retry_attempts=int(kinesis.pop("maximumRetryAttempts", -1)),
            record_age=int(kinesis.pop("maximumRecordAgeInSeconds", -1)),
            bisect=kinesis.pop("onPartialBatchItemFailure", None) == "AUTOMATIC_BISECT",
            lanes=int(kinesis.pop("parallelizationFactor", 1)),
            dead_letter_arn=(kinesis.pop("deadLetterConfig", None) or {}).get("arn"),
        )
        unknown = [*source, *kinesis, *target, *call]
        if unknown:
            raise PipeError(
                f"the registered pipe sets {', '.join(unknown)}, which the local pipe does not know"
            )
        return settings


@dataclass(frozen=True)
class Record:
    """One record of the stream."""

    shard_id: str
    sequence_number: str
    partition_key: str
    data: bytes
    arrived: datetime

    def json(self) -> tuple[bool, Any]:
        """Whether the data is a JSON text, and its value."""
        try:
            return True, json.loads(self.data, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return False, None

    def event(self, stream_arn: str) -> dict[str, Any]:
        """As a pipe sees it: `data` is its JSON where it is JSON, and base64 text where it is not."""
        is_json, value = self.json()
        return {
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self.shard_id}:{self.sequence_number}",
            "eventName": "aws:kinesis:record",
            "eventSourceARN": stream_arn,
            "kinesisSchemaVersion": "1.0",
            "partitionKey": self.partition_key,
            "sequenceNumber": self.sequence_number,
            "data": value if is_json else base64.b64encode(self.data).decode("ascii"),
            "approximateArrivalTimestamp": self.arrived.timestamp(),
        }


@dataclass(frozen=True)
class Handled:
    """What became of one record: dropped by the filter, handed to the target, or given up."""

    record: Record
    became: Literal["not_ours", "handed_over", "dead_lettered"]
    output: Any = None
    """What the target's execution answered for the record's batch at the record's place."""


class Pipe:
    """Moves records, one `poll` after the other.

    Args:
        settings: the registered pipe.
        clients: clients with the role's permissions.
        positions: last sequence number done with, by shard. Kept by the caller, so that another pipe can go on from it.
        now: seconds since 1970.
        pause: waits so many seconds.
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
        self._started = False

    def poll(self) -> list[Handled]:
        """Take what is new in each shard, up to a batch a lane, and see it through. Empty when nothing was new."""
        handled: list[Handled] = []
        if not self._started:
            self._start()
        for shard_id in self._shards():
            records, next_iterator = self._take(shard_id)
            if records:
                handled += self._see_through(records)
                # Only now: whoever stops before goes on from the last position, and nothing is lost.
                self.positions[shard_id] = records[-1].sequence_number
            self._iterators[shard_id] = next_iterator
        return handled

    def drain(self) -> Iterator[Handled]:
        """Poll until every shard is read to its end."""
        while handled := self.poll():
            yield from handled

    def _start(self) -> None:
        """Describes the stream. AWS says that a pipe needs to, but not what for; what it says is of no use here."""
        self._ask(self._kinesis.describe_stream_summary, StreamARN=self.settings.stream_arn)
        self._ask(self._kinesis.describe_stream, StreamARN=self.settings.stream_arn, Limit=1)
        self._started = True

    def _shards(self) -> list[str]:
        answer = self._ask(self._kinesis.list_shards, StreamARN=self.settings.stream_arn)
        return [shard["ShardId"] for shard in answer["Shards"]]

    def _take(self, shard_id: str) -> tuple[list[Record], str]:
        """Up to a full batch for each lane, and where to read on; waits out the window once there is a first record."""
        wanted = self.settings.batch_size * self.settings.lanes
        iterator = self._iterators.get(shard_id) or self._iterator(shard_id)
        records: list[Record] = []
        deadline: float | None = None
        while len(records) < wanted:
            answer = self._ask(
                self._kinesis.get_records,
                ShardIterator=iterator,
                Limit=min(wanted - len(records), MOST_RECORDS_OF_A_READ),
                StreamARN=self.settings.stream_arn,
            )
            iterator = answer["NextShardIterator"]
            new = [_record(shard_id, each) for each in answer["Records"]]
            records += new
            if records and deadline is None:
                deadline = self._now() + self.settings.window
            if not new:
                if deadline is None or self._now() >= deadline:
                    break
                self._pause(POLL_PAUSE)
        return records, iterator

    def _iterator(self, shard_id: str) -> str:
        position = self.positions.get(shard_id)
        where = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position}
            if position
            else {"ShardIteratorType": self.settings.starting_position}
        )
        answer = self._ask(
            self._kinesis.get_shard_iterator, StreamARN=self.settings.stream_arn, ShardId=shard_id, **where
        )
        return str(answer["ShardIterator"])

    def _see_through(self, records: Sequence[Record]) -> list[Handled]:
        """Filter, then hand over; with several lanes side by side, where one partition key stays in one lane."""
        ours: list[Record] = []
        handled: list[Handled] = []
        for record in records:
            if self._is_ours(record):
                ours.append(record)
            else:
                handled.append(Handled(record, "not_ours"))
        lanes: list[list[Record]] = [[] for _ in range(self.settings.lanes)]
        for record in ours:
            lanes[crc32(record.partition_key.encode()) % self.settings.lanes].append(record)
        if self.settings.lanes == 1:
            return handled + self._run_lane(ours)
        with ThreadPoolExecutor(self.settings.lanes) as pool:
            for done in pool.map(self._run_lane, lanes):
                handled += done
        return handled

    def _is_ours(self, record: Record) -> bool:
        if not self.settings.patterns:
            return True
        if not record.json()[0]:
            return False
        event = record.event(self.settings.stream_arn)
        return any(matches(pattern, event) for pattern in self.settings.patterns)

    def _run_lane(self, records: Sequence[Record]) -> list[Handled]:
        size = self.settings.batch_size
        handled: list[Handled] = []
        for start in range(0, len(records), size):
            handled += self._hand_over(records[start : start + size])
        return handled

    def _hand_over(self, batch: Sequence[Record]) -> list[Handled]:
        """See one batch through to its end, whatever it takes."""
        handled: list[Handled] = []
        retries = 0
        while batch:
            too_old = [record for record in batch if self._is_too_old(record)]
            if too_old:
                handled += self._give_up(too_old, "RecordAgeExceeded")
                batch = [record for record in batch if record not in too_old]
                continue
            output = self._call_target(batch)
            if output is not None:
                return handled + [
                    Handled(record, "handed_over", each) for record, each in zip(batch, output, strict=True)
                ]
            if self.settings.bisect and len(batch) > 1:
                middle = len(batch) // 2
                return handled + self._hand_over(batch[:middle]) + self._hand_over(batch[middle:])
            if 0 <= self.settings.retry_attempts <= retries:
                return handled + self._give_up(batch, "RetryAttemptsExhausted")
            self._pause(min(FIRST_RETRY_PAUSE * 2**retries, LONGEST_RETRY_PAUSE))
            retries += 1
        return handled

    def _is_too_old(self, record: Record) -> bool:
        return 0 <= self.settings.record_age < self._now() - record.arrived.timestamp()

    def _call_target(self, batch: Sequence[Record]) -> list[Any] | None:
        """The execution's output for each record, or None when the execution failed."""
        shaped = [
            apply_template(self.settings.input_template, record.event(self.settings.stream_arn))
            for record in batch
        ]
        # Half of a surrogate pair can stand in JSON but not in UTF-8.
        payload = f"[{','.join(shaped)}]".encode("utf-8", "replace").decode("utf-8")
        if len(payload.encode()) > BATCH_BYTES:
            return None
        try:
            answer = self._ask(
                self._states.start_sync_execution,
                stateMachineArn=self.settings.state_machine_arn,
                input=payload,
            )
        except ClientError as error:
            logger.warning(
                "the target refused a batch of %d: %s", len(batch), error.response["Error"]["Code"]
            )
            return None
        if answer["status"] != "SUCCEEDED":
            logger.warning(
                "an execution for %d records ended %s: %s: %s",
                len(batch),
                answer["status"],
                answer.get("error"),
                answer.get("cause"),
            )
            return None
        output = json.loads(answer["output"])
        return output if isinstance(output, list) and len(output) == len(batch) else [output] * len(batch)

    def _give_up(self, batch: Sequence[Record], condition: str) -> list[Handled]:
        if self.settings.dead_letter_arn is not None:
            account_id, name = self.settings.dead_letter_arn.split(":")[-2:]
            # Made up rather than asked for: to ask would take a permission that the role does not need on AWS.
            url = f"{self._queue.meta.endpoint_url}/{account_id}/{name}"
            message = dead_letter(self.settings, batch, condition, self._now())
            self._ask(self._queue.send_message, QueueUrl=url, MessageBody=json.dumps(message))
        return [Handled(record, "dead_lettered") for record in batch]

    def _ask(self, call: Callable[..., Any], **arguments: Any) -> Any:
        """One call to the emulator. A missing permission ends the pipe: on AWS it would fail every record."""
        try:
            return call(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING_PERMISSION:
                message = error.response["Error"].get("Message", "")
                raise PipeError(
                    f"the role of pipe {self.settings.arn} lacks a permission: {message}"
                ) from error
            raise


def dead_letter(
    settings: PipeSettings, batch: Sequence[Record], condition: str, now: float
) -> dict[str, Any]:
    """The message on the dead-letter queue: where the records were, not what they held."""
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


# A path in quotes is part of a text, a path outside of them is a JSON value.
_QUOTED_OR_PATH = re.compile(r'"(?:[^"\\]|\\.)*"|<(\$[^<>]*)>')
_PATH = re.compile(r"<(\$[^<>]*)>")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")


def apply_template(template: str, event: Mapping[str, Any]) -> str:
    """The input template filled from an event, as JSON text.

    Raises:
        PipeError: a path that leads nowhere. AWS leaves out such a variable; here it is a mistake in the template.
    """

    def fill(found: re.Match[str]) -> str:
        if found[1]:
            return json.dumps(_look_up(found[1], event), ensure_ascii=False)
        return _PATH.sub(
            lambda path: json.dumps(str(_look_up(path[1], event)), ensure_ascii=False)[1:-1], found[0]
        )

    return _QUOTED_OR_PATH.sub(fill, template)


def _look_up(path: str, event: Mapping[str, Any]) -> Any:
    value: Any = event
    steps = _STEP.findall(path)
    if path != "$" + "".join(f".{name}" if name else f"[{index}]" for name, index in steps):
        raise PipeError(f"the input template's path {path!r} is not of the form $.name.name[0]")
    for name, index in steps:
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError) as error:
            raise PipeError(f"the input template's path {path!r} leads nowhere in the record") from error
    return value


def _record(shard_id: str, answer: Mapping[str, Any]) -> Record:
    return Record(
        shard_id=shard_id,
        sequence_number=answer["SequenceNumber"],
        partition_key=answer["PartitionKey"],
        data=answer["Data"],
        arrived=answer["ApproximateArrivalTimestamp"],
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refuse_constant(name: str) -> None:
    """Python reads NaN and Infinity; JSON has no such values."""
    raise ValueError(f"{name} is not JSON")
