"""A second implementation of docs/record.md: computes the expected item of a contact record.

It follows the documentation and not the state machine, so that the two verify each other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo


def item(record: dict[str, Any], zone: str = "Asia/Tokyo") -> dict[str, Any]:
    """Returns the item for a contact record with all documented fields, under the default configuration.

    Leaves out `version`, whose digest is no part of the contract.
    """
    start, end = (_local(record[f"{name}Timestamp"], zone) for name in ("Initiation", "Disconnect"))
    attributes = record["Attributes"]
    queue, address = record["Queue"], record["CustomerEndpoint"]["Address"]
    answered = record["Agent"] is not None and record["Agent"]["ConnectedToAgentTimestamp"] is not None
    completed = attributes.get("call_completed") == "true"
    if answered:
        outcome = "answered"
    elif queue is not None:
        outcome = "abandoned_in_queue"
    else:
        outcome = "completed" if completed else "abandoned_in_flow"
    every: dict[str, Any] = {
        "contact_id": record["ContactId"],
        "call_route": attributes["call_route"],
        "call_completed": "true" if completed else "false",
        "start_time": start.isoformat(),
        "end_time": end.isoformat(),
        "duration_seconds": int((end - start).total_seconds()),
        "phone_number": None if address == "anonymous" else address.replace("+81", "0", 1),
        "outcome": outcome,
        "disconnect_reason": record["DisconnectReason"],
        "queue_name": queue and queue["Name"],
        "queue_seconds": queue and queue["Duration"],
        "call_flow": attributes.get("call_flow"),
        "initiation_method": record["InitiationMethod"],
        "call_date": start.date().isoformat(),
        "last_update": record["LastUpdateTimestamp"],
    }
    return {name: value for name, value in every.items() if value is not None}


def _local(stamp: str, zone: str) -> datetime:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).astimezone(ZoneInfo(zone))
