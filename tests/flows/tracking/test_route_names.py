"""Tests route files."""

from __future__ import annotations

import json

import pytest

from callroute.errors import InputError
from callroute.flows.attribute_flow import ROUTE, analyze, attributes_of
from callroute.flows.route_catalog import Route
from tests.flows.tracking.builders import (
    block,
    catalog_of,
    flow_from,
    flow_of,
    hours,
    menu,
    message,
    simulated,
    tracked,
    tracking_attributes,
)

NAMES = """
routes:
  start: {route: top, en: First menu, ja: 最初のメニュー}
  "1": balance
  "2-1": {route: documents, ja: 書類}
branches:
  hours: {"False": closed}
blocks:
  bye: goodbye
"""
NAMED = flow_of(
    menu("main", k1="sub", k2="accounts"),
    menu("sub", k1="end", k2="hours"),
    menu("accounts", k1="end"),
    hours("hours", "end", "closed"),
    message("closed", "bye"),
    message("bye", "end"),
)


def test_names_replace_routes_and_become_prefixes() -> None:
    assert {name: each.get("call_route") for name, each in tracking_attributes(NAMED, NAMES).items()} == {
        "track-start": "top",
        "track-main-1": "balance",
        "track-main-2": "2",
        "track-sub-1": "balance-1",
        "track-sub-2": "balance-2",
        "track-accounts-1": "documents",
        "track-hours-False": "closed",
        "track-at-bye": "goodbye",
        "track-done-end": None,
    }


def test_a_timeout_and_the_end_of_a_loop_can_be_named() -> None:
    tries = block("tries", "Loop", "end", {"ContinueLooping": "main", "DoneLooping": "end"}, LoopCount="1")
    flow = flow_of(tries, menu("main", "tries", k1="end"))
    names = "branches: {main: {InputTimeLimitExceeded: silent}, tries: {DoneLooping: no_choice}}"
    after = flow_from(tracked(flow, names))
    _, call = simulated(after, "timeout")
    assert call is not None
    assert call.attributes[ROUTE] == "no_choice"
    assert {each.target for each in after.blocks["tries"].branches if each.label != "ContinueLooping"} == {
        "track-tries-DoneLooping"
    }
    assert (
        after.blocks["main"].target("error", "InputTimeLimitExceeded") == "track-main-InputTimeLimitExceeded"
    )


def test_names_are_kept_without_the_route_file() -> None:
    result = tracked(NAMED, NAMES)
    assert json.dumps(tracked(flow_from(result)).document) == json.dumps(result.document)
    renamed = tracked(flow_from(result), 'routes: {"1": accounts}')
    assert attributes_of(flow_from(renamed).blocks["track-main-1"]) == {"call_route": "accounts"}


def test_the_route_of_a_named_block_is_set_again_after_a_module() -> None:
    module = block("module", "InvokeFlowModule", "bye", errors={"NoMatchingError": "end"}, FlowModuleId="m")
    flow = flow_of(menu("main", k1="before"), message("before", "module"), module, message("bye", "end"))
    names = "{blocks: {before: sales, bye: sales}}"
    after = flow_from(tracked(flow, names))
    assert analyze(after).routes["bye"] == {"sales"}


def test_labels_in_the_route_file_are_used_in_the_catalog() -> None:
    catalog = catalog_of(NAMED, NAMES)
    assert catalog.routes["top"] == Route("top", None, "First menu", "最初のメニュー")
    assert catalog.routes["documents"].en == "書類"
    assert catalog.routes["documents"].parent == "2"


@pytest.mark.parametrize(
    ("names", "line", "error"),
    [
        ('routes: {"7": x}', 1, "no route '7'"),
        ('routes:\n  "1-3": x', 2, r"no route '1-3' \(did you mean '1"),
        ("branches: {houers: {x: y}}", 1, r"no block 'houers' \(did you mean 'hours'"),
        ("branches: {hours: {Flase: y}}", 1, r"block 'hours' has no branch 'Flase' \(did you mean 'False'"),
        ("blocks: {by: y}", 1, r"no block 'by' \(did you mean 'bye'"),
        ("menus: {}", 1, "'menus' is unknown"),
        ("routes: {start: {name: x}}", 1, "'name' is unknown"),
        ("routes: {start: {en: x}}", 1, "'route' is missing"),
        ("routes: {start: $.External.x}", 1, "is a reference"),
        ('routes: {start: ""}', 1, "must be a string"),
        ("routes:\n- {route: start}", 2, "this is a route catalog"),
        ("a: [", 1, "not valid YAML"),
    ],
)
def test_an_invalid_route_file_is_rejected_with_the_line(names: str, line: int, error: str) -> None:
    with pytest.raises(InputError, match=error) as raised:
        tracked(NAMED, names)
    assert raised.value.source == "names.yaml"
    assert raised.value.place.startswith(f"line {line}")
