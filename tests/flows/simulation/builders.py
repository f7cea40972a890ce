"""Builds small flows and simulates calls through them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from callroute.flows.flow import Flow
from callroute.flows.simulation import (
    STEP_LIMIT,
    Call,
    Environment,
    Event,
    KeyedCaller,
    SimulatedClock,
    SimulationError,
    run_simulation,
)
from callroute.flows.simulation.events import Said

START = datetime(2026, 4, 1, 1, tzinfo=UTC)

Conditions = Mapping[str, str] | list[tuple[str, str, str]]


def block(
    name: str,
    kind: str,
    then: str | None = "end",
    conditions: Conditions | None = None,
    errors: Mapping[str, str] | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Builds a block.

    Args:
        name: block identifier.
        kind: block type.
        then: NextAction.
        conditions: targets by operand of Equals conditions, or tuples (operator, operand, target).
        errors: targets by error type.
        parameters: parameters of the block.
    """
    if not isinstance(conditions, list):
        conditions = [("Equals", operand, target) for operand, target in (conditions or {}).items()]
    transitions: dict[str, Any] = {} if then is None else {"NextAction": then}
    transitions["Conditions"] = [
        {"NextAction": target, "Condition": {"Operator": operator, "Operands": [operand]}}
        for operator, operand, target in conditions
    ]
    transitions["Errors"] = [
        {"NextAction": target, "ErrorType": error} for error, target in (errors or {}).items()
    ]
    return {"Identifier": name, "Type": kind, "Parameters": parameters, "Transitions": transitions}


def say(name: str, text: str | None = None, then: str = "end", **parameters: Any) -> dict[str, Any]:
    """Builds a block that plays a message, by default its own name."""
    return block(name, "MessageParticipant", then, Text=text or name, **parameters)


def menu(name: str = "menu", **changes: Any) -> dict[str, Any]:
    """Builds a menu that offers key 1 and is repeated after an error."""
    settings = {
        "conditions": {"1": "end"},
        "errors": {"NoMatchingCondition": name, "InputTimeLimitExceeded": name, "NoMatchingError": name},
        "Text": "press 1",
        "StoreInput": "False",
        "InputTimeLimitSeconds": "10",
    }
    return block(name, "GetParticipantInput", name, **(settings | changes))


def attributes(name: str, then: str, **values: str) -> dict[str, Any]:
    """Builds a block that sets contact attributes."""
    return block(name, "UpdateContactAttributes", then, Attributes=values, TargetContact="Current")


def music(then: str = "interrupted", **settings: Any) -> dict[str, Any]:
    """Builds a block that repeats a message and is interrupted every 20 seconds."""
    return block(
        "music",
        "MessageParticipantIteratively",
        "music",
        [("Equals", "MessagesInterrupted", then)],
        Messages=[{"PromptId": "arn:p/music"}],
        InterruptFrequencySeconds="20",
        **settings,
    )


DISCONNECT = block("end", "DisconnectParticipant", None)


def flow(*blocks: dict[str, Any], source: str = "x.json") -> Flow:
    """Builds a flow that starts with the first block. Adds a block `end` that disconnects."""
    document = {
        "Version": "2019-10-30",
        "StartAction": blocks[0]["Identifier"],
        "Actions": [*blocks, DISCONNECT],
    }
    return Flow.parse(json.dumps(document), source)


def run(
    tested: Flow,
    *keys: str,
    leaves_queue_after: float | None = None,
    step_limit: int = STEP_LIMIT,
    **environment: Any,
) -> tuple[list[Event], Call]:
    """Simulates a call by a caller who presses the keys. Other arguments are passed to `Environment`."""
    return run_simulation(
        tested,
        KeyedCaller(keys, leaves_queue_after),
        clock=SimulatedClock(START),
        environment=Environment(**environment),
        step_limit=step_limit,
    )


def simulation_error(tested: Flow, *keys: str, **environment: Any) -> SimulationError:
    """Returns the error that stops the simulation."""
    with pytest.raises(SimulationError) as raised:
        run(tested, *keys, **environment)
    assert raised.value.source == tested.source
    return raised.value


def messages(events: list[Event]) -> list[str]:
    """Returns the text of each message that was played."""
    return [event.text for event in events if isinstance(event, Said)]
