"""Tests the caller that the user of the page controls, without waiting."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callroute.flows import simulation
from callroute.flows.simulation import events
from callroute.live import caller
from callroute.live.caller import HANGUP, Action, LiveCaller

NOW = datetime(2026, 4, 1, tzinfo=UTC)
MESSAGE = events.Said(NOW, "hello", "Hello.")
QUEUED = events.Queued(NOW, "queue", "operators")


def menu(seconds: float) -> events.MenuOffered:
    return events.MenuOffered(NOW, "menu", "Press a key.", ("1", "2"), seconds)


def called(*actions: Action, agent_answers_after: float = 60) -> LiveCaller:
    made = LiveCaller(agent_answers_after)
    made.start_prompt()
    for action in actions:
        made.act(action)
    return made


def test_a_key_ends_the_prompt_of_a_menu() -> None:
    assert called(Action("key", 1, "#")).chooses(menu(60)) == "#"


def test_the_time_limit_starts_at_the_end_of_the_prompt() -> None:
    assert called(Action("played", 1)).chooses(menu(0)) == simulation.TIMEOUT
    assert called(Action("played", 1), Action("key", 1, "2")).chooses(menu(60)) == "2"


def test_further_digits_do_not_wait_for_the_prompt() -> None:
    digits = called(Action("key", 1, "7"), Action("key", 1, "8"))
    assert [digits.chooses(menu(60)), digits.chooses(menu(60)), digits.chooses(menu(0))] == [
        "7",
        "8",
        simulation.TIMEOUT,
    ]


def test_keys_for_an_earlier_prompt_are_ignored() -> None:
    later = called(Action("key", 1, "1"))
    later.start_prompt()
    later.act(Action("key", 2, "2"))
    assert later.chooses(menu(60)) == "2"


def test_a_prompt_ends_even_if_the_page_never_reports_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_longest", lambda _text: 0.0)
    assert called().listens(MESSAGE) is True
    assert called().chooses(menu(0)) == simulation.TIMEOUT


def test_keys_during_a_message_are_returned_at_its_end() -> None:
    pressed = [Action("key", 1, "1"), Action("key", 1, "*")]
    assert called(*pressed, Action("played", 1)).listens(MESSAGE) == "1*"


def test_hanging_up_ends_whatever_comes_next() -> None:
    gone = called(HANGUP)
    assert gone.listens(MESSAGE) is False
    assert gone.chooses(menu(60)) == simulation.HANGUP
    assert gone.waits(QUEUED) == 0.0
    gone.pause(60)


def test_only_hanging_up_leaves_the_queue() -> None:
    impatient = [Action("key", 1, "1"), Action("skip", 1), Action("played", 1)]
    assert called(*impatient, agent_answers_after=0).waits(QUEUED) is None
