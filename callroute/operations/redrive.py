"""Redrive: puts dead-lettered and quarantined records through the state machine again.

A message is deleted only when each of its records is stored, filtered, expired or quarantined. The table rejects versions
that it already contains, so a redrive can be repeated, interrupted, and run twice at once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from callroute.aws.batches import batches
from callroute.aws.pipe import BATCH_BYTES
from callroute.aws.pipe_delivery import StreamRecord
from callroute.operations.deployed_pipe import DeployedPipe

MESSAGES_PER_REQUEST = 10
"""Maximum number of messages in a ReceiveMessage or DeleteMessageBatch request."""
HIDDEN_SECONDS = 900
"""Time for which a message being processed is hidden from other consumers."""
RECORDS_PER_READ = 1000
MAX_CONSECUTIVE_FAILURES = 10
"""Number of consecutive failures after which a redrive stops, because the records are probably not the cause."""
DONE = {"stored", "filtered", "expired", "quarantined"}
"""Results after which a record needs no further redrive."""


@dataclass(frozen=True)
class KeptMessage:
    """A message that the redrive left on its queue."""

    message_id: str
    position: str
    """Stream position of its records."""
    reason: str


@dataclass
class RedriveReport:
    """Results of a redrive."""

    messages: int = 0
    """Number of messages that were read."""
    deleted: int = 0
    """Number of messages that were deleted."""
    records: Counter[str] = field(default_factory=Counter)
    """Number of records by result: `stored`, `filtered`, `expired`, `quarantined`, `failed`, or `accepted` in a dry run."""
    kept: list[KeptMessage] = field(default_factory=list)
    stopped: str = ""
    """Error from the last record, if the redrive stopped because too many records failed in a row."""

    @property
    def complete(self) -> bool:
        """True if no message is left and no record was quarantined."""
        return self.messages == self.deleted and not self.records["quarantined"]


@dataclass(frozen=True)
class _Message:
    """A message from a queue, and the records that it refers to."""

    receipt_handle: str
    id: str
    position: str
    records: tuple[StreamRecord, ...] = ()
    problem: str = ""
    """Reason for missing records."""
    quarantine_reason: str = ""


class Redrive:
    """Puts the records of a queue's messages through the state machine again.

    Args:
        clients: creates boto3 clients.
        pipe: the pipe whose filter, input template and batch size apply.
        dry_run: read messages and records, but run and delete nothing.
        on_messages: called with the number of messages that were just processed.
        wait_seconds: time to wait for a message before the queue counts as empty.
    """

    def __init__(
        self,
        clients: Callable[[str], Any],
        pipe: DeployedPipe,
        *,
        dry_run: bool = False,
        on_messages: Callable[[int], object] = lambda _number: None,
        wait_seconds: int = 1,
    ) -> None:
        self.report = RedriveReport()
        self._sqs = clients("sqs")
        self._states = clients("stepfunctions")
        self._reader = StreamReader(clients("kinesis"), pipe.delivery.stream_arn)
        self._pipe = pipe
        self._dry_run = dry_run
        self._on_messages = on_messages
        self._wait_seconds = wait_seconds
        self._results: dict[str, str] = {}
        """Result of each record, by event ID; an error if it failed."""
        self._failures = 0
        """Number of records that have failed since the last success."""

    def dead_letters(self, queue_url: str) -> RedriveReport:
        """Reads the records of all dead letters from the stream, and processes them again."""
        return self._process(queue_url, self._read_dead_letters)

    def quarantined(self, queue_url: str) -> RedriveReport:
        """Processes all quarantined records again.

        If a record is quarantined again, the state machine's new message replaces the old one.
        """
        return self._process(queue_url, lambda received: [_read_quarantined(each) for each in received])

    def _process(
        self, queue_url: str, read: Callable[[list[dict[str, Any]]], list[_Message]]
    ) -> RedriveReport:
        hidden: set[str] = set()
        try:
            for received in self._receive(queue_url):
                hidden |= {each["ReceiptHandle"] for each in received}
                hidden -= self._redrive(queue_url, read(received))
                self._on_messages(len(received))
                if self.report.stopped:
                    break
        finally:
            for handles in _groups(sorted(hidden), MESSAGES_PER_REQUEST):
                entries = [
                    {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for index, handle in enumerate(handles)
                ]
                self._sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
        return self.report

    def _receive(self, queue_url: str) -> Iterator[list[dict[str, Any]]]:
        """Yields the messages from a queue in groups, without repeating any."""
        seen: set[str] = set()
        while messages := self._sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=MESSAGES_PER_REQUEST,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=self._wait_seconds,
        ).get("Messages"):
            yield [each for each in messages if each["MessageId"] not in seen]
            seen.update(each["MessageId"] for each in messages)

    def _redrive(self, queue_url: str, messages: Sequence[_Message]) -> set[str]:
        """Processes a group of messages and returns the receipt handles of those that were deleted."""
        new = [
            each
            for each in messages
            # Excludes messages whose record the state machine has quarantined again during this run.
            if not any(self._results.get(record.event_id) == "quarantined" for record in each.records)
        ]
        self.report.messages += len(new)
        self._run([record for each in new for record in each.records])
        finished = []
        for each in messages:
            if reason := self._reason_to_keep(each, is_new=each in new):
                self.report.kept.append(KeptMessage(each.id, each.position, reason))
            elif not self._dry_run:
                finished.append(each.receipt_handle)
        return self._delete(queue_url, finished)

    def _reason_to_keep(self, message: _Message, *, is_new: bool) -> str:
        if message.problem:
            return message.problem
        if self._dry_run or not is_new:
            return message.quarantine_reason
        results = (self._results[record.event_id] for record in message.records)
        return next((result for result in results if result not in DONE), "")

    def _delete(self, queue_url: str, handles: Sequence[str]) -> set[str]:
        if not handles:
            return set()
        entries = [{"Id": str(index), "ReceiptHandle": handle} for index, handle in enumerate(handles)]
        answer = self._sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)
        deleted = {handles[int(each["Id"])] for each in answer.get("Successful", [])}
        self.report.deleted += len(deleted)
        return deleted

    def _run(self, records: Sequence[StreamRecord]) -> None:
        """Determines the results of the records that have not been processed yet."""
        # Each record, with the size in bytes of its part of the input.
        accepted: dict[str, tuple[StreamRecord, int]] = {}
        for record in records:
            if record.event_id in self._results or record.event_id in accepted:
                continue
            if not self._pipe.delivery.accepts(record):
                self._finish([record], ["filtered"])
            elif self._dry_run:
                self._finish([record], ["accepted"])
            elif (size := len(self._pipe.delivery.execution_input([record]).encode())) > BATCH_BYTES:
                self._finish([record], [f"the record is larger than {BATCH_BYTES:,} bytes"])
            else:
                accepted[record.event_id] = record, size
        for batch in batches(
            accepted.values(),
            size=lambda each: each[1],
            max_items=self._pipe.delivery.batch_size,
            max_size=BATCH_BYTES,
        ):
            self._execute([record for record, _ in batch])

    def _execute(self, batch: Sequence[StreamRecord]) -> None:
        """Runs the state machine with a batch. If it fails, halves the batch until each failing record is isolated."""
        if self.report.stopped:
            self._finish(
                batch, [f"not processed because other records failed: {self.report.stopped}"] * len(batch)
            )
            return
        results, error = self._call(batch)
        if not error:
            self._failures = 0
            self._finish(batch, results)
        elif len(batch) > 1:
            middle = len(batch) // 2
            self._execute(batch[:middle])
            self._execute(batch[middle:])
        else:
            self._failures += 1
            if self._failures == MAX_CONSECUTIVE_FAILURES:
                self.report.stopped = error
            self._finish(batch, [error])

    def _call(self, batch: Sequence[StreamRecord]) -> tuple[list[str], str]:
        """Returns the result of each record, and the error if the execution failed. Errors contain no personal data."""
        try:
            answer = self._states.start_sync_execution(
                stateMachineArn=self._pipe.state_machine_arn,
                input=self._pipe.delivery.execution_input(batch),
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if "AccessDenied" in code:
                raise
            return [], f"the state machine cannot be run ({code})"
        if answer["status"] != "SUCCEEDED":
            return [], f"the execution failed ({answer.get('error') or answer['status']})"
        output = json.loads(answer["output"])
        if not isinstance(output, list) or len(output) != len(batch):
            return [], "the execution did not return one result per record"
        # `older` means that the table already contains this version or a newer one.
        return ["stored" if each == "older" else str(each) for each in output], ""

    def _finish(self, records: Sequence[StreamRecord], results: Sequence[str]) -> None:
        for record, result in zip(records, results, strict=True):
            self._results[record.event_id] = result
            self.report.records[result if result in {*DONE, "accepted"} else "failed"] += 1

    def _read_dead_letters(self, received: Iterable[Mapping[str, Any]]) -> list[_Message]:
        positions = [(each, _position(each["Body"])) for each in received]
        # Records that are close together in the stream are read one after another.
        positions.sort(key=lambda pair: (pair[1].shard_id, int(pair[1].first)) if pair[1] else ("", 0))
        return [self._read_dead_letter(each, position) for each, position in positions]

    def _read_dead_letter(self, received: Mapping[str, Any], position: _Position | None) -> _Message:
        handle, id_ = received["ReceiptHandle"], received["MessageId"]
        if position is None:
            return _Message(handle, id_, "", problem="the message is not a dead letter of a Kinesis pipe")
        if position.stream_arn != self._pipe.delivery.stream_arn:
            problem = f"the records are on another stream, {position.stream_arn}"
            return _Message(handle, id_, str(position), problem=problem)
        records = self._reader.read(position)
        found = set(map(_number, records))
        lost = not {int(position.first), int(position.last)} <= found
        problem = "the stream no longer has all of these records" if lost else ""
        return _Message(handle, id_, str(position), tuple(records), problem)


class _Position(NamedTuple):
    """Position of the records that a dead letter refers to. Sequence numbers are strings of digits."""

    stream_arn: str
    shard_id: str
    first: str
    last: str

    def __str__(self) -> str:
        return f"{self.shard_id}:{self.first}" + (f" to {self.last}" if self.last != self.first else "")


def _position(body: str) -> _Position | None:
    """Parses the body of a dead-letter message. Returns None for any other message."""
    try:
        batch = json.loads(body)["KinesisBatchInfo"]
        names = ("streamArn", "shardId", "startSequenceNumber", "endSequenceNumber")
        position = _Position(*(str(batch[name]) for name in names))
    except (ValueError, KeyError, TypeError):
        return None
    return position if position.first.isdecimal() and position.last.isdecimal() else None


def _read_quarantined(received: Mapping[str, Any]) -> _Message:
    handle, id_ = received["ReceiptHandle"], received["MessageId"]
    try:
        body = json.loads(received["Body"])
        event_id, contact, reason = str(body["event_id"]), body["contact"], str(body["reason"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return _Message(handle, id_, "", problem="the message contains no quarantined record")
    shard_id, _, sequence_number = event_id.rpartition(":")
    # The message has neither the partition key nor the arrival time.
    data, arrived = json.dumps(contact).encode(), datetime.fromtimestamp(0, UTC)
    record = StreamRecord(shard_id, sequence_number, "", data, arrived)
    return _Message(handle, id_, event_id, (record,), quarantine_reason=reason)


class StreamReader:
    """Reads ranges of records from a stream.

    Caches the last records read from each shard, because many dead letters refer to neighboring records and a shard
    allows only five reads per second.
    """

    def __init__(self, kinesis: Any, stream_arn: str) -> None:
        self._kinesis = kinesis
        self._stream_arn = stream_arn
        self._recent: dict[str, list[StreamRecord]] = {}

    def read(self, position: _Position) -> list[StreamRecord]:
        """Returns the records at a position, excluding those that the stream no longer contains."""
        first, last = int(position.first), int(position.last)
        recent = self._recent.get(position.shard_id)
        if not (recent and _number(recent[0]) <= first and last <= _number(recent[-1])):
            recent = self._recent[position.shard_id] = list(self._fetch(position))
        return [record for record in recent if first <= _number(record) <= last]

    def _fetch(self, position: _Position) -> Iterator[StreamRecord]:
        try:
            iterator = self._kinesis.get_shard_iterator(
                StreamARN=self._stream_arn,
                ShardId=position.shard_id,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                StartingSequenceNumber=position.first,
            )["ShardIterator"]
        except ClientError as error:
            # The position or the whole shard no longer exists.
            if error.response["Error"]["Code"] in ("InvalidArgumentException", "ResourceNotFoundException"):
                return
            raise
        while iterator:  # absent at the end of a closed shard
            answer = self._kinesis.get_records(
                StreamARN=self._stream_arn, ShardIterator=iterator, Limit=RECORDS_PER_READ
            )
            records = [StreamRecord.read(position.shard_id, each) for each in answer["Records"]]
            yield from records
            if (records and _number(records[-1]) >= int(position.last)) or not answer["MillisBehindLatest"]:
                return
            iterator = answer.get("NextShardIterator")


def _number(record: StreamRecord) -> int:
    return int(record.sequence_number)


def _groups(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
