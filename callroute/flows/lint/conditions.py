"""Lint rules for conditions: which ones a block needs and allows, and their operators and operands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from callroute.flows.block_types import NUMBER_OPERATORS, OPERATORS
from callroute.flows.lint.rule import LintContext, Match, Rule, Source, joined
from callroute.flows.references import is_variable
from callroute.formats.json_document import kind
from callroute.formats.spelling import did_you_mean

if TYPE_CHECKING:
    from callroute.flows.block_types import BlockType
    from callroute.flows.flow import Block

_AGENT_METRICS = "NumberOfAgents"


def _duplicate_branch(context: LintContext) -> Iterator[Match]:
    for block in context.blocks:
        seen: Counter[tuple[str, str, str]] = Counter()
        for branch in block.branches:
            key = (branch.kind, branch.operator, branch.label)
            seen[key] += 1
            if seen[key] == 2:
                yield Match(
                    block.identifier,
                    branch.path.removesuffix(".NextAction"),
                    f"The branch {branch.name!r} is repeated.",
                    "Keep one of the branches.",
                )


def _missing_condition(context: LintContext) -> Iterator[Match]:
    for block, row in context.known:
        path = f"{block.path}.Transitions"
        listed = block.parameters.get(row.conditions_from)
        events = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
        for operand in (*row.conditions, *events):
            if block.target("condition", operand) is None:
                yield Match(
                    block.identifier,
                    path,
                    f"{block.type} needs a condition Equals {operand}.",
                    "Add it under Conditions.",
                )
        if row.needs_condition and not block.labels("condition"):
            yield Match(
                block.identifier,
                path,
                f"{block.type}{row.variant} needs at least one condition.",
                "Add one under Conditions.",
            )


def _refused_condition(context: LintContext) -> Iterator[Match]:
    for block, row in context.known:
        if row.conditions_optional is None or row.terminal:
            continue
        known = (*row.conditions, *row.conditions_optional)
        for path, operator, operands in context.conditions(block):
            if known and (operator not in row.operators or len(operands) != 1 or operands == [""]):
                continue  # reported by wrong-operator, wrong-operand or empty-string
            if [str(operand) for operand in operands] not in [[operand] for operand in known]:
                condition = " ".join([operator, *map(str, operands)])
                yield Match(
                    block.identifier,
                    path,
                    f"{block.type}{row.variant} does not allow the condition {condition}.",
                    f"Use Equals with one of {', '.join(known)}." if known else "Remove the condition.",
                )


def _wrong_operator(context: LintContext) -> Iterator[Match]:
    for block in context.blocks:
        row = context.types.get(block.identifier)
        if row and (row.terminal or not _takes_conditions(row)):
            continue
        allowed = row.operators if row else OPERATORS
        for path, operator, _ in context.conditions(block):
            if operator in allowed:
                continue
            instruction = f"Use {joined(allowed, 'or')}."
            yield Match(
                block.identifier,
                f"{path}.Operator",
                f"{block.type}{row.variant if row else ''} does not allow the operator {operator}."
                if operator in OPERATORS
                else f"The operator {operator!r} is not part of the flow language.",
                instruction if operator in OPERATORS else did_you_mean(operator, allowed, instruction),
            )


def _takes_conditions(row: BlockType) -> bool:
    return row.conditions_optional is None or bool(row.conditions or row.conditions_optional)


def _wrong_operand(context: LintContext) -> Iterator[Match]:
    for block in context.blocks:
        for path, operator, operands in context.conditions(block):
            problem, hint = _operand_problem(operator, operands)
            if problem:
                yield Match(block.identifier, f"{path}.Operands", problem, hint)
        if block.type == "DistributeByPercentage":
            yield from _percentages(context, block)
        if block.type == "CheckMetricData":
            yield from _agents(context, block)


def _operand_problem(operator: str, operands: Sequence[Any]) -> tuple[str, str]:
    if len(operands) != 1:
        return f"The condition has {len(operands)} operands; Connect allows one.", "Use one operand."
    (operand,) = operands
    if isinstance(operand, dict | list):
        return f"The operand must be a string, not {kind(operand)}.", "Write it as a string."
    if operator in NUMBER_OPERATORS and _is_constant(operand) and _number(operand) is None:
        return f"The operand of {operator} must be a number, not {operand!r}.", "Use a number."
    return "", ""


def _percentages(context: LintContext, block: Block) -> Iterator[Match]:
    """Checks the bounds of a percentage split.

    Each bound is one more than the sum of the percentages so far: 3% and 6% are written as 4 and 10.
    """
    previous = 1.0
    for path, _, operands in context.conditions(block):
        number = _number(operands[0]) if len(operands) == 1 and _is_constant(operands[0]) else None
        if number is None:
            continue
        if not number.is_integer() or not 1 <= number <= 101:
            yield Match(
                block.identifier,
                f"{path}.Operands",
                f"The bound must be a whole number from 1 to 101, not {operands[0]}.",
                "Use one more than the sum of the percentages so far.",
            )
        elif number < previous:
            yield Match(
                block.identifier,
                f"{path}.Operands",
                f"NumberLessThan {operands[0]} comes after NumberLessThan {previous:.0f}, so its branch is never taken.",
                "Use one more than the sum of the percentages so far.",
            )
        else:
            previous = number


def _agents(context: LintContext, block: Block) -> Iterator[Match]:
    metric = str(block.parameters.get("MetricType"))
    if not metric.startswith(_AGENT_METRICS):
        return
    for path, operator, operands in context.conditions(block):
        if (operator, [str(operand) for operand in operands]) != ("NumberGreaterThan", ["0"]):
            yield Match(
                block.identifier,
                path,
                f"{metric} allows only the condition NumberGreaterThan 0.",
                "Use this condition, or use GetMetricData and Compare for other conditions.",
            )


def _is_constant(operand: object) -> bool:
    """Returns whether an operand is a constant, that is, neither empty nor a reference or placeholder."""
    return str(operand) != "" and not is_variable(str(operand))


def _number(operand: object) -> float | None:
    try:
        return float(str(operand))
    except ValueError:
        return None


RULES = (
    Rule(
        "duplicate-branch",
        "error",
        "No block repeats a condition or an error.",
        Source.FLOW_LANGUAGE,
        _duplicate_branch,
    ),
    Rule(
        "missing-condition",
        "error",
        "Every block has its required conditions.",
        Source.BLOCK_TYPES,
        _missing_condition,
    ),
    Rule(
        "refused-condition",
        "error",
        "Every condition is allowed for its block type.",
        Source.BLOCK_TYPES,
        _refused_condition,
    ),
    Rule(
        "wrong-operator",
        "error",
        "Every condition uses an operator that its block type allows.",
        Source.BLOCK_TYPES,
        _wrong_operator,
    ),
    Rule(
        "wrong-operand",
        "error",
        "Every condition has one operand, which is a number if its operator requires one.",
        Source.FLOW_LANGUAGE,
        _wrong_operand,
    ),
)
