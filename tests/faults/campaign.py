"""Runs the local chain with injected faults and compares every contact with the oracle."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any
from unittest import mock
from zlib import crc32

from boto3.dynamodb.types import TypeDeserializer

from callroute.aws.batches import batches
from callroute.local import emulator
from callroute.local.cloud import PIPE, LocalCloud
from callroute.operations.deployed_pipe import DeployedPipe
from callroute.operations.redrive import Redrive
from tests.faults import contacts as generated
from tests.faults import emulator_process, oracle, pipe_process
from tests.faults.contacts import Contact
from tests.faults.injection import CallFault, Injection
from tests.support.paths import REPOSITORY

STACK = {
    "retentionDays": oracle.RETENTION_DAYS,
    "maximumRetryAttempts": 3,
    "batchingWindowSeconds": 0,
}
ROUND = 10_000
"""Number of contacts in a round, which plays all faults."""
CHUNK = 1_000
"""Number of contacts that are put on the stream and verified together."""
WAIT_SECONDS = 600
"""Time within which the pipe must handle the next record."""
PUT_BYTES = 4_000_000
PUT_RECORDS = 500

Position = tuple[str, str]
"""Shard and sequence number."""


class StalledError(Exception):
    """The pipe handled no record for a long time."""


@dataclass
class Sent:
    """A contact whose records are on the stream."""

    contact: Contact
    positions: list[tuple[Position, bytes]] = field(default_factory=list)
    """Position and data of each record. A duplicate has its own position."""


@dataclass
class Row:
    """The result of one fault."""

    fault: str
    counts: Counter[str] = field(default_factory=Counter)
    """Numbers of contacts by result, and of records, redriven contacts and restarts of the pipe."""
    problems: list[str] = field(default_factory=list)
    """Descriptions of the first lost or wrong contacts."""
    pending: list[Sent] = field(default_factory=list)
    """Contacts with a dead-lettered record, which are verified after the redrive."""


class Chain:
    """The local cloud with injected faults, and the pipe as a process of its own.

    Args:
        seed: seed of the pipe's faults.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.fates: dict[Position, str] = {}
        """Last reported result of each record."""
        self.starts = 0
        """Number of processes of the pipe so far."""
        self._injection = Injection()
        self._reported = threading.Condition()
        self._ending = False
        self._process: subprocess.Popen[str] | None = None
        self._resources = ExitStack()

    def __enter__(self) -> Chain:
        with ExitStack() as starting:
            child = ("-m", emulator_process.__name__)
            starting.enter_context(mock.patch.object(emulator, "CHILD", child))
            self.cloud = starting.enter_context(LocalCloud(STACK, project=REPOSITORY))
            self._folder = Path(starting.enter_context(tempfile.TemporaryDirectory()))
            self._faults = self.cloud.emulator._directory / emulator_process.FILE
            self._settings().write(self._folder)
            self._supervisor = threading.Thread(target=self._supervise, daemon=True)
            self._supervisor.start()
            starting.callback(self._stop)
            self.wait(lambda: self.starts > 0)
            self._resources = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.__exit__(kind, error, trace)

    def _settings(self) -> pipe_process.Settings:
        deployment = self.cloud.deployment
        registered = deployment.one(PIPE)
        credentials = deployment.assume_role(
            registered.inputs["roleArn"],
            service="pipes.amazonaws.com",
            source_arn=registered.outputs["arn"],
        )
        return pipe_process.Settings(
            arn=registered.outputs["arn"],
            registered=registered.inputs,
            endpoint=self.cloud.emulator.endpoint,
            region=self.cloud.emulator.region,
            access_key_id=credentials.access_key_id,
            secret_access_key=credentials.secret_access_key,
            faults=str(self._faults),
        )

    def _supervise(self) -> None:
        """Runs the pipe, and starts it again when it ends."""
        while not self._ending:
            with subprocess.Popen(  # noqa: S603 - fixed arguments
                [
                    sys.executable,
                    "-m",
                    pipe_process.__name__,
                    str(self._folder),
                    str(self.seed + self.starts),
                ],
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=(self._folder / "pipe.log").open("w"),
                text=True,
            ) as process:
                self._process = process
                with self._reported:
                    self.starts += 1
                    self._reported.notify_all()
                if self._injection.kill:
                    self.inject(self._injection)
                assert process.stdout
                for line in process.stdout:
                    shard, number, result = line.split()
                    with self._reported:
                        self.fates[shard, number] = result
                        self._reported.notify_all()

    def _stop(self) -> None:
        self._ending = True
        if self._process and self._process.stdin:
            self._process.stdin.close()
        self._supervisor.join(10)

    def inject(self, injection: Injection) -> None:
        """Replaces the active faults. A kill applies to the running pipe and to each one that is started later."""
        self._injection = injection
        if injection.kill and self._process:
            injection = Injection(**{**vars(injection), "kill": self._process.pid})
        injection.write(self._faults)

    def put(self, records: Sequence[tuple[Sent, bytes]]) -> None:
        """Puts records on the stream and adds their positions to their contacts."""
        kinesis, stream = self.cloud.emulator.client("kinesis"), self.cloud.pipe.settings.stream_arn
        for batch in batches(
            records, size=lambda each: len(each[1]), max_items=PUT_RECORDS, max_size=PUT_BYTES
        ):
            entries = [{"Data": data, "PartitionKey": str(crc32(data))} for _, data in batch]
            answer = kinesis.put_records(StreamARN=stream, Records=entries)
            assert not answer["FailedRecordCount"]
            for (sent, data), added in zip(batch, answer["Records"], strict=True):
                sent.positions.append(((added["ShardId"], added["SequenceNumber"]), data))

    def wait(self, done: Callable[[], bool]) -> None:
        """Waits until a condition is true. It is evaluated when the pipe reports records.

        Raises:
            StalledError: the pipe reports nothing for a long time.
        """
        with self._reported:
            while not done():
                if not self._reported.wait(WAIT_SECONDS):
                    log = (self._folder / "pipe.log").read_text()[-2_000:]
                    raise StalledError(f"the pipe handled no record for {WAIT_SECONDS} s:\n{log}")

    def items(self, identifiers: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Returns items of the table by contact ID."""
        dynamodb, table = self.cloud.emulator.client("dynamodb"), self.cloud.table_name
        read, keys = TypeDeserializer().deserialize, sorted(set(identifiers))
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(keys), 100):
            wanted = [{"contact_id": {"S": key}} for key in keys[start : start + 100]]
            answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": wanted}})
            for item in answer["Responses"][table]:
                found[item["contact_id"]["S"]] = {name: read(value) for name, value in item.items()}
        return found

    def redrive(self) -> None:
        """Puts all dead-lettered records through the state machine again, like `callroute redrive`."""
        client, outputs = self.cloud.emulator.client, self.cloud.deployment.outputs
        registered = self.cloud.deployment.one(PIPE).inputs
        pipe = DeployedPipe.describe(client("pipes"), outputs["pipeName"], registered)
        report = Redrive(client, pipe).dead_letters(outputs["deadLetterQueueUrl"])
        assert not report.stopped, report.stopped

    def resident_megabytes(self) -> tuple[float, float]:
        """Returns the memory of this process and of the pipe."""
        assert self._process
        return _resident_megabytes("self"), _resident_megabytes(str(self._process.pid))


def _resident_megabytes(process: str) -> float:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except FileNotFoundError:  # the process has just ended
        return 0.0
    return pages * 4096 / 1e6


Deliveries = list[tuple[Sent, bytes]]


def in_order(_random: Random, sent: Sequence[Sent]) -> Deliveries:
    """Returns each record once, in order."""
    return [(each, data) for each in sent for data in each.contact.records]


def shuffled(random: Random, sent: Sequence[Sent]) -> Deliveries:
    """Returns each record once, in any order."""
    records = in_order(random, sent)
    random.shuffle(records)
    return records


def repeated(random: Random, sent: Sequence[Sent]) -> Deliveries:
    """Returns each record up to four times, in any order."""
    records = [each for each in in_order(random, sent) for _ in range(random.choice((1, 1, 2, 3, 4)))]
    random.shuffle(records)
    return records


@dataclass(frozen=True)
class Phase:
    """Active faults and the number of events after which they end."""

    injection: Injection
    dead_letters: int = 0
    """Number of records in the dead-letter queue, or 0 for no limit."""
    restarts: int = 0
    """Number of restarts of the pipe, or 0 for no limit."""


@dataclass(frozen=True)
class Fault:
    """One part of the campaign."""

    name: str
    phases: tuple[Phase, ...] = ()
    contacts: Callable[[Random, int], list[Contact]] = generated.mixed
    arrange: Callable[[Random, Sequence[Sent]], Deliveries] = shuffled
    reshards: bool = False
    share: float = 1.0
    """Number of contacts, relative to other faults."""


def _large(random: Random, number: int) -> list[Contact]:
    return generated.calls(random, number, generated.LARGE)


THROTTLED = {"dynamodb:updateItem": CallFault("DynamoDB.ThrottlingException", 0.4)}
TABLE_DOWN = {"dynamodb:updateItem": CallFault("DynamoDB.InternalServerErrorException")}
QUEUE_DOWN = {"sqs:sendMessage": CallFault("SQS.ServiceUnavailableException")}
LOST_RESPONSES = {
    "dynamodb:updateItem": CallFault("DynamoDB.SdkClientException", 0.3, after=True),
    "sqs:sendMessage": CallFault("SQS.SdkClientException", 0.3, after=True),
}
FAILING_REQUESTS = {
    "GetRecords": CallFault("ProvisionedThroughputExceededException", 0.005),
    "GetShardIterator": CallFault("InternalFailure", 0.005),
    "ListShards": CallFault("LimitExceededException", 0.005),
    "StartSyncExecution": CallFault("ServiceUnavailable", 0.3),
}

FAULTS = (
    Fault("no fault", arrange=in_order),
    Fault("duplicates", arrange=repeated),
    Fault("disorder"),
    Fault("poison records", contacts=generated.poison),
    Fault("throttled table", (Phase(Injection(tasks=THROTTLED)),)),
    Fault("lost responses of table and queue", (Phase(Injection(tasks=LOST_RESPONSES)),)),
    Fault("outage of the table", (Phase(Injection(tasks=TABLE_DOWN), dead_letters=10),)),
    Fault(
        "outage of the queues",
        (
            Phase(Injection(tasks=QUEUE_DOWN), dead_letters=10),
            Phase(
                Injection(tasks=TABLE_DOWN, requests={"SendMessage": CallFault("ServiceUnavailable")}),
                restarts=3,
            ),
        ),
        contacts=generated.poison,
    ),
    Fault("failing requests of the pipe", (Phase(Injection(requests=FAILING_REQUESTS)),)),
    Fault("SIGKILL of the pipe in mid-batch", (Phase(Injection(kill=1, kill_after=100)),)),
    Fault("batches over 262,144 bytes", contacts=_large, share=0.2),
    Fault("execution timeout", (Phase(Injection(timeout_rate=0.3)),)),
    Fault("resharding of the stream", reshards=True),
    Fault(
        "all together",
        (
            Phase(
                Injection(
                    tasks=LOST_RESPONSES,
                    requests=FAILING_REQUESTS,
                    timeout_rate=0.1,
                    kill=1,
                    kill_after=400,  # enough for the retries of a batch
                )
            ),
        ),
        contacts=generated.poison,
        arrange=repeated,
        reshards=True,
    ),
)


@dataclass
class Result:
    """The result of a campaign."""

    seed: int
    rows: list[Row] = field(default_factory=list)
    megabytes: list[tuple[float, float]] = field(default_factory=list)
    """Memory of this process and of the pipe's process after each round."""
    seconds: float = 0.0

    def total(self, name: str) -> int:
        """Returns the sum of a number over all faults."""
        return sum(row.counts[name] for row in self.rows)


def run(
    contacts: int,
    seed: int,
    on_round: Callable[[Result], object] = lambda _result: None,
) -> Result:
    """Plays all faults in rounds. Each round ends with a redrive of the dead letters.

    Args:
        contacts: approximate number of contacts.
        seed: seed of the contacts, their order and the faults.
        on_round: called after each round.
    """
    start = time.monotonic()
    result = Result(seed, [Row(fault.name) for fault in FAULTS])
    shares = sum(fault.share for fault in FAULTS)
    with Chain(seed) as chain:
        campaign = Campaign(chain, Random(seed))
        while (left := contacts - result.total("contacts")) > 0:
            for fault, row in zip(FAULTS, result.rows, strict=True):
                campaign.play(fault, row, math.ceil(min(left, ROUND) * fault.share / shares))
            chain.redrive()
            campaign.verify_after_redrive(result.rows)
            result.megabytes.append(chain.resident_megabytes())
            result.seconds = time.monotonic() - start
            on_round(result)
    return result


class Campaign:
    """Plays faults one after another.

    Args:
        chain: the local chain.
        random: source of the contacts and their order.
    """

    def __init__(self, chain: Chain, random: Random) -> None:
        self._chain = chain
        self._random = random

    def play(self, fault: Fault, row: Row, number: int) -> None:
        """Puts contacts on the stream during a fault, and verifies those that need no redrive."""
        starts = self._chain.starts
        for first in range(0, number, CHUNK):
            contacts = fault.contacts(self._random, min(CHUNK, number - first))
            sent = [Sent(contact) for contact in contacts]
            self.deliver(fault, sent)
            self.verify(row, sent)
        row.counts["restarts"] += self._chain.starts - starts

    def deliver(self, fault: Fault, sent: list[Sent]) -> None:
        """Puts all records on the stream, and waits until the pipe has handled them."""
        chain = self._chain
        records = fault.arrange(self._random, sent)
        if fault.phases:
            chain.inject(fault.phases[0].injection)
        half = len(records) // 2
        chain.put(records[:half])
        if fault.reshards:
            reshard(chain, self._random)
        chain.put(records[half:])
        positions = [position for each in sent for position, _ in each.positions]

        def handled() -> bool:
            return all(position in chain.fates for position in reversed(positions))

        for phase in fault.phases:
            chain.inject(phase.injection)
            starts = chain.starts

            def ended(phase: Phase = phase, starts: int = starts) -> bool:
                dead = phase.dead_letters and sum(
                    chain.fates.get(position) == "dead_lettered" for position in positions
                )
                return (
                    handled() or 0 < phase.dead_letters <= dead or 0 < phase.restarts <= chain.starts - starts
                )

            chain.wait(ended)
        chain.inject(Injection())
        chain.wait(handled)

    def verify(self, row: Row, sent: Iterable[Sent]) -> None:
        """Compares contacts with the oracle. Contacts with a dead-lettered record become pending."""
        chain = self._chain
        messages = {body["event_id"]: body for body in chain.cloud.quarantined()}
        finished: list[Sent] = []
        for each in sent:
            row.counts["contacts"] += 1
            row.counts["records"] += len(each.positions)
            results = [(position, data, chain.fates.pop(position, "")) for position, data in each.positions]
            problems = [
                problem
                for position, data, result in results
                if (problem := _problem_of_record(data, result, messages.get(":".join(position))))
            ]
            if problems:
                _count_problem(row, each, problems[0])
            elif any(result == "dead_lettered" for *_, result in results):
                each.positions = [
                    (position, data) for position, data, result in results if result == "dead_lettered"
                ]
                row.pending.append(each)
            else:
                finished.append(each)
        self._verify_items(row, finished)

    def verify_after_redrive(self, rows: Iterable[Row]) -> None:
        """Compares pending contacts with the oracle, after all dead letters were redriven."""
        messages = {body["event_id"]: body for body in self._chain.cloud.quarantined()}
        left = list(dead_letters(self._chain.cloud))
        for row in rows:
            finished = []
            for each in row.pending:
                problem = ""
                for (shard, number), data in each.positions:
                    kept = any(shard == letter and first <= number <= last for letter, first, last in left)
                    expected = oracle.fate(data)
                    result = "dead_lettered" if kept else expected
                    problem = problem or _problem_of_record(data, result, messages.get(f"{shard}:{number}"))
                    if expected == "dead_lettered" and not kept:
                        problem = "the dead-letter queue has no message"
                    elif kept and expected != "dead_lettered":
                        problem = "the dead letter was not redriven"
                if problem:
                    _count_problem(row, each, problem)
                else:
                    finished.append(each)
                    row.counts["redriven"] += _contact_fate(each) != "dead_lettered"
            self._verify_items(row, finished)
            row.pending = []

    def _verify_items(self, row: Row, sent: Sequence[Sent]) -> None:
        items = self._chain.items(each.contact.id for each in sent)
        for each in sent:
            item = items.get(each.contact.id)
            if problem := oracle.problem_of_item(each.contact.records, item):
                _count_problem(row, each, problem, lost=item is None)
            else:
                row.counts[_contact_fate(each)] += 1


def reshard(chain: Chain, random: Random) -> None:
    """Splits the only open shard of the stream, or merges all open shards."""
    kinesis, stream = chain.cloud.emulator.client("kinesis"), chain.cloud.pipe.settings.stream_arn
    shards = kinesis.list_shards(StreamARN=stream)["Shards"]
    parents = {shard.get(name) for shard in shards for name in ("ParentShardId", "AdjacentParentShardId")}
    opened = [shard for shard in shards if shard["ShardId"] not in parents]
    if len(opened) == 1:
        end = int(opened[0]["HashKeyRange"]["EndingHashKey"])
        kinesis.split_shard(
            StreamARN=stream,
            ShardToSplit=opened[0]["ShardId"],
            NewStartingHashKey=str(random.randint(end // 4, end * 3 // 4)),
        )
    else:
        first, second = (shard["ShardId"] for shard in opened)
        kinesis.merge_shards(StreamARN=stream, ShardToMerge=first, AdjacentShardToMerge=second)


def dead_letters(cloud: LocalCloud) -> Iterator[tuple[str, str, str]]:
    """Removes all messages from the dead-letter queue. Yields the shard and the first and last number of each."""
    sqs, url = cloud.emulator.client("sqs"), cloud.deployment.outputs["deadLetterQueueUrl"]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            info = json.loads(message["Body"])["KinesisBatchInfo"]
            yield info["shardId"], info["startSequenceNumber"], info["endSequenceNumber"]
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def _contact_fate(sent: Sent) -> str:
    """Returns the result of a contact. All versions of its record have the same one."""
    return oracle.fate(sent.contact.records[0])


def _problem_of_record(data: bytes, result: str, message: dict[str, Any] | None) -> str:
    """Returns what is wrong with the result of a record, or empty text."""
    expected = oracle.fate(data)
    if not result:
        return "the pipe did not handle a record"
    if result == "dead_lettered":
        return ""
    if {"older": "stored"}.get(result, result) != expected:
        return f"a record is {result} instead of {expected}"
    return oracle.problem_of_quarantine(data, message) if expected == "quarantined" else ""


def _count_problem(row: Row, sent: Sent, problem: str, *, lost: bool = False) -> None:
    lost = (
        lost
        or problem.endswith("has no message")
        or problem.startswith(("the pipe did not", "the dead letter was"))
    )
    row.counts["lost" if lost else "wrong"] += 1
    if len(row.problems) < 10:
        row.problems.append(f"{sent.contact.id}: {problem}")
