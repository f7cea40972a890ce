"""Tests the graph of a flow's stops."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callroute.flows.flow import Flow
from callroute.flows.load import load_flow
from callroute.flows.route_catalog import RouteCatalog
from callroute.flows.stop_graph import Destination, StopGraph
from tests.support.menus import Menu, menu_flow
from tests.support.paths import REPOSITORY

FLOWS = sorted((REPOSITORY / "flow_definitions").glob("*.json"))


def names(places: frozenset[Destination]) -> set[str]:
    return {f"{place.kind} {place.name}" for place in places}


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_stops_and_edges_of_the_sample_flows_are_those_of_their_catalogs(path: Any) -> None:
    catalog = RouteCatalog.beside(path)
    assert catalog

    graph = StopGraph(load_flow(path).flow)

    assert graph.first == {"start"}
    assert graph.stops.keys() == catalog.routes.keys()
    for route in catalog.routes.values():
        if route.parent and route.route not in (
            "closed",
            "operator_unavailable",
        ):  # reached from several stops
            assert Destination("stop", route.route) in graph.stops[route.parent].usual_exits, route


def test_places_after_checks_and_failures_are_known() -> None:
    stops = StopGraph(load_flow(FLOWS[1]).flow).stops

    assert names(stops["start"].choices) == {
        f"stop {each}" for each in ("lost_card", "balance", "open_account", "other")
    }
    assert names(stops["start"].usual_exits - stops["start"].choices) == {"stop start_no_choice"}
    assert names(stops["other"].choices) == {"stop other_operator", "stop closed"}
    assert names(stops["other"].exits - stops["other"].choices) == {"stop operator_unavailable"}
    assert names(stops["other_operator"].choices) == {"end queue"}
    assert names(stops["balance_amount"].exits) == {"end completed"}
    assert names(stops["closed"].exits) == {"end incomplete"}


def test_a_dead_end_has_no_prompt_and_is_reached_only_after_trouble() -> None:
    assert list(StopGraph(load_flow(FLOWS[1]).flow).dead_ends()) == [
        (stop, f"{stop}_no_choice") for stop in ("start", "balance", "open_account")
    ]
    menus = {
        "start": Menu({"1": "prompt"}, 2, "prompt"),
        "prompt": Menu({"1": "chosen"}, 2, "chosen"),
        "chosen": Menu({"1": "start"}, 2, "silent"),
    }
    assert list(StopGraph(menu_flow(menus, ends=["silent"])).dead_ends()) == [("chosen", "silent")]
    menus["start"] = Menu({"1": "prompt"}, 2, "chosen")
    menus["chosen"] = Menu({"1": "silent"}, 2, "silent")
    assert list(StopGraph(menu_flow(menus, ends=["silent"])).dead_ends()) == []


def test_attempts_are_equal_if_prompts_are_repeated_equally_often() -> None:
    def attempts(tries: int | None, keys: dict[str, str], otherwise: str = "none", **renamed: str) -> object:
        stop = StopGraph(menu_flow({"start": Menu(keys, tries, otherwise)})).stops["start"]
        assert stop.counts_attempts
        return stop.attempts(renamed)

    twice = attempts(2, {"1": "a", "2": "b"})

    assert twice == attempts(2, {"5": "c"})
    assert twice == attempts(2, {"1": "a"}, otherwise="gone", gone="none")
    others = [attempts(tries, {"1": "a"}) for tries in (1, 3, None)]
    assert all(twice != other for other in [*others, attempts(2, {"1": "a"}, otherwise="queue")])


def block(name: str, type_: str, then: str | None, parameters: Any = None, **errors: str) -> dict[str, Any]:
    transitions: dict[str, Any] = {"NextAction": then} if then else {}
    transitions["Errors"] = [{"ErrorType": error, "NextAction": to} for error, to in errors.items()]
    return {"Identifier": name, "Type": type_, "Parameters": parameters or {}, "Transitions": transitions}


def condition(operand: str, then: str) -> dict[str, Any]:
    return {"NextAction": then, "Condition": {"Operator": "Equals", "Operands": [operand]}}


def parsed(*blocks: dict[str, Any]) -> StopGraph:
    end = block("end", "DisconnectParticipant", None)
    document = {"Version": "2019-10-30", "StartAction": blocks[0]["Identifier"], "Actions": [*blocks, end]}
    return StopGraph(Flow.parse(json.dumps(document), "flow.json"))


def route(name: str, then: str, **attributes: str) -> dict[str, Any]:
    return block(
        f"route-{name}", "UpdateContactAttributes", then, {"Attributes": {"call_route": name, **attributes}}
    )


def test_a_menu_before_the_first_route_and_a_pause_are_skipped() -> None:
    menu = block("language", "GetParticipantInput", "end", {"Text": "…"}, NoMatchingError="route-a")
    menu["Transitions"]["Conditions"] = [condition("1", "route-a"), condition("2", "route-b")]
    pause = block("pause", "GetParticipantInput", "end", {"Text": "…"}, InputTimeLimitExceeded="route-c")

    graph = parsed(
        menu, route("a", "pause"), pause, route("b", "end"), route("c", "end", call_completed="true")
    )

    assert graph.first == {"a", "b"}
    assert names(graph.stops["a"].choices) == {"stop c", "end incomplete"}
    assert names(graph.stops["c"].choices) == {"end completed"}
    assert not graph.stops["a"].counts_attempts


def test_attempts_are_not_counted_at_a_stop_with_a_second_menu_or_a_choice_by_a_check() -> None:
    first, second = (
        block(name, "GetParticipantInput", "end", {"Text": "…"}, NoMatchingError=again)
        for name, again in (("first", "first"), ("second", "hours"))
    )
    first["Transitions"]["Conditions"] = [condition("1", "second")]
    second["Transitions"]["Conditions"] = [condition("1", "end")]
    hours = block("hours", "CheckHoursOfOperation", "end", NoMatchingError="end")
    hours["Transitions"]["Conditions"] = [condition("True", "second"), condition("False", "end")]

    whole = parsed(route("a", "first"), first, second, hours).stops["a"]
    inner = parsed(route("a", "second"), first, second, hours).stops["a"]

    assert len(whole.prompts) == 2
    assert not whole.counts_attempts
    assert not inner.counts_attempts


def test_a_route_from_a_reference_and_a_related_contact_are_ignored() -> None:
    related = block(
        "related",
        "UpdateContactAttributes",
        "dynamic",
        {"TargetContact": "Related", "Attributes": {"call_route": "x"}},
    )
    dynamic = block(
        "dynamic", "UpdateContactAttributes", "end", {"Attributes": {"call_route": "$.External.route"}}
    )

    assert parsed(route("a", "related"), related, dynamic).stops.keys() == {"a"}
