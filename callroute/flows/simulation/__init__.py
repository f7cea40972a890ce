"""Plays one caller through one flow, block by block, as Amazon Connect would.

What lies outside the flow is passed in: the caller (`Caller`), hours, agents, functions, bots and chance (`World`),
time (`Clock`). With those fixed the same call always takes the same way. A block that this simulator does not know is
an error that names it, never passed over; so is an answer that the world does not give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from callroute.flows.simulation.engine import BlockContext, CallSimulation, SimulationError
from callroute.flows.simulation.environment import END, RETURN, Environment
from callroute.flows.simulation.events import (
    AgentConnected,
    AttributesSet,
    BotAsked,
    BotUnderstood,
    Call,
    CallbackCreated,
    Compared,
    Ended,
    Event,
    Failed,
    Fetched,
    FlowAttributesSet,
    FlowEntered,
    FlowLeft,
    HoursChecked,
    InputAsked,
    InputStored,
    LoggingChanged,
    LoopPassed,
    MenuOffered,
    NoEffect,
    Pressed,
    QueueChosen,
    Queued,
    QueueRefused,
    QueueStay,
    Said,
    ThirdParty,
    ThirdPartyConnected,
    TimedOut,
    Transferred,
    VoiceChanged,
    Waited,
)
from callroute.flows.simulation.handlers import DECIDES, STEPS
from callroute.flows.simulation.participants import (
    HANGUP,
    KEYS,
    TIMEOUT,
    Caller,
    Clock,
    KeyedCaller,
    SimulatedClock,
    read_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from callroute.flows.flow import Flow
    from callroute.flows.simulation.engine import Program, Step

__all__ = [
    "DECIDES",
    "END",
    "HANGUP",
    "KEYS",
    "RETURN",
    "STEP_LIMIT",
    "TIMEOUT",
    "AgentConnected",
    "AttributesSet",
    "BotAsked",
    "BotUnderstood",
    "Call",
    "CallbackCreated",
    "Caller",
    "Clock",
    "Compared",
    "Ended",
    "Environment",
    "Event",
    "Failed",
    "Fetched",
    "FlowAttributesSet",
    "FlowEntered",
    "FlowLeft",
    "HoursChecked",
    "InputAsked",
    "InputStored",
    "KeyedCaller",
    "LoggingChanged",
    "LoopPassed",
    "MenuOffered",
    "NoEffect",
    "Pressed",
    "QueueChosen",
    "QueueRefused",
    "QueueStay",
    "Queued",
    "Said",
    "SimulatedClock",
    "SimulationError",
    "ThirdParty",
    "ThirdPartyConnected",
    "TimedOut",
    "Transferred",
    "VoiceChanged",
    "Waited",
    "read_keys",
    "run_simulation",
    "run_with",
    "simulate",
]

Outcome = TypeVar("Outcome")

STEP_LIMIT = 1_000
"""Blocks after which a call is cut off: a flow may ask the same question for ever, a simulation may not."""


def simulate(
    flow: Flow,
    caller: Caller,
    *,
    clock: Clock,
    world: Environment | None = None,
    step_limit: int = STEP_LIMIT,
) -> Generator[Event, None, Call]:
    """Plays a caller through a flow.

    Events are yielded as they happen and before the caller is asked what to do, so that a person can be that caller.
    The last event is `Ended`; the generator's return value is the Call (`call = run_with(simulate(...), print)`, or
    `run_simulation` for all at once).

    Args:
        flow: the flow, its placeholders filled or not.
        caller: who is on the line.
        clock: read for every event, and told how long things take.
        world: what lies outside the flow; by default open, and an agent answers after 20 seconds.
        step_limit: blocks after which the call is cut off (DisconnectReason OTHER).

    Raises:
        SimulationError: a block of a type or with settings that are not simulated, one without the branch needed, or
            one that asks what the world does not answer.
    """
    return CallSimulation(flow, _program, caller, clock, world or Environment()).play(step_limit)


def run_with(playing: Generator[Event, None, Outcome], see: Callable[[Event], object]) -> Outcome:
    """Plays a call to its end, shows each event as it happens, and returns how the call went.

    Args:
        playing: from `simulate`, or from what plays a call and does more with it.
        see: is given every event.

    Raises:
        SimulationError: as for `simulate`; the events before it have been seen.
    """
    while True:
        try:
            see(next(playing))
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome


def run_simulation(
    flow: Flow,
    caller: Caller,
    *,
    clock: Clock,
    world: Environment | None = None,
    step_limit: int = STEP_LIMIT,
) -> tuple[list[Event], Call]:
    """Plays a call to its end: all its events, and how it went. Arguments and errors are those of `simulate`."""
    events: list[Event] = []
    call = run_with(simulate(flow, caller, clock=clock, world=world, step_limit=step_limit), events.append)
    return events, call


class _Steps(dict[str, "Step"]):
    """The steps of a flow by block, each made when a call first comes there."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def __missing__(self, identifier: str) -> Step:
        block = BlockContext(self.flow.source, self.flow.blocks[identifier])
        make = STEPS.get(block.action.type)
        if make is None:
            raise block.error(
                "blocks of this type are not simulated", f"Simulated are {', '.join(sorted(STEPS))}"
            )
        self[identifier] = make(block)
        return self[identifier]


_PROGRAMS: dict[int, _Steps] = {}
_PROGRAMS_KEPT = 64


def _program(flow: Flow) -> Program:
    """The steps of a flow, kept for the next call. Each keeps its flow alive, so that no identity is used twice."""
    steps = _PROGRAMS.get(id(flow))
    if steps is None:
        while len(_PROGRAMS) >= _PROGRAMS_KEPT:
            del _PROGRAMS[next(iter(_PROGRAMS))]
        steps = _PROGRAMS[id(flow)] = _Steps(flow)
    return steps
