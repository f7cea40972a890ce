"""Tests the route catalog and its labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callroute.flows.route_catalog import Route, RouteCatalog
from callroute.flows.tracking import catalog_text
from tests.flows.tracking.builders import (
    TWO_LEVELS,
    block,
    catalog_of,
    compare,
    flow_of,
    hours,
    menu,
    message,
    queue,
    set_attributes,
)


def test_the_catalog_lists_every_route_with_its_parent_and_label() -> None:
    catalog = catalog_of(TWO_LEVELS)
    assert catalog.flow == "x.json"
    assert catalog.call_flow == "x"
    assert list(catalog.routes.values()) == [
        Route("start", None, "main menu", "main menu"),
        Route("1", "start", "sub menu", "sub menu"),
        Route("2", "start", "answer message", "answer message"),
        Route("1-1", "1", "deep message", "deep message"),
    ]


def test_two_versions_of_a_menu_share_the_tree_below_their_keys() -> None:
    flow = flow_of(
        block(
            "split", "DistributeByPercentage", keys={"51": "short"}, errors={"NoMatchingCondition": "long"}
        ),
        menu("short", k1="claims", k2="policies"),
        menu("long", k1="claims", k2="policies"),
        menu("claims", k1="end", k9="short"),
        menu("policies", k1="end"),
    )
    parents = {route.route: route.parent for route in catalog_of(flow).routes.values()}
    assert parents == {"start": None, "1": "start", "2": "start", "1-1": "1", "2-1": "2"}


def test_a_stop_without_a_prompt_is_labeled_by_its_type() -> None:
    flow = flow_of(menu("main", k1="queue", k2="end"), queue("queue", "end"))
    catalog = catalog_of(flow)
    assert catalog.routes["1"] == Route("1", "start", "Transfer to a queue", "キューへの転送")
    assert catalog.routes["2"] == Route("2", "start", "End of the call", "通話の終了")


def test_a_label_is_the_prompt_heard_without_a_failure() -> None:
    flow = flow_of(
        menu("main", k1="hours", k2="lookup", k3="queue"),
        hours("hours", "welcome", "closed"),
        block(
            "lookup",
            "InvokeLambdaFunction",
            "ask",
            errors={"NoMatchingError": "sorry"},
            LambdaFunctionARN="l",
        ),
        compare("ask", "$.External.found", "sorry", yes="welcome"),
        message("closed", "end"),
        message("sorry", "end"),
        message("welcome", "end"),
        queue("queue", "sorry"),
    )
    catalog = catalog_of(flow)
    assert [route.en for route in catalog.routes.values()][1:] == [
        "welcome message",
        "2: welcome message",
        "Transfer to a queue",
    ]


@pytest.mark.parametrize("reference", ["$.Attributes.language", "$['Attributes']['language']"])
def test_a_label_follows_a_comparison_of_an_attribute_set_before(reference: str) -> None:
    flow = flow_of(
        menu("language", k1="english", k2="spanish"),
        set_attributes("english", "kind", language="en"),
        set_attributes("spanish", "kind", language="es"),
        compare("kind", reference, "sorry", en="hello", es="hola"),
        message("hello", "end"),
        message("hola", "end"),
        message("sorry", "end"),
    )
    catalog = catalog_of(flow)
    assert catalog.routes["1"].en == "hello message"
    assert catalog.routes["2"].en == "hola message"


def test_labels_are_short_and_contain_no_markup() -> None:
    hello = block(
        "hello", "MessageParticipant", "end", SSML="<speak>Hello,\n<break/> " + "you " * 40 + "</speak>"
    )
    catalog = catalog_of(flow_of(hello))
    label = catalog.routes["start"].en
    assert label.startswith("Hello, you you")
    assert label.endswith("…")
    assert len(label) <= 80


def test_existing_catalog_entries_are_kept() -> None:
    entry = Route("1", "start", "My words", "私の言葉")
    previous = RouteCatalog(
        "old.json", "kept", {"Queue": "a queue"}, {"start": Route("start", None, "a", "b"), "1": entry}
    )
    catalog = catalog_of(TWO_LEVELS, previous=previous)
    assert catalog.routes["1"] == entry
    assert (catalog.call_flow, catalog.placeholders) == ("kept", {"Queue": "a queue"})
    assert set(catalog.routes) == {"start", "1", "2", "1-1"}


def test_placeholders_are_declared_in_the_catalog() -> None:
    flow = flow_of(block("hours", "CheckHoursOfOperation", "end", HoursOfOperationId="${Hours}"))
    catalog = catalog_of(flow)
    assert catalog.placeholders == {"Hours": "value of Hours"}


TEXT = st.text(st.characters(exclude_categories=()), min_size=1)


@given(routes=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, unique_by=lambda each: each[0]), name=TEXT)
def test_a_written_catalog_can_be_parsed(routes: list[tuple[str, str, str]], name: str) -> None:
    first = routes[0][0]
    catalog = RouteCatalog(
        name,
        name,
        {name: name},
        {route: Route(route, None if route == first else first, en, ja) for route, en, ja in routes},
    )
    text = catalog_text(catalog)
    text.encode("utf-8")
    assert RouteCatalog.parse(text, "x") == catalog
