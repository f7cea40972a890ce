"""Simulates a call through a flow, block by block.

The caller (`Caller`), the clock (`Clock`) and the conditions outside the flow (`Environment`) are arguments. The same
arguments always produce the same call. Unsupported block types and requests for which the environment has no response
raise an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.flows.simulation.call import Call
from callroute.flows.simulation.engine import BlockContext, CallSimulation, SimulationError
from callroute.flows.simulation.environment import END, RETURN, Environment
from callroute.flows.simulation.events import Event
from callroute.flows.simulation.handlers import HANDLERS
from callroute.flows.simulation.participants import (
    HANGUP,
    KEYS,
    TIMEOUT,
    Caller,
    Clock,
    KeyedCaller,
    RunningClock,
    SimulatedClock,
    read_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from callroute.flows.flow import Flow
    from callroute.flows.simulation.engine import Program, Step

__all__ = [
    "END",
    "HANGUP",
    "KEYS",
    "RETURN",
    "STEP_LIMIT",
    "TIMEOUT",
    "Call",
    "Caller",
    "Clock",
    "Environment",
    "Event",
    "KeyedCaller",
    "RunningClock",
    "SimulatedClock",
    "SimulationError",
    "read_keys",
    "run_simulation",
    "simulate",
]

STEP_LIMIT = 1_000
"""Maximum number of blocks in a call. A limit is needed because a flow can loop forever."""


def simulate(
    flow: Flow,
    caller: Caller,
    *,
    clock: Clock,
    on_event: Callable[[Event], object],
    environment: Environment | None = None,
    step_limit: int = STEP_LIMIT,
) -> Call:
    """Simulates a call and returns it.

    Args:
        flow: the flow, with or without placeholders.
        caller: the caller.
        clock: the clock of the call.
        on_event: called with each event, before the caller has to react to it. The last event is `Ended`.
        environment: conditions outside the flow. By default, opening hours checks succeed and an agent answers after
            20 seconds.
        step_limit: number of blocks after which the call is stopped with DisconnectReason OTHER.

    Raises:
        SimulationError: a block has an unsupported type or setting, lacks a branch that the call needs, or needs a
            response that the environment does not have.
    """
    simulation = CallSimulation(flow, _program, caller, clock, environment or Environment(), on_event)
    return simulation.run(step_limit)


def run_simulation(
    flow: Flow,
    caller: Caller,
    *,
    clock: Clock,
    environment: Environment | None = None,
    step_limit: int = STEP_LIMIT,
) -> tuple[list[Event], Call]:
    """Simulates a call and returns its events and the call. Takes the same arguments as `simulate`."""
    events: list[Event] = []
    call = simulate(
        flow, caller, clock=clock, on_event=events.append, environment=environment, step_limit=step_limit
    )
    return events, call


class _Steps(dict[str, "Step"]):
    """The steps of a flow by block identifier, created on first use."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def __missing__(self, identifier: str) -> Step:
        context = BlockContext(self.flow.source, self.flow.blocks[identifier])
        handler = HANDLERS.get(context.block.type)
        if handler is None:
            raise context.error(
                "this block type is not supported", f"Supported types: {', '.join(sorted(HANDLERS))}"
            )
        self[identifier] = handler(context)
        return self[identifier]


_PROGRAMS: dict[int, _Steps] = {}
_MAX_PROGRAMS = 64


def _program(flow: Flow) -> Program:
    """Returns the steps of a flow from a cache. Each entry keeps its flow alive, so that its id() is not reused."""
    steps = _PROGRAMS.get(id(flow))
    if steps is None:
        while len(_PROGRAMS) >= _MAX_PROGRAMS:
            del _PROGRAMS[next(iter(_PROGRAMS))]
        steps = _PROGRAMS[id(flow)] = _Steps(flow)
    return steps
