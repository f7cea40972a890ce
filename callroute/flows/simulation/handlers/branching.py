"""Handlers for blocks that select a branch: loops, opening hours, comparisons, splits and views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.flows.references import shown
from callroute.flows.simulation.environment import resource_names
from callroute.flows.simulation.events import Compared, HoursChecked, LoopPassed
from callroute.flows.simulation.handlers import parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.flow import Branch
    from callroute.flows.simulation.engine import BlockContext, CallSimulation, Step


def _loop(context: BlockContext) -> Step:
    count, counter = parameters.number(context, "LoopCount"), (context.source, context.identifier)
    name = parameters.optional(context, "LoopName")

    def step(call: CallSimulation) -> Branch:
        turns, passed = count(call), call.loops.get(counter, 0)
        done = passed >= turns
        # The count restarts after DoneLooping.
        call.loops[counter] = 0 if done else passed + 1
        if not done:
            call.results.setdefault("Loop", {})[name(call)] = {"Index": passed}
        call.emit(LoopPassed(call.now(), context.identifier, min(passed + 1, turns), turns, done))
        return context.condition("DoneLooping" if done else "ContinueLooping")

    return step


def _hours(context: BlockContext) -> Step:
    hours = parameters.optional(context, "HoursOfOperationId")

    def step(call: CallSimulation) -> Branch:
        identifier = hours(call)
        response = call.find_response(context, "hours", *resource_names(identifier))
        is_open = call.environment.is_open if response is None else response
        call.emit(HoursChecked(call.now(), context.identifier, identifier or None, is_open))
        return context.condition(str(is_open))

    return step


def _conditions(context: BlockContext) -> Callable[[CallSimulation, str], Branch | None]:
    """Returns a function that finds the first condition that matches a value."""
    tests = []
    for branch in context.block.branches:
        if branch.kind == "condition":
            if branch.operator not in _TESTS:
                raise context.error(
                    f"the condition operator {branch.operator!r} is not supported",
                    f"Use one of {', '.join(_TESTS)}",
                )
            if len(branch.operands) != 1:
                raise context.error(
                    f"the condition {branch.operator} has {len(branch.operands)} operands",
                    "Use one operand",
                )
            tests.append((_TESTS[branch.operator], parameters.resolver(context, branch.operands[0]), branch))

    def find(call: CallSimulation, value: str) -> Branch | None:
        return next(
            (branch for test, operand, branch in tests if test(value, operand(call))),
            None,
        )

    return find


def _number_test(matches: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(value: str, operand: str) -> bool:
        try:
            return matches(float(value), float(operand))
        except ValueError:
            return False  # a non-numeric value never matches

    return test


_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "Equals": lambda value, operand: value == operand,
    "TextStartsWith": lambda value, operand: value.startswith(operand),
    "TextEndsWith": lambda value, operand: value.endswith(operand),
    "TextContains": lambda value, operand: operand in value,
    "NumberGreaterThan": _number_test(lambda value, operand: value > operand),
    "NumberGreaterOrEqualTo": _number_test(lambda value, operand: value >= operand),
    "NumberLessThan": _number_test(lambda value, operand: value < operand),
    "NumberLessOrEqualTo": _number_test(lambda value, operand: value <= operand),
}


def _compare(context: BlockContext) -> Step:
    subject = parameters.setting(context, "ComparisonValue")
    value, find = parameters.resolver(context, subject), _conditions(context)

    def step(call: CallSimulation) -> Branch:
        result = value(call)
        branch = find(call, result)
        call.emit(Compared(call.now(), context.identifier, subject, result, branch.label if branch else ""))
        return branch or context.failure("NoMatchingCondition")

    return step


def _check_metric(context: BlockContext) -> Step:
    metric, find = parameters.setting(context, "MetricType"), _conditions(context)

    def step(call: CallSimulation) -> Branch:
        result = shown(call.response(context, "metrics", metric))
        branch = find(call, result)
        call.emit(Compared(call.now(), context.identifier, metric, result, branch.label if branch else ""))
        return branch or context.failure("NoMatchingCondition")

    return step


def _split(context: BlockContext) -> Step:
    find = _conditions(context)

    def step(call: CallSimulation) -> Branch:
        result = shown(call.response(context, "split"))
        branch = find(call, result)
        call.emit(
            Compared(call.now(), context.identifier, "percentage", result, branch.label if branch else "")
        )
        return branch or context.failure("NoMatchingCondition")

    return step


def _view(context: BlockContext) -> Step:
    def step(call: CallSimulation) -> Branch:
        response = call.response(context, "view")
        result = {"action": response} if isinstance(response, str) else response
        action = result["action"]
        call.results["Views"] = {"Action": action, "ViewResultData": result.get("data", {})}
        branch = context.matching(action)
        call.emit(Compared(call.now(), context.identifier, "view", action, branch.label if branch else ""))
        return branch or context.failure("NoMatchingCondition")

    return step


HANDLERS: Mapping[str, Callable[[BlockContext], Step]] = {
    "CheckHoursOfOperation": _hours,
    "CheckMetricData": _check_metric,
    "Compare": _compare,
    "DistributeByPercentage": _split,
    "Loop": _loop,
    "ShowView": _view,
}
