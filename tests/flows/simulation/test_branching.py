"""Tests the handlers that select a branch."""

from __future__ import annotations

from typing import Any

import pytest

from callroute.flows.flow import Flow
from callroute.flows.simulation import SimulationError
from callroute.flows.simulation.events import (
    HoursChecked,
    LoopPassed,
)
from tests.flows.simulation.builders import START, block, flow, menu, messages, run, say, simulation_error


def loop_flow(count: str) -> Flow:
    loop = block("loop", "Loop", "done", {"ContinueLooping": "loop", "DoneLooping": "done"}, LoopCount=count)
    done = menu("done", conditions={"1": "loop", "2": "end"})
    return flow(loop, done)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_loop_restarts_after_its_last_pass(count: int) -> None:
    events, _ = run(loop_flow(str(count)), "1", "2")
    loops = [(event.passes, event.count, event.done) for event in events if isinstance(event, LoopPassed)]
    once = [(turn, count, False) for turn in range(1, count + 1)] + [(count, count, True)]
    assert loops == once * 2


def test_the_counter_of_a_named_loop_starts_at_zero() -> None:
    loop = block(
        "tries",
        "Loop",
        "end",
        {"ContinueLooping": "count", "DoneLooping": "last"},
        LoopCount="2",
        LoopName="tries",
    )
    count = block("count", "MessageParticipant", "tries", Text="Attempt $.Loop.tries.Index")
    last = block("last", "MessageParticipant", "end", Text="Last: $.Loop.tries.Index, $.Loop.other.Index")
    events, _ = run(flow(loop, count, last))
    assert messages(events) == ["Attempt 0", "Attempt 1", "Last: 1, "]


@pytest.mark.parametrize(("is_open", "end"), [(True, "yes"), (False, "no")])
def test_the_environment_determines_whether_the_hours_are_open(is_open: bool, end: str) -> None:
    check = block(
        "check", "CheckHoursOfOperation", "end", {"True": "yes", "False": "no"}, HoursOfOperationId="h"
    )
    tested = flow(check, *(block(name, "MessageParticipant", "end", Text=name) for name in ("yes", "no")))
    events, _ = run(tested, is_open=is_open)
    assert events[0] == HoursChecked(START, "check", "h", is_open)
    assert events[1].block == end


@pytest.mark.parametrize(
    ("operator", "operand", "value", "matches"),
    [
        ("Equals", "gold", "gold", True),
        ("Equals", "gold", "Gold", False),
        ("Equals", "NumberLessThan", "NumberLessThan", True),
        ("TextStartsWith", "+81", "+815000000001", True),
        ("TextEndsWith", "01", "+815000000001", True),
        ("TextContains", "and more", "this and more", True),
        ("TextContains", "x", "", False),
        ("NumberGreaterThan", "0", "1", True),
        ("NumberGreaterThan", "1", "1", False),
        ("NumberGreaterOrEqualTo", "1", "1.0", True),
        ("NumberLessThan", "10", "9", True),
        ("NumberLessOrEqualTo", "10", "11", False),
        ("NumberLessOrEqualTo", "10", "10", True),
        ("NumberLessThan", "10", "10", False),
        ("NumberLessThan", "10", "", False),
        ("NumberLessThan", "10", "many", False),
        ("Equals", "$.Attributes.other", "same", True),
    ],
)
def test_a_comparison_takes_the_branch_with_the_matching_condition(
    operator: str, operand: str, value: str, matches: bool
) -> None:
    check = block(
        "check",
        "Compare",
        "no",
        [(operator, operand, "yes")],
        {"NoMatchingCondition": "no"},
        ComparisonValue="$.Attributes.x",
    )
    events, _ = run(flow(check, say("yes"), say("no")), attributes={"x": value, "other": "same"})
    assert messages(events) == ["yes" if matches else "no"]


@pytest.mark.parametrize("operator", ["GreaterThan", "Exists", "KeyExists", "NumberLess than"])
def test_an_unknown_operator_is_an_error(operator: str) -> None:
    conditions = [(operator, "1", "yes")]
    check = block(
        "check", "Compare", "no", conditions, {"NoMatchingCondition": "no"}, ComparisonValue="$.Attributes.x"
    )
    with pytest.raises(SimulationError, match=f"block 'check' .*operator '{operator}'"):
        run(flow(check, say("yes"), say("no")), attributes={"x": f"{operator} 1"})


def test_a_value_that_was_never_set_matches_nothing() -> None:
    errors = {"NoMatchingCondition": "no"}
    check = block("check", "Compare", "no", [("Equals", "x", "yes")], errors, ComparisonValue="$.External.x")
    assert messages(run(flow(check, say("yes"), say("no")))[0]) == ["no"]


def test_the_first_matching_condition_is_taken() -> None:
    conditions = [("NumberLessThan", "31", "first"), ("NumberLessThan", "61", "second")]
    split = block("split", "DistributeByPercentage", "rest", conditions, {"NoMatchingCondition": "rest"})
    tested = flow(split, say("first"), say("second"), say("rest"))
    for drawn, branch in {
        1: "first",
        30: "first",
        31: "second",
        60: "second",
        61: "rest",
        100: "rest",
    }.items():
        events, _ = run(tested, responses={"split": {"*": drawn}})
        assert messages(events) == [branch], drawn


def test_opening_hours_can_be_given_for_a_single_block() -> None:
    checks = [
        block(name, "CheckHoursOfOperation", None, [("Equals", "True", then), ("Equals", "False", "closed")])
        for name, then in (("shop", "office"), ("office", "end"))
    ]
    events, _ = run(flow(*checks, say("closed")), responses={"hours": {"office": False}})
    assert messages(events) == ["closed"]


def test_queue_metrics_can_be_compared_and_referenced() -> None:
    staffed = block(
        "staffed",
        "CheckMetricData",
        None,
        [("NumberGreaterThan", "0", "get")],
        {"NoMatchingCondition": "closed", "NoMatchingError": "closed"},
        MetricType="NumberOfAgentsOnline",
    )
    get = block("get", "GetMetricData", "tell")
    tested = flow(staffed, get, say("tell", "$.Metrics.Queue.Size are waiting"), say("closed"))
    metrics: dict[str, Any] = {"NumberOfAgentsOnline": 2, "Queue.Size": 5}
    assert messages(run(tested, responses={"metrics": metrics})[0]) == ["5 are waiting"]
    assert messages(run(tested, responses={"metrics": metrics | {"NumberOfAgentsOnline": 0}})[0]) == [
        "closed"
    ]
    assert (
        "Queue.Size" in simulation_error(tested, responses={"metrics": {"NumberOfAgentsOnline": 1}}).problem
    )


def test_a_view_selects_the_branch_of_the_action() -> None:
    show = block("show", "ShowView", None, [("Equals", "Next", "tell")], {"NoMatchingCondition": "end"})
    tested = flow(show, say("tell", "$.Views.ViewResultData.form.size"))
    view = {"action": "Next", "data": {"form": {"size": 3}}}
    assert messages(run(tested, responses={"view": {"show": view}})[0]) == ["3"]
    assert messages(run(tested, responses={"view": {"show": "Back"}})[0]) == []
