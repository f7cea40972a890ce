"""Guards against a local pipe that behaves differently from AWS: lost records, duplicates or a blocked shard."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callroute.aws.pipe import INPUT_TEMPLATE, filter_pattern
from callroute.local.emulator import Credentials, Emulator
from callroute.local.pipe import HandledRecord, Pipe, PipeError, PipeSettings
from tests.support.contact_records import contact_record

pytestmark = pytest.mark.emulator

# Fails if the batch contains a contact whose ID includes `poison`.
TARGET = {
    "QueryLanguage": "JSONata",
    "StartAt": "Inspect",
    "States": {
        "Inspect": {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $contains($string($states.input), 'poison') %}", "Next": "Reject"},
            ],
            "Default": "Accept",
        },
        "Reject": {"Type": "Fail", "Error": "Poison", "Cause": "rejected"},
        "Accept": {"Type": "Pass", "Output": "{% [$states.input.contact.ContactId] %}", "End": True},
    },
}


class Time:
    """A clock that only advances during pauses."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC).timestamp()
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.at

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.at += seconds


class RecordingClient:
    """A client that records its calls and can be made to fail."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failures: dict[str, list[Exception]] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            if self.failures.get(name):
                raise self.failures[name].pop(0)
            return getattr(self.client, name)(**arguments)

        return call

    def inputs(self) -> list[list[dict[str, Any]]]:
        """Inputs of all executions."""
        return [json.loads(given["input"]) for name, given in self.calls if name == "start_sync_execution"]


@dataclass
class Line:
    """The stream, target and dead-letter queue for one test."""

    emulator: Emulator
    shards: int = 1
    time: Time = field(default_factory=Time)
    positions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = f"pipe-{uuid.uuid4().hex}"
        kinesis = self.emulator.client("kinesis")
        kinesis.create_stream(StreamName=name, ShardCount=self.shards)
        kinesis.get_waiter("stream_exists").wait(
            StreamName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
        )
        self.stream_arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"][
            "StreamARN"
        ]
        sqs = self.emulator.client("sqs")
        self.queue_url = sqs.create_queue(QueueName=name)["QueueUrl"]
        self.queue_arn = sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        role = self.emulator.client("iam").create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": []})
        )
        self.state_machine_arn = self.emulator.client("stepfunctions").create_state_machine(
            name=name, definition=json.dumps(TARGET), roleArn=role["Role"]["Arn"], type="EXPRESS"
        )["stateMachineArn"]
        self.states = RecordingClient(self.emulator.client("stepfunctions"))

    def settings(self, **kinesis: Any) -> PipeSettings:
        parameters = {
            "batchSize": 10,
            "startingPosition": "TRIM_HORIZON",
            "maximumRetryAttempts": 2,
            "maximumRecordAgeInSeconds": 3600,
            "onPartialBatchItemFailure": "AUTOMATIC_BISECT",
            "deadLetterConfig": {"arn": self.queue_arn},
            **kinesis,
        }
        return PipeSettings.read(
            "arn:aws:pipes:ap-northeast-1:111111111111:pipe/tracker",
            {
                "source": self.stream_arn,
                "target": self.state_machine_arn,
                "sourceParameters": {
                    "kinesisStreamParameters": parameters,
                    "filterCriteria": {"filters": [{"pattern": json.dumps(filter_pattern())}]},
                },
                "targetParameters": {
                    "inputTemplate": INPUT_TEMPLATE,
                    "stepFunctionStateMachineParameters": {"invocationType": "REQUEST_RESPONSE"},
                },
            },
        )

    def pipe(self, credentials: Credentials | None = None, **kinesis: Any) -> Pipe:
        def clients(service: str) -> Any:
            if credentials:
                return self.emulator.client(service, credentials)
            return self.states if service == "stepfunctions" else self.emulator.client(service)

        return Pipe(
            self.settings(**kinesis),
            clients,
            self.positions,
            now=self.time.now,
            pause=self.time.pause,
        )

    def put(self, *records: Any, key: str | None = None) -> None:
        for record in records:
            data = record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode()
            self.emulator.client("kinesis").put_record(
                StreamARN=self.stream_arn, Data=data, PartitionKey=key or uuid.uuid4().hex
            )

    def dead_letters(self) -> list[dict[str, Any]]:
        messages = self.emulator.client("sqs").receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10
        )
        return [json.loads(message["Body"]) for message in messages.get("Messages", [])]


@pytest.fixture
def line(emulator: Emulator) -> Line:
    return Line(emulator)


def contacts(*ids: str) -> list[dict[str, Any]]:
    return [contact_record(contact_id) for contact_id in ids]


def delivered(handled: Sequence[HandledRecord]) -> list[str]:
    return [each.output for each in handled if each.outcome == "delivered"]


def test_records_are_delivered_in_order_in_the_form_of_the_template(line: Line) -> None:
    line.put(*contacts("a", "b"), key="k")

    assert delivered(list(line.pipe().drain())) == ["a", "b"]
    ((first, second),) = line.states.inputs()
    assert set(first) == {"event_id", "sequence_number", "contact"}
    assert first["contact"] == contact_record("a")
    assert first["event_id"] == f"shardId-000000000000:{first['sequence_number']}"
    assert int(first["sequence_number"]) < int(second["sequence_number"])


@pytest.mark.parametrize(
    "other",
    [
        contact_record(Channel="CHAT"),
        contact_record(InitiationMethod="TRANSFER"),
        contact_record(InitiationMethod="OUTBOUND"),
        contact_record(Attributes={}),
        contact_record(Attributes=None),
        contact_record(Attributes={"other": "1"}),
        {"EventType": "LOGIN", "AgentARN": "arn:aws:connect:agent"},
        b"no JSON at all",
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_other_records_are_filtered_and_do_not_block_the_stream(line: Line, other: Any) -> None:
    line.put(other, *contacts("tracked"), key="k")

    handled = list(line.pipe().drain())

    assert [each.outcome for each in handled] == ["filtered", "delivered"]
    assert delivered(handled) == ["tracked"]


def test_nan_is_not_valid_json(line: Line) -> None:
    line.put(
        json.dumps(contact_record())
        .replace('"AgentConnectionAttempts": 0', '"AgentConnectionAttempts": NaN')
        .encode()
    )

    assert [each.outcome for each in line.pipe().drain()] == ["filtered"]


def test_batches_contain_at_most_the_batch_size(line: Line) -> None:
    line.put(*contacts(*(f"c{number}" for number in range(25))), key="k")

    list(line.pipe(batchSize=10).drain())

    assert [len(batch) for batch in line.states.inputs()] == [10, 10, 5]


def test_the_batching_window_begins_with_the_first_record(line: Line) -> None:
    line.put(*contacts("a"), key="k")
    late = contacts("b")

    def pause(seconds: float) -> None:
        line.time.at += seconds
        if late:
            line.put(late.pop(), key="k")

    line.time.pause = pause  # type: ignore[method-assign]  # a record arrives while the pipe waits
    list(line.pipe(maximumBatchingWindowInSeconds=5).drain())

    assert [len(batch) for batch in line.states.inputs()] == [2]


def test_a_failing_record_is_isolated_and_the_rest_of_its_batch_is_delivered(line: Line) -> None:
    line.put(*contacts(*(f"c{number}" for number in range(4)), "poison", "c5", "c6"), key="k")

    handled = list(line.pipe().drain())

    assert delivered(handled) == ["c0", "c1", "c2", "c3", "c5", "c6"]
    assert [each.outcome for each in handled].count("dead_lettered") == 1
    sizes = [len(batch) for batch in line.states.inputs() if "poison" in json.dumps(batch)]
    # The batch is halved until the record is isolated. The record is then retried twice.
    assert sizes == [7, 4, 2, 1, 1, 1]


def test_without_bisection_the_whole_batch_is_dead_lettered(line: Line) -> None:
    line.put(*contacts("a", "poison"), key="k")

    handled = list(line.pipe(onPartialBatchItemFailure=None).drain())

    assert [each.outcome for each in handled] == ["dead_lettered"] * 2
    assert [len(batch) for batch in line.states.inputs()] == [2, 2, 2]


def test_a_failing_record_is_retried_with_backoff_and_then_dead_lettered(
    line: Line,
) -> None:
    line.put(*contacts("poison"), key="k")

    (handled,) = line.pipe(maximumRetryAttempts=3).drain()

    assert handled.outcome == "dead_lettered"
    assert len(line.states.inputs()) == 1 + 3
    assert line.time.pauses == sorted(line.time.pauses)
    assert len(set(line.time.pauses)) == 3
    (message,) = line.dead_letters()
    assert message["context"] == {
        "partnerResourceArn": "arn:aws:pipes:ap-northeast-1:111111111111:pipe/tracker",
        "condition": "RetryAttemptsExhausted",
    }
    assert message["version"] == "1.0"
    info = message["KinesisBatchInfo"]
    sequence_number = handled.record.sequence_number
    assert (info["startSequenceNumber"], info["endSequenceNumber"]) == (sequence_number, sequence_number)
    assert (info["shardId"], info["batchSize"], info["streamArn"]) == (
        "shardId-000000000000",
        1,
        line.stream_arn,
    )
    assert set(info) == {
        "shardId",
        "startSequenceNumber",
        "endSequenceNumber",
        "approximateArrivalOfFirstRecord",
        "approximateArrivalOfLastRecord",
        "batchSize",
        "streamArn",
    }
    assert datetime.fromisoformat(
        info["approximateArrivalOfFirstRecord"].replace("Z", "+00:00")
    ) == pytest.approx(handled.record.arrived, abs=timedelta(milliseconds=1))


def test_a_dead_letter_identifies_the_record(line: Line) -> None:
    line.put(*contacts("poison"), key="k")
    list(line.pipe(maximumRetryAttempts=0).drain())
    info = line.dead_letters()[0]["KinesisBatchInfo"]

    kinesis = line.emulator.client("kinesis")
    iterator = kinesis.get_shard_iterator(
        StreamARN=info["streamArn"],
        ShardId=info["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=info["startSequenceNumber"],
    )["ShardIterator"]
    (record,) = kinesis.get_records(ShardIterator=iterator, Limit=info["batchSize"])["Records"]

    assert json.loads(record["Data"]) == contact_record("poison")


def test_a_record_that_is_too_old_is_dead_lettered_without_an_attempt(line: Line) -> None:
    line.put(*contacts("old"), key="k")
    line.time.at += 7200

    assert [each.outcome for each in line.pipe().drain()] == ["dead_lettered"]
    assert line.states.inputs() == []
    assert line.dead_letters()[0]["context"]["condition"] == "RecordAgeExceeded"


def test_retries_end_when_the_record_is_too_old(line: Line) -> None:
    line.put(*contacts("poison"), key="k")

    assert [
        each.outcome for each in line.pipe(maximumRetryAttempts=-1, maximumRecordAgeInSeconds=60).drain()
    ] == ["dead_lettered"]
    assert line.dead_letters()[0]["context"]["condition"] == "RecordAgeExceeded"


def test_a_record_is_delivered_when_the_target_recovers(line: Line) -> None:
    throttled = ClientError(
        {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "StartSyncExecution"
    )
    line.states.failures["start_sync_execution"] = [throttled, throttled]
    line.put(*contacts("a"), key="k")

    assert delivered(list(line.pipe().drain())) == ["a"]
    assert line.dead_letters() == []


def test_another_pipe_continues_from_the_position_of_the_first(line: Line) -> None:
    line.put(*contacts("a", "b", "c"), key="k")
    list(line.pipe().drain())
    line.put(*contacts("d"), key="k")

    assert delivered(list(line.pipe().drain())) == ["d"]


def test_an_interrupted_pipe_loses_no_records(line: Line) -> None:
    line.put(*contacts("a", "poison", "b"), key="k")

    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    line.time.pause = stop  # type: ignore[assignment,method-assign]  # interrupted during the pause before a retry
    with pytest.raises(KeyboardInterrupt):
        list(line.pipe().drain())
    line.time = Time()

    # Delivery is at least once: records delivered before the interruption are delivered again.
    handled = list(line.pipe().drain())
    assert delivered(handled) == ["a", "b"]
    assert [each.outcome for each in handled].count("dead_lettered") == 1


def test_a_pipe_can_continue_after_an_interruption(line: Line) -> None:
    line.states.failures["start_sync_execution"] = [KeyboardInterrupt()]  # type: ignore[list-item]
    line.put(*contacts("a"), key="k")
    pipe = line.pipe()
    with pytest.raises(KeyboardInterrupt):
        pipe.poll()

    assert delivered(list(pipe.drain())) == ["a"]


def test_every_shard_is_read(emulator: Emulator) -> None:
    line = Line(emulator, shards=3)
    ids = [f"c{number}" for number in range(30)]
    line.put(*contacts(*ids))

    assert sorted(delivered(list(line.pipe().drain()))) == sorted(ids)
    assert len(line.positions) == 3


def test_a_closed_shard_is_read_to_its_end_and_then_left_out(line: Line) -> None:
    kinesis = RecordingClient(line.emulator.client("kinesis"))
    line.put(*contacts(*(f"c{number}" for number in range(12))), key="k")

    def get_records(**arguments: Any) -> Any:
        kinesis.calls.append(("get_records", arguments))
        answer = kinesis.client.get_records(**arguments)
        if len(answer["Records"]) < arguments["Limit"]:
            del answer["NextShardIterator"]
        return answer

    kinesis.get_records = get_records  # type: ignore[attr-defined]
    pipe = Pipe(
        line.settings(),
        lambda service: kinesis if service == "kinesis" else line.emulator.client(service),
        line.positions,
    )

    assert len(delivered(list(pipe.drain()))) == 12
    assert pipe.poll() == []
    assert [name for name, _ in kinesis.calls].count("get_records") == 2


def test_parallel_lanes_keep_the_order_of_a_partition_key(line: Line) -> None:
    for number in range(20):
        line.put(*contacts(f"{'xyz'[number % 3]}{number:02}"), key="xyz"[number % 3])

    ids = delivered(list(line.pipe(parallelizationFactor=4, batchSize=3).drain()))

    assert len(ids) == 20
    for key in "xyz":
        ids_of_key = [each for each in ids if each.startswith(key)]
        assert ids_of_key == sorted(ids_of_key)


def test_a_batch_that_is_too_large_for_the_target_is_halved(line: Line) -> None:
    line.put(*(contact_record(name, Padding="あ" * 50_000) for name in ("a", "b")), key="k")

    assert delivered(list(line.pipe().drain())) == ["a", "b"]
    assert [len(batch) for batch in line.states.inputs()] == [1, 1]


def test_a_record_that_is_too_large_for_the_target_is_dead_lettered(line: Line) -> None:
    line.put(contact_record("a", Padding="x" * 262_144), *contacts("b"), key="k")

    assert [each.outcome for each in line.pipe().drain()] == ["dead_lettered", "delivered"]


def test_half_a_surrogate_pair_does_not_block_the_stream(line: Line) -> None:
    text = json.dumps(contact_record("a", DisconnectReason="?")).replace('"?"', '"\\ud83d"')
    line.put(text.encode(), *contacts("b"), key="k")

    assert delivered(list(line.pipe().drain())) == ["a", "b"]


def principal(emulator: Emulator, *statements: dict[str, Any]) -> Credentials:
    iam = emulator.client("iam")
    name = f"user-{uuid.uuid4().hex[:12]}"
    iam.create_user(UserName=name)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]}
    iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


@pytest.mark.parametrize(
    "missing",
    [
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:ListShards",
        "kinesis:GetShardIterator",
        "kinesis:GetRecords",
        "states:StartSyncExecution",
        "sqs:SendMessage",
    ],
)
def test_a_missing_permission_stops_the_pipe_and_is_named(line: Line, missing: str) -> None:
    needed = {
        "kinesis:DescribeStream": line.stream_arn,
        "kinesis:DescribeStreamSummary": line.stream_arn,
        "kinesis:ListShards": line.stream_arn,
        "kinesis:GetShardIterator": line.stream_arn,
        "kinesis:GetRecords": line.stream_arn,
        "states:StartSyncExecution": line.state_machine_arn,
        "sqs:SendMessage": line.queue_arn,
    }
    granted = [{"Action": action, "Resource": arn} for action, arn in needed.items() if action != missing]
    line.put(*contacts("poison"), key="k")

    with pytest.raises(PipeError, match=f"lacks a permission.*{missing}"):
        list(line.pipe(principal(line.emulator, *granted)).drain())


def test_no_other_permissions_are_needed(line: Line) -> None:
    credentials = principal(
        line.emulator,
        {
            "Action": [
                "kinesis:DescribeStream",
                "kinesis:DescribeStreamSummary",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
            ],
            "Resource": line.stream_arn,
        },
        {"Action": "states:StartSyncExecution", "Resource": line.state_machine_arn},
        {"Action": "sqs:SendMessage", "Resource": line.queue_arn},
    )
    line.put(*contacts("poison", "a"), key="k")

    assert [each.outcome for each in line.pipe(credentials).drain()] == ["dead_lettered", "delivered"]


def test_an_unsupported_pipe_argument_is_an_error_that_names_it(line: Line) -> None:
    with pytest.raises(PipeError, match="sets somethingNew, which the local pipe does not support"):
        line.settings(somethingNew=1)


def test_fire_and_forget_is_rejected() -> None:
    with pytest.raises(PipeError, match="FIRE_AND_FORGET"):
        PipeSettings.read(
            "arn",
            {
                "source": "s",
                "target": "t",
                "targetParameters": {
                    "stepFunctionStateMachineParameters": {"invocationType": "FIRE_AND_FORGET"}
                },
            },
        )
