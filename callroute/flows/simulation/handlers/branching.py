"""Blocks that look at something, or ask for it, and go on by what they find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callroute.flows.references import shown
from callroute.flows.simulation.environment import names_of
from callroute.flows.simulation.events import Compared, Failed, Fetched, HoursChecked, LoopPassed
from callroute.flows.simulation.handlers import parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.flows.flow import Branch
    from callroute.flows.simulation.engine import BlockContext, CallSimulation, Step


def _loop(block: BlockContext) -> Step:
    count, counter = parameters.number(block, "LoopCount"), (block.source, block.identifier)

    def step(call: CallSimulation) -> tuple[LoopPassed, Branch]:
        turns, passed = count(call), call.loops.get(counter, 0)
        done = passed >= turns
        # After DoneLooping the block counts from the start again.
        call.loops[counter] = 0 if done else passed + 1
        event = LoopPassed(call.now(), block.identifier, min(passed + 1, turns), turns, done)
        return event, block.condition("DoneLooping" if done else "ContinueLooping")

    return step


def _hours(block: BlockContext) -> Step:
    hours = parameters.optional(block, "HoursOfOperationId")

    def step(call: CallSimulation) -> tuple[HoursChecked, Branch]:
        checked = hours(call)
        answer = call.answer_if_any(block, "hours", *names_of(checked))
        is_open = call.world.is_open if answer is None else answer
        return HoursChecked(call.now(), block.identifier, checked or None, is_open), block.condition(
            str(is_open)
        )

    return step


def _conditions(block: BlockContext) -> Callable[[CallSimulation, str], Branch | None]:
    """Finds the first condition that holds for a value."""
    tests = []
    for branch in block.action.branches:
        if branch.kind == "condition":
            if branch.operator not in _TESTS:
                raise block.error(
                    f"the operator {branch.operator!r} of a condition is not simulated",
                    f"Simulated are {', '.join(_TESTS)}",
                )
            if len(branch.operands) != 1:
                raise block.error(
                    f"a condition {branch.operator} has {len(branch.operands)} operands",
                    "Give one operand",
                )
            tests.append((_TESTS[branch.operator], parameters.resolver(block, branch.operands[0]), branch))

    def find(call: CallSimulation, value: str) -> Branch | None:
        return next(
            (branch for test, operand, branch in tests if test(value, operand(call))),
            None,
        )

    return find


def _number_test(holds: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(value: str, operand: str) -> bool:
        try:
            return holds(float(value), float(operand))
        except ValueError:
            return False  # what is no number is neither greater nor less

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


def _compare(block: BlockContext) -> Step:
    subject = parameters.setting(block, "ComparisonValue")
    value, find = parameters.resolver(block, subject), _conditions(block)

    def step(call: CallSimulation) -> tuple[Compared, Branch]:
        found = value(call)
        branch = find(call, found)
        event = Compared(call.now(), block.identifier, subject, found, branch.label if branch else "")
        return event, branch or block.failure("NoMatchingCondition")

    return step


def _check_metric(block: BlockContext) -> Step:
    metric, find = parameters.setting(block, "MetricType"), _conditions(block)

    def step(call: CallSimulation) -> tuple[Compared, Branch]:
        found = shown(call.answer(block, "metrics", metric))
        branch = find(call, found)
        event = Compared(call.now(), block.identifier, metric, found, branch.label if branch else "")
        return event, branch or block.failure("NoMatchingCondition")

    return step


def _split(block: BlockContext) -> Step:
    find = _conditions(block)

    def step(call: CallSimulation) -> tuple[Compared, Branch]:
        found = shown(call.answer(block, "split"))
        branch = find(call, found)
        event = Compared(call.now(), block.identifier, "percentage", found, branch.label if branch else "")
        return event, branch or block.failure("NoMatchingCondition")

    return step


def _view(block: BlockContext) -> Step:
    def step(call: CallSimulation) -> tuple[Compared, Branch]:
        answer = call.answer(block, "view")
        shown_view = {"action": answer} if isinstance(answer, str) else answer
        call.answered["Views"] = {
            "Action": shown_view["action"],
            "ViewResultData": shown_view.get("data", {}),
        }
        branch = block.matching(shown_view["action"])
        event = Compared(
            call.now(), block.identifier, "view", shown_view["action"], branch.label if branch else ""
        )
        return event, branch or block.failure("NoMatchingCondition")

    return step


def _lambda(block: BlockContext) -> Step:
    function, onward = parameters.text(block, "LambdaFunctionARN"), block.next()

    def step(call: CallSimulation) -> tuple[Fetched | Failed, Branch]:
        asked = function(call)
        if not asked:
            return Failed(call.now(), block.identifier, "NoMatchingError"), block.failure("NoMatchingError")
        result = call.answer(block, "lambda", *names_of(asked)[::-1])
        call.answered["External"] = result
        return Fetched(call.now(), block.identifier, f"lambda {names_of(asked)[-1]}", result), onward

    return step


def _profile(block: BlockContext) -> Step:
    onward = block.next()

    def step(call: CallSimulation) -> tuple[Fetched, Branch]:
        call.answered["Customer"] = call.answer(block, "profile")
        return Fetched(call.now(), block.identifier, "profile", call.answered["Customer"]), onward

    return step


STEPS: Mapping[str, Callable[[BlockContext], Step]] = {
    "CheckHoursOfOperation": _hours,
    "CheckMetricData": _check_metric,
    "Compare": _compare,
    "DistributeByPercentage": _split,
    "GetCustomerProfile": _profile,
    "InvokeLambdaFunction": _lambda,
    "Loop": _loop,
    "ShowView": _view,
}
