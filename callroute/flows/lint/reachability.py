"""Rules about ways through a flow: blocks that no call reaches, and calls that never end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from callroute.flows.attribute_flow import outgoing_branches
from callroute.flows.lint.rule import SENSE, Found, Rule, Subject

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Branch

# In these a call may stay for as long as it takes others to come: a loop around them waits, it does not spin.
_WAITING = frozenset(("hold", "wait", "queue", "agent", "third party", "other flow"))
_SHOWN = 5


def _unreachable_block(subject: Subject) -> Iterator[Found]:
    if not subject.flow.start:
        return  # then none is reached, for want of a start
    for action in subject.blocks:
        if action.identifier not in subject.analysis.reached:
            yield Found(
                action.identifier,
                action.path,
                "No call reaches this block.",
                "Lead a branch to it, or remove it.",
            )


def _dead_end(subject: Subject) -> Iterator[Found]:
    for action in subject.blocks:
        row = subject.types.get(action.identifier)
        # Of an unknown type it is not known whether anything follows it.
        if not action.branches and row and row.next == "required":
            yield Found(
                action.identifier,
                f"{action.path}.Transitions",
                f"Nothing follows {action.type}, and it does not end the call.",
                "Lead it on, at least to a DisconnectParticipant.",
            )


def _endless_loop(subject: Subject) -> Iterator[Found]:
    if subject.kinds and not subject.kinds & {"contact", "transfer", "module"}:
        return  # queue and hold flows go on until somebody ends them
    edges = _edges(subject, lambda _action, _transition: True)
    for loop in _loops(edges):
        if all(target in loop for block in loop for target in edges[block]):
            yield _found(
                subject,
                loop,
                "No way leads out of the blocks",
                "Lead a branch to a block that ends the call.",
            )


def _unbounded_loop(subject: Subject) -> Iterator[Found]:
    if subject.kinds and not subject.kinds & {"contact", "transfer", "module"}:
        return

    def goes_on(action: Block, transition: Branch) -> bool:
        row = subject.types.get(action.identifier)
        if row is None or row.asks or row.stop in _WAITING:
            return False
        return transition.label != "ContinueLooping"

    every = _edges(subject, lambda _action, _transition: True)
    for loop in _loops(_edges(subject, goes_on)):
        # Without any way out it is an endless loop, which is a finding of its own.
        if any(target not in loop for block in loop for target in every[block]):
            yield _found(
                subject,
                loop,
                "A call can go round for ever without the caller being asked, through",
                "Let a Loop block count it, and lead its DoneLooping out: after that it counts anew.",
            )


def _endless_retries(subject: Subject) -> Iterator[Found]:
    def silent(action: Block, transition: Branch) -> bool:
        row = subject.types.get(action.identifier)
        if row is None or row.stop in _WAITING or transition.label == "ContinueLooping":
            return False
        if row.asks:
            return transition.kind == "error"
        return transition.kind != "error"

    for loop in _loops(_edges(subject, silent)):
        if any(subject.types[block].asks for block in loop):
            yield _found(
                subject,
                loop,
                "A caller who stays silent is asked again for ever, through",
                "Count the tries by a Loop block, if that is not meant.",
            )


def _edges(subject: Subject, follow: Callable[[Block, Branch], bool]) -> dict[str, list[str]]:
    """Where a call can go from each block that it can reach, by the branches that are followed."""
    actions = subject.flow.blocks
    return {
        block: [
            transition.target
            for transition in outgoing_branches(subject.flow, actions[block])
            if follow(actions[block], transition)
        ]
        for block in actions
        if block in subject.analysis.reached
    }


def _loops(edges: Mapping[str, list[str]]) -> list[set[str]]:
    """The groups of blocks of which each can be reached from each other (Kosaraju), single ones only if they repeat."""
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


def _found(subject: Subject, loop: set[str], message: str, hint: str) -> Found:
    blocks = [block for block in subject.flow.blocks if block in loop]
    shown = ", ".join(blocks[:_SHOWN]) + (f" and {len(blocks) - _SHOWN} more" if len(blocks) > _SHOWN else "")
    return Found(blocks[0], subject.flow.blocks[blocks[0]].path, f"{message} {shown}.", hint)


RULES = (
    Rule("unreachable-block", "warning", "Every block can be reached.", SENSE, _unreachable_block),
    Rule("dead-end", "error", "Every block leads on or ends the call.", SENSE, _dead_end),
    Rule(
        "endless-loop", "error", "From every block an end of the flow can be reached.", SENSE, _endless_loop
    ),
    Rule(
        "unbounded-loop",
        "warning",
        "A loop asks the caller, waits, or is counted by a Loop block.",
        SENSE,
        _unbounded_loop,
    ),
    Rule(
        "endless-retries",
        "note",
        "A caller who stays silent is not asked for ever.",
        SENSE,
        _endless_retries,
    ),
)
