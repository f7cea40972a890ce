"""Blocks that write something down, which the caller does not notice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from callroute.flows.simulation.events import (
    AttributesSet,
    CallbackCreated,
    Failed,
    FlowAttributesSet,
    LoggingChanged,
    NoEffect,
    VoiceChanged,
)
from callroute.flows.simulation.handlers import parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.flow import Branch
    from callroute.flows.simulation.engine import BlockContext, CallSimulation, Step


def _logging(block: BlockContext) -> Step:
    enabled, onward = parameters.setting(block, "FlowLoggingBehavior") == "Enabled", block.next()
    return lambda call: (LoggingChanged(call.now(), block.identifier, enabled), onward)


def _voice(block: BlockContext) -> Step:
    voice, onward = parameters.text(block, "TextToSpeechVoice"), block.next()
    engine = str(block.action.parameters.get("TextToSpeechEngine", "Standard"))

    def step(call: CallSimulation) -> tuple[VoiceChanged, Branch]:
        call.system["TextToSpeechVoiceId"] = voice(call)
        return VoiceChanged(call.now(), block.identifier, voice(call), engine), onward

    return step


def _contact_attributes(block: BlockContext) -> Step:
    if block.action.parameters.get("TargetContact", "Current") != "Current":
        raise block.error("attributes of a related contact are not simulated", "Use TargetContact Current")
    values, onward, identifier = (
        parameters.pairs(block, parameters.mapping(block, "Attributes")),
        block.next(),
        block.identifier,
    )

    def step(call: CallSimulation) -> tuple[AttributesSet, Branch]:
        written = values(call)
        call.attributes.update(written)
        return AttributesSet(call.now(), identifier, written), onward

    return step


def _flow_attributes(block: BlockContext) -> Step:
    given = parameters.mapping(block, "FlowAttributes")
    plain = {name: value.get("Value") if isinstance(value, dict) else value for name, value in given.items()}
    values, onward = parameters.pairs(block, plain), block.next()

    def step(call: CallSimulation) -> tuple[FlowAttributesSet, Branch]:
        written = values(call)
        call.flow_attributes.update(written)
        return FlowAttributesSet(call.now(), block.identifier, written), onward

    return step


def no_effect(block: BlockContext) -> Step:
    """Passes a block openly."""
    kind, onward = block.action.type, block.next()
    return lambda call: (NoEffect(call.now(), block.identifier, kind), onward)


def _contact_data(block: BlockContext) -> Step:
    onward = block.next()
    known = {"LanguageCode", "CustomerId"} & set(block.action.parameters)
    values = {name: parameters.text(block, name) for name in sorted(known)}

    def step(call: CallSimulation) -> tuple[NoEffect, Branch]:
        call.system.update({name: value(call) for name, value in values.items()})
        return NoEffect(call.now(), block.identifier, block.action.type), onward

    return step


def _hooks(block: BlockContext) -> Step:
    hooks, onward = parameters.pairs(block, parameters.mapping(block, "EventHooks")), block.next()

    def step(call: CallSimulation) -> tuple[NoEffect, Branch]:
        call.hooks.update(hooks(call))
        return NoEffect(call.now(), block.identifier, block.action.type), onward

    return step


def _callback_number(block: BlockContext) -> Step:
    number, onward = parameters.text(block, "CallbackNumber"), block.next()

    def step(call: CallSimulation) -> tuple[Failed | NoEffect, Branch]:
        dialled = number(call)
        if not re.fullmatch(r"\+?\d{3,15}", dialled):
            failed = Failed(call.now(), block.identifier, "InvalidCallbackNumber")
            return failed, block.failure("InvalidCallbackNumber")
        call.system["CustomerCallbackNumber"] = dialled
        return NoEffect(call.now(), block.identifier, block.action.type), onward

    return step


def _callback(block: BlockContext) -> Step:
    queue, onward = parameters.optional(block, "QueueId"), block.next()
    delay = parameters.number(block, "InitialCallDelaySeconds", "0")

    def step(call: CallSimulation) -> tuple[CallbackCreated, Branch]:
        waiting_in = queue(call) or call.target_queue
        number = call.system.get("CustomerCallbackNumber") or call.world.customer_number or "anonymous"
        call.call_back(waiting_in, delay(call))
        return CallbackCreated(call.now(), block.identifier, number, waiting_in), onward

    return step


_UNNOTICED = (
    "AssociateContactToCustomerProfile",
    "CompleteOutboundCall",
    "CreateCase",
    "CreateCustomerProfile",
    "CreateTask",
    "CreateWisdomSession",
    "GetCase",
    "GetMetricData",
    "ResumeContact",
    "StartOutboundChatContact",
    "StartVoiceIdStream",
    "TagContact",
    "UnTagContact",
    "UntagContact",
    "UpdateCase",
    "UpdateContactMediaProcessing",
    "UpdateContactMediaStreamingBehavior",
    "UpdateContactRecordingAndAnalyticsBehavior",
    "UpdateContactRecordingBehavior",
    "UpdateContactRoutingBehavior",
    "UpdateContactRoutingCriteria",
    "UpdateCustomerProfile",
    "UpdatePreviousContactParticipantState",
    "UpdateRoutingCriteria",
    "UpsertDataTableValues",
)

STEPS: Mapping[str, Callable[[BlockContext], Step]] = {
    "CreateCallbackContact": _callback,
    "UpdateContactAttributes": _contact_attributes,
    "UpdateContactCallbackNumber": _callback_number,
    "UpdateContactData": _contact_data,
    "UpdateContactEventHooks": _hooks,
    "UpdateContactTextToSpeechVoice": _voice,
    "UpdateFlowAttributes": _flow_attributes,
    "UpdateFlowLoggingBehavior": _logging,
    **dict.fromkeys(_UNNOTICED, no_effect),
}
