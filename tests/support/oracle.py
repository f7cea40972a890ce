"""A second implementation of docs/record.md: computes the expected item of a contact record.

It follows the documentation and not the state machine, so that the two verify each other.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote
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
        "flow_version": attributes.get("flow_version"),
        "arm": attributes.get("arm"),
        **call_detail(attributes),
        "initiation_method": record["InitiationMethod"],
        "call_date": start.date().isoformat(),
        "last_update": record["LastUpdateTimestamp"],
    }
    return {name: value for name, value in every.items() if value is not None}


def call_detail(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `stops_visited` and `trouble`, each only if it is present."""
    texts = {name: value for name, value in attributes.items() if isinstance(value, str)}
    before = {
        name.removeprefix("call_from_"): value
        for name, value in texts.items()
        if re.fullmatch("call_from_[A-Za-z0-9_-]+", name)
    }
    detail: dict[str, Any] = {}
    if before or texts.get("call_detail") == "true":
        route = attributes["call_route"]
        chain = [route if isinstance(route, str) else json.dumps(route)]
        while (stop := before.get(chain[0])) and stop != "-" and stop not in chain:
            chain.insert(0, stop)
        others = {*before, *before.values()} - {*chain, "", "-"} | ({*before} - {*chain})
        detail["stops_visited"] = sorted(others, key=lambda stop: quote(stop, safe="~()*!.'")) + chain
    trouble: dict[str, Counter[str]] = {}
    for name, value in texts.items():
        met = re.fullmatch("call_(silence|wrong_key|error)[123]_([A-Za-z0-9_-]+)", name)
        if met and value == "1" and met[2] != "__proto__":
            trouble.setdefault(met[2], Counter())[met[1]] += 1
    if trouble:
        detail["trouble"] = {stop: dict(kinds) for stop, kinds in trouble.items()}
    return detail


def _local(stamp: str, zone: str) -> datetime:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).astimezone(ZoneInfo(zone))
