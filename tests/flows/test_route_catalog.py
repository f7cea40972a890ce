"""Guards against catalogs that reports would trip over: doubled routes, parents that are not there, numbers for text."""

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


def test_a_catalog_is_read() -> None:
    catalog = RouteCatalog.parse(GOOD, "x.routes.yaml")
    assert catalog.flow == "x.json"
    assert catalog.call_flow == "shop"
    assert catalog.placeholders == {"QueueArn": "where callers wait"}
    assert catalog.routes == {
        "start": Route("start", None, "Start", "最初"),
        "1": Route("1", "start", "One", "一"),
    }


def test_call_flow_and_placeholders_may_be_left_out() -> None:
    catalog = RouteCatalog.parse("flow: x.json\nroutes: [{route: a, en: A, ja: エー}]", "x.routes.yaml")
    assert catalog.call_flow is None
    assert catalog.placeholders == {}


def test_digits_need_no_quotes() -> None:
    assert RouteCatalog.parse(GOOD.replace('"1"', "1"), "x.routes.yaml") == RouteCatalog.parse(GOOD, "y")


def test_a_flow_finds_the_catalog_beside_it_or_none(tmp_path: Path) -> None:
    (tmp_path / "x.routes.yaml").write_text(GOOD, encoding="utf-8")
    beside = RouteCatalog.beside(tmp_path / "x.json")
    assert beside is not None
    assert list(beside.routes) == ["start", "1"]
    assert RouteCatalog.beside(tmp_path / "y.json") is None


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("flow: [", "line 1", "not YAML"),
        ("just text", "line 1", "not a mapping"),
        ("", "", "nothing in it"),
        (GOOD.replace("call_flow", "callflow"), "line 3: callflow", "'callflow' is unknown"),
        (GOOD.replace("flow: x.json", "", 1), "line 3", "'flow' is missing"),
        (GOOD.replace("call_flow: shop", "call_flow: [shop]"), "line 3: call_flow", "a list and not text"),
        (GOOD.replace("call_flow: shop", "flow: y.json"), "line 3: flow", "there twice"),
        (
            GOOD.replace("{QueueArn: where callers wait}", "[QueueArn]"),
            "line 4: placeholders",
            "not a mapping",
        ),
        (GOOD.replace("where callers wait", ""), "line 4: placeholders: QueueArn", "empty"),
        ("flow: x.json", "line 1", "'routes' is missing"),
        ("flow: x.json\nroutes: []", "line 2: routes", "no routes"),
        ("flow: x.json\nroutes: start", "line 2: routes", "no routes"),
        (GOOD.replace('"1"', "start"), "line 7: routes: route", "listed twice"),
        (GOOD.replace("parent: start", "parent: begin"), "line 7: routes: parent", "'begin'"),
        (GOOD.replace("parent: start", 'parent: "1"'), "line 7: routes: parent", "not listed before"),
        (GOOD.replace(", ja: 一", ""), "line 7: routes", "'ja' is missing"),
        (GOOD.replace("ja: 一", "jp: 一"), "line 7: routes: jp", "'jp' is unknown"),
    ],
)
def test_what_is_not_a_catalog_is_refused_with_place_and_problem(text: str, place: str, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        RouteCatalog.parse(text, "x.routes.yaml")
    assert (refused.value.source, refused.value.place) == ("x.routes.yaml", place)
    assert problem in refused.value.problem
