"""Rules about single blocks: what their type takes, where it leads and where it may stand (`callroute.flows.blocks`)."""

from __future__ import annotations

from collections.abc import Iterator

from callroute.flows.blocks import ALL, NAMES_ONLY, BlockType, FlowKind, declared_kind
from callroute.flows.checks.rule import LIVE, TABLE, Found, Rule, Subject
from callroute.flows.json_text import member
from callroute.flows.references import is_reference

_FEW = 6
_TAGS = 6


def _unknown_block_type(subject: Subject) -> Iterator[Found]:
    for action in subject.actions:
        if action.identifier not in subject.types and action.type not in NAMES_ONLY:
            yield Found(
                action.identifier,
                f"{action.path}.Type",
                f"{action.type!r} is no type of block that is known here.",
                "Mend the spelling; if it is new in Connect, this block was checked only for its branches.",
            )


def _misplaced_block(subject: Subject) -> Iterator[Found]:
    declared = declared_kind(subject.flow)
    if not declared and subject.kinds:
        return
    left: frozenset[FlowKind] = frozenset((declared,)) if declared else ALL - {"module"}
    for action, row in subject.known:
        if left & row.kinds:
            left = left & row.kinds if not declared else left
            continue
        yield Found(
            action.identifier,
            f"{action.path}.Type",
            f"{action.type} may stand in {_listed(row.kinds)} flows; "
            + (
                f"this is a {declared} flow."
                if declared
                else f"other blocks make this one of {_listed(left)}."
            ),
            "Move it to a flow of that kind, or use a block that may stand here.",
        )


def _missing_parameter(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        path = f"{action.path}.Parameters"
        there = action.parameters
        for name in row.required:
            if name not in there:
                yield Found(
                    action.identifier,
                    path,
                    f"{action.type} needs {name}.",
                    f"Give {name}{_choice(row, name)}.",
                )
        for options in filter(None, (row.one_of, row.some_of)):
            if not any(name in there for name in options):
                few = ", ".join(options[:_FEW]) + (", …" if len(options) > _FEW else "")
                yield Found(
                    action.identifier, path, f"{action.type} needs one of {few}.", "Give one of them."
                )


def _refused_parameter(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        path = f"{action.path}.Parameters"
        for name in row.refused:
            if name in action.parameters:
                yield Found(
                    action.identifier,
                    member(path, name),
                    f"Connect refuses {name} in {action.type}{row.variant}.",
                    _INSTEAD.get((action.type, name), f"Leave {name} out."),
                )
        for name in [name for name in row.one_of if name in action.parameters][1:]:
            yield Found(
                action.identifier,
                member(path, name),
                f"{action.type} takes only one of {', '.join(row.one_of)}.",
                f"Leave {name} or the other out.",
            )


_INSTEAD = {
    ("TransferContactToQueue", "QueueId"): "Set the queue before, by UpdateContactTargetQueue.",
    ("TransferContactToQueue", "AgentId"): "Set the agent before, by UpdateContactTargetQueue.",
}


def _unknown_parameter(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        for name in action.parameters:
            if name not in row.parameters and name not in row.refused:
                yield Found(
                    action.identifier,
                    member(f"{action.path}.Parameters", name),
                    f"{action.type}{row.variant} is not known to take {name}.",
                    f"It takes {', '.join(sorted(row.parameters)) or 'none'}; mend the spelling or leave it out.",
                )


def _wrong_value(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        for name, value in action.parameters.items():
            allowed = _allowed(row, name, value)
            if allowed:
                yield Found(
                    action.identifier,
                    member(f"{action.path}.Parameters", name),
                    f"{name} is {value!r}; it may be {allowed}.",
                    "Give one of these.",
                )
        tags = action.parameters.get("Tags")
        if action.type == "TagContact" and isinstance(tags, dict) and len(tags) > _TAGS:
            yield Found(
                action.identifier,
                f"{action.path}.Parameters.Tags",
                f"{len(tags)} tags; Connect takes {_TAGS} on a contact.",
                "Leave some out.",
            )


def _allowed(row: BlockType, name: str, value: object) -> str:
    """What a parameter may be, where it is not."""
    text = str(value)
    if text == "":
        return ""  # that is another rule's finding
    reference = text.startswith("$") or "{" in text
    if name in row.references:
        return "" if is_reference(text) or "{" in text else "one reference such as $.Attributes.name"
    if reference:
        return ""
    if name in row.values:
        fits = text.lower() in {option.lower() for option in row.values[name]}
        return "" if fits else " or ".join(row.values[name])
    if name in row.numbers:
        least, greatest = row.numbers[name]
        fits = text.isascii() and text.isdigit() and least <= int(text[:10]) <= greatest and len(text) <= 10
        return "" if fits else f"a whole number from {least} to {greatest}"
    return ""


def _missing_error_branch(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        for label in row.errors:
            if action.target("error", label) is None:
                yield Found(
                    action.identifier,
                    f"{action.path}.Transitions",
                    f"{action.type}{row.variant} needs an error branch {label}.",
                    f"Add one for {label} under Errors.",
                )


def _refused_error_branch(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        if row.terminal:
            continue
        for transition in action.transitions:
            label = transition.label
            if transition.kind == "error" and label not in row.errors and label not in row.errors_optional:
                yield Found(
                    action.identifier,
                    transition.path.removesuffix(".NextAction"),
                    f"{action.type}{row.variant} has no error branch {label or '(empty)'}.",
                    f"Leave it out; it has {', '.join((*row.errors, *row.errors_optional)) or 'none'}.",
                )


def _missing_transition(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        # A block without any branch is a dead end, which is a finding of its own.
        if row.next == "required" and action.transitions and action.target("next") is None:
            yield Found(
                action.identifier,
                f"{action.path}.Transitions",
                f"{action.type} needs a NextAction, even where conditions or errors decide.",
                "Add NextAction.",
            )


def _refused_transition(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        if row.terminal and action.transitions:
            yield Found(
                action.identifier,
                f"{action.path}.Transitions",
                f"Nothing follows {action.type}: Connect refuses branches there.",
                "Write Transitions as {}.",
            )


def _listed(kinds: frozenset[FlowKind]) -> str:
    return ", ".join(sorted(kinds)) if kinds < ALL else "all"


def _choice(row: BlockType, name: str) -> str:
    return f": {' or '.join(row.values[name])}" if name in row.values else ""


RULES = (
    Rule(
        "unknown-block-type",
        "warning",
        "The type of every block is one of the flow language's.",
        TABLE,
        _unknown_block_type,
    ),
    Rule(
        "misplaced-block",
        "error",
        "All blocks of a flow may stand in one kind of flow, its own where it says so.",
        TABLE,
        _misplaced_block,
    ),
    Rule("missing-parameter", "error", "Blocks have the parameters they need.", TABLE, _missing_parameter),
    Rule(
        "refused-parameter",
        "error",
        "Blocks have no parameter that Connect refuses.",
        LIVE,
        _refused_parameter,
    ),
    Rule(
        "unknown-parameter",
        "warning",
        "Blocks have no parameter that their type is not known to take.",
        TABLE,
        _unknown_parameter,
    ),
    Rule(
        "wrong-value", "error", "Parameters with a choice of values have one of these.", TABLE, _wrong_value
    ),
    Rule(
        "missing-error-branch",
        "error",
        "Blocks have the error branches they need.",
        TABLE,
        _missing_error_branch,
    ),
    Rule(
        "refused-error-branch",
        "error",
        "Blocks have no other error branches than those of their type.",
        TABLE,
        _refused_error_branch,
    ),
    Rule("missing-transition", "error", "Blocks that go on have a NextAction.", LIVE, _missing_transition),
    Rule(
        "refused-transition", "error", "Blocks that end a flow have no branches.", LIVE, _refused_transition
    ),
)
