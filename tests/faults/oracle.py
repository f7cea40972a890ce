"""The expected result of every contact, computed from docs/record.md and not from the state machine or the pipe."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from tests.support import oracle

Fate = Literal["stored", "filtered", "expired", "quarantined", "dead_lettered"]

RETENTION_DAYS = 3_650
MAX_RECORD = 262_144
"""Largest record in bytes that the state machine accepts."""

Record = Mapping[str, Any]


def fate(data: bytes) -> Fate:
    """Returns what happens to a record."""
    record = _json(data)
    if not isinstance(record, dict) or not _tracked(record):
        return "filtered"
    if len(data) >= MAX_RECORD:
        return "dead_lettered"
    if not _storable(record):
        return "quarantined"
    return "expired" if _expires(record) <= datetime.now(UTC) else "stored"


def problem_of_item(versions: Sequence[bytes], item: Mapping[str, Any] | None) -> str:
    """Returns what is wrong with the item of a contact, or empty text.

    Any version that no other one follows is accepted. docs/record.md does not define the digest that decides between them.

    Args:
        versions: the versions of the record that were put on the stream.
        item: the item in the table.
    """
    records = [json.loads(data) for data in versions if fate(data) == "stored"]
    if not records:
        return "" if item is None else "the table has an item that should not exist"
    if item is None:
        return "the table has no item"
    latest = max(map(_order, records))
    accepted = [expected_item(record) for record in records if _order(record) == latest]
    stored = dict(item)
    version = str(stored.pop("version", ""))
    if not re.fullmatch(re.escape(latest) + "-[0-9a-f]{16}", version):
        return f"version is {version!r} instead of {latest}-…"
    if stored in accepted:
        return ""
    wrong = {name for each in accepted for name in {*each, *stored} if each.get(name) != stored.get(name)}
    return f"the item differs in {', '.join(sorted(wrong))}"


def problem_of_quarantine(data: bytes, message: Mapping[str, Any] | None) -> str:
    """Returns what is wrong with the quarantine message of a record, or empty text."""
    if message is None:
        return "the quarantine queue has no message"
    if message["contact"] != _json(data):
        return "the quarantined record differs"
    return "" if message["reason"] else "the quarantine message has no reason"


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _tracked(record: Record) -> bool:
    attributes = record.get("Attributes")
    inner = attributes[0] if isinstance(attributes, list) and attributes else attributes
    simulated = (record.get("SegmentAttributes") or {}).get("connect:ValidationTestType")
    return (
        record.get("Channel") == "VOICE"
        and record.get("InitiationMethod") in ("INBOUND", "WEBRTC_API")
        and isinstance(inner, dict)
        and "call_route" in inner
        and simulated is None
    )


def _storable(record: Record) -> bool:
    identifier, attributes = record.get("ContactId"), record["Attributes"]
    objects = (attributes, *(record.get(name) for name in ("Agent", "CustomerEndpoint", "Queue")))
    text = json.dumps(record, ensure_ascii=False)
    return (
        isinstance(identifier, str)
        and 0 < len(identifier) <= 512
        and all(each is None or isinstance(each, dict) for each in objects)
        and isinstance(attributes["call_route"], str | int | float)
        and not re.search("[\ud800-\udfff]", text)
        and _time(record["LastUpdateTimestamp"]) is not None
        and _times_are_valid(record)
    )


def _times_are_valid(record: Record) -> bool:
    start, stamp = _time(record["InitiationTimestamp"]), record["DisconnectTimestamp"]
    end = start if stamp is None else _time(stamp)
    return start is not None and end is not None and start <= end


def _time(stamp: Any) -> datetime | None:
    """Returns the time, or None if the stamp is not a UTC time of the years 2000 to 2099."""
    if not isinstance(stamp, str) or not re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", stamp):
        return None
    try:
        return datetime.fromisoformat(stamp[:19] + "+00:00")
    except ValueError:
        return None


def _expires(record: Record) -> datetime:
    start = _time(record["InitiationTimestamp"])
    assert start
    return start + timedelta(days=RETENTION_DAYS)


def _order(record: Record) -> str:
    """Returns the documented part of `version`."""
    seconds, _, fraction = record["LastUpdateTimestamp"].removesuffix("Z").partition(".")
    ended, answered = record["DisconnectTimestamp"] is not None, record["Agent"] is not None
    return f"{seconds}.{fraction:0<9.9}Z-{int(ended)}{int(answered)}"


def expected_item(record: Record) -> dict[str, Any]:
    """Returns the item of a version, without `version`."""
    return {
        **oracle.item(dict(record)),
        "last_update": record["LastUpdateTimestamp"][:19] + "Z",
        "expires_at": int(_expires(record).timestamp()),
    }
