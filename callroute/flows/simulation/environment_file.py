"""Reads environments from `world` in scenario files, the `--world` file, and `--answer` options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callroute.errors import InputError
from callroute.flows.simulation.environment import (
    END,
    RESPONSE_KINDS,
    RETURN,
    Environment,
    response_problem,
)
from callroute.formats.spelling import suggestion
from callroute.formats.yaml_document import YamlNode

if TYPE_CHECKING:
    from callroute.flows.flow import Flow

ReadFlow = Callable[[Path], "Flow"]

MAX_WAIT_SECONDS = 86_400

_KEYS = (
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
    *RESPONSE_KINDS,
)


def read_environment(
    settings: YamlNode, read_flow: ReadFlow, environment: Environment | None = None
) -> Environment:
    """Reads an environment from a YAML mapping.

    Args:
        settings: the mapping.
        read_flow: function that reads another flow. Relative paths are resolved against the file that contains the
            mapping.
        environment: default values for missing keys. Its attributes, flows and responses are merged with those in the
            mapping.

    Raises:
        InputError: a key is unknown or a value is invalid.
    """
    environment = environment or Environment()
    given = settings.mapping(_KEYS)
    changes: dict[str, Any] = {}
    for key, field in {
        "open": "is_open",
        "queue_full": "queue_is_full",
        "agent_hangs_up": "agent_hangs_up",
    }.items():
        if key in given:
            changes[field] = given[key].boolean()
    if "talk_seconds" in given:
        changes["talk_seconds"] = given["talk_seconds"].number(0, MAX_WAIT_SECONDS)
    if "agent_answers_after" in given:
        node = given["agent_answers_after"]
        changes["agent_answers_after"] = None if node.value() == "never" else node.number(0, MAX_WAIT_SECONDS)
    if "agent_transfers_to" in given:
        changes["agent_transfers_to"] = given["agent_transfers_to"].text()
    if "customer_number" in given:
        number = given["customer_number"].text()
        changes["customer_number"] = None if number == "withheld" else number
    if "called_number" in given:
        changes["system_number"] = given["called_number"].text()
    if "attributes" in given:
        attributes = {name: value.text() for name, value in given["attributes"].mapping().items()}
        changes["attributes"] = {**environment.attributes, **attributes}
    if "flows" in given:
        flows = {name: _other_flow(value, read_flow) for name, value in given["flows"].mapping().items()}
        changes["flows"] = {**environment.flows, **flows}
    for kind in RESPONSE_KINDS:
        if kind in given:
            by_place = {place: _response(kind, value) for place, value in given[kind].mapping().items()}
            environment = _with_responses(environment, kind, by_place)
    return replace(environment, **changes)


def with_response(environment: Environment, text: str, source: str) -> Environment:
    """Returns the environment with another response, given as `KIND:PLACE=VALUE`. The value is YAML or JSON.

    Raises:
        InputError: the text does not have this form, the kind is unknown, or the value is invalid for the kind.
    """
    kind, colon, rest = text.partition(":")
    place, equals, value = rest.partition("=")
    if not (colon and equals and place and value):
        raise InputError(
            source,
            "",
            f"{text!r} does not have the form KIND:PLACE=VALUE",
            f"KIND is one of {', '.join(RESPONSE_KINDS)}",
        )
    if kind not in RESPONSE_KINDS:
        raise InputError(
            source,
            "",
            f"the kind {kind!r} is unknown{suggestion(kind, RESPONSE_KINDS)}",
            f"Use one of {', '.join(RESPONSE_KINDS)}",
        )
    node = replace(YamlNode.parse(value, source), place=f"{kind}:{place}")
    return _with_responses(environment, kind, {place: _response(kind, node)})


def _with_responses(environment: Environment, kind: str, by_place: dict[str, Any]) -> Environment:
    merged = {**environment.responses.get(kind, {}), **by_place}
    return replace(environment, responses={**environment.responses, kind: merged})


def _response(kind: str, value: YamlNode) -> Any:
    """Returns a response, or a list with one response per request. In a list of errors, null means success."""
    for item in value.items():
        response = item.value()
        success = kind == "errors" and value.is_list and response is None
        problem = "" if success else response_problem(kind, response)
        if problem:
            raise item.error(f"{response!r} {problem}", f"Use {RESPONSE_KINDS[kind]}")
    return value.value()


def _other_flow(value: YamlNode, read_flow: ReadFlow) -> Flow | str:
    name = value.text()
    if name in {END, RETURN}:
        return name
    return read_flow(Path(value.source).parent / name)
