"""Guards the shape of simulated contact records: a consumer that works on them must work on Connect's."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from callroute.flows.simulation import Call
from callroute.flows.simulation.call import QueueStay
from callroute.flows.simulation.contact_record import contact_record, versions
from tests.support import corpus

QUEUE_ARN = "arn:aws:connect:ap-northeast-1:222222222222:instance/i-1/queue/q-1"

# The keys of a published record of a real call whose caller hung up in the menu.
NULL = {
    *(
        "Agent",
        "AnsweringMachineDetectionStatus",
        "CustomerVoiceActivity",
        "InitialContactId",
        "NextContactId",
    ),
    *("PreviousContactId", "Queue", "Recording", "Recordings", "ScheduledTimestamp", "TaskTemplateInfo"),
    *("TransferCompletedTimestamp", "TransferredToEndpoint", "VoiceIdResult"),
}
PRESENT = {
    *(
        "AWSAccountId",
        "AWSContactTraceRecordFormatVersion",
        "AgentConnectionAttempts",
        "Attributes",
        "Campaign",
    ),
    *(
        "Channel",
        "ConnectedToSystemTimestamp",
        "ContactDetails",
        "ContactId",
        "CustomerEndpoint",
        "DisconnectReason",
    ),
    *("DisconnectTimestamp", "InitiationMethod", "InitiationTimestamp", "InstanceARN", "LastUpdateTimestamp"),
    *("MediaStreams", "References", "SegmentAttributes", "SystemEndpoint", "Tags"),
}

JAPAN = timezone(timedelta(hours=9))
START = datetime(2024, 4, 18, 8, 47, 52, 900_000, tzinfo=JAPAN)


def call(seconds: float = 4, queue: QueueStay | None = None, agent: datetime | None = None) -> Call:
    attributes = {"call_route": "紛失", "call_completed": "false"}
    return Call(START, START + timedelta(seconds=seconds), "CUSTOMER_DISCONNECT", attributes, queue, agent)


def queued(agent: bool) -> Call:
    left = START + timedelta(seconds=30.2)
    return call(100, QueueStay(QUEUE_ARN, START + timedelta(seconds=10), left), left if agent else None)


def shape(value: Any) -> Any:
    """A JSON value without its leaves: which keys there are, and what kind of thing each holds."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__


def test_unused_fields_are_present_and_null() -> None:
    record = contact_record(call(), contact_id="c-1")
    assert {key for key, value in record.items() if value is None} == NULL
    assert set(record) == NULL | PRESENT
    assert record["ContactDetails"] == {}
    assert record["References"] == []
    json.dumps(record)


@pytest.mark.skipif(corpus.CONTACT_RECORDS is None, reason=corpus.NO_RECORDS)
def test_the_record_has_the_shape_of_a_published_record() -> None:
    path = Path(corpus.CONTACT_RECORDS or "", "00-sample-ivr-hangup.json")
    published = json.loads(path.read_text(encoding="utf-8"))
    assert shape(contact_record(call(), contact_id="c-1")) == shape(published)


def test_timestamps_are_in_utc_and_whole_seconds() -> None:
    record = contact_record(call(), contact_id="c-1")
    assert record["InitiationTimestamp"] == "2024-04-17T23:47:52Z"
    assert record["ConnectedToSystemTimestamp"] == record["InitiationTimestamp"]
    assert record["DisconnectTimestamp"] == "2024-04-17T23:47:56Z"
    assert record["LastUpdateTimestamp"] == "2024-04-17T23:48:56Z"


def test_account_and_instance_ids_come_from_the_instance_arn() -> None:
    arn = "arn:aws:connect:eu-west-2:222222222222:instance/abc"
    record = contact_record(call(), contact_id="c-1", instance_arn=arn, system_number="+442079460999")
    assert record["AWSAccountId"] == "222222222222"
    assert record["InstanceARN"] == arn
    assert record["Tags"] == {"aws:connect:instanceId": "abc", "aws:connect:systemEndpoint": "+442079460999"}
    assert record["SystemEndpoint"] == {"Address": "+442079460999", "Type": "TELEPHONE_NUMBER"}


@pytest.mark.parametrize(("number", "address"), [("+12065550100", "+12065550100"), (None, "anonymous")])
def test_a_withheld_number_is_anonymous(number: str | None, address: str) -> None:
    record = contact_record(call(), contact_id="c-1", customer_number=number)
    assert record["CustomerEndpoint"]["Address"] == address


def test_a_caller_who_left_the_queue_has_queue_data_but_no_agent_data() -> None:
    record = contact_record(queued(agent=False), contact_id="c-1")
    assert record["Agent"] is None
    assert record["AgentConnectionAttempts"] == 0
    assert record["Queue"] == {
        "ARN": QUEUE_ARN,
        "DequeueTimestamp": "2024-04-17T23:48:23Z",
        "Duration": 21,
        "EnqueueTimestamp": "2024-04-17T23:48:02Z",
        "Name": "q-1",
    }


def test_the_queue_name_can_be_given() -> None:
    record = contact_record(queued(agent=False), contact_id="c-1", queue_name="オペレーター")
    assert record["Queue"]["Name"] == "オペレーター"


def test_an_answered_call_has_agent_data() -> None:
    record = contact_record(queued(agent=True), contact_id="c-1")
    assert record["AgentConnectionAttempts"] == 1
    assert record["Agent"]["ConnectedToAgentTimestamp"] == record["Queue"]["DequeueTimestamp"]
    assert record["Agent"]["AgentInteractionDuration"] == 69
    assert record["Agent"]["AfterContactWorkEndTimestamp"] is None


def test_a_later_version_only_changes_the_update_time() -> None:
    record = contact_record(call(), contact_id="c-1")
    first, second = versions(record)
    assert first == record
    assert second == {**record, "LastUpdateTimestamp": "2024-04-17T23:49:56Z"}


def test_the_version_after_a_conversation_contains_after_contact_work() -> None:
    record = contact_record(queued(agent=True), contact_id="c-1")
    first, second = versions(record)
    assert first["Agent"]["AfterContactWorkDuration"] is None
    assert second["Agent"]["AfterContactWorkStartTimestamp"] == record["DisconnectTimestamp"]
    assert second["Agent"]["AfterContactWorkEndTimestamp"] == "2024-04-17T23:50:02Z"
    assert second["Agent"]["AfterContactWorkDuration"] == 30
    assert {key for key in second if second[key] != first[key]} == {"Agent", "LastUpdateTimestamp"}


def test_a_record_does_not_share_its_attributes_with_the_call() -> None:
    one = call()
    contact_record(one, contact_id="c-1")["Attributes"]["call_route"] = "changed"
    assert one.attributes["call_route"] == "紛失"
