"""Generates contacts with all versions of their records: stored, filtered, expired and quarantined ones."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

from tests.support.contact_records import agent, contact_record, detailed, queue

START = datetime.fromisoformat("2026-04-17T00:00:00+00:00")
LARGE = 45_000
"""Size of a record of which a batch of ten exceeds 262,144 bytes."""
TOO_LARGE = 262_144

Record = dict[str, Any]
Change = Callable[[Record], bytes]


@dataclass(frozen=True)
class Contact:
    """A contact."""

    id: str
    records: tuple[bytes, ...]
    """The versions of its record, as data for the stream."""


def calls(random: Random, number: int, padding: int = 0) -> list[Contact]:
    """Returns calls to a tracked flow, each with one to three versions of its record."""
    return [_call(random, padding) for _ in range(number)]


def mixed(random: Random, number: int) -> list[Contact]:
    """Returns contacts of which two in ten are not stored."""
    contacts = calls(random, number)
    for index in range(number):
        kind = random.random()
        if kind < 0.2:
            changes = FILTERED if kind < 0.08 else EXPIRED if kind < 0.12 else UNSTORABLE
            contacts[index] = _changed(random, random.choice(changes))
    return contacts


def poison(random: Random, number: int) -> list[Contact]:
    """Returns contacts of which seven in ten are not stored, and a few can never be delivered."""
    contacts = calls(random, number)
    for index in range(number):
        kind = random.random()
        if kind < 0.7:
            changes = FILTERED if kind < 0.2 else EXPIRED if kind < 0.3 else UNSTORABLE
            contacts[index] = _changed(random, random.choice(changes))
        elif kind < 0.71:
            contacts[index] = _changed(random, lambda record: _with(record, Padding="x" * TOO_LARGE))
    return contacts


def _call(random: Random, padding: int) -> Contact:
    record = _record(random)
    if padding:
        record["Padding"] = "x" * random.randint(padding // 2, padding)
    versions = [record]
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        versions.append(_next_version(random, versions[-1]))
    return Contact(record["ContactId"], tuple(map(_data, versions)))


def _record(random: Random) -> Record:
    start = START + timedelta(seconds=random.randrange(10_000_000))
    end = start + timedelta(seconds=random.randrange(1, 3_000))
    attributes = {"call_route": random.choice(("1", "1-2", "start", "lost_card_operator", "紛失"))}
    if random.random() < 0.7:
        attributes["call_completed"] = random.choice(("true", "false"))
    if random.random() < 0.3:
        attributes["call_flow"] = "bank"
    if random.random() < 0.3:
        attributes |= _detail(random, attributes["call_route"])
    queued = random.random() < 0.3
    return contact_record(
        str(uuid.UUID(int=random.getrandbits(128))),
        Attributes=attributes,
        CustomerEndpoint={
            "Address": random.choice(("+815000000001", "+12065550100", "+12065550123", "anonymous")),
            "Type": "TELEPHONE_NUMBER",
        },
        DisconnectReason=random.choice(("CUSTOMER_DISCONNECT", "CONTACT_FLOW_DISCONNECT", None)),
        InitiationMethod=random.choice(("INBOUND", "INBOUND", "WEBRTC_API")),
        InitiationTimestamp=_utc(start),
        DisconnectTimestamp=_utc(end),
        LastUpdateTimestamp=_utc(end + timedelta(seconds=60)),
        Queue=queue(Duration=random.randrange(300)) if queued else None,
        Agent=agent() if queued and random.random() < 0.5 else None,
    )


def _detail(random: Random, last: str) -> dict[str, str]:
    """Returns the attributes that a tracked flow sets with detail: a way to the last stop, with trouble at some stops."""
    stops = random.sample(("start", "1", "1-2", "2", "2-1", "closing"), random.randrange(1, 5))
    detail = {"call_detail": "true", "flow_version": f"{random.getrandbits(48):012x}"}
    for stop, following in pairwise([*stops, last]):
        detail[f"call_from_{following}"] = stop
        kind = random.choice(("silence", "wrong_key", "error"))
        detail |= {f"call_{kind}{n}_{stop}": random.choice(("1", "0", "")) for n in (1, 2, 3)}
    if random.random() < 0.5:
        detail["arm"] = random.choice(("50%", "紛失"))
    return detail


def _next_version(random: Random, record: Record) -> Record:
    """Returns another version: later, of the same second, or with the same time."""
    at = datetime.fromisoformat(record["LastUpdateTimestamp"][:19])
    fraction = random.choice(("", ".9", ".25", ".123456789"))
    at += timedelta(seconds=random.choice((0, 1, 60)))
    changed = {**record, "LastUpdateTimestamp": f"{at.isoformat()}{fraction}Z"}
    if random.random() < 0.5:
        changed["Attributes"] = {**record["Attributes"], "call_route": random.choice(("2", "2-1", "closing"))}
    if random.random() < 0.2:
        changed["Attributes"] = {**changed["Attributes"], **_detail(random, "closing")}
    if random.random() < 0.3:
        changed.update(Agent=agent(), Queue=record["Queue"] or queue())
    if random.random() < 0.3:
        changed["Tags"] = {"unrelated": str(random.random())}
    return changed


def _changed(random: Random, change: Change) -> Contact:
    record = _record(random)
    return Contact(record["ContactId"], (change(record),))


def _data(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode()


def _utc(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _with(record: Record, **changes: Any) -> bytes:
    return _data({**record, **changes})


FILTERED: tuple[Change, ...] = (
    lambda record: _with(record, Channel="CHAT"),
    lambda record: _with(record, InitiationMethod="TRANSFER"),
    lambda record: _with(record, Attributes={"other": "1"}),
    lambda record: _with(record, Attributes=None),
    lambda record: _with(record, SegmentAttributes={"connect:ValidationTestType": {"ValueString": "x"}}),
    lambda record: _data({"EventType": "LOGIN", "AgentARN": record["ContactId"]}),
    lambda record: _data(record)[:-1],
    lambda record: b"\xff\xfe" + record["ContactId"].encode(),
    lambda _: b"",
)
EXPIRED: tuple[Change, ...] = (
    lambda record: _with(
        record,
        InitiationTimestamp="2011-04-17T00:00:00Z",
        DisconnectTimestamp="2011-04-17T00:01:00Z",
        LastUpdateTimestamp="2011-04-17T00:02:00Z",
    ),
)
UNSTORABLE: tuple[Change, ...] = (
    lambda record: _with(record, ContactId=None),
    lambda record: _with(record, ContactId=""),
    lambda record: _with(record, ContactId="c" * 513),
    lambda record: _with(record, Attributes={"call_route": None}),
    lambda record: _with(record, Attributes={"call_route": ["1"]}),
    lambda record: _with(record, Attributes=[record["Attributes"]]),
    lambda record: _with(record, Agent=[agent()]),
    lambda record: _with(record, Queue="none"),
    lambda record: _with(record, CustomerEndpoint=[record["CustomerEndpoint"]]),
    lambda record: _with(record, DisconnectReason="?").replace(b'"?"', b'"\\ud83d"'),
    lambda record: _with(record, Attributes=detailed(call_from_1="?")).replace(b'"?"', b'"\\ude00"'),
    lambda record: _with(record, InitiationTimestamp="2026-02-30T00:00:00Z"),
    lambda record: _with(record, InitiationTimestamp="1999-12-31T00:00:00Z"),
    lambda record: _with(record, InitiationTimestamp=None),
    lambda record: _with(record, LastUpdateTimestamp=record["LastUpdateTimestamp"] + "\n"),
    lambda record: _with(record, DisconnectTimestamp="2025-01-01T00:00:00Z"),
)
"""Records that pass the filter and are quarantined."""
