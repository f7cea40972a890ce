"""Tests the contact record produced by each path through the example flows."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callroute.flows.flow import Flow
from callroute.flows.route_catalog import RouteCatalog
from callroute.flows.simulation import (
    HANGUP,
    TIMEOUT,
    Call,
    Environment,
    Event,
    KeyedCaller,
    SimulatedClock,
    read_keys,
    run_simulation,
)
from callroute.flows.simulation.contact_record import contact_record
from callroute.flows.simulation.events import Ended, MenuOffered, Queued, Said
from tests.support.paths import FLOW_DEFINITIONS

PLAIN, BANK = "call_route.json", "call_route_with_operator.json"
NO_AGENT = Environment(agent_answers_after=None)


@cache
def load(name: str) -> Flow:
    return Flow.load(FLOW_DEFINITIONS / name)


@cache
def routes(name: str) -> frozenset[str]:
    catalog = RouteCatalog.beside(FLOW_DEFINITIONS / name)
    assert catalog is not None
    return frozenset(catalog.routes)


def play(
    name: str, caller: KeyedCaller, environment: Environment | None = None
) -> tuple[list[Event], Call, dict[str, Any]]:
    clock = SimulatedClock(datetime(2026, 4, 1, 1, tzinfo=UTC))
    events, call = run_simulation(load(name), caller, clock=clock, environment=environment)
    return events, call, contact_record(call, contact_id="c")


def outcome(record: dict[str, Any]) -> str:
    """Returns the outcome that the pipeline derives from a contact record."""
    if record["Agent"] is not None:
        return "answered"
    if record["Queue"] is not None:
        return "abandoned_in_queue"
    return "completed" if record["Attributes"]["call_completed"] == "true" else "abandoned_in_flow"


CALLER, FLOW = "CUSTOMER_DISCONNECT", "CONTACT_FLOW_DISCONNECT"


@pytest.mark.parametrize(
    ("keys", "route", "result", "reason"),
    [
        ("", "start", "abandoned_in_flow", CALLER),
        ("hangup", "start", "abandoned_in_flow", CALLER),
        ("3", "start", "abandoned_in_flow", CALLER),
        ("timeout", "start", "abandoned_in_flow", CALLER),
        ("1", "1", "abandoned_in_flow", CALLER),
        ("1,*", "1", "abandoned_in_flow", CALLER),
        ("1,timeout,hangup", "1", "abandoned_in_flow", CALLER),
        ("2", "2", "abandoned_in_flow", CALLER),
        ("2,0,9", "2", "abandoned_in_flow", CALLER),
        ("1,1", "1-1", "completed", FLOW),
        ("1,2", "1-2", "completed", FLOW),
        ("2,1", "2-1", "completed", FLOW),
        ("2,2", "2-2", "completed", FLOW),
        ("timeout,#,1,timeout,7,2", "1-2", "completed", FLOW),
        ("2,2,hangup", "2-2", "completed", FLOW),
    ],
)
def test_each_key_path_of_the_plain_flow_records_its_route(
    keys: str, route: str, result: str, reason: str
) -> None:
    _, _, record = play(PLAIN, KeyedCaller(read_keys(keys)))
    assert record["Attributes"]["call_route"] == route
    assert outcome(record) == result
    assert record["DisconnectReason"] == reason


@pytest.mark.parametrize("keys", ["1,1", "1,2", "2,1", "2,2"])
def test_the_closing_message_names_the_route(keys: str) -> None:
    events, _, _ = play(PLAIN, KeyedCaller(read_keys(keys)))
    spoken = [event.text for event in events if isinstance(event, Said)]
    assert spoken == [f"ルート {keys.replace(',', '-')} で承りました。お電話ありがとうございました。"]


def test_the_plain_flow_repeats_its_menu_after_a_timeout() -> None:
    events, _, _ = play(PLAIN, KeyedCaller([TIMEOUT, "1", "9", TIMEOUT]))
    stops = [event.block for event in events if isinstance(event, Said | MenuOffered)]
    assert stops == [
        "menu-start",
        "notice-start",
        "menu-start",
        "menu-1",
        "notice-1",
        "menu-1",
        "notice-1",
        "menu-1",
    ]


OPEN, CLOSED, FULL = Environment(), Environment(is_open=False), Environment(queue_is_full=True)


@pytest.mark.parametrize(
    ("keys", "environment", "route", "result", "reason"),
    [
        ("", OPEN, "start", "abandoned_in_flow", CALLER),
        ("9,timeout", OPEN, "start", "abandoned_in_flow", CALLER),
        ("9,timeout,#", OPEN, "start_no_choice", "abandoned_in_flow", FLOW),
        ("1", OPEN, "lost_card_operator", "answered", CALLER),
        ("9,9,1", OPEN, "lost_card_operator", "answered", CALLER),
        ("1", Environment(agent_hangs_up=True), "lost_card_operator", "answered", "AGENT_DISCONNECT"),
        ("1", CLOSED, "closed", "abandoned_in_flow", FLOW),
        ("1", FULL, "operator_unavailable", "abandoned_in_flow", FLOW),
        ("2", OPEN, "balance", "abandoned_in_flow", CALLER),
        ("2,9,9", OPEN, "balance", "abandoned_in_flow", CALLER),
        ("2,9,9,9", OPEN, "balance_no_choice", "abandoned_in_flow", FLOW),
        ("2,1", OPEN, "balance_amount", "completed", FLOW),
        ("2,2", CLOSED, "balance_history", "completed", FLOW),
        ("3", OPEN, "open_account", "abandoned_in_flow", CALLER),
        ("3,timeout,timeout,timeout", OPEN, "open_account_no_choice", "abandoned_in_flow", FLOW),
        ("3,1", OPEN, "open_account_documents", "completed", FLOW),
        ("3,2", OPEN, "open_account_consult_operator", "answered", CALLER),
        ("3,2", CLOSED, "closed", "abandoned_in_flow", FLOW),
        ("3,2", FULL, "operator_unavailable", "abandoned_in_flow", FLOW),
        ("9,9,3,9,9,2", OPEN, "open_account_consult_operator", "answered", CALLER),
        ("0", OPEN, "other_operator", "answered", CALLER),
        ("0", CLOSED, "closed", "abandoned_in_flow", FLOW),
        ("0", FULL, "operator_unavailable", "abandoned_in_flow", FLOW),
    ],
)
def test_each_key_path_of_the_bank_flow_records_its_route(
    keys: str, environment: Environment, route: str, result: str, reason: str
) -> None:
    _, _, record = play(BANK, KeyedCaller(read_keys(keys)), environment)
    assert record["Attributes"]["call_route"] == route
    assert record["Attributes"]["call_flow"] == "bank"
    assert outcome(record) == result
    assert record["DisconnectReason"] == reason


@pytest.mark.parametrize(
    ("keys", "route"),
    [("1", "lost_card_operator"), ("3,2", "open_account_consult_operator"), ("0", "other_operator")],
)
def test_leaving_the_queue_counts_as_abandoned_in_queue(keys: str, route: str) -> None:
    _, call, record = play(BANK, KeyedCaller(read_keys(keys), leaves_queue_after=45), NO_AGENT)
    assert outcome(record) == "abandoned_in_queue"
    assert record["Attributes"]["call_route"] == route
    assert record["Queue"]["Duration"] == 45
    assert call.queue is not None
    assert call.ended == call.queue.left


@pytest.mark.parametrize("menu", ["", "2,", "3,"])
def test_each_menu_of_the_bank_flow_plays_at_most_three_times(menu: str) -> None:
    events, _, _ = play(BANK, KeyedCaller(read_keys(menu + "9,9,9,1,1,1")))
    menus = [event.block for event in events if isinstance(event, MenuOffered)]
    assert menus.count(menus[-1]) == 3
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert ended.during == "flow"


class CallerHangingUpAt(KeyedCaller):
    """A caller who presses keys and hangs up as soon as the given block plays its prompt."""

    def __init__(self, keys: str, block: str) -> None:
        super().__init__(read_keys(keys), leaves_queue_after=5)
        self._block = block

    def listens(self, message: Said) -> bool:
        """Returns False in the given block."""
        return message.block != self._block

    def chooses(self, menu: MenuOffered) -> str:
        """Returns HANGUP in the given block after the last key."""
        return HANGUP if menu.block == self._block and not self._keys else super().chooses(menu)


PLAIN_STOPS = [
    ("", "menu-start", "start", "abandoned_in_flow"),
    ("9", "notice-start", "start", "abandoned_in_flow"),
    ("1", "menu-1", "1", "abandoned_in_flow"),
    ("1,9", "notice-1", "1", "abandoned_in_flow"),
    ("2", "menu-2", "2", "abandoned_in_flow"),
    ("2,9", "notice-2", "2", "abandoned_in_flow"),
    ("2,1", "closing", "2-1", "completed"),
]
BANK_STOPS = [
    ("", "menu-start", "start", "abandoned_in_flow"),
    ("9", "notice-start", "start", "abandoned_in_flow"),
    ("9,9,9", "goodbye-start", "start_no_choice", "abandoned_in_flow"),
    ("1", "connecting-lost-card", "lost_card", "abandoned_in_flow"),
    ("2", "menu-balance", "balance", "abandoned_in_flow"),
    ("2,9", "notice-balance", "balance", "abandoned_in_flow"),
    ("2,9,9,9", "goodbye-balance", "balance_no_choice", "abandoned_in_flow"),
    ("2,1", "answer-balance-amount", "balance_amount", "completed"),
    ("2,2", "answer-balance-history", "balance_history", "completed"),
    ("3", "menu-open-account", "open_account", "abandoned_in_flow"),
    ("3,9", "notice-open-account", "open_account", "abandoned_in_flow"),
    ("3,9,9,9", "goodbye-open-account", "open_account_no_choice", "abandoned_in_flow"),
    ("3,1", "answer-open-account-documents", "open_account_documents", "completed"),
    ("3,2", "connecting-open-account-consult", "open_account_consult", "abandoned_in_flow"),
    ("0", "connecting-other", "other", "abandoned_in_flow"),
    ("0", "transfer-operator", "other_operator", "abandoned_in_queue"),
    ("1", "closed", "closed", "abandoned_in_flow"),
    ("1", "unavailable", "operator_unavailable", "abandoned_in_flow"),
]


@pytest.mark.parametrize(
    ("name", "keys", "stop", "route", "result"),
    [(PLAIN, *stop) for stop in PLAIN_STOPS] + [(BANK, *stop) for stop in BANK_STOPS],
)
def test_hanging_up_at_a_stop_records_its_route(
    name: str, keys: str, stop: str, route: str, result: str
) -> None:
    environment = Environment(
        is_open=stop != "closed", queue_is_full=stop == "unavailable", agent_answers_after=None
    )
    events, _, record = play(name, CallerHangingUpAt(keys, stop), environment)
    assert events[-1].block == stop, "the call must end in this block"
    assert record["Attributes"]["call_route"] == route
    assert outcome(record) == result
    assert record["DisconnectReason"] == CALLER


@pytest.mark.parametrize(("name", "stops"), [(PLAIN, PLAIN_STOPS), (BANK, BANK_STOPS)])
def test_the_stop_tables_are_complete(name: str, stops: list[tuple[str, str, str, str]]) -> None:
    speaking = {"MessageParticipant", "GetParticipantInput", "TransferContactToQueue"}
    blocks = {action.identifier for action in load(name).blocks.values() if action.type in speaking}
    assert {stop for _, stop, _, _ in stops} == blocks


@pytest.mark.parametrize("name", [PLAIN, BANK])
@settings(deadline=None)
@given(
    keys=st.lists(st.sampled_from([*"0123456789*#", TIMEOUT, HANGUP]), max_size=60),
    is_open=st.booleans(),
    full=st.booleans(),
    answer=st.none() | st.integers(0, 100),
    patience=st.integers(0, 100),
)
def test_any_key_sequence_ends_with_a_route_in_the_catalog(
    name: str, keys: list[str], is_open: bool, full: bool, answer: int | None, patience: int
) -> None:
    environment = Environment(is_open=is_open, queue_is_full=full, agent_answers_after=answer)
    events, call, record = play(name, KeyedCaller(keys, patience), environment)
    assert record["Attributes"]["call_route"] in routes(name)
    assert record["Attributes"]["call_completed"] in {"true", "false"}
    assert call.disconnect_reason != "OTHER", "stopped by the step limit"
    assert (record["Queue"] is not None) == any(isinstance(event, Queued) for event in events)
    assert [isinstance(event, Ended) for event in events] == [False] * (len(events) - 1) + [True]
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert (call.started, call.ended) == (events[0].at, events[-1].at)
