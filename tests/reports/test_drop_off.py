"""Tests that each call is counted exactly once, at the right stop."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from callroute.flows.route_catalog import RouteCatalog
from callroute.reports.drop_off import drop_off
from callroute.reports.report import OUTCOMES

CATALOG = RouteCatalog.parse(
    """
flow: bank.json
call_flow: bank
routes:
  - {route: start, en: First menu, ja: 最初}
  - {route: card, parent: start, en: Lost card, ja: 紛失}
  - {route: card_operator, parent: card, en: To an operator, ja: 係}
""",
    "bank.routes.yaml",
)


def record(call_route: str, outcome: str, call_flow: str | None = "bank") -> dict[str, Any]:
    return {"call_route": call_route, "outcome": outcome, **({"call_flow": call_flow} if call_flow else {})}


def test_calls_are_counted_by_stop_and_outcome() -> None:
    (stop,) = drop_off(
        [record("start", each) for each in ("answered", "abandoned_in_flow", "abandoned_in_flow")]
    )

    assert stop.calls == 3
    assert stop.outcomes == {"abandoned_in_flow": 2, "abandoned_in_queue": 0, "completed": 0, "answered": 1}


def test_dropped_calls_were_abandoned_in_the_flow_or_queue() -> None:
    (stop,) = drop_off([record("start", outcome) for outcome in OUTCOMES])

    assert stop.dropped == 2


def test_stops_are_in_menu_order_and_unknown_stops_come_last() -> None:
    stops = drop_off(
        [record(route, "completed") for route in ("zzz", "card_operator", "aaa", "start", "card")],
        [CATALOG],
    )

    assert [(stop.call_route, stop.label, stop.depth) for stop in stops] == [
        ("start", "First menu", 0),
        ("card", "Lost card", 1),
        ("card_operator", "To an operator", 2),
        ("aaa", "aaa", 0),
        ("zzz", "zzz", 0),
    ]


def test_the_same_route_in_two_flows_makes_two_stops() -> None:
    stops = drop_off([record("start", "completed"), record("start", "completed", call_flow=None)], [CATALOG])

    assert [(stop.call_flow, stop.label) for stop in stops] == [(None, "start"), ("bank", "First menu")]


@given(
    st.lists(
        st.builds(
            record,
            st.sampled_from(["start", "card", "other"]),
            st.sampled_from(OUTCOMES),
            st.sampled_from([None, "bank"]),
        )
    )
)
def test_every_call_is_counted_once(records: list[dict[str, Any]]) -> None:
    stops = drop_off(records, [CATALOG])

    assert sum(stop.calls for stop in stops) == len(records)
    assert all(sum(stop.outcomes.values()) == stop.calls for stop in stops)


def test_stops_without_calls_are_included_on_request_for_flows_with_calls() -> None:
    stops = drop_off([record("card", "completed")], [CATALOG], all_stops=True)

    assert [(stop.call_route, stop.calls) for stop in stops] == [
        ("start", 0),
        ("card", 1),
        ("card_operator", 0),
    ]
    assert drop_off([record("card", "completed", "other")], [CATALOG], all_stops=True) == drop_off(
        [record("card", "completed", "other")], [CATALOG]
    )
