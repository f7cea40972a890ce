"""Scenarios: callers and what is expected of their calls, kept in a YAML file beside a flow and run as tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callroute.errors import InputError
from callroute.flows.attribute_flow import ROUTE, attributes_of
from callroute.flows.block_types import NO_MATCH, type_of
from callroute.flows.simulation import (
    DECIDES,
    END,
    RETURN,
    AttributesSet,
    BotAsked,
    Call,
    Environment,
    Event,
    KeyedCaller,
    MenuOffered,
    Said,
    SimulatedClock,
    SimulationError,
    read_keys,
    run_with,
    simulate,
)
from callroute.flows.simulation.environment import KINDS, problem_of
from callroute.flows.simulation.handlers import STEPS
from callroute.formats.files import read_text
from callroute.formats.yaml_document import YamlNode, suggestion

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Branch, Flow

LONGEST_WAIT_SECONDS = 86_400

_TOP_KEYS = ("flow", "world", "scenarios")
_EXPECTATIONS = ("hears", "never_hears", "reaches", "never_reaches", "attributes", "ends")
_SCENARIO_KEYS = ("name", "keys", "hangs_up_during", "leaves_queue_after", "world", *_EXPECTATIONS)
_WORLD_KEYS = (
    "open",
    "queue_full",
    "agent_answers_after",
    "talk_seconds",
    "agent_hangs_up",
    "agent_transfers_to",
    "customer_number",
    "called_number",
    "attributes",
    "flows",
    *KINDS,
)

ReadFlow = Callable[[Path], "Flow"]


# --- The world -------------------------------------------------------------------------------------------------------


def read_world(settings: YamlNode, read_flow: ReadFlow, world: Environment | None = None) -> Environment:
    """What lies outside the flow, from a mapping in YAML.

    Args:
        settings: the mapping.
        read_flow: reads another flow; its path is meant from where the file with the mapping is.
        world: what holds where the mapping says nothing; answers and flows add to those that it has.

    Raises:
        InputError: an unknown key, or a value that cannot be.
    """
    world = world or Environment()
    given = settings.mapping(_WORLD_KEYS)
    changes: dict[str, Any] = {}
    for key, field in {"open": "is_open", "queue_full": "queue_is_full"}.items():
        if key in given:
            changes[field] = given[key].boolean()
    if "agent_hangs_up" in given:
        changes["agent_hangs_up"] = given["agent_hangs_up"].boolean()
    if "talk_seconds" in given:
        changes["talk_seconds"] = given["talk_seconds"].number(0, LONGEST_WAIT_SECONDS)
    if "agent_answers_after" in given:
        answers = given["agent_answers_after"]
        never = answers.value() == "never"
        changes["agent_answers_after"] = None if never else answers.number(0, LONGEST_WAIT_SECONDS)
    if "agent_transfers_to" in given:
        changes["agent_transfers_to"] = given["agent_transfers_to"].text()
    if "customer_number" in given:
        number = given["customer_number"].text()
        changes["customer_number"] = None if number == "withheld" else number
    if "called_number" in given:
        changes["system_number"] = given["called_number"].text()
    if "attributes" in given:
        attributes = {name: value.text() for name, value in given["attributes"].mapping().items()}
        changes["attributes"] = {**world.attributes, **attributes}
    if "flows" in given:
        flows = {name: _other_flow(value, read_flow) for name, value in given["flows"].mapping().items()}
        changes["flows"] = {**world.flows, **flows}
    by_kind = {kind: _answers(kind, given[kind]) for kind in KINDS if kind in given}
    if by_kind:
        merged = {kind: {**world.answers.get(kind, {}), **places} for kind, places in by_kind.items()}
        changes["answers"] = {**world.answers, **merged}
    return replace(world, **changes)


def with_answer(world: Environment, text: str, source: str) -> Environment:
    """A world with one answer more, typed as `KIND:PLACE=VALUE`; the value is YAML, and so may be JSON.

    Raises:
        InputError: it is not of that form, the kind is unknown, or the value is none of that kind.
    """
    kind, colon, rest = text.partition(":")
    place, equals, value = rest.partition("=")
    if not (colon and equals and place and value):
        raise InputError(
            source, "", f"{text!r} is not KIND:PLACE=VALUE", f"KIND is one of {', '.join(KINDS)}"
        )
    if kind not in KINDS:
        raise InputError(
            source, "", f"the kind {kind!r} is unknown{suggestion(kind, KINDS)}", f"Use {', '.join(KINDS)}"
        )
    answer = _answer(kind, replace(YamlNode.parse(value, source), place=f"{kind}:{place}"))
    return replace(world, answers={**world.answers, kind: {**world.answers.get(kind, {}), place: answer}})


def _answers(kind: str, settings: YamlNode) -> dict[str, Any]:
    return {place: _answer(kind, value) for place, value in settings.mapping().items()}


def _answer(kind: str, value: YamlNode) -> Any:
    """One answer, or a list of answers, one for each time; null in a list of errors is a time without one."""
    for item in value.items():
        answer = item.value()
        problem = "" if kind == "errors" and value.is_list and answer is None else problem_of(kind, answer)
        if problem:
            raise item.error(f"{answer!r} {problem}", f"Give {KINDS[kind]}")
    return value.value()


def _other_flow(value: YamlNode, read_flow: ReadFlow) -> Flow | str:
    name = value.text()
    if name in {END, RETURN}:
        return name
    return read_flow(Path(value.source).parent / name)


# --- Scenarios -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scenario:
    """One caller, and what is expected of the call.

    Attributes:
        name: what it shows, for people.
        line: where in its file it begins.
        keys: what the caller presses.
        hangs_up_during: the caller hangs up during the first message that holds this text.
        leaves_queue_after: seconds after which the caller gives up in a queue.
        world: what lies outside the flow.
        hears: texts that are said.
        never_hears: texts that are not.
        reaches: blocks or routes that the call comes to.
        never_reaches: those it does not.
        attributes: contact attributes on the record; after a transfer, on that of the last contact.
        ends: DisconnectReason, likewise.
    """

    name: str
    line: int
    keys: tuple[str, ...]
    hangs_up_during: str | None
    leaves_queue_after: float | None
    world: Environment
    hears: tuple[str, ...]
    never_hears: tuple[str, ...]
    reaches: tuple[str, ...]
    never_reaches: tuple[str, ...]
    attributes: Mapping[str, str]
    ends: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """How a scenario went: what did not hold, in words; nothing where all did."""

    scenario: Scenario
    failures: tuple[str, ...]
    taken: Mapping[str, tuple[Branch, ...]]


def load_scenarios(path: Path, flow: Flow, read_flow: ReadFlow) -> list[Scenario]:
    """Reads the scenarios of a flow from a file.

    Args:
        path: the file.
        flow: the flow they are for.
        read_flow: reads another flow that they name.

    Raises:
        InputError: the file is unreadable, for another flow, or holds a scenario that cannot be run; the message names
            the scenario and its line.
    """
    given = YamlNode.parse(read_text(path), str(path)).mapping(_TOP_KEYS, required=("flow", "scenarios"))
    if given["flow"].text() != Path(flow.source).name:
        raise given["flow"].error(
            f"these are scenarios of {given['flow'].text()}, and the flow is {Path(flow.source).name}",
            "Give the flow that the scenarios are for",
        )
    world = read_world(given["world"], read_flow) if "world" in given else Environment()
    entries = given["scenarios"].items() if given["scenarios"].is_list else []
    if not entries:
        raise given["scenarios"].error("there are no scenarios", "List them under `scenarios`")
    scenarios: list[Scenario] = []
    for entry in entries:
        scenario = _scenario(entry, flow, world, read_flow)
        if any(earlier.name == scenario.name for earlier in scenarios):
            raise entry.error(f"there are two scenarios {scenario.name!r}", "Give each a name of its own")
        scenarios.append(scenario)
    return scenarios


def _scenario(entry: YamlNode, flow: Flow, world: Environment, read_flow: ReadFlow) -> Scenario:
    nameless = entry.mapping(within="scenario")
    if "name" not in nameless:
        raise entry.error("a scenario has no name", "Say in `name` what it shows")
    name = nameless["name"].text()
    given = entry.mapping(_SCENARIO_KEYS, within=f"scenario {name!r}")
    patience = None
    if "leaves_queue_after" in given:
        patience = given["leaves_queue_after"].number(0, LONGEST_WAIT_SECONDS)
        if "world" not in given or "agent_answers_after" not in given["world"].mapping():
            world = replace(world, agent_answers_after=None)
    if "world" in given:
        world = read_world(given["world"], read_flow, world)
    if not any(expectation in given for expectation in _EXPECTATIONS):
        raise entry.error(f"the scenario {name!r} expects nothing", f"Give one of {', '.join(_EXPECTATIONS)}")
    texts = {key: _texts(given, key) for key in ("hears", "never_hears", "reaches", "never_reaches")}
    known = _names(flow, world)
    for key in ("reaches", "never_reaches"):
        for item in given[key].items() if key in given else ():
            if item.text() not in known:
                raise item.error(
                    f"{item.text()!r} is no block and no route of the flow{suggestion(item.text(), known)}",
                    "Name the identifier of a block, or a value that the flow gives to call_route",
                )
    if problem := problem_of_errors(flow, world):
        raise entry.error(*problem)
    attributes = given["attributes"].mapping() if "attributes" in given else {}
    return Scenario(
        name=name,
        line=entry.line,
        keys=_keys(given["keys"]) if "keys" in given else (),
        hangs_up_during=given["hangs_up_during"].text() if "hangs_up_during" in given else None,
        leaves_queue_after=patience,
        world=world,
        attributes={key: value.text() for key, value in attributes.items()},
        ends=given["ends"].text() if "ends" in given else None,
        **texts,
    )


def _texts(given: Mapping[str, YamlNode], key: str) -> tuple[str, ...]:
    return tuple(item.text() for item in given[key].items()) if key in given else ()


def _keys(value: YamlNode) -> tuple[str, ...]:
    keys: list[str] = []
    for item in value.items():
        try:
            keys += read_keys(item.text())
        except InputError as error:
            raise item.error(error.problem, error.fix) from error
    return tuple(keys)


def problem_of_errors(flow: Flow, world: Environment) -> tuple[str, str] | None:
    """What is wrong with the errors with which a world lets blocks fail, and the remedy; None where nothing is.

    A misspelt one would let nothing fail, or another branch be taken, and the call would look as if all were well.
    """
    actions = list(_actions(flow, world))
    for place, answer in world.answers.get("errors", {}).items():
        meant = [action for action in actions if place in (action.identifier, action.type)]
        if not meant and place not in STEPS:
            places = [*(action.identifier for action in actions), *STEPS]
            return (
                f"`errors` names {place!r}, which is no block{suggestion(place, places)}",
                "Name the identifier of a block, or a type of block such as UpdateContactAttributes",
            )
        known = {error for action in meant for error in _errors_of(action)}
        for error in filter(None, answer if isinstance(answer, list) else [answer]):
            if meant and error not in known:
                return (
                    f"{place!r} does not fail with {error!r}{suggestion(error, known)}",
                    f"Use {', '.join(sorted(known))}",
                )
    return None


def _errors_of(action: Block) -> set[str]:
    """The errors with which a block can fail: those of its type and of its branches."""
    row = type_of(action)
    known = {*row.errors_needed(action.parameters), *row.errors_optional} if row else set()
    return known | {NO_MATCH} | {branch.label for branch in action.branches if branch.kind == "error"}


def _names(flow: Flow, world: Environment) -> set[str]:
    """The blocks and routes that a call can come to."""
    actions = list(_actions(flow, world))
    routes = {route for action in actions if (route := route_of(action)) is not None}
    return routes | {action.identifier for action in actions}


def _actions(flow: Flow, world: Environment) -> Iterator[Block]:
    """The blocks of a flow and of the flows into which it may lead."""
    for each in (flow, *(other for other in world.flows.values() if not isinstance(other, str))):
        yield from each.blocks.values()


def route_of(action: Block) -> str | None:
    """The value that a block gives to call_route; None where it gives none."""
    route = attributes_of(action).get(ROUTE)
    return route if isinstance(route, str) else None


# --- Running ---------------------------------------------------------------------------------------------------------


class _ScenarioCaller(KeyedCaller):
    """Presses keys, and may hang up during a message."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario.keys, scenario.leaves_queue_after)
        self._hangs_up_during = scenario.hangs_up_during

    def listens(self, said: Said) -> bool:
        """Hangs up during the message told."""
        return self._hangs_up_during is None or self._hangs_up_during not in said.text


def run_scenario(flow: Flow, scenario: Scenario, at: datetime) -> Result:
    """Plays a scenario's caller through a flow and compares the call with what was expected.

    Args:
        flow: the flow.
        scenario: caller, world and expectations.
        at: when the call comes in.
    """
    events: list[Event] = []
    playing = simulate(flow, _ScenarioCaller(scenario), clock=SimulatedClock(at), world=scenario.world)
    try:
        call = run_with(playing, events.append)
    except SimulationError as error:
        return Result(scenario, (f"the simulator cannot follow: {error}",), {})
    taken = {source: tuple(branches) for source, branches in call.taken.items()}
    return Result(scenario, tuple(_failures(flow, scenario, events, call)), taken)


def _failures(flow: Flow, scenario: Scenario, events: list[Event], call: Call) -> list[str]:
    heard = [event.text for event in events if isinstance(event, Said | MenuOffered | BotAsked)]
    came_to = {flow.start, *(event.block for event in events)}
    came_to |= {branch.target for branches in call.taken.values() for branch in branches}
    came_to |= {
        event.attributes[ROUTE]
        for event in events
        if isinstance(event, AttributesSet) and ROUTE in event.attributes
    }
    last = next((leg for leg in reversed(call.legs) if leg.initiation_method != "CALLBACK"), call)
    failures = [
        f"hears {text!r}: it is never said"
        for text in scenario.hears
        if not any(text in each for each in heard)
    ]
    failures += [
        f"never hears {text!r}: it is said: {each!r}"
        for text in scenario.never_hears
        for each in heard
        if text in each
    ]
    failures += [
        f"reaches {name!r}: the call never comes there" for name in scenario.reaches if name not in came_to
    ]
    failures += [f"never reaches {name!r}: it does" for name in scenario.never_reaches if name in came_to]
    for name, value in scenario.attributes.items():
        found = last.attributes.get(name)
        if found != value:
            instead = "it is not set" if found is None else f"it is {found!r}"
            failures.append(f"attribute {name} is {value!r}: {instead}")
    if scenario.ends is not None and scenario.ends != last.disconnect_reason:
        failures.append(f"ends {scenario.ends}: it ends {last.disconnect_reason}")
    if failures:
        failures.append(f"the call went: {' → '.join(dict.fromkeys(event.block for event in events))}")
    return failures


# --- Coverage --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which branches of a flow were taken.

    Counted are branches, not blocks: two branches may lead to the same block. The NextAction of a block that always
    leaves by a condition or an error is not counted, since Connect demands it and never takes it.

    Attributes:
        taken: how many were taken at least once.
        total: how many there are.
        not_taken: the others, in the flow's order.
    """

    taken: int
    total: int
    not_taken: tuple[Branch, ...]

    @property
    def percent(self) -> float:
        """The share of branches taken; a flow without branches is covered."""
        return 100 * self.taken / self.total if self.total else 100.0


def coverage(flow: Flow, results: list[Result]) -> Coverage:
    """The coverage of a flow by all its scenarios."""
    taken = {branch for result in results for branch in result.taken.get(flow.source, ())}
    branches = [branch for action in flow.blocks.values() for branch in countable(action)]
    not_taken = tuple(branch for branch in branches if branch not in taken)
    return Coverage(len(branches) - len(not_taken), len(branches), not_taken)


def entered(flow: Flow, results: list[Result]) -> list[Flow]:
    """The other flows and modules into which scenarios have led, by their file's name."""
    flows = {
        other.source: other
        for result in results
        for other in result.scenario.world.flows.values()
        if not isinstance(other, str) and other.source in result.taken and other.source != flow.source
    }
    return [flows[source] for source in sorted(flows)]


def countable(action: Block) -> list[Branch]:
    """The branches of a block that a call can take."""
    row = type_of(action)
    menu = row is not None and row.stop == "menu"
    decides = menu or action.type in DECIDES
    return list(dict.fromkeys(branch for branch in action.branches if branch.kind != "next" or not decides))
