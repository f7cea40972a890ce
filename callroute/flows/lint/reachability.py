"""Lint rules for paths through a flow: unreachable blocks, dead ends and loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import outgoing_branches
from callroute.flows.lint.rule import LintContext, Match, Rule, Source

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Branch

# At these stops, the call waits for another party, so a loop around them is not a busy loop.
_WAITING = frozenset(("hold", "wait", "queue", "agent", "third party", "other flow"))
_MAX_SHOWN = 5


def _unreachable_block(context: LintContext) -> Iterator[Match]:
    if not context.flow.start:
        return  # reported by no-start
    for block in context.blocks:
        if block.identifier not in context.analysis.reached:
            yield Match(
                block.identifier,
                block.path,
                "No call can reach this block.",
                "Add a branch that leads to it, or remove it.",
            )


def _dead_end(context: LintContext) -> Iterator[Match]:
    for block in context.blocks:
        row = context.types.get(block.identifier)
        # A block of an unknown type might end the call.
        if not block.branches and row and row.next == "required":
            yield Match(
                block.identifier,
                f"{block.path}.Transitions",
                f"{block.type} has no branches, but it does not end the call.",
                "Add a NextAction, for example to a DisconnectParticipant block.",
            )


def _endless_loop(context: LintContext) -> Iterator[Match]:
    if _may_repeat_forever(context):
        return
    edges = _edges(context, lambda _block, _branch: True)
    for loop in _loops(edges):
        if all(target in loop for identifier in loop for target in edges[identifier]):
            yield _match(
                context,
                loop,
                "No branch leads out of these blocks",
                "Add a branch to a block that ends the call.",
            )


def _unbounded_loop(context: LintContext) -> Iterator[Match]:
    if _may_repeat_forever(context):
        return

    def without_waiting(block: Block, branch: Branch) -> bool:
        row = context.types.get(block.identifier)
        if row is None or row.asks or row.stop in _WAITING:
            return False
        return branch.label != "ContinueLooping"

    every = _edges(context, lambda _block, _branch: True)
    for loop in _loops(_edges(context, without_waiting)):
        # The rule endless-loop reports loops without an exit.
        if any(target not in loop for identifier in loop for target in every[identifier]):
            yield _match(
                context,
                loop,
                "A call can loop forever, without caller input, through these blocks",
                "Limit it with a Loop block whose DoneLooping branch exits the loop.",
            )


def _endless_retries(context: LintContext) -> Iterator[Match]:
    def without_input(block: Block, branch: Branch) -> bool:
        row = context.types.get(block.identifier)
        if row is None or row.stop in _WAITING or branch.label == "ContinueLooping":
            return False
        return (branch.kind == "error") == row.asks

    for loop in _loops(_edges(context, without_input)):
        if any(context.types[identifier].asks for identifier in loop):
            yield _match(
                context,
                loop,
                "A silent caller is prompted forever by these blocks",
                "Limit the retries with a Loop block, unless this is intentional.",
            )


def _may_repeat_forever(context: LintContext) -> bool:
    """Returns whether the flow is a queue, hold or whisper flow, which runs until the call leaves it."""
    return bool(context.kinds) and not context.kinds & {"contact", "transfer", "module"}


def _edges(context: LintContext, include: Callable[[Block, Branch], bool]) -> dict[str, list[str]]:
    """Returns the targets of each reachable block, following only the included branches."""
    blocks = context.flow.blocks
    return {
        identifier: [
            branch.target for branch in outgoing_branches(context.flow, block) if include(block, branch)
        ]
        for identifier, block in blocks.items()
        if identifier in context.analysis.reached
    }


def _loops(edges: Mapping[str, list[str]]) -> list[set[str]]:
    """Returns the strongly connected components that contain a cycle (Kosaraju's algorithm)."""
    order: list[str] = []
    seen: set[str] = set()
    for root in edges:
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(edges[root]))]
        while stack:
            block, targets = stack[-1]
            following = next((target for target in targets if target not in seen), None)
            if following is None:
                stack.pop()
                order.append(block)
            else:
                seen.add(following)
                stack.append((following, iter(edges[following])))
    back: dict[str, list[str]] = {block: [] for block in edges}
    for block in edges:
        for target in edges[block]:
            back[target].append(block)
    groups: list[set[str]] = []
    grouped: set[str] = set()
    for root in reversed(order):
        if root in grouped:
            continue
        group, pending = {root}, [root]
        while pending:
            for block in back[pending.pop()]:
                if block not in grouped and block not in group:
                    group.add(block)
                    pending.append(block)
        grouped |= group
        if len(group) > 1 or root in edges[root]:
            groups.append(group)
    return groups


def _match(context: LintContext, loop: set[str], message: str, hint: str) -> Match:
    blocks = [identifier for identifier in context.flow.blocks if identifier in loop]
    more = len(blocks) - _MAX_SHOWN
    shown = ", ".join(blocks[:_MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return Match(blocks[0], context.flow.blocks[blocks[0]].path, f"{message}: {shown}.", hint)


RULES = (
    Rule(
        "unreachable-block",
        "warning",
        "Every block can be reached by a call.",
        Source.CALLERS,
        _unreachable_block,
    ),
    Rule(
        "dead-end", "error", "Every block leads to another block or ends the call.", Source.CALLERS, _dead_end
    ),
    Rule(
        "endless-loop",
        "error",
        "Every block has a path to an end of the flow.",
        Source.CALLERS,
        _endless_loop,
    ),
    Rule(
        "unbounded-loop",
        "warning",
        "Every loop waits, asks for caller input or is limited by a Loop block.",
        Source.CALLERS,
        _unbounded_loop,
    ),
    Rule(
        "endless-retries",
        "note",
        "A silent caller is not prompted forever.",
        Source.CALLERS,
        _endless_retries,
    ),
)
