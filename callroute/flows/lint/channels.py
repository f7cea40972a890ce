"""Lint rules for blocks that work only on some channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import outgoing_branches
from callroute.flows.lint.rule import LintContext, Match, Rule, Source
from callroute.flows.references import whole

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Branch, Flow

_VOICE = "VOICE"
# Stops that only voice calls can use. If contacts can reach such a stop, the flow is assumed to be for voice calls.
_VOICE_STOPS = frozenset(("menu", "input", "hold"))
_CHAT_EVENTS = frozenset(("CustomerReturned", "BotParticipantDisconnected"))


def _unsupported_on_voice(context: LintContext) -> Iterator[Match]:
    problems = {
        block.identifier: problem for block in context.blocks if (problem := _problem(context, block))
    }
    if not problems:
        return
    reached = _reached_by_calls(context.flow)
    evidence = next(
        (
            f"The flow is assumed to be for calls, because block {block.identifier!r} works only in calls."
            for block in context.blocks
            if block.identifier in reached
            and (row := context.types.get(block.identifier))
            and row.stop in _VOICE_STOPS
        ),
        None,
    )
    if evidence is None:
        return
    for identifier, (message, hint) in problems.items():
        if identifier in reached:
            yield Match(identifier, context.flow.blocks[identifier].path, f"{message} {evidence}", hint)


def _problem(context: LintContext, block: Block) -> tuple[str, str] | None:
    """Returns why calls cannot use a block and how to fix it, or None if they can."""
    before = "Compare $.Channel before it, and route calls to another block"
    if block.type == "ShowView":
        return "Calls can reach this block, but views are shown only in chats.", f"{before}."
    if block.type != "Wait":
        return None
    if context.kinds and not context.kinds & {"contact", "module"}:
        return "Calls can reach this block, but calls can wait only in a contact flow.", f"{before}."
    events = block.parameters.get("Events", [])
    if not isinstance(events, list) or not all(event in _CHAT_EVENTS for event in map(str, events)):
        return None
    return (
        "Calls can reach this block, but calls can wait only for a Lambda function or with a branch that continues.",
        f"{before}, such as a silent prompt.",
    )


def _reached_by_calls(flow: Flow) -> set[str]:
    """Returns the blocks that a call can reach. If a block compares the channel, follows only the branch for voice."""
    reached: set[str] = set()
    pending = [flow.start]
    while pending:
        identifier = pending.pop()
        if identifier in flow.blocks and identifier not in reached:
            reached.add(identifier)
            block = flow.blocks[identifier]
            taken = _taken_by_calls(block, outgoing_branches(flow, block))
            pending += [branch.target for branch in taken]
    return reached


def _taken_by_calls(block: Block, branches: Iterable[Branch]) -> list[Branch]:
    """Returns the branches that a call can take. Operators other than Equals are not evaluated."""
    subject = block.parameters.get("ComparisonValue")
    if block.type != "Compare" or not isinstance(subject, str) or whole(subject) != ("Channel",):
        return list(branches)
    possible = [each for each in branches if each.operator != "Equals" or each.operands == (_VOICE,)]
    return [each for each in possible if each.operator == "Equals"] or possible


RULES = (
    Rule(
        "unsupported-on-voice",
        "warning",
        "In a flow with menus, stored input or hold, calls cannot reach a ShowView block or a Wait block that is only for chats.",
        Source.CHANNELS,
        _unsupported_on_voice,
    ),
)
