"""Guards against catalogues that reports would trip over: doubled routes, parents that are not there, numbers for text."""

from __future__ import annotations

from pathlib import Path

import pytest

from callroute.errors import InputError
from callroute.flows.route_catalog import Route, RouteCatalogue

GOOD = """
flow: x.json
call_flow: shop
placeholders: {QueueArn: where callers wait}
routes:
  - {route: start, en: Start, ja: 最初}
  - {route: "1", parent: start, en: One, ja: 一}
"""


def test_a_catalogue_is_read() -> None:
    catalogue = RouteCatalogue.read(GOOD, "x.routes.yaml")
    assert catalogue.flow == "x.json"
    assert catalogue.call_flow == "shop"
    assert catalogue.placeholders == {"QueueArn": "where callers wait"}
    assert catalogue.routes == {
        "start": Route("start", None, "Start", "最初"),
        "1": Route("1", "start", "One", "一"),
    }


def test_call_flow_and_placeholders_may_be_left_out() -> None:
    catalogue = RouteCatalogue.read("flow: x.json\nroutes: [{route: a, en: A, ja: エー}]", "x.routes.yaml")
    assert catalogue.call_flow is None
    assert catalogue.placeholders == {}


def test_digits_need_no_quotes() -> None:
    assert RouteCatalogue.read(GOOD.replace('"1"', "1"), "x.routes.yaml") == RouteCatalogue.read(GOOD, "y")


def test_a_flow_finds_the_catalogue_beside_it_or_none(tmp_path: Path) -> None:
    (tmp_path / "x.routes.yaml").write_text(GOOD, encoding="utf-8")
    beside = RouteCatalogue.beside(tmp_path / "x.json")
    assert beside is not None
    assert list(beside.routes) == ["start", "1"]
    assert RouteCatalogue.beside(tmp_path / "y.json") is None


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
def test_what_is_not_a_catalogue_is_refused_with_place_and_problem(
    text: str, place: str, problem: str
) -> None:
    with pytest.raises(InputError) as refused:
        RouteCatalogue.read(text, "x.routes.yaml")
    assert (refused.value.source, refused.value.place) == ("x.routes.yaml", place)
    assert problem in refused.value.problem
