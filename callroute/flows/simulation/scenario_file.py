"""Reads scenario files. A scenario describes a caller and the expected results of the call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from callroute.errors import InputError
from callroute.flows.attribute_flow import ROUTE, attributes_of
from callroute.flows.block_types import NO_MATCH, type_of
from callroute.flows.simulation.environment import Environment
from callroute.flows.simulation.environment_file import MAX_WAIT_SECONDS, read_environment
from callroute.flows.simulation.handlers import HANDLERS
from callroute.flows.simulation.participants import read_keys
from callroute.formats.files import read_text
from callroute.formats.spelling import suggestion
from callroute.formats.yaml_document import YamlNode

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Flow
    from callroute.flows.simulation.environment_file import ReadFlow

_TOP_KEYS = ("flow", "world", "scenarios")
_EXPECTATIONS = ("hears", "never_hears", "reaches", "never_reaches", "attributes", "ends")
_SCENARIO_KEYS = ("name", "keys", "hangs_up_during", "leaves_queue_after", "world", *_EXPECTATIONS)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A caller and the expected results of the call.

    Attributes:
        name: title of the scenario.
        line: number of its first line in the file.
        keys: keys that the caller presses.
        hangs_up_during: part of the message during which the caller hangs up.
        leaves_queue_after: seconds after which the caller leaves a queue.
        environment: conditions outside the flow.
        hears: parts of prompts that the caller must hear.
        never_hears: parts of prompts that the caller must not hear.
        reaches: blocks or routes that the call must reach.
        never_reaches: blocks or routes that the call must not reach.
        attributes: expected contact attributes. After a transfer, those of the last contact.
        ends: expected DisconnectReason. After a transfer, that of the last contact.
    """

    name: str
    line: int
    keys: tuple[str, ...]
    hangs_up_during: str | None
    leaves_queue_after: float | None
    environment: Environment
    hears: tuple[str, ...]
    never_hears: tuple[str, ...]
    reaches: tuple[str, ...]
    never_reaches: tuple[str, ...]
    attributes: Mapping[str, str]
    ends: str | None


def load_scenarios(path: Path, flow: Flow, read_flow: ReadFlow) -> list[Scenario]:
    """Reads the scenarios of a flow from a file.

    Args:
        path: the file.
        flow: the flow under test.
        read_flow: function that reads other flows to which the scenarios refer.

    Raises:
        InputError: the file is unreadable, belongs to another flow, or contains an invalid scenario.
    """
    given = YamlNode.parse(read_text(path), str(path)).mapping(_TOP_KEYS, required=("flow", "scenarios"))
    if given["flow"].text() != Path(flow.source).name:
        raise given["flow"].error(
            f"the scenarios are for {given['flow'].text()}, not for {Path(flow.source).name}",
            "Run them with that flow",
        )
    environment = read_environment(given["world"], read_flow) if "world" in given else Environment()
    entries = given["scenarios"].items() if given["scenarios"].is_list else []
    if not entries:
        raise given["scenarios"].error("there are no scenarios", "List them under `scenarios`")
    scenarios: list[Scenario] = []
    for entry in entries:
        scenario = _scenario(entry, flow, environment, read_flow)
        if any(earlier.name == scenario.name for earlier in scenarios):
            raise entry.error(
                f"there are two scenarios named {scenario.name!r}", "Give each scenario a unique name"
            )
        scenarios.append(scenario)
    return scenarios


def _scenario(entry: YamlNode, flow: Flow, environment: Environment, read_flow: ReadFlow) -> Scenario:
    unchecked = entry.mapping(within="scenario")
    if "name" not in unchecked:
        raise entry.error("the scenario has no name", "Add `name`")
    name = unchecked["name"].text()
    given = entry.mapping(_SCENARIO_KEYS, within=f"scenario {name!r}")
    leaves_queue_after = None
    if "leaves_queue_after" in given:
        leaves_queue_after = given["leaves_queue_after"].number(0, MAX_WAIT_SECONDS)
        if "world" not in given or "agent_answers_after" not in given["world"].mapping():
            environment = replace(environment, agent_answers_after=None)
    if "world" in given:
        environment = read_environment(given["world"], read_flow, environment)
    if not any(expectation in given for expectation in _EXPECTATIONS):
        raise entry.error(
            f"the scenario {name!r} has no expectations", f"Add one of {', '.join(_EXPECTATIONS)}"
        )
    known = _names(flow, environment)
    for key in ("reaches", "never_reaches"):
        for item in given[key].items() if key in given else ():
            if item.text() not in known:
                raise item.error(
                    f"{item.text()!r} is not a block or a route of the flow{suggestion(item.text(), known)}",
                    "Use a block identifier, or a value that the flow assigns to call_route",
                )
    if problem := forced_error_problem(flow, environment):
        raise entry.error(*problem)
    attributes = given["attributes"].mapping() if "attributes" in given else {}
    texts = {key: _texts(given, key) for key in ("hears", "never_hears", "reaches", "never_reaches")}
    return Scenario(
        name=name,
        line=entry.line,
        keys=_keys(given["keys"]) if "keys" in given else (),
        hangs_up_during=given["hangs_up_during"].text() if "hangs_up_during" in given else None,
        leaves_queue_after=leaves_queue_after,
        environment=environment,
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


def forced_error_problem(flow: Flow, environment: Environment) -> tuple[str, str] | None:
    """Returns what is wrong with an environment's forced errors and how to fix it, or None if they are valid.

    Without this check, a misspelled name would have no effect, so the scenario could pass for the wrong reason.
    """
    blocks = list(_blocks(flow, environment))
    for place, response in environment.responses.get("errors", {}).items():
        matching = [block for block in blocks if place in (block.identifier, block.type)]
        if not matching and place not in HANDLERS:
            places = [*(block.identifier for block in blocks), *HANDLERS]
            return (
                f"`errors` contains {place!r}, which is not a block{suggestion(place, places)}",
                "Use a block identifier, or a block type such as UpdateContactAttributes",
            )
        known = {error for block in matching for error in _possible_errors(block)}
        for error in filter(None, response if isinstance(response, list) else [response]):
            if matching and error not in known:
                return (
                    f"{place!r} cannot fail with {error!r}{suggestion(error, known)}",
                    f"Use one of {', '.join(sorted(known))}",
                )
    return None


def _possible_errors(block: Block) -> set[str]:
    """Returns the errors defined for the block's type and the errors for which the block has a branch."""
    row = type_of(block)
    known = {*row.errors_needed(block.parameters), *row.errors_optional} if row else set()
    return known | {NO_MATCH} | {branch.label for branch in block.branches if branch.kind == "error"}


def _names(flow: Flow, environment: Environment) -> set[str]:
    """Returns the block identifiers and routes that a call can reach."""
    blocks = list(_blocks(flow, environment))
    routes = {route for block in blocks if (route := route_of(block)) is not None}
    return routes | {block.identifier for block in blocks}


def _blocks(flow: Flow, environment: Environment) -> Iterator[Block]:
    """Yields the blocks of a flow and of the other flows in the environment."""
    for each in (flow, *(other for other in environment.flows.values() if not isinstance(other, str))):
        yield from each.blocks.values()


def route_of(block: Block) -> str | None:
    """Returns the value that a block assigns to call_route, or None if it does not set it."""
    route = attributes_of(block).get(ROUTE)
    return route if isinstance(route, str) else None
