"""Content of a diagram: blocks with readable titles, connected by merged branches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from callroute.flows.block_types import type_of
from callroute.flows.diagrams.words import description, translated
from callroute.flows.flow import is_readable
from callroute.flows.simulation.coverage import countable_branches
from callroute.flows.simulation.environment import resource_names
from callroute.flows.simulation.scenario_file import route_of

if TYPE_CHECKING:
    from callroute.flows.diagrams.words import Language
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
    "TransferParticipantToThirdParty": "To a phone number",
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
_ERROR_LABELS = {
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
# Parameters to show in a block. The first one that is present is used.
_DETAILS = (
    *("Text", "SSML", "PromptId", "ComparisonValue", "MetricType", "LambdaFunctionARN", "FlowModuleId"),
    *("ContactFlowId", "QueueId", "AgentId", "HoursOfOperationId", "ThirdPartyPhoneNumber", "CallbackNumber"),
    *("TextToSpeechVoice", "FlowLoggingBehavior", "LanguageCode"),
)
_TAG = re.compile(r"<[^>]*>")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """All branches of one kind from one block to another, drawn as a single line.

    Attributes:
        label: readable conditions or errors; empty for the default branch.
        error: whether these are error branches.
        target: identifier of the target block.
    """

    label: str
    error: bool
    target: str


@dataclass(frozen=True, slots=True)
class DrawnBlock:
    """A block in a diagram.

    Attributes:
        identifier: its identifier.
        title: readable name of its type.
        name: its identifier, or an empty string if the identifier is a UUID.
        detail: its main parameter or the attributes that it sets. Can be long and have several lines.
        route: the value that it assigns to `call_route`, if any.
        stop: a mark for blocks in which a caller can hang up; empty for other blocks.
        edges: its outgoing edges.
    """

    identifier: str
    title: str
    name: str
    detail: str
    route: str | None
    stop: str
    edges: tuple[DrawnEdge, ...]


@dataclass(frozen=True, slots=True)
class Diagram:
    """The content of a diagram.

    Attributes:
        title: file name of the flow.
        description: alternative text for readers who cannot see the diagram.
        start: identifier of the first block, or an empty string if the flow has no such block.
        blocks: the blocks by identifier, in document order.
        entry: description of the point where calls enter.
        default: name of a branch without a label.
    """

    title: str
    description: str
    start: str
    blocks: Mapping[str, DrawnBlock]
    entry: str
    default: str


def build_diagram(flow: Flow, language: Language = "en") -> Diagram:
    """Returns the diagram of a flow, omitting dangling branches.

    Args:
        flow: the flow.
        language: language of titles, labels and the description.
    """
    blocks = {identifier: _block(flow, block, language) for identifier, block in flow.blocks.items()}
    stops = sum(bool(block.stop) for block in blocks.values())
    routes = len({block.route for block in blocks.values() if block.route is not None})
    return Diagram(
        title=_clean(PurePath(flow.source).name),
        description=description(language, len(blocks), stops, routes),
        start=flow.start if flow.start in blocks else "",
        blocks=blocks,
        entry=translated("the call comes in", language),
        default=translated("next", language),
    )


def _clean(text: str) -> str:
    """Replaces characters that XML or Mermaid does not allow."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _block(flow: Flow, block: Block, language: Language) -> DrawnBlock:
    block_type = type_of(block)
    title = _TITLES.get(block.type) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", block.type).capitalize()
    return DrawnBlock(
        identifier=block.identifier,
        title=translated(
            "Input" if block_type is not None and block_type.stop == "input" else _clean(title), language
        ),
        name=_clean(block.identifier) if is_readable(block.identifier) else "",
        detail=_clean(_detail(block, language)),
        route=None if (route := route_of(block)) is None else _clean(route),
        stop=translated("stop", language) if block_type is not None and block_type.stop is not None else "",
        edges=tuple(_edges(flow, block, language)),
    )


def _detail(block: Block, language: Language) -> str:
    parameters = block.parameters
    for name in ("Attributes", "FlowAttributes", "EventHooks"):
        if isinstance(parameters.get(name), Mapping):
            return "\n".join(
                f"{key} = {_shown(value)}" for key, value in parameters[name].items() if key != "call_route"
            )
    if "LoopCount" in parameters:
        return translated("{count} times", language).format(count=parameters["LoopCount"])
    if isinstance(parameters.get("Messages"), list):
        return "\n".join(
            _first_detail(message) for message in parameters["Messages"] if isinstance(message, Mapping)
        )
    return _first_detail(parameters)


def _first_detail(parameters: Mapping[str, Any]) -> str:
    for name in _DETAILS:
        value = parameters.get(name)
        if isinstance(value, str):
            return _TAG.sub(" ", value) if name == "SSML" else _shown(value)
    return ""


def _shown(value: Any) -> str:
    """Returns a parameter value as text. ARNs are shortened to the name of the resource."""
    if isinstance(value, Mapping):
        value = value.get("Value", "")
    text = str(value)
    return resource_names(text)[-1] if text.startswith("arn:") else text


def _edges(flow: Flow, block: Block, language: Language) -> list[DrawnEdge]:
    """Merges branches that have the same kind and target.

    Error branches that have the same target as the default branch are omitted.
    """
    labels: dict[tuple[bool, bool, str], list[str]] = {}
    branches = countable_branches(block)
    default_targets = {branch.target for branch in branches if branch.kind == "next"}
    for branch in branches:
        error = branch.kind == "error"
        if branch.target in flow.blocks and not (error and branch.target in default_targets):
            merged = labels.setdefault((error, branch.kind == "next", branch.target), [])
            label = translated(_label(block, branch), language)
            if label not in merged:
                merged.append(label)
    return [
        DrawnEdge(_clean(", ".join(filter(None, texts))), error, target)
        for (error, _, target), texts in labels.items()
    ]


def _label(block: Block, branch: Branch) -> str:
    label = _LABELS.get((block.type, branch.label))
    if label is not None:
        return label
    if branch.kind == "error":
        return _ERROR_LABELS.get(branch.label, branch.label)
    if branch.operator in _OPERATORS:
        return " ".join((_OPERATORS[branch.operator], *branch.operands))
    return branch.label
