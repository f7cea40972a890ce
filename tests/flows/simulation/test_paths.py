"""Tests that calls through any flow follow its branches and can reach every stop."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callroute.flows.attribute_flow import analyze, outgoing_branches
from callroute.flows.block_types import type_of
from callroute.flows.flow import Block, Branch, Flow
from callroute.flows.simulation import (
    HANGUP,
    TIMEOUT,
    Environment,
    KeyedCaller,
    SimulatedClock,
    run_simulation,
)
from callroute.flows.simulation import KEYS as PRESSED
from callroute.flows.simulation.contact_record import contact_records
from callroute.flows.simulation.coverage import countable_branches
from callroute.flows.simulation.events import Ended
from tests.flows.every_call import Stage, every_call
from tests.flows.generated import flow_documents
from tests.support import corpus
from tests.support.paths import FLOW_DEFINITIONS

START = datetime(2026, 4, 1, 1, tzinfo=UTC)
KEYS = st.lists(st.sampled_from([*"0129*#", TIMEOUT, HANGUP]), max_size=12)
CORPUS_FLOWS = corpus.readable_flows()
OWN_FLOWS = sorted(FLOW_DEFINITIONS.glob("*.json"))


@settings(deadline=None)
@given(flow_documents(), KEYS, st.booleans())
def test_a_call_follows_connected_branches_to_a_single_end(
    document: dict[str, Any], keys: list[str], is_open: bool
) -> None:
    flow = Flow.parse(json.dumps(document), "x.json")
    events, call = run_simulation(
        flow, KeyedCaller(keys), clock=SimulatedClock(START), environment=Environment(is_open=is_open)
    )
    here = flow.start
    for branch in call.taken["x.json"]:
        assert branch.source == here
        assert branch in countable_branches(flow.blocks[here]), "coverage does not count this branch"
        here = branch.target
    assert [isinstance(event, Ended) for event in events] == [False] * (len(events) - 1) + [True]
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert events[-1].at == call.ended


@settings(deadline=None)
@given(flow_documents(), KEYS)
def test_the_same_arguments_produce_the_same_call(document: dict[str, Any], keys: list[str]) -> None:
    flow = Flow.parse(json.dumps(document), "x.json")
    once, again = (run_simulation(flow, KeyedCaller(keys), clock=SimulatedClock(START)) for _ in range(2))
    assert once == again


# --- Calls to every stop ---------------------------------------------------------------------------------------------


def can_be_taken(block: Block, branch: Branch) -> bool:
    """Returns whether a phone call can take a branch, considering only its block."""
    row = type_of(block)
    if branch.kind == "condition" and row is not None and row.stop == "menu" and branch.label not in PRESSED:
        return False  # Connect rejects menu conditions that are not keys
    if block.parameters.get("ComparisonValue") == "$.Channel":
        return branch.kind != "condition" or branch.label == "VOICE"
    return branch in countable_branches(block)


def stops_of_a_call(flow: Flow) -> set[str]:
    """Returns the stops that `check` considers reachable, except those that are reachable only in other channels."""
    reached, pending = {flow.start}, [flow.start]
    while pending:
        block = flow.blocks[pending.pop()]
        for branch in outgoing_branches(flow, block):
            if branch.target not in reached and can_be_taken(block, branch):
                reached.add(branch.target)
                pending.append(branch.target)
    return reached & {stop.block.identifier for stop in analyze(flow).stops}


@pytest.mark.parametrize("path", [*OWN_FLOWS, *CORPUS_FLOWS], ids=lambda path: path.stem)
def test_calls_reach_every_stop_and_each_call_has_a_record(path: Path) -> None:
    flow = Flow.load(path)
    calls, stage = every_call(flow), Stage(flow)
    assert not stops_of_a_call(flow) - calls.reached, "\n".join(calls.errors)
    for planned in calls.planned:
        events, call = planned.play(stage)
        assert isinstance(events[-1], Ended)
        assert events[-1].during != "step limit"
        assert tuple(call.taken[flow.source])[: len(planned.journey.taken)] == planned.journey.taken
        records = contact_records(call, contact_id="c")
        json.dumps(records)
        assert records[0]["Attributes"] == dict(call.attributes)


@pytest.mark.skipif(not CORPUS_FLOWS, reason=corpus.MISSING)
def test_calls_can_reach_most_stops() -> None:
    flows = [Flow.load(path) for path in CORPUS_FLOWS]
    stops = sum(len(analyze(flow).stops) for flow in flows)
    assert sum(len(stops_of_a_call(flow)) for flow in flows) > 0.95 * stops
