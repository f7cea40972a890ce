"""Small flows with menus, and every call that their callers can make.

Calls are simulated, so they do not depend on the analysis that `callroute whatif` uses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from callroute.flows.flow import Flow
from callroute.flows.simulation import HANGUP, TIMEOUT, SimulatedClock, simulate
from callroute.flows.simulation.events import AttributesSet, Ended, Pressed, TimedOut
from callroute.reports.behavior import Journey, Visit

if TYPE_CHECKING:
    from callroute.flows.simulation.events import Event, MenuOffered, Queued, Said
    from callroute.reports.report import Outcome

Attempt = Mapping[str, float]
"""Shares of callers at a stop on each attempt: by the stop that they choose, or `silence`, `wrong_key` and `leave`."""
WRONG_KEY = "#"
RARE = 1e-6


@dataclass(frozen=True)
class Menu:
    """A stop with a menu.

    Attributes:
        keys: stop to which each key leads.
        tries: attempts before callers are sent to `otherwise`, or None to repeat the menu without limit.
        otherwise: stop for callers who run out of attempts.
    """

    keys: Mapping[str, str]
    tries: int | None = None
    otherwise: str = ""


def menu_flow(menus: Mapping[str, Menu], queues: Sequence[str] = (), ends: Sequence[str] = ()) -> Flow:
    """Returns a flow that starts with the first menu.

    Args:
        menus: menus by stop.
        queues: stops that put callers in a queue.
        ends: stops at which the flow ends calls that are not completed. All others complete the call.
    """
    blocks: list[dict[str, Any]] = []
    stops = [
        *menus,
        *(stop for menu in menus.values() for stop in (*menu.keys.values(), menu.otherwise) if stop),
    ]
    for stop in dict.fromkeys(stops):
        completed = "false" if stop in menus or stop in ends else "true"
        then = f"tries-{stop}" if stop in menus else f"queue-{stop}" if stop in queues else "end"
        if stop in menus and menus[stop].tries is None:
            then = f"menu-{stop}"
        attributes = {"call_flow": "menus", "call_route": stop, "call_completed": completed}
        blocks.append(_block(f"route-{stop}", "UpdateContactAttributes", then, {"Attributes": attributes}))
        if stop in menus:
            blocks += _menu(stop, menus[stop])
        elif stop in queues:
            blocks += [
                _block(f"queue-{stop}", "UpdateContactTargetQueue", f"to-{stop}", {"QueueId": "queue"}),
                _block(f"to-{stop}", "TransferContactToQueue", "end", {}),
            ]
    end = {"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}}
    start = f"route-{next(iter(menus))}"
    document = {"Version": "2019-10-30", "StartAction": start, "Actions": [*blocks, end]}
    return Flow.parse(json.dumps(document), "menus.json")


def _menu(stop: str, menu: Menu) -> Iterator[dict[str, Any]]:
    again = f"menu-{stop}" if menu.tries is None else f"tries-{stop}"
    if menu.tries is not None:
        loop = _block(f"tries-{stop}", "Loop", f"route-{menu.otherwise}", {"LoopCount": str(menu.tries)})
        loop["Transitions"]["Conditions"] = [
            _condition("ContinueLooping", f"menu-{stop}"),
            _condition("DoneLooping", f"route-{menu.otherwise}"),
        ]
        yield loop
    prompt = _block(f"menu-{stop}", "GetParticipantInput", again, {"Text": stop, "StoreInput": "False"})
    prompt["Transitions"]["Conditions"] = [_condition(key, f"route-{to}") for key, to in menu.keys.items()]
    for error in ("InputTimeLimitExceeded", "NoMatchingCondition"):
        prompt["Transitions"]["Errors"].append({"NextAction": again, "ErrorType": error})
    yield prompt


def _block(name: str, type_: str, then: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    errors = [{"NextAction": then, "ErrorType": "NoMatchingError"}]
    return {
        "Identifier": name,
        "Type": type_,
        "Parameters": parameters,
        "Transitions": {"NextAction": then, "Errors": errors},
    }


def _condition(operand: str, then: str) -> dict[str, Any]:
    return {"NextAction": then, "Condition": {"Operator": "Equals", "Operands": [operand]}}


class _OpenDecisionError(Exception):
    """Raised when a caller has no decision left."""


class _Caller:
    """A caller who makes the given decisions: a key, TIMEOUT or HANGUP at a prompt, HANGUP or `waits` in a queue."""

    def __init__(self, decisions: Sequence[str]) -> None:
        self._left = list(decisions)[::-1]

    def listens(self, message: Said) -> bool:
        return True

    def chooses(self, menu: MenuOffered) -> str:
        return self._next()

    def waits(self, queued: Queued) -> float | None:
        return 10.0 if self._next() == HANGUP else None

    def _next(self) -> str:
        if not self._left:
            raise _OpenDecisionError
        return self._left.pop()


class SimulatedCall(NamedTuple):
    """A simulated call, with its contact attributes and its probability."""

    journey: Journey
    attributes: Mapping[str, str]
    probability: float


def every_journey(
    flow: Flow, menus: Mapping[str, Menu], behavior: Mapping[str, Attempt]
) -> dict[Journey, float]:
    """Returns the probability of each path. See `every_call`."""
    found: dict[Journey, float] = {}
    for call in every_call(flow, menus, behavior):
        found[call.journey] = found.get(call.journey, 0.0) + call.probability
    return found


def every_call(
    flow: Flow, menus: Mapping[str, Menu], behavior: Mapping[str, Attempt], answered: float = 0.8
) -> Iterator[SimulatedCall]:
    """Yields every call, except those that are very rare.

    Args:
        flow: the flow of the menus.
        menus: menus by stop.
        behavior: behavior of callers by menu.
        answered: share of the callers in a queue who are answered.
    """
    pending: list[tuple[tuple[str, ...], float]] = [((), 1.0)]
    while pending:
        decisions, probability = pending.pop()
        visits, attributes, ended = _played(flow, decisions)
        if ended is not None:
            yield SimulatedCall(Journey(visits, ended), attributes, probability)
            continue
        stop = visits[-1].stop
        options = {HANGUP: 1 - answered, "waits": answered}
        if stop in menus:
            attempt = behavior[stop]
            options = {key: attempt[to] for key, to in menus[stop].keys.items() if to in attempt}
            options |= {
                TIMEOUT: attempt["silence"],
                WRONG_KEY: attempt["wrong_key"],
                HANGUP: attempt["leave"],
            }
            assert abs(sum(options.values()) - 1) < 1e-9, stop
        pending += [
            ((*decisions, each), probability * share)
            for each, share in options.items()
            if probability * share > RARE
        ]


def _played(
    flow: Flow, decisions: Sequence[str]
) -> tuple[tuple[Visit, ...], Mapping[str, str], Outcome | None]:
    """Returns the stops of a simulated call, its attributes, and its outcome if it ended."""
    events: list[Event] = []
    stops: list[dict[str, Any]] = []
    attributes: dict[str, str] = {}
    outcome: Outcome | None = None
    with suppress(_OpenDecisionError):
        simulate(
            flow,
            _Caller(decisions),
            clock=SimulatedClock(datetime(2026, 4, 1, tzinfo=UTC)),
            on_event=events.append,
        )
    for event in events:
        if isinstance(event, AttributesSet):
            attributes.update(event.attributes)
            if "call_route" in event.attributes:
                stops.append({"stop": event.attributes["call_route"], "silence": 0, "wrong_key": 0})
        elif isinstance(event, TimedOut):
            stops[-1]["silence"] = min(3, stops[-1]["silence"] + 1)
        elif isinstance(event, Pressed) and not event.accepted:
            stops[-1]["wrong_key"] = min(3, stops[-1]["wrong_key"] + 1)
        elif isinstance(event, Ended):
            in_queue: dict[str, Outcome] = {"conversation": "answered", "queue": "abandoned_in_queue"}
            completed = attributes["call_completed"] == "true"
            unqueued: Outcome = "completed" if completed else "abandoned_in_flow"
            outcome = in_queue.get(event.during, unqueued)
    return tuple(Visit(**stop) for stop in stops), attributes, outcome
