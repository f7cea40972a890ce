"""Blocks by which the call goes elsewhere: other flows, queues, people, its end."""

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
    from callroute.flows.simulation.engine import BlockContext, CallSimulation, Step, Steps


def _to_flow(block: BlockContext) -> Step:
    """The call goes on in another flow, as the same contact."""
    flow = parameters.text(block, "ContactFlowId")

    def step(call: CallSimulation) -> Steps:
        identifier = flow(call)
        if not identifier:
            yield Failed(call.now(), block.identifier, "NoMatchingError")
            return block.failure("NoMatchingError")
        other = call.other_flow(block, identifier)
        if isinstance(other, str):
            yield call.end(block.identifier, "OTHER", "another flow")
        else:
            yield call.enter(other, returning=None)
        return None

    return step


def _module(block: BlockContext) -> Step:
    module, onward = parameters.text(block, "FlowModuleId"), block.next()

    def step(call: CallSimulation) -> Steps:
        identifier = module(call)
        if not identifier:
            yield Failed(call.now(), block.identifier, "NoMatchingError")
            return block.failure("NoMatchingError")
        other = call.other_flow(block, identifier)
        if other == RETURN:
            yield NoEffect(call.now(), block.identifier, block.action.type)
            return onward
        if isinstance(other, str):
            yield call.end(block.identifier, "OTHER", "another flow")
            return None
        yield call.enter(other, returning=onward)
        return None

    return step


def _end_module(block: BlockContext) -> Step:
    def step(call: CallSimulation) -> Steps:
        if call.leave_module():
            yield FlowLeft(call.now(), block.identifier)
        else:  # a module simulated by itself
            yield call.end(block.identifier, "CONTACT_FLOW_DISCONNECT", "flow")
        return None

    return step


def _end_flow(block: BlockContext) -> Step:
    """Ends a queue flow, while the caller waits on; in any other flow it disconnects, as AWS says."""

    def step(call: CallSimulation) -> Steps:
        if call.is_aside:
            yield FlowLeft(call.now(), block.identifier)
        else:
            yield call.end(block.identifier, "CONTACT_FLOW_DISCONNECT", "flow")
        return None

    return step


def _disconnect(block: BlockContext) -> Step:
    def step(call: CallSimulation) -> Steps:
        yield call.end(block.identifier, "CONTACT_FLOW_DISCONNECT", "flow")
        return None

    return step


def _queue(block: BlockContext) -> parameters.Resolver:
    """The queue that a block names, or the queue of the agent it names."""
    return parameters.text(block, "AgentId" if "AgentId" in block.action.parameters else "QueueId")


def _choose_queue(block: BlockContext) -> Step:
    queue, onward = _queue(block), block.next()

    def step(call: CallSimulation) -> tuple[QueueChosen | Failed, Branch]:
        chosen = queue(call)
        if not chosen:
            return Failed(call.now(), block.identifier, "NoMatchingError"), block.failure("NoMatchingError")
        call.target_queue = chosen
        return QueueChosen(call.now(), block.identifier, chosen), onward

    return step


def _to_queue(block: BlockContext) -> Step:
    def step(call: CallSimulation) -> Steps:
        if not call.target_queue or call.world.queue_is_full or call.aside_of_a_queue:
            full = call.target_queue and not call.aside_of_a_queue
            error = "QueueAtCapacity" if full else "NoMatchingError"
            yield QueueRefused(call.now(), block.identifier, error)
            return block.failure(error)
        yield from call.queue_up(block)
        return None

    return step


def _to_other_queue(block: BlockContext) -> Step:
    queue = _queue(block)

    def step(call: CallSimulation) -> Steps:
        chosen = queue(call)
        if not chosen or call.world.queue_is_full or not call.aside_of_a_queue:
            error = "QueueAtCapacity" if chosen and call.aside_of_a_queue else "NoMatchingError"
            yield QueueRefused(call.now(), block.identifier, error)
            return block.failure(error)
        call.requeue(chosen)
        return None

    return step


def _to_agent(block: BlockContext) -> Step:
    def step(call: CallSimulation) -> Steps:
        call.target_queue = call.target_queue or "agent"  # which agent, the quick connect knows
        yield from call.queue_up(block)
        return None

    return step


def _to_third_party(block: BlockContext) -> Step:
    number = parameters.optional(block, "ThirdPartyPhoneNumber")
    resumes = str(block.action.parameters.get("ContinueFlowExecution", "True")).lower() == "true"

    def step(call: CallSimulation) -> Steps:
        dialled = number(call)
        outcome = call.answer(block, "third_party", *([dialled] if dialled else []))
        if outcome != "answered":
            yield Failed(call.now(), block.identifier, outcome)
            return block.failure(outcome)
        call.third_party_connected(dialled)
        yield ThirdPartyConnected(call.now(), block.identifier, dialled)
        call.spend(call.world.talk_seconds)
        if call.world.agent_hangs_up and resumes:
            return block.next()
        by = "THIRD_PARTY_DISCONNECT" if call.world.agent_hangs_up else "CUSTOMER_DISCONNECT"
        yield call.end(block.identifier, by, "third party")
        return None

    return step


STEPS: Mapping[str, Callable[[BlockContext], Step]] = {
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
