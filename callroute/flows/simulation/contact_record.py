"""Builds the contact records that Amazon Connect emits for a simulated call.

Source: the contact record data model in the Connect administrator guide, and published records of real calls. Fields
without a value are present and null, because they often cause consumers to fail.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from callroute.arn import Arn
from callroute.flows.simulation.environment import CUSTOMER_NUMBER, INSTANCE_ARN, SYSTEM_NUMBER

if TYPE_CHECKING:
    from callroute.flows.simulation.call import Call

__all__ = [
    "CUSTOMER_NUMBER",
    "INSTANCE_ARN",
    "SYSTEM_NUMBER",
    "contact_record",
    "contact_records",
    "last_emission",
    "versions",
]

_TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_EMISSION_DELAY = timedelta(seconds=60)
_AFTER_CONTACT_WORK = timedelta(seconds=30)


def contact_records(
    call: Call, *, contact_id: str, now: datetime | None = None, **settings: Any
) -> list[dict[str, Any]]:
    """Builds the first version of each contact's record: for the call itself, then for its legs.

    The contact ID of a leg is derived from that of the call, so the same call always produces the same records. A leg
    refers to the first contact (InitialContactId) and to the contact that created it (PreviousContactId), which in
    turn refers to the leg (NextContactId).

    Args:
        call: the call.
        contact_id: contact ID of the call itself.
        now: current time. Contacts that have not ended by then are left out.
        settings: other arguments for `contact_record`.
    """
    contacts = [call, *call.legs]
    ids = [contact_id]
    for number in range(1, len(contacts)):
        ids.append(str(uuid.uuid5(uuid.NAMESPACE_URL, f"{contact_id}/{number}")))
    records = [
        contact_record(contact, contact_id=own, now=now, **settings)
        for own, contact in zip(ids, contacts, strict=True)
    ]
    for own, record, contact in zip(ids[1:], records[1:], contacts[1:], strict=True):
        record["InitialContactId"] = contact_id
        record["PreviousContactId"] = ids[contact.previous_contact]
        # A record can name only one next contact. The first one takes precedence, for example a callback requested
        # before a transfer.
        if records[contact.previous_contact]["NextContactId"] is None:
            records[contact.previous_contact]["NextContactId"] = own
    return [
        record
        for record, contact in zip(records, contacts, strict=True)
        if now is None or contact.ended <= now
    ]


def contact_record(
    call: Call,
    *,
    contact_id: str,
    now: datetime | None = None,
    customer_number: str | None = CUSTOMER_NUMBER,
    system_number: str = SYSTEM_NUMBER,
    instance_arn: str = INSTANCE_ARN,
    queue_name: str | None = None,
) -> dict[str, Any]:
    """Builds the first version of a contact record, which Connect emits about a minute after the contact ends.

    If the call has legs, this is the record of the first contact. Use `contact_records` to get the records of all
    contacts.

    Args:
        call: the call.
        contact_id: contact ID.
        now: current time, an upper limit for LastUpdateTimestamp.
        customer_number: the caller's number in E.164 format, or None if it is withheld.
        system_number: the dialed number in E.164 format.
        instance_arn: ARN of the Connect instance, which contains its account ID and instance ID.
        queue_name: name of the queue. Defaults to the last part of its ARN.

    Returns:
        A JSON object. Timestamps are in UTC. Timestamps and durations have a resolution of one second.
    """
    ended, third_party = _whole_second(call.ended), call.third_party
    return {
        "AWSAccountId": Arn.parse(instance_arn).account_id,
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "Agent": _agent(call, instance_arn),
        "AgentConnectionAttempts": 0 if call.agent_connected is None else 1,
        "AnsweringMachineDetectionStatus": None,
        "Attributes": dict(call.attributes),
        "Campaign": {"CampaignId": None},
        "Channel": "VOICE",
        "ConnectedToSystemTimestamp": _timestamp(call.started),
        "ContactDetails": {},
        "ContactId": contact_id,
        "CustomerEndpoint": _endpoint(customer_number or "anonymous"),
        "CustomerVoiceActivity": None,
        "DisconnectReason": call.disconnect_reason or None,
        "DisconnectTimestamp": _timestamp(ended),
        "InitialContactId": None,
        "InitiationMethod": call.initiation_method,
        "InitiationTimestamp": _timestamp(call.started),
        "InstanceARN": instance_arn,
        "LastUpdateTimestamp": _timestamp(_not_after(now, ended + _EMISSION_DELAY)),
        "MediaStreams": [{"Type": "AUDIO"}],
        "NextContactId": None,
        "PreviousContactId": None,
        "Queue": _queue(call, queue_name),
        "Recording": None,
        "Recordings": None,
        "References": [],
        "ScheduledTimestamp": None,
        "SegmentAttributes": {"connect:Subtype": {"ValueString": "connect:Telephony"}},
        "SystemEndpoint": _endpoint(system_number),
        "Tags": {
            "aws:connect:instanceId": instance_arn.rpartition("/")[2],
            "aws:connect:systemEndpoint": system_number,
        },
        "TaskTemplateInfo": None,
        "TransferCompletedTimestamp": None if third_party is None else _timestamp(third_party.connected),
        "TransferredToEndpoint": None if third_party is None else _endpoint(third_party.number),
        "VoiceIdResult": None,
    }


def versions(record: dict[str, Any], *, now: datetime | None = None) -> list[dict[str, Any]]:
    """Builds all versions of a contact record, in the order that Connect emits them.

    Connect emits a record again when it is updated. If there was a conversation, the second version adds the agent's
    after-contact work. Otherwise, only its LastUpdateTimestamp is different.

    Args:
        record: the first version, from `contact_record`.
        now: current time. The second version is left out if its LastUpdateTimestamp would not yet be newer than that
            of the first.
    """
    first_update = _parse_timestamp(record["LastUpdateTimestamp"])
    ended = _parse_timestamp(record["DisconnectTimestamp"])
    update = _not_after(now, ended + 2 * _EMISSION_DELAY)
    if _whole_second(update) <= first_update:
        return [record]
    later = {**record, "LastUpdateTimestamp": _timestamp(update)}
    work_ended = ended + _AFTER_CONTACT_WORK
    if record["Agent"] is not None and work_ended <= update:
        later["Agent"] = {
            **record["Agent"],
            "AfterContactWorkDuration": int(_AFTER_CONTACT_WORK.total_seconds()),
            "AfterContactWorkEndTimestamp": _timestamp(work_ended),
            "AfterContactWorkStartTimestamp": record["DisconnectTimestamp"],
        }
    return [record, later]


def last_emission(call: Call) -> datetime:
    """Returns the time when Connect emits a call's very last contact record."""
    return max(contact.ended for contact in (call, *call.legs)) + 2 * _EMISSION_DELAY


def _not_after(now: datetime | None, moment: datetime) -> datetime:
    return moment if now is None else min(moment, now)


def _agent(call: Call, instance_arn: str) -> dict[str, Any] | None:
    if call.agent_connected is None:
        return None
    return {
        "ARN": f"{instance_arn}/agent/00000000-0000-0000-0000-0000000000a1",
        "AfterContactWorkDuration": None,
        "AfterContactWorkEndTimestamp": None,
        "AfterContactWorkStartTimestamp": None,
        "AgentInteractionDuration": _duration(call.agent_connected, call.ended),
        "ConnectedToAgentTimestamp": _timestamp(call.agent_connected),
        "CustomerHoldDuration": 0,
        "HierarchyGroups": None,
        "LongestHoldDuration": 0,
        "NumberOfHolds": 0,
        "RoutingProfile": {
            "ARN": f"{instance_arn}/routing-profile/00000000-0000-0000-0000-0000000000b1",
            "Name": "Basic Routing Profile",
        },
        "Username": "operator",
    }


def _queue(call: Call, name: str | None) -> dict[str, Any] | None:
    stay = call.queue
    if stay is None:
        return None
    return {
        "ARN": stay.queue,
        "DequeueTimestamp": _timestamp(stay.left),
        "Duration": _duration(stay.entered, stay.left),
        "EnqueueTimestamp": _timestamp(stay.entered),
        "Name": name or stay.queue.rpartition("/")[2],
    }


def _endpoint(address: str) -> dict[str, str]:
    return {"Address": address, "Type": "TELEPHONE_NUMBER"}


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _timestamp(moment: datetime) -> str:
    return _whole_second(moment).strftime(_TIMESTAMP_FORMAT)


def _parse_timestamp(timestamp: str) -> datetime:
    return datetime.strptime(timestamp, _TIMESTAMP_FORMAT).replace(tzinfo=UTC)


def _duration(start: datetime, end: datetime) -> int:
    """Returns the difference between two timestamps in whole seconds, as AWS defines durations."""
    return int((_whole_second(end) - _whole_second(start)).total_seconds())
