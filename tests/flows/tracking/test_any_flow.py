"""Tests that tracking any flow (generated, in this repository or in a corpus) changes nothing for callers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from callroute.flows.attribute_flow import COMPLETED, FLOW_VERSION, ROUTE, analyze, attributes_of
from callroute.flows.flow import Flow
from callroute.flows.route_catalog import RouteCatalog
from callroute.flows.tracking import add_tracking
from callroute.flows.tracking.graph import FlowGraph
from callroute.flows.tracking_blocks import flow_version, strip_tracking
from tests.flows.every_call import Stage, every_call
from tests.flows.tracking.builders import (
    flow_from,
    tracked,
)
from tests.flows.tracking.invariants import (
    MANUALLY_TRACKED,
    any_flow,
    assert_positions,
    assert_sound,
    assert_unchanged_for_callers,
    manually_tracked,
    retracked,
    untracked,
)
from tests.support import corpus
from tests.support.paths import FLOW_DEFINITIONS

CORPUS_FLOWS = corpus.readable_flows()


def compares_route(flow: Flow) -> bool:
    """Returns whether a block compares call_route. After tracking, it may take another branch, as its author intended."""
    values = [block.parameters.get("ComparisonValue") for block in flow.blocks.values()]
    return "$.Attributes.call_route" in values


@settings(deadline=None)
@given(flow=any_flow())
def test_tracking_any_flow_changes_nothing_for_callers(flow: Flow) -> None:
    after = assert_sound(flow, tracked(flow))
    if not compares_route(flow):
        assert_unchanged_for_callers(flow, after)


@settings(deadline=None)
@given(flow=any_flow(), data=st.data())
def test_any_block_or_branch_can_be_named(flow: Flow, data: st.DataObject) -> None:
    # A new name for a route can open a branch that was never taken, with findings of its own.
    assume(not compares_route(flow))
    graph = FlowGraph(flow)
    routes = st.sampled_from(("a", "b", "c"))
    blocks = data.draw(st.dictionaries(st.sampled_from(sorted(graph.depths)), routes, max_size=3))
    branches: dict[str, dict[str, str]] = {}
    for name in data.draw(st.lists(st.sampled_from(sorted(graph.depths)), max_size=3)):
        labels = [edge.label for edge in graph.outgoing(name)]
        if labels:
            branches[name] = {data.draw(st.sampled_from(labels)): data.draw(routes)}
    names = json.dumps({"blocks": blocks, "branches": branches, "routes": {"start": "top"}})
    result = tracked(flow, names)
    assert_sound(flow, result, names)
    for name, route in blocks.items():
        assert analyze(flow_from(result)).routes.get(name, {route}) == {route}


@pytest.mark.parametrize("name", MANUALLY_TRACKED)
def test_a_manually_tracked_flow_gets_only_its_version(name: str) -> None:
    flow, _ = strip_tracking(manually_tracked(name))
    catalog = RouteCatalog.beside(FLOW_DEFINITIONS / name)
    result = add_tracking(flow, catalog=catalog, file=name, call_flow="x")
    bare, added = strip_tracking(flow_from(result))
    assert {block.identifier: dict(attributes_of(block)) for block in added.values()} == {
        "track-start": {FLOW_VERSION: flow_version(flow)}
    }
    assert bare.blocks == flow.blocks
    assert result.catalog == catalog


@pytest.mark.parametrize("name", MANUALLY_TRACKED)
def test_tracking_can_replace_manual_tracking(name: str) -> None:
    bare = untracked(name)
    assert_sound(bare, tracked(bare))
    # One flow plays a message that contains the route, so callers hear the new value.
    if "$.Attributes" not in json.dumps(bare.document):
        assert_unchanged_for_callers(bare, retracked(name))


def test_generated_routes_equal_manual_routes() -> None:
    name = MANUALLY_TRACKED[0]
    manual_stage, generated_stage = Stage(manually_tracked(name)), Stage(retracked(name))
    for planned in every_call(untracked(name)).planned:
        _, manual = planned.play(manual_stage)
        _, generated = planned.play(generated_stage)
        assert generated.attributes[ROUTE] == manual.attributes[ROUTE]
        if planned.journey.here != "closing":
            # Manual tracking sets it before the closing message, and generated tracking sets it afterwards.
            assert generated.attributes[COMPLETED] == manual.attributes[COMPLETED]


@pytest.mark.skipif(not CORPUS_FLOWS, reason=corpus.MISSING)
@pytest.mark.parametrize("path", CORPUS_FLOWS, ids=lambda path: path.stem)
def test_every_corpus_flow_can_be_tracked(path: Path) -> None:
    flow = Flow.load(path)
    after = assert_sound(flow, tracked(flow))
    assert_positions(flow, after)
    assert_unchanged_for_callers(flow, after)
