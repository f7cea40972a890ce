"""What is drawn of a flow, before it is put on paper: blocks with words for people, and merged branches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from callroute.flows.block_types import type_of
from callroute.flows.simulation.coverage import countable_branches
from callroute.flows.simulation.environment import resource_names
from callroute.flows.simulation.scenario_file import route_of

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Branch, Flow

_TITLES = {
    "CheckHoursOfOperation": "Opening hours?",
    "CheckMetricData": "Queue metric?",
    "Compare": "Compare",
    "ConnectParticipantWithLexBot": "Bot",
    "CreateCallbackContact": "Call back",
    "DequeueContactAndTransferToQueue": "To another queue",
    "DisconnectParticipant": "Disconnect",
    "DistributeByPercentage": "Split by percentage",
    "EndFlowExecution": "End of flow",
    "EndFlowModuleExecution": "End of module",
    "GetMetricData": "Get queue metrics",
    "GetParticipantInput": "Menu",
    "InvokeFlowModule": "Module",
    "InvokeLambdaFunction": "Lambda function",
    "Loop": "Loop",
    "MessageParticipant": "Message",
    "MessageParticipantIteratively": "Messages in turn",
    "TransferContactToAgent": "To an agent",
    "TransferContactToQueue": "To the queue",
    "TransferParticipantToThirdParty": "To a telephone number",
    "TransferToFlow": "To another flow",
    "UpdateContactAttributes": "Set attributes",
    "UpdateContactCallbackNumber": "Callback number",
    "UpdateContactEventHooks": "Event flows",
    "UpdateContactTargetQueue": "Choose the queue",
    "UpdateContactTextToSpeechVoice": "Voice",
    "UpdateFlowAttributes": "Set flow attributes",
    "UpdateFlowLoggingBehavior": "Logging",
}
_LABELS = {
    ("CheckHoursOfOperation", "True"): "open",
    ("CheckHoursOfOperation", "False"): "closed",
    ("Loop", "ContinueLooping"): "again",
    ("Loop", "DoneLooping"): "done",
    ("GetParticipantInput", "NoMatchingCondition"): "other key",
    ("ConnectParticipantWithLexBot", "NoMatchingCondition"): "other intent",
}
_ERRORS = {
    "InputTimeLimitExceeded": "silence",
    "NoMatchingCondition": "no match",
    "NoMatchingError": "error",
    "QueueAtCapacity": "queue full",
}
_OPERATORS = {
    "NumberGreaterThan": ">",
    "NumberGreaterOrEqualTo": "≥",
    "NumberLessThan": "<",
    "NumberLessOrEqualTo": "≤",
    "TextContains": "contains",
    "TextStartsWith": "starts with",
    "TextEndsWith": "ends with",
}
# What is worth showing of a block besides its type, first that it has.
_DETAILS = (
    *("Text", "SSML", "PromptId", "ComparisonValue", "MetricType", "LambdaFunctionARN", "FlowModuleId"),
    *("ContactFlowId", "QueueId", "AgentId", "HoursOfOperationId", "ThirdPartyPhoneNumber", "CallbackNumber"),
    *("TextToSpeechVoice", "FlowLoggingBehavior", "LanguageCode"),
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Edge:
    """All branches of a block of one kind that lead to the same block.

    Attributes:
        label: what has to happen, in words; empty for what is done by default.
        error: whether something went wrong.
        target: identifier of the block they lead to.
    """

    label: str
    error: bool
    target: str


@dataclass(frozen=True, slots=True)
class DrawnBlock:
    """A block as it is drawn.

    Attributes:
        identifier: its identifier.
        title: what it does, in words.
        name: its identifier where that was made for people; else empty.
        detail: what it says, asks or sets; may be long, and of several lines.
        route: the value that it gives to call_route; None where it gives none.
        stop: whether a caller can be here when they hang up.
        branches: where it leads.
    """

    identifier: str
    title: str
    name: str
    detail: str
    route: str | None
    stop: bool
    branches: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A flow as it is drawn; blocks are in the flow's order.

    Attributes:
        title: the flow's name.
        description: the picture in a sentence, for those who do not see it.
        start: identifier of the block that comes first; empty where there is none.
        blocks: the blocks by identifier.
    """

    title: str
    description: str
    start: str
    blocks: Mapping[str, DrawnBlock]


def picture(flow: Flow) -> Picture:
    """What is to be drawn of a flow. A branch that leads nowhere is left out."""
    blocks = {action.identifier: _block(flow, action) for action in flow.blocks.values()}
    stops = sum(block.stop for block in blocks.values())
    routes = len({block.route for block in blocks.values() if block.route is not None})
    return Picture(
        title=clean(PurePath(flow.source).name),
        description=f"Flow of {len(blocks)} blocks, with {stops} stops at which a caller can hang up "
        f"and {routes} value{'' if routes == 1 else 's'} of call_route.",
        start=flow.start if flow.start in blocks else "",
        blocks=blocks,
    )


def clean(text: str) -> str:
    """A text without what XML and Mermaid cannot hold."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _block(flow: Flow, action: Block) -> DrawnBlock:
    row = type_of(action)
    title = _TITLES.get(action.type) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", action.type).capitalize()
    return DrawnBlock(
        identifier=action.identifier,
        title="Input" if row is not None and row.stop == "input" else clean(title),
        name="" if _UUID.fullmatch(action.identifier) else clean(action.identifier),
        detail=clean(_detail(action)),
        route=None if (route := route_of(action)) is None else clean(route),
        stop=row is not None and row.stop is not None,
        branches=tuple(_branches(flow, action)),
    )


def _detail(action: Block) -> str:
    parameters = action.parameters
    for name in ("Attributes", "FlowAttributes", "EventHooks"):
        if isinstance(parameters.get(name), Mapping):
            return "\n".join(
                f"{key} = {_plain(value)}" for key, value in parameters[name].items() if key != "call_route"
            )
    if "LoopCount" in parameters:
        return f"{parameters['LoopCount']} times"
    if isinstance(parameters.get("Messages"), list):
        return "\n".join(
            _first(message) for message in parameters["Messages"] if isinstance(message, Mapping)
        )
    return _first(parameters)


def _first(parameters: Mapping[str, Any]) -> str:
    for name in _DETAILS:
        value = parameters.get(name)
        if isinstance(value, str):
            return _TAG.sub(" ", value) if name == "SSML" else _plain(value)
    return ""


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("Value", "")
    text = str(value)
    return resource_names(text)[-1] if text.startswith("arn:") else text


def _branches(flow: Flow, action: Block) -> list[Edge]:
    """The branches worth a line: those of a kind with one target share one.

    An error branch that leads where the block leads anyway is not drawn: nothing is different there.
    """
    labels: dict[tuple[bool, bool, str], list[str]] = {}
    counted = countable_branches(action)
    onward = {transition.target for transition in counted if transition.kind == "next"}
    for transition in counted:
        error = transition.kind == "error"
        if transition.target in flow.blocks and not (error and transition.target in onward):
            drawn = labels.setdefault((error, transition.kind == "next", transition.target), [])
            label = _label(action, transition)
            if label not in drawn:
                drawn.append(label)
    return [
        Edge(clean(", ".join(filter(None, texts))), error, target)
        for (error, _, target), texts in labels.items()
    ]


def _label(action: Block, transition: Branch) -> str:
    label = _LABELS.get((action.type, transition.label))
    if label is not None:
        return label
    if transition.kind == "error":
        return _ERRORS.get(transition.label, transition.label)
    if transition.operator in _OPERATORS:
        return " ".join((_OPERATORS[transition.operator], *transition.operands))
    return transition.label
