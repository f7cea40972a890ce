"""Tests that route catalogs are parsed and that invalid ones are rejected."""

from __future__ import annotations

from pathlib import Path

import pytest

from callroute.errors import InputError
from callroute.flows.route_catalog import Route, RouteCatalog

GOOD = """
flow: x.json
call_flow: shop
placeholders: {QueueArn: where callers wait}
routes:
  - {route: start, en: Start, ja: 最初}
  - {route: "1", parent: start, en: One, ja: 一}
"""


def test_a_catalog_is_parsed() -> None:
    catalog = RouteCatalog.parse(GOOD, "x.routes.yaml")
    assert catalog.flow == "x.json"
    assert catalog.call_flow == "shop"
    assert catalog.placeholders == {"QueueArn": "where callers wait"}
    assert catalog.routes == {
        "start": Route("start", None, "Start", "最初"),
        "1": Route("1", "start", "One", "一"),
    }


def test_call_flow_and_placeholders_are_optional() -> None:
    catalog = RouteCatalog.parse("flow: x.json\nroutes: [{route: a, en: A, ja: エー}]", "x.routes.yaml")
    assert catalog.call_flow is None
    assert catalog.placeholders == {}


def test_digits_need_no_quotes() -> None:
    assert RouteCatalog.parse(GOOD.replace('"1"', "1"), "x.routes.yaml") == RouteCatalog.parse(GOOD, "y")


def test_the_catalog_next_to_a_flow_is_loaded_if_it_exists(tmp_path: Path) -> None:
    (tmp_path / "x.routes.yaml").write_text(GOOD, encoding="utf-8")
    beside = RouteCatalog.beside(tmp_path / "x.json")
    assert beside is not None
    assert list(beside.routes) == ["start", "1"]
    assert RouteCatalog.beside(tmp_path / "y.json") is None


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("flow: [", "line 1", "not valid YAML"),
        ("just text", "line 1", "must be a mapping"),
        ("", "", "is empty"),
        (GOOD.replace("call_flow", "callflow"), "line 3: callflow", "'callflow' is unknown"),
        (GOOD.replace("flow: x.json", "", 1), "line 3", "'flow' is missing"),
        (
            GOOD.replace("call_flow: shop", "call_flow: [shop]"),
            "line 3: call_flow",
            "must be a string, not a list",
        ),
        (GOOD.replace("call_flow: shop", "flow: y.json"), "line 3: flow", "repeated"),
        (
            GOOD.replace("{QueueArn: where callers wait}", "[QueueArn]"),
            "line 4: placeholders",
            "must be a mapping, not a list",
        ),
        (GOOD.replace("where callers wait", ""), "line 4: placeholders: QueueArn", "empty"),
        ("flow: x.json\nroutes: []", "line 2: routes", "the list of routes is empty"),
        ("flow: x.json\nroutes: start", "line 2: routes", "the list of routes is empty"),
        (GOOD.replace('"1"', "start"), "line 7: routes: route", "listed twice"),
        (GOOD.replace("parent: start", "parent: begin"), "line 7: routes: parent", "'begin'"),
        (GOOD.replace("parent: start", 'parent: "1"'), "line 7: routes: parent", "not listed above"),
        (GOOD.replace(", ja: 一", ""), "line 7: routes", "'ja' is missing"),
        (GOOD.replace("ja: 一", "jp: 一"), "line 7: routes: jp", "'jp' is unknown"),
    ],
)
def test_an_invalid_catalog_is_rejected_with_place_and_problem(text: str, place: str, problem: str) -> None:
    with pytest.raises(InputError) as rejected:
        RouteCatalog.parse(text, "x.routes.yaml")
    assert (rejected.value.source, rejected.value.place) == ("x.routes.yaml", place)
    assert problem in rejected.value.problem


def test_the_catalog_of_a_flow_without_routes_has_no_routes() -> None:
    assert RouteCatalog.parse("flow: x.json\ntype: MODULE", "x.routes.yaml").routes == {}
