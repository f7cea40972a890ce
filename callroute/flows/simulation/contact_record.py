"""The contact record that Amazon Connect emits for a call, in its full shape.

Source of the shape: AWS's contact record data model, and published records of real calls. What was not used in a call
is present and null, which is what makes consumers that only think of absent keys fail.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from callroute.flows.simulation.environment import CUSTOMER_NUMBER, INSTANCE_ARN, SYSTEM_NUMBER

if TYPE_CHECKING:
    from callroute.flows.simulation import Call

__all__ = [
    "CUSTOMER_NUMBER",
    "INSTANCE_ARN",
    "SYSTEM_NUMBER",
    "contact_record",
    "contact_records",
    "versions",
]

_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_EMITTED_AFTER = timedelta(seconds=60)
_AFTER_CONTACT_WORK = timedelta(seconds=30)


def contact_records(call: Call, *, contact_id: str, **settings: Any) -> list[dict[str, Any]]:
    """The first versions of the records of all contacts of a call: its own, then one for each of its legs.

    A leg has an identifier of its own, made from that of the call, so that the same call gives the same records. It
    names the first contact (InitialContactId) and the one from which it came (PreviousContactId), which names it in
    turn (NextContactId).

    Args:
        call: how the call went.
        contact_id: identifier of the first contact.
        settings: as for `contact_record`.
    """
    contacts = [call, *call.legs]
    ids = [contact_id]
    for number in range(1, len(contacts)):
        ids.append(str(uuid.uuid5(uuid.NAMESPACE_URL, f"{contact_id}/{number}")))
    records = [
        contact_record(contact, contact_id=own, **settings)
        for own, contact in zip(ids, contacts, strict=True)
    ]
    for own, record, contact in zip(ids[1:], records[1:], contacts[1:], strict=True):
        record["InitialContactId"] = contact_id
        record["PreviousContactId"] = ids[contact.came_of]
        # A callback asked for before a transfer keeps its place: a record has room for one successor only.
        if records[contact.came_of]["NextContactId"] is None:
            records[contact.came_of]["NextContactId"] = own
    return records


def contact_record(
    call: Call,
    *,
    contact_id: str,
    customer_number: str | None = CUSTOMER_NUMBER,
    system_number: str = SYSTEM_NUMBER,
    instance_arn: str = INSTANCE_ARN,
    queue_name: str | None = None,
) -> dict[str, Any]:
    """The first version of a contact's record, as emitted about a minute after the contact has ended.

    Of a call with legs this is the first contact; see `contact_records` for all of them.

    Args:
        call: how the call went.
        contact_id: identifier of the contact.
        customer_number: the caller's number in E.164 form; None where it is withheld.
        system_number: the number that was called, in E.164 form.
        instance_arn: ARN of the Connect instance; account number and identifier are taken from it.
        queue_name: name of the queue, if the caller was queued; by default the last part of its ARN.

    Returns:
        A JSON object: times are UTC in whole seconds, durations whole seconds.
    """
    ended, third = _whole_second(call.ended), call.third_party
    return {
        "AWSAccountId": instance_arn.split(":")[4],
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "Agent": _agent(call, instance_arn),
        "AgentConnectionAttempts": 0 if call.agent_connected is None else 1,
        "AnsweringMachineDetectionStatus": None,
        "Attributes": dict(call.attributes),
        "Campaign": {"CampaignId": None},
        "Channel": "VOICE",
        "ConnectedToSystemTimestamp": _stamp(call.started),
        "ContactDetails": {},
        "ContactId": contact_id,
        "CustomerEndpoint": _endpoint(customer_number or "anonymous"),
        "CustomerVoiceActivity": None,
        "DisconnectReason": call.disconnect_reason or None,
        "DisconnectTimestamp": _stamp(ended),
        "InitialContactId": None,
        "InitiationMethod": call.initiation_method,
        "InitiationTimestamp": _stamp(call.started),
        "InstanceARN": instance_arn,
        "LastUpdateTimestamp": _stamp(ended + _EMITTED_AFTER),
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
        "TransferCompletedTimestamp": None if third is None else _stamp(third.connected),
        "TransferredToEndpoint": None if third is None else _endpoint(third.number),
        "VoiceIdResult": None,
    }


def versions(record: dict[str, Any]) -> list[dict[str, Any]]:
    """All versions of a contact record, in the order in which Connect emits them.

    Connect emits a record again whenever there is news. After a conversation the news is the agent's work after the
    call; otherwise nothing changes but the time of the update.

    Args:
        record: the first version, from `contact_record`.
    """
    updated = _moment(record["LastUpdateTimestamp"]) + _EMITTED_AFTER
    later = {**record, "LastUpdateTimestamp": _stamp(updated)}
    if record["Agent"] is not None:
        work_ended = _moment(record["DisconnectTimestamp"]) + _AFTER_CONTACT_WORK
        later["Agent"] = {
            **record["Agent"],
            "AfterContactWorkDuration": int(_AFTER_CONTACT_WORK.total_seconds()),
            "AfterContactWorkEndTimestamp": _stamp(work_ended),
            "AfterContactWorkStartTimestamp": record["DisconnectTimestamp"],
        }
    return [record, later]


def _agent(call: Call, instance_arn: str) -> dict[str, Any] | None:
    if call.agent_connected is None:
        return None
    return {
        "ARN": f"{instance_arn}/agent/00000000-0000-0000-0000-0000000000a1",
        "AfterContactWorkDuration": None,
        "AfterContactWorkEndTimestamp": None,
        "AfterContactWorkStartTimestamp": None,
        "AgentInteractionDuration": _seconds(call.agent_connected, call.ended),
        "ConnectedToAgentTimestamp": _stamp(call.agent_connected),
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
        "DequeueTimestamp": _stamp(stay.left),
        "Duration": _seconds(stay.entered, stay.left),
        "EnqueueTimestamp": _stamp(stay.entered),
        "Name": name or stay.queue.rpartition("/")[2],
    }


def _endpoint(address: str) -> dict[str, str]:
    return {"Address": address, "Type": "TELEPHONE_NUMBER"}


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _stamp(moment: datetime) -> str:
    return _whole_second(moment).strftime(_STAMP)


def _moment(stamp: str) -> datetime:
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)


def _seconds(start: datetime, end: datetime) -> int:
    """The difference of the stamps, as AWS defines its durations."""
    return int((_whole_second(end) - _whole_second(start)).total_seconds())
