"""Tests the branch coverage of scenarios."""

from __future__ import annotations

import pytest

from callroute.flows.flow import Flow
from callroute.flows.simulation.coverage import Coverage, countable_branches, measure_coverage
from callroute.flows.simulation.runner import run_scenario
from callroute.flows.simulation.scenario_file import load_scenarios
from tests.flows.simulation.builders import START
from tests.flows.simulation.shop import result_of
from tests.support.paths import FLOW_DEFINITIONS


def test_coverage_counts_branches_that_a_call_can_take(flow: Flow) -> None:
    assert [branch.label for branch in countable_branches(flow.blocks["menu"])] == [
        *("1", "2", "InputTimeLimitExceeded", "NoMatchingCondition", "NoMatchingError"),
    ], "a menu never takes its NextAction"
    total = 5 + 2 + 1 + 1
    results = [result_of(flow, "keys: 1, ends: X")]
    assert measure_coverage(flow, results).taken == 3
    assert measure_coverage(flow, results).total == total
    results.append(result_of(flow, "keys: 2, ends: X"))
    assert measure_coverage(flow, results).taken == 4, "another branch to the same block counts"
    assert ("menu", "InputTimeLimitExceeded") in {
        (branch.source, branch.label) for branch in measure_coverage(flow, results).not_taken
    }


def test_coverage_percentage() -> None:
    assert Coverage(3, 4, ()).percent == 75
    assert Coverage(0, 0, ()).percent == 100


@pytest.mark.parametrize("name", ["call_route", "call_route_with_operator"])
def test_the_scenarios_of_this_repository_pass_and_take_every_branch(name: str) -> None:
    flow = Flow.load(FLOW_DEFINITIONS / f"{name}.json")
    scenarios = load_scenarios(FLOW_DEFINITIONS / f"{name}.scenarios.yaml", flow, Flow.load)
    results = [run_scenario(flow, scenario, START) for scenario in scenarios]
    assert {result.scenario.name: result.failures for result in results if result.failures} == {}
    assert measure_coverage(flow, results).not_taken == ()
