"""Guards against contact records that Connect would not publish, or would publish to a different stream."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from callroute.errors import InputError
from callroute.flows.simulation import Environment, Event, KeyedCaller, SimulatedClock, SimulationError
from callroute.flows.simulation.events import AgentConnected, Ended, MenuOffered, Pressed
from callroute.local.dialer import Dialer, PlacedCall, StreamError, put_records
from callroute.local.emulator import Emulator
from callroute.local.stack_runner import Deployment, deploy

INSTANCE = "00000000-0000-0000-0000-00000000000a"
INSTANCE_ARN = f"arn:aws:connect:ap-northeast-1:111111111111:instance/{INSTANCE}"
START = datetime(2024, 4, 17, 23, 47, 52, tzinfo=UTC)


def flow(*blocks: tuple[str, str, dict[str, Any], dict[str, Any]]) -> str:
    """Returns a flow with blocks given as (identifier, type, parameters, transitions). It starts with the first."""
    actions = [
        {"Identifier": identifier, "Type": type_, "Parameters": parameters, "Transitions": transitions}
        for identifier, type_, parameters, transitions in blocks
    ]
    return json.dumps({"Version": "2019-10-30", "StartAction": blocks[0][0], "Actions": actions})


def then(target: str, *errors: str) -> dict[str, Any]:
    return {"NextAction": target, "Errors": [{"NextAction": target, "ErrorType": error} for error in errors]}


END: tuple[str, str, dict[str, Any], dict[str, Any]] = ("end", "DisconnectParticipant", {}, {})
MENU = flow(
    (
        "mark",
        "UpdateContactAttributes",
        {"Attributes": {"call_route": "入口"}, "TargetContact": "Current"},
        then("menu", "NoMatchingError"),
    ),
    (
        "menu",
        "GetParticipantInput",
        {"Text": "1を押してください。", "StoreInput": "False", "InputTimeLimitSeconds": "5"},
        {
            "NextAction": "end",
            "Conditions": [{"NextAction": "end", "Condition": {"Operator": "Equals", "Operands": ["1"]}}],
            "Errors": [
                {"NextAction": "end", "ErrorType": error}
                for error in ("InputTimeLimitExceeded", "NoMatchingCondition", "NoMatchingError")
            ],
        },
    ),
    END,
)
QUEUE_ARN = f"{INSTANCE_ARN}/queue/00000000-0000-0000-0000-00000000000b"
QUEUE = flow(
    ("choose", "UpdateContactTargetQueue", {"QueueId": QUEUE_ARN}, then("transfer", "NoMatchingError")),
    (
        "transfer",
        "TransferContactToQueue",
        {},
        {
            "Errors": [
                {"NextAction": "end", "ErrorType": error} for error in ("QueueAtCapacity", "NoMatchingError")
            ]
        },
    ),
    END,
)
ROBOT = flow(("robot", "ConnectParticipantWithLexBot", {}, then("end")), END)


def project(directory: Path, flows: dict[str, str], *, streaming: bool = True) -> Path:
    """Writes a Pulumi program with flows and a stream, which may be associated with the instance."""
    (directory / "Pulumi.yaml").write_text("name: project\n", encoding="utf-8")
    settings = yaml.safe_dump({"config": {"flows": flows, "streaming": streaming, "instance": INSTANCE}})
    (directory / "Pulumi.local.yaml").write_text(settings, encoding="utf-8")
    (directory / "__main__.py").write_text(
        """
import pulumi, pulumi_aws as aws
config = pulumi.Config()
instance = config.require("instance")
for number, (name, content) in enumerate(config.require_object("flows").items()):
    aws.connect.ContactFlow(f"flow-{number}", instance_id=instance, name=name, content=content)
stream = aws.kinesis.Stream("records", shard_count=1)
pulumi.export("stream", stream.arn)
aws.connect.InstanceStorageConfig("records", resource_type="CONTACT_TRACE_RECORDS",
    instance_id=instance if config.require_bool("streaming") else "00000000-0000-0000-0000-00000000000f",
    storage_config={"storage_type": "KINESIS_STREAM", "kinesis_stream_config": {"stream_arn": stream.arn}})
""",
        encoding="utf-8",
    )
    return directory


@pytest.fixture(scope="module")
def deployment(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    emulator.reset()
    flows = {"Menu": MENU, "Queue": QUEUE, "Robot": ROBOT}
    return deploy(emulator, project=project(tmp_path_factory.mktemp("project"), flows))


class _Reader:
    def __init__(self, deployment: Deployment) -> None:
        self.kinesis = deployment.emulator.client("kinesis")
        self.arn = deployment.outputs["stream"]
        self.iterator = self.kinesis.get_shard_iterator(
            StreamARN=self.arn, ShardId="shardId-000000000000", ShardIteratorType="LATEST"
        )["ShardIterator"]

    def records(self) -> list[dict[str, Any]]:
        answer = self.kinesis.get_records(ShardIterator=self.iterator, StreamARN=self.arn)
        self.iterator = answer["NextShardIterator"]
        records: list[dict[str, Any]] = answer["Records"]
        return records


@pytest.fixture
def reader(deployment: Deployment) -> _Reader:
    """Reads the records that are put on the stream during the test."""
    return _Reader(deployment)


def place(
    deployment: Deployment, flow_name: str, *keys: str, **options: Any
) -> tuple[list[Event], PlacedCall]:
    """Places a call and runs it to the end. Returns its events and the completed call."""
    events: list[Event] = []
    options = {"on_event": events.append, **options}
    placed = Dialer(deployment).call(flow_name, KeyedCaller(keys), clock=SimulatedClock(START), **options)
    return events, placed


def test_all_versions_of_the_contact_record_are_published_to_the_registered_stream(
    deployment: Deployment, reader: _Reader
) -> None:
    _, placed = place(deployment, "Menu", "1", contact_id="c-1", customer_number="+815000000002")
    records = reader.records()
    assert [json.loads(record["Data"]) for record in records] == placed.versions
    first, last = placed.versions[0], placed.contact_record
    assert first["ContactId"] == last["ContactId"] == "c-1"
    assert first["LastUpdateTimestamp"] < last["LastUpdateTimestamp"]
    assert first["Attributes"] == {"call_route": "入口"}
    assert first["InstanceARN"] == INSTANCE_ARN
    assert first["CustomerEndpoint"]["Address"] == "+815000000002"
    assert first["InitiationTimestamp"] == "2024-04-17T23:47:52Z"
    assert "入口".encode() in records[0]["Data"], "the text must be UTF-8, not escaped"


def test_each_call_gets_its_own_contact_id(deployment: Deployment) -> None:
    ids = {place(deployment, "Menu")[1].contact_record["ContactId"] for _ in range(2)}
    assert len(ids) == 2


def test_events_are_reported_during_the_call_and_the_record_follows_it(
    deployment: Deployment, reader: _Reader
) -> None:
    published: list[tuple[type[Event], int]] = []
    place(
        deployment,
        "Menu",
        "1",
        on_event=lambda event: published.append((type(event), len(reader.records()))),
    )
    assert published[-3:] == [(MenuOffered, 0), (Pressed, 0), (Ended, 0)]
    assert len(reader.records()) == 2


def test_an_abandoned_simulation_publishes_no_record(deployment: Deployment, reader: _Reader) -> None:
    def abandon(event: Event) -> None:
        raise InterruptedError(event.block)

    with pytest.raises(InterruptedError):
        place(deployment, "Menu", "1", on_event=abandon)
    assert reader.records() == []


def test_a_flow_can_be_called_by_its_id(deployment: Deployment, reader: _Reader) -> None:
    id_ = deployment.one("aws:connect/contactFlow:ContactFlow", "flow-0").outputs["contactFlowId"]
    place(deployment, id_)
    assert len(reader.records()) == 2


def test_the_environment_affects_the_contact_record(deployment: Deployment, reader: _Reader) -> None:
    events, placed = place(deployment, "Queue", environment=Environment(agent_answers_after=7))
    assert any(isinstance(event, AgentConnected) for event in events)
    assert placed.contact_record["Queue"]["ARN"] == QUEUE_ARN
    assert placed.contact_record["Queue"]["Duration"] == 7
    assert [json.loads(record["Data"]) for record in reader.records()] == placed.versions


def test_an_unknown_flow_is_an_error_that_lists_the_flows(
    deployment: Deployment,
) -> None:
    with pytest.raises(
        InputError, match=r"stack local: does not contain a flow .Menü.\. Use one of its flows: "
    ):
        place(deployment, "Menü")


def test_a_flow_that_cannot_be_simulated_publishes_no_record(deployment: Deployment, reader: _Reader) -> None:
    with pytest.raises(SimulationError, match="Robot: block 'robot'"):
        place(deployment, "Robot")
    assert reader.records() == []


def test_a_call_to_an_instance_that_does_not_stream_is_an_error(emulator: Emulator, tmp_path: Path) -> None:
    deployment = deploy(emulator, project=project(tmp_path, {"Menu": MENU}, streaming=False))
    with pytest.raises(InputError, match=f"instance {INSTANCE} does not stream contact records"):
        place(deployment, "Menu", "1")


def test_requests_stay_within_the_limits_of_kinesis(deployment: Deployment) -> None:
    payloads = [json.dumps({"number": number}).encode() for number in range(501)] + [b"x" * 900_000] * 6
    reader = _Reader(deployment)
    numbers = put_records(deployment.emulator, deployment.outputs["stream"], payloads)
    arrived: dict[str, bytes] = {}
    while records := reader.records():
        arrived.update({record["SequenceNumber"]: record["Data"] for record in records})
    assert [arrived[number] for number in numbers] == payloads


def test_no_request_is_sent_without_records(deployment: Deployment) -> None:
    assert (
        put_records(deployment.emulator, "arn:aws:kinesis:ap-northeast-1:111111111111:stream/none", []) == []
    )


def test_versions_of_a_contact_record_have_different_partition_keys(
    deployment: Deployment, reader: _Reader
) -> None:
    place(deployment, "Menu")
    keys = [record["PartitionKey"] for record in reader.records()]
    assert len(set(keys)) == 2


def test_rejected_records_are_an_error(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {
        "FailedRecordCount": 1,
        "Records": [{"SequenceNumber": "1"}, {"ErrorCode": "ProvisionedThroughputExceededException"}],
    }
    kinesis = deployment.emulator.client("kinesis")
    monkeypatch.setattr(kinesis, "put_records", lambda **_: answer)
    with pytest.raises(StreamError, match="rejected 1 of 2 records: ProvisionedThroughputExceededException"):
        put_records(deployment.emulator, deployment.outputs["stream"], [b"1", b"2"])


def test_contact_records_of_transfers_are_published_too(deployment: Deployment, reader: _Reader) -> None:
    _, placed = place(
        deployment,
        "Queue",
        contact_id="c-2",
        environment=Environment(agent_answers_after=7, agent_transfers_to=QUEUE_ARN),
    )
    sent = [json.loads(record["Data"]) for record in reader.records()]

    assert sent == [*placed.versions, *placed.leg_versions]
    assert {record["InitiationMethod"] for record in placed.versions} == {"INBOUND"}
    assert {(record["InitiationMethod"], record["PreviousContactId"]) for record in placed.leg_versions} == {
        ("TRANSFER", "c-2")
    }
