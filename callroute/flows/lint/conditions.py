"""Rules about the branches that a block takes by a result: which there are, and what they compare with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from callroute.flows.block_types import NUMBER_OPERATORS, OPERATORS
from callroute.flows.lint.rule import LANGUAGE, TABLE, Found, Rule, Subject
from callroute.formats.json_document import kind

if TYPE_CHECKING:
    from callroute.flows.block_types import BlockType
    from callroute.flows.flow import Block

_ALIKE = 0.5
_AGENTS = "NumberOfAgents"
_PERCENT = 100


def _duplicate_branch(subject: Subject) -> Iterator[Found]:
    for action in subject.blocks:
        seen: Counter[tuple[str, str, str]] = Counter()
        for transition in action.branches:
            key = (transition.kind, transition.operator, transition.label)
            seen[key] += 1
            if seen[key] == 2:
                yield Found(
                    action.identifier,
                    transition.path.removesuffix(".NextAction"),
                    f"The {transition.kind} branch {transition.label!r} is there more than once.",
                    "Keep one of them.",
                )


def _missing_condition(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        path = f"{action.path}.Transitions"
        listed = action.parameters.get(row.conditions_of)
        events = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
        for operand in (*row.conditions, *events):
            if action.target("condition", operand) is None:
                yield Found(
                    action.identifier,
                    path,
                    f"{action.type} needs a condition Equals {operand}.",
                    "Add it under Conditions.",
                )
        if row.some_condition and not action.labels("condition"):
            yield Found(
                action.identifier,
                path,
                f"{action.type}{row.variant} needs one condition at least.",
                "Add one under Conditions.",
            )


def _refused_condition(subject: Subject) -> Iterator[Found]:
    for action, row in subject.known:
        if row.conditions_optional is None or row.terminal:
            continue
        known = (*row.conditions, *row.conditions_optional)
        for path, operator, operands in subject.conditions(action):
            if known and (operator not in row.operators or len(operands) != 1 or operands == [""]):
                continue  # these are findings of their own
            if [str(operand) for operand in operands] not in [[operand] for operand in known]:
                said = " ".join([operator, *map(str, operands)])
                yield Found(
                    action.identifier,
                    path,
                    f"{action.type}{row.variant} has no condition {said}.",
                    f"Use Equals with one of {', '.join(known)}." if known else "Leave the condition out.",
                )


def _wrong_operator(subject: Subject) -> Iterator[Found]:
    for action in subject.blocks:
        row = subject.types.get(action.identifier)
        if row and (row.terminal or not _takes_conditions(row)):
            continue
        allowed = row.operators if row else OPERATORS
        for path, operator, _ in subject.conditions(action):
            if operator in allowed:
                continue
            near = get_close_matches(operator, allowed, n=1, cutoff=_ALIKE)
            yield Found(
                action.identifier,
                f"{path}.Operator",
                f"{action.type}{row.variant if row else ''} takes no conditions with {operator}."
                if operator in OPERATORS
                else f"{operator!r} is no operator of the flow language.",
                f"Use {near[0]}, if that is meant."
                if near and operator not in OPERATORS
                else f"Use {_or(allowed)}.",
            )


def _takes_conditions(row: BlockType) -> bool:
    return row.conditions_optional is None or bool(row.conditions or row.conditions_optional)


def _wrong_operand(subject: Subject) -> Iterator[Found]:
    for action in subject.blocks:
        for path, operator, operands in subject.conditions(action):
            problem, hint = _operand_problem(operator, operands)
            if problem:
                yield Found(action.identifier, f"{path}.Operands", problem, hint)
        if action.type == "DistributeByPercentage":
            yield from _percentages(subject, action)
        if action.type == "CheckMetricData":
            yield from _agents(subject, action)


def _operand_problem(operator: str, operands: Sequence[Any]) -> tuple[str, str]:
    if len(operands) != 1:
        return f"{operator} has {len(operands)} operands; a condition compares with one.", "Give one operand."
    (operand,) = operands
    if isinstance(operand, dict | list):
        return f"The operand is {kind(operand)} and not a value.", "Give a text."
    if operator in NUMBER_OPERATORS and _is_settled(operand) and _number(operand) is None:
        return f"{operator} compares with {operand!r}, which is no number.", "Give a number."
    return "", ""


def _percentages(subject: Subject, action: Block) -> Iterator[Found]:
    """Each condition is one more than the percentages so far, its own included: 3 % and 6 % are 4 and 10."""
    before = 1.0
    for path, _, operands in subject.conditions(action):
        number = _number(operands[0]) if len(operands) == 1 and _is_settled(operands[0]) else None
        if number is None:
            continue
        if not number.is_integer() or not 1 <= number <= _PERCENT + 1:
            yield Found(
                action.identifier,
                f"{path}.Operands",
                f"The share is drawn from 1 to {_PERCENT}; NumberLessThan {operands[0]} is no bound of that.",
                "Give one more than the sum of the percentages up to here, in whole numbers.",
            )
        elif number < before:
            yield Found(
                action.identifier,
                f"{path}.Operands",
                f"NumberLessThan {operands[0]} comes after NumberLessThan {before:.0f}, and is never reached.",
                "Percentages add up: give one more than the sum of those up to here.",
            )
        else:
            before = number


def _agents(subject: Subject, action: Block) -> Iterator[Found]:
    metric = str(action.parameters.get("MetricType"))
    if not metric.startswith(_AGENTS):
        return
    for path, operator, operands in subject.conditions(action):
        if (operator, [str(operand) for operand in operands]) != ("NumberGreaterThan", ["0"]):
            yield Found(
                action.identifier,
                path,
                f"With {metric} the only condition is NumberGreaterThan 0.",
                "Use that; with GetMetricData and Compare others are possible.",
            )


def _is_settled(operand: object) -> bool:
    """Whether an operand is known now: no reference, no placeholder, and not empty, which is another rule's."""
    return str(operand) != "" and not str(operand).startswith("$") and "{" not in str(operand)


def _number(operand: object) -> float | None:
    try:
        return float(str(operand))
    except ValueError:
        return None


def _or(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


RULES = (
    Rule(
        "duplicate-branch",
        "error",
        "A block has each condition and each error once.",
        LANGUAGE,
        _duplicate_branch,
    ),
    Rule("missing-condition", "error", "Blocks have the conditions they need.", TABLE, _missing_condition),
    Rule(
        "refused-condition",
        "error",
        "Blocks have no other conditions than those of their type.",
        TABLE,
        _refused_condition,
    ),
    Rule(
        "wrong-operator",
        "error",
        "Conditions compare by an operator of the flow language that their block takes.",
        TABLE,
        _wrong_operator,
    ),
    Rule(
        "wrong-operand",
        "error",
        "A condition compares with one text, with a number where its operator wants one.",
        LANGUAGE,
        _wrong_operand,
    ),
)
