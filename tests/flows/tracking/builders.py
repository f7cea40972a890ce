"""Builds small flows, and tracks and simulates them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from callroute.flows.attribute_flow import COMPLETED, FLOW_VERSION, ROUTE, attributes_of
from callroute.flows.flow import Flow
from callroute.flows.route_catalog import RouteCatalog
from callroute.flows.simulation import (
    Call,
    Environment,
    Event,
    KeyedCaller,
    SimulatedClock,
    SimulationError,
    simulate,
)
from callroute.flows.tracking import RouteNames, TrackedFlow, add_tracking
from callroute.flows.tracking_blocks import PREFIX

START = datetime(2026, 4, 1, 1, tzinfo=UTC)
MENU_ERRORS = ("InputTimeLimitExceeded", "NoMatchingCondition", "NoMatchingError")

# --- Blocks ----------------------------------------------------------------------------------------------------------


def block(
    name: str,
    kind: str,
    then: str | None = None,
    keys: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Returns a block with a default branch, conditions (keys, intents or other results) and error branches."""
    branches: dict[str, Any] = {} if then is None else {"NextAction": then}
    if keys:
        branches["Conditions"] = [
            {"NextAction": target, "Condition": {"Operator": "Equals", "Operands": [key]}}
            for key, target in keys.items()
        ]
    if errors:
        branches["Errors"] = [{"NextAction": target, "ErrorType": error} for error, target in errors.items()]
    return {"Identifier": name, "Type": kind, "Parameters": parameters, "Transitions": branches}


def menu(name: str, otherwise: str | None = None, **keys: str) -> dict[str, Any]:
    """Returns a menu with keys such as `k1="target"`. Timeouts and invalid keys lead to `otherwise` or repeat it."""
    otherwise = otherwise or name
    settings = {"Text": f"{name} menu", "StoreInput": "False", "InputTimeLimitSeconds": "5"}
    targets = {key.removeprefix("k"): target for key, target in keys.items()}
    return block(
        name, "GetParticipantInput", otherwise, targets, dict.fromkeys(MENU_ERRORS, otherwise), **settings
    )


def message(name: str, then: str, error: str | None = None) -> dict[str, Any]:
    return block(
        name, "MessageParticipant", then, errors={"NoMatchingError": error or then}, Text=f"{name} message"
    )


def set_attributes(name: str, then: str, **values: str) -> dict[str, Any]:
    errors = {"NoMatchingError": then}
    return block(
        name, "UpdateContactAttributes", then, errors=errors, Attributes=values, TargetContact="Current"
    )


def hours(name: str, is_open: str, closed: str) -> dict[str, Any]:
    return block(
        name,
        "CheckHoursOfOperation",
        closed,
        {"True": is_open, "False": closed},
        {"NoMatchingError": closed},
    )


def queue(name: str, failed: str) -> dict[str, Any]:
    errors = {"QueueAtCapacity": failed, "NoMatchingError": failed}
    return block(name, "TransferContactToQueue", failed, errors=errors)


def compare(name: str, value: str, otherwise: str, **keys: str) -> dict[str, Any]:
    targets = {key.removeprefix("k"): target for key, target in keys.items()}
    errors = {"NoMatchingCondition": otherwise}
    return block(name, "Compare", otherwise, targets, errors, ComparisonValue=value)


END = block("end", "DisconnectParticipant")


# --- Flows -----------------------------------------------------------------------------------------------------------


def flow_of(*blocks: dict[str, Any], **more: Any) -> Flow:
    """Returns a flow that starts with the first block. If there is no block named `end`, one is added."""
    actions = [*blocks] if any(each["Identifier"] == "end" for each in blocks) else [*blocks, END]
    document = {
        "Version": "2019-10-30",
        "StartAction": blocks[0]["Identifier"],
        "Metadata": {},
        "Actions": actions,
    }
    return flow_from(document | more)


def flow_from(document: TrackedFlow | dict[str, Any]) -> Flow:
    """Parses a document or the result of tracking."""
    content = document.document if isinstance(document, TrackedFlow) else document
    return Flow.parse(json.dumps(content), "x.json")


TWO_LEVELS = flow_of(
    menu("main", k1="sub", k2="answer"),
    menu("sub", k1="deep", k9="main"),
    message("deep", "main"),
    message("answer", "end"),
)

# --- Tracking and simulation -----------------------------------------------------------------------------------------


def tracked(
    flow: Flow, names: str | None = None, catalog: RouteCatalog | None = None, call_flow: str = "x"
) -> TrackedFlow:
    route_names = RouteNames.parse(names, "names.yaml") if names else None
    return add_tracking(flow, route_names, catalog, file="x.json", call_flow=call_flow)


def catalog_of(flow: Flow, names: str | None = None, previous: RouteCatalog | None = None) -> RouteCatalog:
    """Tracks a flow and returns its route catalog."""
    catalog = tracked(flow, names, previous).catalog
    assert catalog is not None
    return catalog


def tracking_attributes(flow: Flow, names: str | None = None) -> dict[str, dict[str, str]]:
    """Tracks a flow and returns the attributes set by each tracking block, without the version of the flow."""
    attributes = {
        block.identifier: {
            name: str(value) for name, value in attributes_of(block).items() if name != FLOW_VERSION
        }
        for block in flow_from(tracked(flow, names)).blocks.values()
        if block.identifier.startswith(PREFIX)
    }
    return {identifier: values for identifier, values in attributes.items() if values}


def simulated(
    flow: Flow, *keys: str, environment: Environment | None = None
) -> tuple[list[Event], Call | None]:
    """Returns the events of a call and the call itself, or None if it reaches a block that cannot be simulated."""
    events: list[Event] = []
    try:
        call = simulate(
            flow,
            KeyedCaller(keys, leaves_queue_after=10),
            clock=SimulatedClock(START),
            on_event=events.append,
            environment=environment,
        )
    except SimulationError:
        return events, None
    return events, call


def final_values(
    flow: Flow, *keys: str, environment: Environment | None = None
) -> tuple[str | None, str | None]:
    """Tracks a flow and returns `call_route` and `call_completed` at the end of a call."""
    _, call = simulated(flow_from(tracked(flow)), *keys, environment=environment)
    assert call is not None
    return call.attributes.get(ROUTE), call.attributes.get(COMPLETED)
