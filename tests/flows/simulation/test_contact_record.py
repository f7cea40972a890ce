"""Tests simulated contact records. A consumer that accepts them must also accept those from Amazon Connect."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from callroute.flows.simulation import Call
from callroute.flows.simulation.call import QueueStay
from callroute.flows.simulation.contact_record import contact_record, contact_records, last_emission, versions
from tests.support import corpus

QUEUE_ARN = "arn:aws:connect:ap-northeast-1:222222222222:instance/i-1/queue/q-1"

# Keys in a published record of a real call that ended in a menu.
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
    """Returns the keys of a JSON value and the types of its values."""
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


def test_timestamps_are_in_utc_with_one_second_resolution() -> None:
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


# --- Timestamps and the current time ---------------------------------------------------------------------------------


def updates(record: dict[str, Any], now: datetime) -> list[str]:
    return [version["LastUpdateTimestamp"] for version in versions(record, now=now)]


def test_no_version_is_newer_than_the_current_time() -> None:
    ended = START + timedelta(seconds=4)
    for seconds, expected in {
        0: ["2024-04-17T23:47:56Z"],
        59: ["2024-04-17T23:48:55Z"],
        60: ["2024-04-17T23:48:56Z"],
        90: ["2024-04-17T23:48:56Z", "2024-04-17T23:49:26Z"],
        500: ["2024-04-17T23:48:56Z", "2024-04-17T23:49:56Z"],
    }.items():
        now = ended + timedelta(seconds=seconds)
        assert updates(contact_record(call(), contact_id="c-1", now=now), now) == expected, seconds


def test_after_contact_work_is_included_once_it_is_over() -> None:
    now = queued(agent=True).ended + timedelta(seconds=61)
    first, second = versions(contact_record(queued(agent=True), contact_id="c-1", now=now), now=now)
    assert first["Agent"]["AfterContactWorkDuration"] is None
    assert second["Agent"]["AfterContactWorkDuration"] == 30


def test_contacts_that_have_not_ended_have_no_record_yet() -> None:
    callback = replace(call(600), initiation_method="CALLBACK")
    inbound = replace(call(), legs=(callback,))
    assert len(contact_records(inbound, contact_id="c-1")) == 2
    (record,) = contact_records(inbound, contact_id="c-1", now=inbound.ended)
    assert record["ContactId"] == "c-1"
    assert record["NextContactId"] is not None


def test_the_last_emission_includes_all_legs() -> None:
    callback = replace(call(600), initiation_method="CALLBACK")
    assert last_emission(call()) == START + timedelta(seconds=4 + 120)
    assert last_emission(replace(call(), legs=(callback,))) == START + timedelta(seconds=600 + 120)
