"""Lint rules for individual blocks: their types, parameters and branches, and the kinds of flow that allow them."""

from __future__ import annotations

from collections.abc import Iterator

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
from callroute.flows.lint.rule import LintContext, Match, Rule, Source, joined
from callroute.flows.references import is_reference, is_variable
from callroute.formats.json_document import kind, member
from callroute.formats.spelling import did_you_mean

# Parameters that are strings in every block type.
_TEXTS = frozenset(
    (
        *("QueueId", "AgentId", "ContactFlowId", "FlowModuleId", "HoursOfOperationId", "LambdaFunctionARN"),
        *SPEECH[:3],
    )
)
_MAX_SHOWN = 6
_MAX_TAGS = 6


def _unknown_block_type(context: LintContext) -> Iterator[Match]:
    for block in context.blocks:
        if block.identifier not in context.types and block.type not in {*NAMES_ONLY, *context.allowed_types}:
            other = OTHER_NAMES.get(block.type)
            near = did_you_mean(block.type, BLOCK_TYPES, "Check the spelling.")
            yield Match(
                block.identifier,
                f"{block.path}.Type",
                f"The block type {block.type!r} is unknown.",
                (f"Did you mean {other}?" if other else near)
                + f" If the type is new in Connect, allow it with --allow-block {block.type}.",
            )


def _misplaced_block(context: LintContext) -> Iterator[Match]:
    declared = declared_kind(context.flow)
    if not declared and context.kinds:
        return
    allowed: frozenset[FlowKind] = frozenset((declared,)) if declared else ALL - {"module"}
    for block, row in context.known:
        kinds = row.kinds | row.extra_kinds
        if not declared and row.is_only_in_modules:
            continue  # reported by module-settings
        if allowed & kinds:
            allowed = allowed & kinds if not declared else allowed
            continue
        yield Match(
            block.identifier,
            f"{block.path}.Type",
            f"{block.type} is allowed in {_listed(kinds)} flows; "
            + (
                f"this is a {declared} flow." if declared else f"the other blocks require {_listed(allowed)}."
            ),
            "Move it to a flow of an allowed kind, or use another block.",
        )


def _missing_parameter(context: LintContext) -> Iterator[Match]:
    for block, name, path, value, shape in context.parameter_objects:
        if not isinstance(value, dict):
            continue
        for parameter in shape.required:
            if parameter not in value:
                yield Match(
                    block.identifier,
                    path,
                    f"{name} needs the parameter {parameter}.",
                    f"Add {parameter}{_choice(shape, parameter)}.",
                )
        for options in filter(None, (shape.one_of, shape.any_of)):
            if not any(option in value for option in options):
                few = ", ".join(options[:_MAX_SHOWN]) + (", …" if len(options) > _MAX_SHOWN else "")
                yield Match(block.identifier, path, f"{name} needs one of {few}.", "Add one of them.")


def _refused_parameter(context: LintContext) -> Iterator[Match]:
    for block, name, path, value, shape in context.parameter_objects:
        if not isinstance(value, dict):
            continue
        for parameter in shape.refused:
            if parameter in value:
                yield Match(
                    block.identifier,
                    member(path, parameter),
                    f"Connect rejects {parameter} in {name}.",
                    _INSTEAD.get((block.type, parameter), f"Remove {parameter}."),
                )
        for parameter in [option for option in shape.one_of if option in value][1:]:
            yield Match(
                block.identifier,
                member(path, parameter),
                f"{name} allows only one of {', '.join(shape.one_of)}.",
                f"Remove {parameter} or the other parameter.",
            )


_INSTEAD = {
    ("TransferContactToQueue", "QueueId"): "Set the queue in an earlier UpdateContactTargetQueue block.",
    ("TransferContactToQueue", "AgentId"): "Set the agent in an earlier UpdateContactTargetQueue block.",
}


def _unknown_parameter(context: LintContext) -> Iterator[Match]:
    for block, name, path, value, shape in context.parameter_objects:
        for parameter in value if isinstance(value, dict) else ():
            if parameter not in shape.parameters and parameter not in shape.refused:
                yield Match(
                    block.identifier,
                    member(path, parameter),
                    f"{name} has no known parameter named {parameter}.",
                    f"Known: {', '.join(sorted(shape.parameters)) or 'none'}. Check the spelling, or remove it.",
                )


def _wrong_value(context: LintContext) -> Iterator[Match]:
    for block, name, path, value, shape in context.parameter_objects:
        if not isinstance(value, dict):
            members = ", ".join((*shape.required, *shape.one_of, *shape.any_of, *shape.optional))
            yield Match(
                block.identifier,
                path,
                f"{name} must be an object with {members}, not {kind(value)}.",
                "Write it as a JSON object.",
            )
            continue
        for parameter, given in value.items():
            allowed = _allowed(shape, parameter, given)
            if allowed:
                found = kind(given) if isinstance(given, dict | list) else repr(given)
                yield Match(
                    block.identifier,
                    member(path, parameter),
                    f"{parameter} must be {allowed}, not {found}.",
                    "Use an allowed value.",
                )
    for block in context.blocks:
        tags = block.parameters.get("Tags")
        if block.type == "TagContact" and isinstance(tags, dict) and len(tags) > _MAX_TAGS:
            yield Match(
                block.identifier,
                f"{block.path}.Parameters.Tags",
                f"The block sets {len(tags)} tags; Connect allows {_MAX_TAGS} per contact.",
                "Remove some of them.",
            )


def _allowed(shape: Shape, name: str, value: object) -> str:
    """Returns a description of the allowed values, or an empty string if the value is allowed."""
    text = str(value)
    if text == "":
        return ""  # reported by empty-string
    if name in _TEXTS and isinstance(value, dict | list):
        return "text"
    if name == "TagKeys":
        return "a list of at least one key" if value == [] else ""
    if name in shape.references:
        return "" if is_reference(text) or "{" in text else "a single reference such as $.Attributes.name"
    if is_variable(text):
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


def _missing_error_branch(context: LintContext) -> Iterator[Match]:
    for block, row in context.known:
        needed = row.errors_needed(block.parameters)
        if missing := [label for label in needed if block.target("error", label) is None]:
            branches = "an error branch" if len(missing) == 1 else "error branches"
            labels = joined(missing, "and")
            yield Match(
                block.identifier,
                f"{block.path}.Transitions",
                f"{block.type}{row.variant} needs {branches} for {labels}.",
                f"Add {labels} under Errors.",
            )


def _refused_error_branch(context: LintContext) -> Iterator[Match]:
    for block, row in context.known:
        if row.terminal:
            continue
        known = (*row.errors_needed(block.parameters), *row.errors_optional)
        for branch in block.branches:
            label = branch.label
            if branch.kind == "error" and label not in known:
                yield Match(
                    block.identifier,
                    branch.path.removesuffix(".NextAction"),
                    f"{block.type}{row.variant} does not allow an error branch for {label or 'an empty error type'}.",
                    f"Remove it. Allowed: {', '.join(known) or 'none'}.",
                )


def _missing_next_action(context: LintContext) -> Iterator[Match]:
    for block, row in context.known:
        # The rule dead-end reports blocks without any branches.
        if row.next == "required" and block.branches and block.target("next") is None:
            yield Match(
                block.identifier,
                f"{block.path}.Transitions",
                f"{block.type} needs a NextAction in addition to its conditions and errors.",
                "Add NextAction.",
            )


def _refused_branch(context: LintContext) -> Iterator[Match]:
    for block, row in context.known:
        if row.terminal and block.branches:
            yield Match(
                block.identifier,
                f"{block.path}.Transitions",
                f"{block.type} ends the flow, so Connect rejects branches after it.",
                "Set Transitions to {}.",
            )


def _listed(kinds: frozenset[FlowKind]) -> str:
    return ", ".join(sorted(kinds)) if kinds < ALL else "all"


def _choice(shape: Shape, name: str) -> str:
    return f": {' or '.join(shape.values[name])}" if name in shape.values else ""


RULES = (
    Rule(
        "unknown-block-type",
        "error",
        "Every block has a type that is part of the flow language.",
        Source.BLOCK_TYPES,
        _unknown_block_type,
    ),
    Rule(
        "misplaced-block",
        "error",
        "Every block is allowed in the kind of flow that contains it.",
        Source.BLOCK_TYPES,
        _misplaced_block,
    ),
    Rule(
        "missing-parameter",
        "error",
        "Every block has its required parameters.",
        Source.BLOCK_TYPES,
        _missing_parameter,
    ),
    Rule(
        "refused-parameter",
        "error",
        "No block has a parameter that Connect rejects.",
        Source.LIVE_REQUESTS,
        _refused_parameter,
    ),
    Rule(
        "unknown-parameter",
        "warning",
        "Every block has only known parameters.",
        Source.BLOCK_TYPES,
        _unknown_parameter,
    ),
    Rule("wrong-value", "error", "Every parameter has an allowed value.", Source.BLOCK_TYPES, _wrong_value),
    Rule(
        "missing-error-branch",
        "error",
        "Every block has its required error branches.",
        Source.BLOCK_TYPES,
        _missing_error_branch,
    ),
    Rule(
        "refused-error-branch",
        "error",
        "Every error branch is allowed for its block type.",
        Source.BLOCK_TYPES,
        _refused_error_branch,
    ),
    Rule(
        "missing-next-action",
        "error",
        "Every block that does not end the flow has a NextAction.",
        Source.LIVE_REQUESTS,
        _missing_next_action,
    ),
    Rule(
        "refused-branch",
        "error",
        "Blocks that end the flow have no branches.",
        Source.LIVE_REQUESTS,
        _refused_branch,
    ),
)
