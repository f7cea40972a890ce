"""Rules about single blocks: what their type takes, where it leads and where it may stand (`callroute.flows.block_types`)."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from callroute.flows.block_types import (
    ALL,
    ANY,
    BLOCK_TYPES,
    NAMES_ONLY,
    OTHER_NAMES,
    SPEECH,
    FlowKind,
    Shape,
    declared_kind,
)
from callroute.flows.lint.rule import LIVE, TABLE, Found, Rule, Subject
from callroute.flows.references import is_reference
from callroute.formats.json_document import kind, member

# What names a thing or is spoken is a text, whatever block it stands in.
_TEXTS = frozenset(
    (
        *("QueueId", "AgentId", "ContactFlowId", "FlowModuleId", "HoursOfOperationId", "LambdaFunctionARN"),
        *SPEECH[:3],
    )
)
_FEW = 6
_TAGS = 6


def _unknown_block_type(subject: Subject) -> Iterator[Found]:
    for action in subject.blocks:
        if action.identifier not in subject.types and action.type not in NAMES_ONLY:
            near = get_close_matches(action.type, BLOCK_TYPES, n=1)
            meant = OTHER_NAMES.get(action.type) or (near[0] if near else "")
            yield Found(
                action.identifier,
                f"{action.path}.Type",
                f"{action.type!r} is no type of block that is known here.",
                (f"If {meant} is meant, write that" if meant else "Mend the spelling")
                + "; if it is new in Connect, this block was checked only for its branches, and not as a stop.",
            )


def _misplaced_block(subject: Subject) -> Iterator[Found]:
    declared = declared_kind(subject.flow)
    if not declared and subject.kinds:
        return
    left: frozenset[FlowKind] = frozenset((declared,)) if declared else ALL - {"module"}
    for action, row in subject.known:
        kinds = row.kinds | row.kinds_besides
        if left & kinds:
            left = left & kinds if not declared else left
            continue
        yield Found(
            action.identifier,
            f"{action.path}.Type",
            f"{action.type} may stand in {_listed(kinds)} flows; "
            + (
                f"this is a {declared} flow."
                if declared
                else f"other blocks make this one of {_listed(left)}."
            ),
            "Move it to a flow of that kind, or use a block that may stand here.",
        )


def _missing_parameter(subject: Subject) -> Iterator[Found]:
    for action, name, path, given, shape in subject.settings:
        if not isinstance(given, dict):
            continue
        for parameter in shape.required:
            if parameter not in given:
                yield Found(
                    action.identifier,
                    path,
                    f"{name} needs {parameter}.",
                    f"Give {parameter}{_choice(shape, parameter)}.",
                )
        for options in filter(None, (shape.one_of, shape.some_of)):
            if not any(option in given for option in options):
                few = ", ".join(options[:_FEW]) + (", …" if len(options) > _FEW else "")
                yield Found(action.identifier, path, f"{name} needs one of {few}.", "Give one of them.")


def _refused_parameter(subject: Subject) -> Iterator[Found]:
    for action, name, path, given, shape in subject.settings:
        if not isinstance(given, dict):
            continue
        for parameter in shape.refused:
            if parameter in given:
                yield Found(
                    action.identifier,
                    member(path, parameter),
                    f"Connect refuses {parameter} in {name}.",
                    _INSTEAD.get((action.type, parameter), f"Leave {parameter} out."),
                )
        for parameter in [option for option in shape.one_of if option in given][1:]:
            yield Found(
                action.identifier,
                member(path, parameter),
                f"{name} takes only one of {', '.join(shape.one_of)}.",
                f"Leave {parameter} or the other out.",
            )


_INSTEAD = {
    ("TransferContactToQueue", "QueueId"): "Set the queue before, by UpdateContactTargetQueue.",
    ("TransferContactToQueue", "AgentId"): "Set the agent before, by UpdateContactTargetQueue.",
}


def _unknown_parameter(subject: Subject) -> Iterator[Found]:
    for action, name, path, given, shape in subject.settings:
        for parameter in given if isinstance(given, dict) else ():
            if parameter not in shape.parameters and parameter not in shape.refused:
                yield Found(
                    action.identifier,
                    member(path, parameter),
                    f"{name} is not known to take {parameter}.",
                    f"It takes {', '.join(sorted(shape.parameters)) or 'none'}; mend the spelling or leave it out.",
                )


def _wrong_value(subject: Subject) -> Iterator[Found]:
    for action, name, path, given, shape in subject.settings:
        if not isinstance(given, dict):
            members = ", ".join((*shape.required, *shape.one_of, *shape.some_of, *shape.optional))
            yield Found(
                action.identifier,
                path,
                f"{name} holds {kind(given)}; it may be an object with {members}.",
                "Write it as a JSON object.",
            )
            continue
        for parameter, value in given.items():
            allowed = _allowed(shape, parameter, value)
            if allowed:
                found = kind(value) if isinstance(value, dict | list) else repr(value)
                yield Found(
                    action.identifier,
                    member(path, parameter),
                    f"{parameter} is {found}; it may be {allowed}.",
                    "Give what it may be.",
                )
    for action in subject.blocks:
        tags = action.parameters.get("Tags")
        if action.type == "TagContact" and isinstance(tags, dict) and len(tags) > _TAGS:
            yield Found(
                action.identifier,
                f"{action.path}.Parameters.Tags",
                f"{len(tags)} tags; Connect takes {_TAGS} on a contact.",
                "Leave some out.",
            )


def _allowed(shape: Shape, name: str, value: object) -> str:
    """What a parameter may be, where it is not."""
    text = str(value)
    if text == "":
        return ""  # that is another rule's finding
    if name in _TEXTS and isinstance(value, dict | list):
        return "a text"
    if name == "TagKeys":
        return "a list of one key at least" if value == [] else ""
    reference = text.startswith("$") or "{" in text
    if name in shape.references:
        return "" if is_reference(text) or "{" in text else "one reference such as $.Attributes.name"
    if reference:
        return ""
    if name in shape.values:
        fits = text.lower() in {option.lower() for option in shape.values[name]}
        return "" if fits else " or ".join(shape.values[name])
    if name in shape.numbers:
        least, greatest = shape.numbers[name]
        fits = text.isascii() and text.isdigit() and least <= int(text[:10]) <= greatest and len(text) <= 10
        if fits:
            return ""
        return f"a whole number from {least}" + (f" to {greatest}" if greatest < ANY else "")
    return ""


def _missing_error_branch(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        for label in row.errors_needed(action.parameters):
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
        known = (*row.errors_needed(action.parameters), *row.errors_optional)
        for transition in action.branches:
            label = transition.label
            if transition.kind == "error" and label not in known:
                yield Found(
                    action.identifier,
                    transition.path.removesuffix(".NextAction"),
                    f"{action.type}{row.variant} has no error branch {label or '(empty)'}.",
                    f"Leave it out; it has {', '.join(known) or 'none'}.",
                )


def _missing_transition(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        # A block without any branch is a dead end, which is a finding of its own.
        if row.next == "required" and action.branches and action.target("next") is None:
            yield Found(
                action.identifier,
                f"{action.path}.Transitions",
                f"{action.type} needs a NextAction, even where conditions or errors decide.",
                "Add NextAction.",
            )


def _refused_transition(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        if row.terminal and action.branches:
            yield Found(
                action.identifier,
                f"{action.path}.Transitions",
                f"Nothing follows {action.type}: Connect refuses branches there.",
                "Write Transitions as {}.",
            )


def _listed(kinds: frozenset[FlowKind]) -> str:
    return ", ".join(sorted(kinds)) if kinds < ALL else "all"


def _choice(shape: Shape, name: str) -> str:
    return f": {' or '.join(shape.values[name])}" if name in shape.values else ""


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
