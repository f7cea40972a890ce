"""Handlers for blocks that transfer or end a call: flows, modules, queues, agents and phone numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.flows.simulation.environment import RETURN
from callroute.flows.simulation.events import (
    Failed,
    FlowLeft,
    NoEffect,
    QueueChosen,
    QueueRefused,
    ThirdPartyConnected,
)
from callroute.flows.simulation.handlers import parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.flow import Branch
    from callroute.flows.simulation.engine import BlockContext, CallSimulation, Step, StepEvents


def _to_flow(context: BlockContext) -> Step:
    """Continues in another flow with the same contact."""
    flow = parameters.text(context, "ContactFlowId")

    def step(call: CallSimulation) -> StepEvents:
        identifier = flow(call)
        if not identifier:
            yield Failed(call.now(), context.identifier, "NoMatchingError")
            return context.failure("NoMatchingError")
        other = call.other_flow(context, identifier)
        if isinstance(other, str):
            yield call.end(context.identifier, "OTHER", "another flow")
        else:
            yield call.enter_flow(other, returning=None)
        return None

    return step


def _module(context: BlockContext) -> Step:
    module, next_branch = parameters.text(context, "FlowModuleId"), context.next()

    def step(call: CallSimulation) -> StepEvents:
        identifier = module(call)
        if not identifier:
            yield Failed(call.now(), context.identifier, "NoMatchingError")
            return context.failure("NoMatchingError")
        other = call.other_flow(context, identifier)
        if other == RETURN:
            yield NoEffect(call.now(), context.identifier, context.block.type)
            return next_branch
        if isinstance(other, str):
            yield call.end(context.identifier, "OTHER", "another flow")
            return None
        yield call.enter_flow(other, returning=next_branch)
        return None

    return step


def _end_module(context: BlockContext) -> Step:
    def step(call: CallSimulation) -> StepEvents:
        if call.return_from_module():
            yield FlowLeft(call.now(), context.identifier)
        else:  # the module is simulated as a flow of its own
            yield call.end(context.identifier, "CONTACT_FLOW_DISCONNECT", "flow")
        return None

    return step


def _end_flow(context: BlockContext) -> Step:
    """Ends the flow. The call continues only after a customer queue flow or whisper flow."""

    def step(call: CallSimulation) -> StepEvents:
        if call.in_hook_flow:
            yield FlowLeft(call.now(), context.identifier)
        else:
            yield call.end(context.identifier, "CONTACT_FLOW_DISCONNECT", "flow")
        return None

    return step


def _disconnect(context: BlockContext) -> Step:
    def step(call: CallSimulation) -> StepEvents:
        yield call.end(context.identifier, "CONTACT_FLOW_DISCONNECT", "flow")
        return None

    return step


def _queue(context: BlockContext) -> parameters.Resolver:
    """Returns a resolver for a block's queue, or for the agent whose queue it uses."""
    return parameters.text(context, "AgentId" if "AgentId" in context.block.parameters else "QueueId")


def _choose_queue(context: BlockContext) -> Step:
    queue, next_branch = _queue(context), context.next()

    def step(call: CallSimulation) -> tuple[QueueChosen | Failed, Branch]:
        target = queue(call)
        if not target:
            return Failed(call.now(), context.identifier, "NoMatchingError"), context.failure(
                "NoMatchingError"
            )
        call.target_queue = target
        return QueueChosen(call.now(), context.identifier, target), next_branch

    return step


def _to_queue(context: BlockContext) -> Step:
    def step(call: CallSimulation) -> StepEvents:
        if not call.target_queue or call.environment.queue_is_full or call.in_queue_flow:
            full = call.target_queue and not call.in_queue_flow
            error = "QueueAtCapacity" if full else "NoMatchingError"
            yield QueueRefused(call.now(), context.identifier, error)
            return context.failure(error)
        yield from call.enter_queue(context)
        return None

    return step


def _to_other_queue(context: BlockContext) -> Step:
    queue = _queue(context)

    def step(call: CallSimulation) -> StepEvents:
        target = queue(call)
        if not target or call.environment.queue_is_full or not call.in_queue_flow:
            error = "QueueAtCapacity" if target and call.in_queue_flow else "NoMatchingError"
            yield QueueRefused(call.now(), context.identifier, error)
            return context.failure(error)
        call.move_to_queue(target)
        return None

    return step


def _to_agent(context: BlockContext) -> Step:
    def step(call: CallSimulation) -> StepEvents:
        call.target_queue = call.target_queue or "agent"  # the agent is determined by the quick connect
        yield from call.enter_queue(context)
        return None

    return step


def _to_third_party(context: BlockContext) -> Step:
    number = parameters.optional(context, "ThirdPartyPhoneNumber")
    resumes = str(context.block.parameters.get("ContinueFlowExecution", "True")).lower() == "true"

    def step(call: CallSimulation) -> StepEvents:
        number_dialed = number(call)
        outcome = call.response(context, "third_party", *([number_dialed] if number_dialed else []))
        if outcome != "answered":
            yield Failed(call.now(), context.identifier, outcome)
            return context.failure(outcome)
        call.connect_third_party(number_dialed)
        yield ThirdPartyConnected(call.now(), context.identifier, number_dialed)
        call.advance(call.environment.talk_seconds)
        if call.environment.agent_hangs_up and resumes:
            return context.next()
        reason = "THIRD_PARTY_DISCONNECT" if call.environment.agent_hangs_up else "CUSTOMER_DISCONNECT"
        yield call.end(context.identifier, reason, "third party")
        return None

    return step


HANDLERS: Mapping[str, Callable[[BlockContext], Step]] = {
    "DequeueContactAndTransferToQueue": _to_other_queue,
    "DisconnectParticipant": _disconnect,
    "EndFlowExecution": _end_flow,
    "EndFlowModuleExecution": _end_module,
    "InvokeFlowModule": _module,
    "TransferContactToAgent": _to_agent,
    "TransferContactToQueue": _to_queue,
    "TransferParticipantToThirdParty": _to_third_party,
    "TransferToFlow": _to_flow,
    "UpdateContactTargetQueue": _choose_queue,
}
