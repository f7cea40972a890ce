"""Generates random flows with Hypothesis, and oversized flows."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

ROUTES = ("start", "1", "1-1", "2")


@st.composite
def flow_documents(draw: st.DrawFn, most_blocks: int = 12) -> dict[str, Any]:
    """Generates a flow that Connect accepts. Any block can lead to any other, so loops and shared blocks are common."""
    count = draw(st.integers(4, most_blocks))
    names = [f"block-{number}" for number in range(count)] + ["end"]
    blocks = [_block(draw, name, names) for name in names[:-1]]
    blocks.append({"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}})
    return {"Version": "2019-10-30", "StartAction": names[0], "Metadata": {}, "Actions": blocks}


def _block(draw: st.DrawFn, name: str, names: list[str]) -> dict[str, Any]:
    target = st.sampled_from(names)
    kind = draw(st.sampled_from(("say", "say", "menu", "menu", "route", "route", "hours", "loop", "other")))
    transitions: dict[str, Any] = {"NextAction": draw(target)}
    errors = ["NoMatchingError"]
    operands: list[str] = []
    parameters: dict[str, Any]
    if kind == "say":
        type_, parameters = "MessageParticipant", {"Text": name}
    elif kind == "menu":
        type_ = "GetParticipantInput"
        parameters = {"Text": name, "StoreInput": "False", "InputTimeLimitSeconds": "5"}
        operands = draw(st.lists(st.sampled_from("0129*#"), min_size=1, max_size=3, unique=True))
        errors = ["InputTimeLimitExceeded", "NoMatchingCondition", "NoMatchingError"]
    elif kind == "hours":
        type_, parameters, operands = "CheckHoursOfOperation", {"HoursOfOperationId": "h"}, ["True", "False"]
    elif kind == "loop":
        type_, parameters = "Loop", {"LoopCount": str(draw(st.integers(0, 3)))}
        operands, errors = ["ContinueLooping", "DoneLooping"], []
    else:
        type_ = "UpdateContactAttributes"
        attributes = {"reason": "$.Attributes.call_route"}
        if kind == "route":
            values = {
                "call_route": st.sampled_from(ROUTES),
                "call_completed": st.sampled_from(("true", "false")),
            }
            written = draw(st.lists(st.sampled_from(sorted(values)), min_size=1, unique=True))
            attributes = {attribute: draw(values[attribute]) for attribute in written}
        parameters = {"Attributes": attributes, "TargetContact": "Current"}
    if operands:
        transitions["Conditions"] = [
            {"NextAction": draw(target), "Condition": {"Operator": "Equals", "Operands": [operand]}}
            for operand in operands
        ]
    if errors:
        transitions["Errors"] = [{"NextAction": draw(target), "ErrorType": error} for error in errors]
    return {"Identifier": name, "Type": type_, "Parameters": parameters, "Transitions": transitions}


def oversized(blocks: int) -> str:
    """Returns the JSON of a flow with the given number of blocks: a sequence of messages and an end."""
    actions: list[dict[str, Any]] = [
        {
            "Identifier": str(number),
            "Type": "MessageParticipant",
            "Parameters": {"Text": "hello"},
            "Transitions": {"NextAction": str(number + 1)},
        }
        for number in range(blocks - 1)
    ]
    end = {
        "Identifier": str(blocks - 1),
        "Type": "DisconnectParticipant",
        "Parameters": {},
        "Transitions": {},
    }
    return json.dumps({"Version": "2019-10-30", "StartAction": "0", "Actions": [*actions, end]})
