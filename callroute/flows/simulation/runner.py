"""Runs scenarios and compares each call with the expected results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import ROUTE
from callroute.flows.simulation import (
    Call,
    Event,
    KeyedCaller,
    SimulatedClock,
    SimulationError,
    simulate,
)
from callroute.flows.simulation.events import AttributesSet, BotAsked, MenuOffered, Said
from callroute.flows.simulation.participants import unused_keys_message

if TYPE_CHECKING:
    from datetime import datetime

    from callroute.flows.flow import Branch, Flow
    from callroute.flows.simulation.scenario_file import Scenario


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a scenario.

    Attributes:
        scenario: the scenario.
        failures: messages about failed expectations, empty if the scenario passed.
        taken: branches taken, grouped by the file name of their flow.
    """

    scenario: Scenario
    failures: tuple[str, ...]
    taken: Mapping[str, tuple[Branch, ...]]


class _ScenarioCaller(KeyedCaller):
    """A caller who can also hang up during a message."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario.keys, scenario.leaves_queue_after)
        self._hangs_up_during = scenario.hangs_up_during

    def listens(self, message: Said) -> bool:
        """Returns False for messages that contain the string in `hangs_up_during`."""
        return self._hangs_up_during is None or self._hangs_up_during not in message.text


def run_scenario(flow: Flow, scenario: Scenario, at: datetime) -> Result:
    """Runs a scenario.

    Args:
        flow: the flow under test.
        scenario: the scenario.
        at: start time of the call.
    """
    events: list[Event] = []
    caller = _ScenarioCaller(scenario)
    try:
        call = simulate(
            flow,
            caller,
            clock=SimulatedClock(at),
            on_event=events.append,
            environment=scenario.environment,
        )
    except SimulationError as error:
        return Result(scenario, (f"the simulation stopped: {error}",), {})
    failures = list(_failures(flow, scenario, events, call))
    if failures:
        failures.append(f"path of the call: {' → '.join(dict.fromkeys(event.block for event in events))}")
        if caller.unused_keys:
            failures.append(unused_keys_message(caller.unused_keys, events[-1].block))
    taken = {source: tuple(branches) for source, branches in call.taken.items()}
    return Result(scenario, tuple(failures), taken)


def _failures(flow: Flow, scenario: Scenario, events: Sequence[Event], call: Call) -> Iterator[str]:
    spoken = [event.text for event in events if isinstance(event, Said | MenuOffered | BotAsked)]
    for text in scenario.hears:
        if not any(text in each for each in spoken):
            yield f"hears {text!r}: no prompt contains it"
    for text in scenario.never_hears:
        for each in spoken:
            if text in each:
                yield f"never_hears {text!r}: the prompt {each!r} contains it"
    reached = _reached(flow, events, call)
    for name in scenario.reaches:
        if name not in reached:
            yield f"reaches {name!r}: the call did not reach it"
    for name in scenario.never_reaches:
        if name in reached:
            yield f"never_reaches {name!r}: the call reached it"
    last = next((leg for leg in reversed(call.legs) if leg.initiation_method != "CALLBACK"), call)
    for name, value in scenario.attributes.items():
        actual = last.attributes.get(name)
        if actual != value:
            yield f"attribute {name} is {value!r}: it is {'not set' if actual is None else repr(actual)}"
    if scenario.ends is not None and scenario.ends != last.disconnect_reason:
        yield f"ends {scenario.ends}: it ended with {last.disconnect_reason}"


def _reached(flow: Flow, events: Sequence[Event], call: Call) -> set[str]:
    """Returns the blocks and routes that a call reached."""
    blocks = {flow.start, *(event.block for event in events)}
    targets = {branch.target for branches in call.taken.values() for branch in branches}
    routes = {
        event.attributes[ROUTE]
        for event in events
        if isinstance(event, AttributesSet) and ROUTE in event.attributes
    }
    return blocks | targets | routes
