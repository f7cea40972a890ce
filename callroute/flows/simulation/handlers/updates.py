"""Handlers for blocks that only set attributes or settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from callroute.flows.block_types import NO_MATCH
from callroute.flows.references import whole
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


def _logging(context: BlockContext) -> Step:
    enabled, next_branch = parameters.setting(context, "FlowLoggingBehavior") == "Enabled", context.next()

    def step(call: CallSimulation) -> Branch:
        call.emit(LoggingChanged(call.now(), context.identifier, enabled))
        return next_branch

    return step


def _voice(context: BlockContext) -> Step:
    voice, next_branch = parameters.text(context, "TextToSpeechVoice"), context.next()
    engine = str(context.block.parameters.get("TextToSpeechEngine", "Standard"))

    def step(call: CallSimulation) -> Branch:
        call.system["TextToSpeechVoiceId"] = voice(call)
        call.emit(VoiceChanged(call.now(), context.identifier, voice(call), engine))
        return next_branch

    return step


def _contact_attributes(context: BlockContext) -> Step:
    if context.block.parameters.get("TargetContact", "Current") != "Current":
        raise context.error(
            "attributes of a related contact are not supported", "Set TargetContact to Current"
        )
    given = parameters.mapping(context, "Attributes")
    values = parameters.attributes(context, given)
    read = [
        path[1]
        for path in map(whole, map(str, given.values()))
        if path and path[:1] == ("Attributes",) and path[1:]
    ]
    next_branch, identifier = context.next(), context.identifier

    def step(call: CallSimulation) -> Branch:
        if call.environment.missing_attributes_fail and any(name not in call.attributes for name in read):
            call.emit(Failed(call.now(), identifier, NO_MATCH))
            return context.failure(NO_MATCH)
        written = values(call)
        call.attributes.update(written)
        call.emit(AttributesSet(call.now(), identifier, written))
        return next_branch

    return step


def _flow_attributes(context: BlockContext) -> Step:
    given = parameters.mapping(context, "FlowAttributes")
    plain = {name: value.get("Value") if isinstance(value, dict) else value for name, value in given.items()}
    values, next_branch = parameters.attributes(context, plain), context.next()

    def step(call: CallSimulation) -> Branch:
        written = values(call)
        call.flow_attributes.update(written)
        call.emit(FlowAttributesSet(call.now(), context.identifier, written))
        return next_branch

    return step


def skip(context: BlockContext) -> Step:
    """Continues with the next block without doing anything."""
    block_type, next_branch = context.block.type, context.next()

    def step(call: CallSimulation) -> Branch:
        call.emit(NoEffect(call.now(), context.identifier, block_type))
        return next_branch

    return step


def _contact_data(context: BlockContext) -> Step:
    next_branch = context.next()
    names = {"LanguageCode", "CustomerId"} & set(context.block.parameters)
    values = {name: parameters.text(context, name) for name in sorted(names)}

    def step(call: CallSimulation) -> Branch:
        call.system.update({name: value(call) for name, value in values.items()})
        call.emit(NoEffect(call.now(), context.identifier, context.block.type))
        return next_branch

    return step


def _hooks(context: BlockContext) -> Step:
    hooks, next_branch = (
        parameters.attributes(context, parameters.mapping(context, "EventHooks")),
        context.next(),
    )

    def step(call: CallSimulation) -> Branch:
        call.hooks.update(hooks(call))
        call.emit(NoEffect(call.now(), context.identifier, context.block.type))
        return next_branch

    return step


def _callback_number(context: BlockContext) -> Step:
    number, next_branch = parameters.text(context, "CallbackNumber"), context.next()

    def step(call: CallSimulation) -> Branch:
        callback_number = number(call)
        if not re.fullmatch(r"\+?\d{3,15}", callback_number):
            call.emit(Failed(call.now(), context.identifier, "InvalidCallbackNumber"))
            return context.failure("InvalidCallbackNumber")
        call.system["CustomerCallbackNumber"] = callback_number
        call.emit(NoEffect(call.now(), context.identifier, context.block.type))
        return next_branch

    return step


def _callback(context: BlockContext) -> Step:
    queue, next_branch = parameters.optional(context, "QueueId"), context.next()
    delay = parameters.number(context, "InitialCallDelaySeconds", "0")

    def step(call: CallSimulation) -> Branch:
        target_queue = queue(call) or call.target_queue
        number = call.system.get("CustomerCallbackNumber") or call.environment.customer_number or "anonymous"
        call.create_callback(target_queue, delay(call))
        call.emit(CallbackCreated(call.now(), context.identifier, number, target_queue))
        return next_branch

    return step


_NO_EFFECT_TYPES = (
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

HANDLERS: Mapping[str, Callable[[BlockContext], Step]] = {
    "CreateCallbackContact": _callback,
    "UpdateContactAttributes": _contact_attributes,
    "UpdateContactCallbackNumber": _callback_number,
    "UpdateContactData": _contact_data,
    "UpdateContactEventHooks": _hooks,
    "UpdateContactTextToSpeechVoice": _voice,
    "UpdateFlowAttributes": _flow_attributes,
    "UpdateFlowLoggingBehavior": _logging,
    **dict.fromkeys(_NO_EFFECT_TYPES, skip),
}
