"""Blocks that look something up about the caller or the call, outside of queues, hours and Lambda functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.flows.simulation.events import Compared, Failed, Fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.flow import Branch
    from callroute.flows.simulation.engine import BlockContext, CallSimulation, Step


def _status(block: BlockContext) -> Step:
    """Branches by what AWS finds of the caller's voice, or of a call that a campaign made."""
    subject = str(block.action.parameters.get("CheckVoiceIdOption", "call progress"))

    def step(call: CallSimulation) -> tuple[Compared, Branch]:
        found = call.answer(block, "status")
        branch = block.matching(found)
        event = Compared(call.now(), block.identifier, subject, found, branch.label if branch else "")
        return event, branch or block.failure("NoMatchingCondition")

    return step


def _more_of_the_profile(block: BlockContext) -> Step:
    """Adds to what is known of the customer: objects of the profile, calculated attributes."""
    onward = block.next()

    def step(call: CallSimulation) -> tuple[Fetched, Branch]:
        found = call.answer(block, "profile")
        call.answered["Customer"] = {**call.answered.get("Customer", {}), **found}
        return Fetched(call.now(), block.identifier, "profile", found), onward

    return step


def _table(block: BlockContext) -> Step:
    """Reads from a data table; what an earlier block has read is then gone."""
    onward = block.next()

    def step(call: CallSimulation) -> tuple[Fetched, Branch]:
        call.tables = call.answer(block, "table")
        return Fetched(call.now(), block.identifier, "table", call.tables), onward

    return step


def _not_for_calls(block: BlockContext) -> Step:
    """Fails: the block serves other channels, and calls take its error branch."""
    return lambda call: (
        Failed(call.now(), block.identifier, "NoMatchingError"),
        block.failure("NoMatchingError"),
    )


STEPS: Mapping[str, Callable[[BlockContext], Step]] = {
    "AuthenticateParticipant": _not_for_calls,
    "CheckOutboundCallStatus": _status,
    "CheckVoiceId": _status,
    "CreatePersistentContactAssociation": _not_for_calls,
    "EvaluateDataTableValues": _table,
    "GetCalculatedAttributesForCustomerProfile": _more_of_the_profile,
    "GetCustomerProfileObject": _more_of_the_profile,
    "ListDataTableValues": _table,
}
