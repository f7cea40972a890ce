"""Guards against a demo that shows something else than what is in the table."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import callroute

pytestmark = pytest.mark.emulator


def test_every_caller_leaves_a_record_and_the_stops_add_up() -> None:
    ran = callroute("demo", "--calls", "15", "--seed", "3", "--json")

    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert (answer["calls"], answer["items"]) == (15, 15)
    assert sum(stop["calls"] for stop in answer["stops"]) == 15
    for stop in answer["stops"]:
        assert sum(stop["outcomes"].values()) == stop["calls"]
        assert stop["label"] != stop["call_route"], "every stop of our flow is in its catalog"


def test_the_same_seed_gives_the_same_stops() -> None:
    first, second = (callroute("demo", "--calls", "4", "--seed", "9", "--json").stdout for _ in range(2))

    assert first == second != ""


def test_people_see_records_and_where_callers_dropped_off() -> None:
    ran = callroute("demo", "--calls", "12")

    assert ran.returncode == 0, ran.stderr
    assert "Where callers dropped off" in ran.stdout
    assert "… and 2 more" in ran.stdout
    assert "12 calls, 12 call records" in ran.stdout


def test_no_callers_at_all_are_refused() -> None:
    ran = callroute("demo", "--calls", "0")

    assert ran.returncode == 2
    assert "--calls" in ran.stderr
