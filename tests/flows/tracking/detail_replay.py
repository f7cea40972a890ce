"""Computes the visited stops and the trouble of a call in two ways: from its attributes, and from its events."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from callroute.flows.attribute_flow import ROUTE
from callroute.flows.flow import Block, Flow
from callroute.flows.simulation import Event
from callroute.flows.simulation.events import (
    AttributesSet,
    BotUnderstood,
    Failed,
    InputStored,
    Pressed,
    TimedOut,
)

MOST = 3
"""Highest number of silences, wrong keys or errors that is counted at a stop."""


@dataclass
class Path:
    """The stops that a caller visited, and the trouble there: stop -> kind -> count.

    `gave_up_at` is the stop of the last input, if it was trouble.
    """

    stops: set[str] = field(default_factory=set)
    trouble: dict[str, dict[str, int]] = field(default_factory=dict)
    last_visits: list[str] = field(default_factory=list)
    gave_up_at: str | None = None


def from_attributes(attributes: Mapping[str, str]) -> Path:
    """Reads the attributes as docs/record.md describes."""
    path = Path()
    before: dict[str, str] = {}
    for name, value in attributes.items():
        if found := re.fullmatch("call_from_(.+)", name):
            path.stops.add(found[1])
            if value not in ("", "-", found[1]):
                before[found[1]] = value
                path.stops.add(value)
        elif (found := re.fullmatch(r"call_(silence|wrong_key|error)[123]_(.+)", name)) and value == "1":
            kinds = path.trouble.setdefault(found[2], {})
            kinds[found[1]] = kinds.get(found[1], 0) + 1
    here = attributes.get(ROUTE)
    while here and here not in path.last_visits:
        path.stops.add(here)
        path.last_visits.insert(0, here)
        here = before.get(here)
    return path


def from_events(flow: Flow, events: Sequence[Event], route: str | None = None) -> Path:
    """Follows a call through a flow without detail."""
    path = Path()
    counts: Counter[tuple[str, str]] = Counter()
    for event in events:
        block = flow.blocks.get(event.block)
        if isinstance(event, AttributesSet):
            route = event.attributes.get(ROUTE, route)
            if ROUTE in event.attributes and route:
                path.stops.add(route)
                path.last_visits = [stop for stop in path.last_visits if stop != route] + [route]
        elif block and route and (kind := _trouble(block, event)):
            counts[route, kind] += 1
            path.gave_up_at = route
        elif isinstance(event, Pressed | InputStored | BotUnderstood):
            path.gave_up_at = None
    for (stop, kind), count in counts.items():
        path.trouble.setdefault(stop, {})[kind] = min(count, MOST)
    return path


def _trouble(block: Block, event: Event) -> str | None:
    is_menu = block.type == "GetParticipantInput" and block.labels("condition")
    stores = block.type == "GetParticipantInput" and "InputValidation" in block.parameters
    if not (is_menu or stores or block.type == "ConnectParticipantWithLexBot"):
        return None
    match event:
        case TimedOut() | Failed(error="InputTimeLimitExceeded"):
            error = "InputTimeLimitExceeded"
        case Pressed(accepted=False) | Failed(error="NoMatchingCondition"):
            error = "NoMatchingCondition"
        case BotUnderstood(intent=intent) if intent not in block.labels("condition"):
            error = "NoMatchingCondition"
        case InputStored(digits=digits) if "PhoneNumberValidation" in block.parameters["InputValidation"]:
            if digits != "Timeout" and 3 <= len(digits) <= 15:
                return None
            error = "InvalidPhoneNumber"
        case Failed(error=error):
            pass
        case _:
            return None
    taken = error if error in block.labels("error") else "NoMatchingError"
    return {"InputTimeLimitExceeded": "silence", "NoMatchingCondition": "wrong_key"}.get(taken, "error")
