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
    from callroute.flows.simulation.engine import BlockContext, CallSimulation, Step


def _to_flow(context: BlockContext) -> Step:
    """Continues in another flow with the same contact."""
    flow = parameters.text(context, "ContactFlowId")

    def step(call: CallSimulation) -> Branch | None:
        identifier = flow(call)
        if not identifier:
            call.emit(Failed(call.now(), context.identifier, "NoMatchingError"))
            return context.failure("NoMatchingError")
        other = call.other_flow(context, identifier)
        if isinstance(other, str):
            call.end(context.identifier, "OTHER", "another flow")
        else:
            call.enter_flow(other, returning=None)
        return None

    return step


def _module(context: BlockContext) -> Step:
    module, next_branch = parameters.text(context, "FlowModuleId"), context.next()

    def step(call: CallSimulation) -> Branch | None:
        identifier = module(call)
        if not identifier:
            call.emit(Failed(call.now(), context.identifier, "NoMatchingError"))
            return context.failure("NoMatchingError")
        other = call.other_flow(context, identifier)
        if other == RETURN:
            call.emit(NoEffect(call.now(), context.identifier, context.block.type))
            return next_branch
        if isinstance(other, str):
            call.end(context.identifier, "OTHER", "another flow")
            return None
        call.enter_flow(other, returning=next_branch)
        return None

    return step


def _end_module(context: BlockContext) -> Step:
    def step(call: CallSimulation) -> Branch | None:
        if call.return_from_module():
            call.emit(FlowLeft(call.now(), context.identifier))
        else:  # the module is simulated as a flow of its own
            call.end(context.identifier, "CONTACT_FLOW_DISCONNECT", "flow")
        return None

    return step


def _end_flow(context: BlockContext) -> Step:
    """Ends the flow. The call continues only after a customer queue flow or whisper flow."""

    def step(call: CallSimulation) -> Branch | None:
        if call.in_hook_flow:
            call.emit(FlowLeft(call.now(), context.identifier))
        else:
            call.end(context.identifier, "CONTACT_FLOW_DISCONNECT", "flow")
        return None

    return step


def _disconnect(context: BlockContext) -> Step:
    def step(call: CallSimulation) -> Branch | None:
        call.end(context.identifier, "CONTACT_FLOW_DISCONNECT", "flow")
        return None

    return step


def _queue(context: BlockContext) -> parameters.Resolver:
    """Returns a resolver for a block's queue, or for the agent whose queue it uses."""
    return parameters.text(context, "AgentId" if "AgentId" in context.block.parameters else "QueueId")


def _choose_queue(context: BlockContext) -> Step:
    queue, next_branch = _queue(context), context.next()

    def step(call: CallSimulation) -> Branch:
        target = queue(call)
        if not target:
            call.emit(Failed(call.now(), context.identifier, "NoMatchingError"))
            return context.failure("NoMatchingError")
        call.target_queue = target
        call.emit(QueueChosen(call.now(), context.identifier, target))
        return next_branch

    return step


def _to_queue(context: BlockContext) -> Step:
    def step(call: CallSimulation) -> Branch | None:
        if not call.target_queue or call.environment.queue_is_full or call.in_queue_flow:
            full = call.target_queue and not call.in_queue_flow
            error = "QueueAtCapacity" if full else "NoMatchingError"
            call.emit(QueueRefused(call.now(), context.identifier, error))
            return context.failure(error)
        call.enter_queue(context)
        return None

    return step


def _to_other_queue(context: BlockContext) -> Step:
    queue = _queue(context)

    def step(call: CallSimulation) -> Branch | None:
        target = queue(call)
        if not target or call.environment.queue_is_full or not call.in_queue_flow:
            error = "QueueAtCapacity" if target and call.in_queue_flow else "NoMatchingError"
            call.emit(QueueRefused(call.now(), context.identifier, error))
            return context.failure(error)
        call.move_to_queue(target)
        return None

    return step


def _to_agent(context: BlockContext) -> Step:
    def step(call: CallSimulation) -> Branch | None:
        call.target_queue = call.target_queue or "agent"  # the agent is determined by the quick connect
        call.enter_queue(context)
        return None

    return step


def _to_third_party(context: BlockContext) -> Step:
    number = parameters.optional(context, "ThirdPartyPhoneNumber")
    resumes = str(context.block.parameters.get("ContinueFlowExecution", "True")).lower() == "true"

    def step(call: CallSimulation) -> Branch | None:
        number_dialed = number(call)
        outcome = call.response(context, "third_party", *([number_dialed] if number_dialed else []))
        if outcome != "answered":
            call.emit(Failed(call.now(), context.identifier, outcome))
            return context.failure(outcome)
        call.connect_third_party(number_dialed)
        call.emit(ThirdPartyConnected(call.now(), context.identifier, number_dialed))
        call.advance(call.environment.talk_seconds)
        if call.environment.agent_hangs_up and resumes:
            return context.next()
        reason = "THIRD_PARTY_DISCONNECT" if call.environment.agent_hangs_up else "CUSTOMER_DISCONNECT"
        call.end(context.identifier, reason, "third party")
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
