"""Handlers for blocks that look up data: Lambda functions, customer profiles, data tables and status checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.flows.simulation.environment import resource_names
from callroute.flows.simulation.events import Compared, Failed, Fetched
from callroute.flows.simulation.handlers import parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.flow import Branch
    from callroute.flows.simulation.engine import BlockContext, CallSimulation, Step


def _status(context: BlockContext) -> Step:
    """Selects a branch by the result of a voice check or an outbound campaign call."""
    subject = str(context.block.parameters.get("CheckVoiceIdOption", "call progress"))

    def step(call: CallSimulation) -> Branch:
        result = call.response(context, "status")
        branch = context.matching(result)
        call.emit(Compared(call.now(), context.identifier, subject, result, branch.label if branch else ""))
        return branch or context.failure("NoMatchingCondition")

    return step


def _profile_details(context: BlockContext) -> Step:
    """Adds profile objects or calculated attributes to the customer data."""
    next_branch = context.next()

    def step(call: CallSimulation) -> Branch:
        result = call.response(context, "profile")
        call.results["Customer"] = {**call.results.get("Customer", {}), **result}
        call.emit(Fetched(call.now(), context.identifier, "profile", result))
        return next_branch

    return step


def _table(context: BlockContext) -> Step:
    """Reads from a data table, replacing any data read by an earlier block."""
    next_branch = context.next()

    def step(call: CallSimulation) -> Branch:
        call.tables = call.response(context, "table")
        call.emit(Fetched(call.now(), context.identifier, "table", call.tables))
        return next_branch

    return step


def _unsupported_for_voice(context: BlockContext) -> Step:
    """Fails, because the block does not support the voice channel."""

    def step(call: CallSimulation) -> Branch:
        call.emit(Failed(call.now(), context.identifier, "NoMatchingError"))
        return context.failure("NoMatchingError")

    return step


def _lambda(context: BlockContext) -> Step:
    function, next_branch = parameters.text(context, "LambdaFunctionARN"), context.next()

    def step(call: CallSimulation) -> Branch:
        identifier = function(call)
        if not identifier:
            call.emit(Failed(call.now(), context.identifier, "NoMatchingError"))
            return context.failure("NoMatchingError")
        result = call.response(context, "lambda", *resource_names(identifier)[::-1])
        call.results["External"] = result
        call.emit(Fetched(call.now(), context.identifier, f"lambda {resource_names(identifier)[-1]}", result))
        return next_branch

    return step


def _profile(context: BlockContext) -> Step:
    next_branch = context.next()

    def step(call: CallSimulation) -> Branch:
        call.results["Customer"] = call.response(context, "profile")
        call.emit(Fetched(call.now(), context.identifier, "profile", call.results["Customer"]))
        return next_branch

    return step


HANDLERS: Mapping[str, Callable[[BlockContext], Step]] = {
    "AuthenticateParticipant": _unsupported_for_voice,
    "CheckOutboundCallStatus": _status,
    "CheckVoiceId": _status,
    "CreatePersistentContactAssociation": _unsupported_for_voice,
    "EvaluateDataTableValues": _table,
    "GetCalculatedAttributesForCustomerProfile": _profile_details,
    "GetCustomerProfile": _profile,
    "GetCustomerProfileObject": _profile_details,
    "InvokeLambdaFunction": _lambda,
    "ListDataTableValues": _table,
}
