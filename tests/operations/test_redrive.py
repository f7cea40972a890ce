"""Guards against a redrive that loses, changes or hides a record, or deletes a message too early."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from callroute.aws.pipe import BATCH_BYTES
from callroute.local.cloud import PIPE
from callroute.local.emulator import Emulator
from callroute.local.pipe import HandledRecord, Pipe, PipeSettings
from callroute.local.stack_runner import Deployment, deploy
from callroute.operations.deployed_pipe import DeployedPipe
from callroute.operations.redrive import MAX_CONSECUTIVE_FAILURES, Redrive, RedriveReport
from callroute.reports.call_records import read_all
from tests.support.contact_records import contact_record
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.emulator

BAD = {"InitiationTimestamp": "2026-02-30T00:00:00Z"}


class Stack:
    """A deployed stack, and the messages and items that a test looks at."""

    positions: ClassVar[dict[str, str]] = {}
    """Positions of the pipe, which continues in the next test."""

    def __init__(self, deployment: Deployment) -> None:
        self.emulator = deployment.emulator
        self.outputs = deployment.outputs
        self.registered = deployment.one(PIPE)
        self.described = DeployedPipe.describe(
            self.emulator.client("pipes"), self.outputs["pipeName"], self.registered.inputs
        )
        self.executions: list[list[dict[str, Any]]] = []
        """Inputs of the executions that redrives have started."""
        self.fail: Callable[[list[dict[str, Any]]], bool] = lambda _batch: False
        """Decides whether an execution fails."""

    def put(self, *records: dict[str, Any]) -> None:
        for record in records:
            self.emulator.client("kinesis").put_record(
                StreamARN=self.outputs["streamArn"],
                PartitionKey="one shard",
                Data=json.dumps(record).encode(),
            )

    def dead_letter(self, *records: dict[str, Any], **settings: Any) -> None:
        """Puts records on the stream and lets the pipe dead-letter them, because they are too old."""
        self.put(*records)
        handled = self.run_pipe(now=lambda: time.time() + 365 * 86_400, **settings)
        assert {each.outcome for each in handled} <= {"dead_lettered", "filtered"}

    def quarantine(self, *records: dict[str, Any]) -> None:
        """Puts records on the stream that the state machine quarantines."""
        self.put(*records)
        assert [each.output for each in self.run_pipe()] == ["quarantined"] * len(records)

    def run_pipe(self, now: Callable[[], float] = time.time, **settings: Any) -> list[HandledRecord]:
        """Runs the pipe with some settings of its delivery changed until the stream is empty."""
        registered = PipeSettings.read(self.registered.outputs["arn"], self.registered.inputs)
        changed = replace(registered, delivery=replace(registered.delivery, **settings))
        pipe = Pipe(changed, self.emulator.client, self.positions, now=now)
        return list(pipe.drain())

    def redrive(self, **options: Any) -> Redrive:
        return Redrive(self.client, self.described, wait_seconds=0, **options)

    def redrive_dead_letters(self, **options: Any) -> RedriveReport:
        return self.redrive(**options).dead_letters(self.outputs["deadLetterQueueUrl"])

    def redrive_quarantined(self, **options: Any) -> RedriveReport:
        return self.redrive(**options).quarantined(self.outputs["quarantineQueueUrl"])

    def client(self, service: str) -> Any:
        client = self.emulator.client(service)
        return _StateMachine(self, client) if service == "stepfunctions" else client

    def visible(self, queue: str) -> int:
        """Returns the number of messages that other consumers can receive, and fails if there are hidden ones."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.emulator.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs[queue], AttributeNames=names
        )["Attributes"]
        assert found[names[1]] == "0"
        return int(found[names[0]])

    def stored(self) -> list[str]:
        items = read_all(self.emulator.client("dynamodb"), self.outputs["tableName"])
        return [item["contact_id"] for item in items]

    def clear(self) -> None:
        """Empties the table and the queues."""
        for queue in ("deadLetterQueueUrl", "quarantineQueueUrl"):
            self.emulator.client("sqs").purge_queue(QueueUrl=self.outputs[queue])
        for contact_id in self.stored():
            self.emulator.client("dynamodb").delete_item(
                TableName=self.outputs["tableName"], Key={"contact_id": {"S": contact_id}}
            )


class _StateMachine:
    """A Step Functions client that records its inputs and can fail."""

    def __init__(self, stack: Stack, client: Any) -> None:
        self._stack, self._client = stack, client

    def start_sync_execution(self, **request: Any) -> Any:
        assert len(request["input"].encode()) <= BATCH_BYTES
        batch = json.loads(request["input"])
        self._stack.executions.append(batch)
        if self._stack.fail(batch):
            return {"status": "FAILED", "error": "DynamoDB.ThrottlingException", "cause": "+815000000001"}
        return self._client.start_sync_execution(**request)


@pytest.fixture(scope="module")
def deployment(emulator: Emulator) -> Iterator[Deployment]:
    emulator.reset()
    Stack.positions.clear()
    yield deploy(emulator, project=REPOSITORY)
    emulator.reset()


@pytest.fixture
def stack(deployment: Deployment) -> Stack:
    stack = Stack(deployment)
    stack.clear()
    return stack


def contacts(*ids: str) -> list[dict[str, Any]]:
    return [contact_record(each) for each in ids]


def test_dead_lettered_records_get_their_results_and_the_messages_are_deleted(stack: Stack) -> None:
    others = [contact_record("chat", Channel="CHAT"), contact_record("bad", **BAD)]
    stack.dead_letter(*contacts("a", "b"), *others, *contacts("c"))
    assert (stack.visible("deadLetterQueueUrl"), stack.stored()) == (1, [])

    report = stack.redrive_dead_letters()

    assert report.records == {"stored": 3, "filtered": 1, "quarantined": 1}
    assert (report.messages, report.deleted, report.kept) == (1, 1, [])
    assert not report.complete, "a record is in the quarantine queue"
    assert stack.stored() == ["a", "b", "c"]
    assert (stack.visible("deadLetterQueueUrl"), stack.visible("quarantineQueueUrl")) == (0, 1)


def test_many_messages_share_few_reads_and_executions(stack: Stack) -> None:
    stack.dead_letter(*contacts(*(f"c{number:02}" for number in range(25))), batch_size=1)
    assert stack.visible("deadLetterQueueUrl") == 25
    seen: list[int] = []

    report = stack.redrive_dead_letters(on_messages=seen.append)

    assert (report.messages, report.deleted, report.complete) == (25, 25, True)
    assert [len(batch) for batch in stack.executions] == [10, 10, 5]
    assert seen == [10, 10, 5]
    assert len(stack.stored()) == 25


def test_inputs_stay_within_the_batch_size_and_the_size_limit(stack: Stack) -> None:
    long = [contact_record(f"c{number}", Notes="あ" * 30_000) for number in range(5)]
    stack.dead_letter(*long, *contacts(*(f"d{number:02}" for number in range(15))), batch_size=100)

    assert stack.redrive_dead_letters().complete

    assert [len(batch) for batch in stack.executions] == [2, 2, 10, 6]
    assert len(stack.stored()) == 20


def test_a_failing_record_keeps_its_message_and_no_other(stack: Stack) -> None:
    stack.dead_letter(*contacts("a", "b", "poison", "d"), batch_size=1)
    stack.fail = lambda batch: "poison" in json.dumps(batch)

    report = stack.redrive_dead_letters()

    (kept,) = report.kept
    assert kept.reason == "the execution failed (DynamoDB.ThrottlingException)"
    assert (report.deleted, stack.visible("deadLetterQueueUrl"), stack.stored()) == (3, 1, ["a", "b", "d"])
    assert not report.complete

    stack.fail = lambda _batch: False
    assert stack.redrive_dead_letters().complete
    assert (stack.visible("deadLetterQueueUrl"), stack.stored()) == (0, ["a", "b", "d", "poison"])


def test_a_redrive_stops_when_everything_fails(stack: Stack) -> None:
    stack.dead_letter(*contacts(*(f"c{number}" for number in range(40))), batch_size=1)
    stack.fail = lambda _batch: True

    report = stack.redrive_dead_letters()

    assert report.stopped == "the execution failed (DynamoDB.ThrottlingException)"
    assert [len(batch) for batch in stack.executions].count(1) == MAX_CONSECUTIVE_FAILURES
    assert (report.deleted, stack.visible("deadLetterQueueUrl")) == (0, 40)


def test_records_that_are_too_large_do_not_stop_a_redrive(stack: Stack) -> None:
    large = [
        contact_record(f"large-{number}", Padding="x" * BATCH_BYTES)
        for number in range(MAX_CONSECUTIVE_FAILURES)
    ]
    stack.dead_letter(*large, *contacts("a"))

    report = stack.redrive_dead_letters()

    assert not report.stopped
    assert report.records == {"failed": len(large), "stored": 1}
    assert {each.reason for each in report.kept} == {f"the record is larger than {BATCH_BYTES:,} bytes"}
    assert stack.visible("deadLetterQueueUrl") == len(report.kept)


def test_a_dry_run_changes_nothing(stack: Stack) -> None:
    stack.dead_letter(*contacts("a", "b"), contact_record("chat", Channel="CHAT"), *contacts("c"))
    stack.quarantine(contact_record("bad", **BAD))

    dead, quarantined = stack.redrive_dead_letters(dry_run=True), stack.redrive_quarantined(dry_run=True)

    assert dead.records == {"accepted": 3, "filtered": 1}
    assert (dead.messages, dead.deleted, dead.complete) == (1, 0, False)
    assert quarantined.records == {"accepted": 1}
    assert "InitiationTimestamp is missing or not a UTC time" in quarantined.kept[0].reason
    assert (stack.executions, stack.stored()) == ([], [])
    assert (stack.visible("deadLetterQueueUrl"), stack.visible("quarantineQueueUrl")) == (1, 1)


def test_two_redrives_at_once_do_no_harm(stack: Stack) -> None:
    ids = [f"c{number:02}" for number in range(60)]
    stack.dead_letter(*contacts(*ids), batch_size=1)

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: stack.redrive_dead_letters(), range(2)))

    assert sum(report.deleted for report in reports) == 60
    assert all(report.complete for report in reports)
    assert (stack.visible("deadLetterQueueUrl"), stack.stored()) == (0, ids)


def test_a_repeated_redrive_does_not_change_newer_items(stack: Stack) -> None:
    stack.dead_letter(contact_record("a", Attributes={"call_route": "old"}))
    newer = {"Attributes": {"call_route": "new"}, "LastUpdateTimestamp": "2026-04-18T00:00:00Z"}
    stack.put(contact_record("a", **newer))
    stack.run_pipe()

    assert stack.redrive_dead_letters().records == {"stored": 1}

    (item,) = read_all(stack.emulator.client("dynamodb"), stack.outputs["tableName"])
    assert item["call_route"] == "new"


def test_messages_whose_records_are_gone_are_kept(stack: Stack) -> None:
    stack.dead_letter(*contacts("a", "b"))
    sqs, url = stack.emulator.client("sqs"), stack.outputs["deadLetterQueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    sqs.purge_queue(QueueUrl=url)

    def send(**changes: Any) -> None:
        body = json.loads(message["Body"])
        body["KinesisBatchInfo"] |= changes
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))

    send(startSequenceNumber="1")  # before the oldest record
    send(startSequenceNumber="1", endSequenceNumber="2")
    send(shardId="shardId-000000000099")
    send(endSequenceNumber="9" * 56)
    send(streamArn="arn:aws:kinesis:ap-northeast-1:111111111111:stream/other")
    send(startSequenceNumber="one")
    sqs.send_message(QueueUrl=url, MessageBody="[]")

    report = stack.redrive_dead_letters()

    gone = "the stream no longer has all of these records"
    assert sorted(each.reason for each in report.kept) == [
        "the message is not a dead letter of a Kinesis pipe",
        "the message is not a dead letter of a Kinesis pipe",
        "the records are on another stream, arn:aws:kinesis:ap-northeast-1:111111111111:stream/other",
        *[gone] * 4,
    ]
    assert (report.messages, report.deleted, stack.visible("deadLetterQueueUrl")) == (7, 0, 7)
    assert stack.stored() == ["a", "b"], "the records that are still there are processed"


def test_quarantined_records_are_stored_after_a_fix(stack: Stack) -> None:
    stack.quarantine(contact_record("a", **BAD), contact_record("b", **BAD))
    no_longer_tracked = replace(stack.described.delivery, patterns=({"data": {"ContactId": ["a"]}},))
    stack.described = replace(stack.described, delivery=no_longer_tracked)
    # The fix: a state machine that accepts every record.
    stack.client = lambda service: (  # type: ignore[method-assign]
        _Fixed() if service == "stepfunctions" else stack.emulator.client(service)
    )

    report = stack.redrive_quarantined()

    assert report.records == {"stored": 1, "filtered": 1}
    assert (report.complete, stack.visible("quarantineQueueUrl")) == (True, 0)


class _Fixed:
    def start_sync_execution(self, **request: Any) -> Any:
        batch = json.loads(request["input"])
        assert [set(each) for each in batch] == [{"event_id", "sequence_number", "contact"}]
        assert batch[0]["event_id"].endswith(f":{batch[0]['sequence_number']}")
        return {"status": "SUCCEEDED", "output": json.dumps(["stored"] * len(batch))}


def test_without_a_fix_quarantined_records_stay_in_the_queue_once(stack: Stack) -> None:
    stack.quarantine(*(contact_record(each, **BAD) for each in "ab"))

    for _ in range(2):
        report = stack.redrive_quarantined()

        assert report.records == {"quarantined": 2}
        assert (report.messages, report.deleted, report.complete) == (2, 2, False)
        assert ["InitiationTimestamp" in each.reason for each in report.kept] == [True, True]
        assert stack.visible("quarantineQueueUrl") == 2


def test_other_messages_in_the_quarantine_queue_are_kept(stack: Stack) -> None:
    stack.emulator.client("sqs").send_message(
        QueueUrl=stack.outputs["quarantineQueueUrl"], MessageBody='{"reason": "+815000000001"}'
    )

    report = stack.redrive_quarantined()

    assert [each.reason for each in report.kept] == ["the message contains no quarantined record"]
    assert stack.visible("quarantineQueueUrl") == 1
