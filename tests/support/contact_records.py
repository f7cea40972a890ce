"""Contact records for tests, with all fields that AWS documents."""

from __future__ import annotations

from typing import Any

INSTANCE = "00000000-0000-0000-0000-0000000000aa"
INSTANCE_ARN = f"arn:aws:connect:ap-northeast-1:111111111111:instance/{INSTANCE}"


def contact_record(
    contact_id: str = "11111111-1111-1111-1111-111111111111", **changes: Any
) -> dict[str, Any]:
    """Returns the record of a caller from Tokyo who pressed 1 and hung up after 42 seconds. `changes` replace fields."""
    record: dict[str, Any] = {
        "AWSAccountId": "111111111111",
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "Agent": None,
        "AgentConnectionAttempts": 0,
        "AnsweringMachineDetectionStatus": None,
        "Attributes": {"call_completed": "false", "call_route": "1"},
        "Campaign": {"CampaignId": None},
        "Channel": "VOICE",
        "ConnectedToSystemTimestamp": "2026-04-17T23:47:52Z",
        "ContactDetails": {},
        "ContactId": contact_id,
        "CustomerEndpoint": {"Address": "+815000000001", "Type": "TELEPHONE_NUMBER"},
        "CustomerVoiceActivity": None,
        "DisconnectReason": "CUSTOMER_DISCONNECT",
        "DisconnectTimestamp": "2026-04-17T23:48:34Z",
        "InitialContactId": None,
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": "2026-04-17T23:47:52Z",
        "InstanceARN": INSTANCE_ARN,
        "LastUpdateTimestamp": "2026-04-17T23:49:40Z",
        "MediaStreams": [{"Type": "AUDIO"}],
        "NextContactId": None,
        "PreviousContactId": None,
        "Queue": None,
        "Recording": None,
        "Recordings": None,
        "References": [],
        "ScheduledTimestamp": None,
        "SegmentAttributes": {"connect:Subtype": {"ValueString": "connect:Telephony"}},
        "SystemEndpoint": {"Address": "+815000000099", "Type": "TELEPHONE_NUMBER"},
        "Tags": {"aws:connect:instanceId": INSTANCE},
        "TaskTemplateInfo": None,
        "TransferCompletedTimestamp": None,
        "TransferredToEndpoint": None,
        "VoiceIdResult": None,
    }
    return {**record, **changes}


def queue(**changes: Any) -> dict[str, Any]:
    """Returns the Queue field of a contact that waited 90 seconds."""
    return {
        "ARN": f"{INSTANCE_ARN}/queue/00000000-0000-0000-0000-0000000000bb",
        "DequeueTimestamp": "2026-04-17T23:48:34Z",
        "Duration": 90,
        "EnqueueTimestamp": "2026-04-17T23:48:00Z",
        "Name": "オペレーター",
        **changes,
    }


def agent(**changes: Any) -> dict[str, Any]:
    """Returns the Agent field of an answered contact."""
    return {
        "ARN": f"{INSTANCE_ARN}/agent/00000000-0000-0000-0000-0000000000cc",
        "AfterContactWorkDuration": 4,
        "AgentInteractionDuration": 30,
        "ConnectedToAgentTimestamp": "2026-04-17T23:48:20Z",
        "CustomerHoldDuration": 0,
        "LongestHoldDuration": 0,
        "NumberOfHolds": 0,
        "Username": "agent-one",
        **changes,
    }


def detailed(**changes: Any) -> dict[str, Any]:
    """Returns the contact attributes of a call with detail: silent twice at the stop 1, and left at 1-2."""
    return {
        "call_detail": "true",
        "call_flow": "bank",
        "call_from_1": "start",
        "call_from_1-2": "1",
        "call_route": "1-2",
        "call_silence1_1": "",
        "call_silence2_1": "1",
        "call_silence3_1": "1",
        "flow_version": "0a1b2c3d4e5f",
        **changes,
    }
