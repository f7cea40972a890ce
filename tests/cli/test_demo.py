"""Tests that `callroute demo` shows what is in the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import callroute
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.emulator


def test_every_call_has_a_record_and_the_stops_add_up() -> None:
    ran = callroute("demo", "--calls", "15", "--seed", "3", "--json")

    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert (answer["calls"], answer["items"]) == (15, 15)
    assert sum(stop["calls"] for stop in answer["stops"]) == 15
    for stop in answer["stops"]:
        assert sum(stop["outcomes"].values()) == stop["calls"]
        assert stop["label"] != stop["call_route"], "the catalog has a label for every stop"


def test_the_same_seed_gives_the_same_stops() -> None:
    first, second = (callroute("demo", "--calls", "4", "--seed", "9", "--json").stdout for _ in range(2))

    assert first == second != ""


def test_text_has_records_and_stops() -> None:
    ran = callroute("demo", "--calls", "12")

    assert ran.returncode == 0, ran.stderr
    assert "Where callers dropped off" in ran.stdout
    assert "… and 2 more" in ran.stdout
    assert "12 calls, 12 call records" in ran.stdout


def test_the_number_of_calls_is_limited() -> None:
    for number in ("0", "10001"):
        ran = callroute("demo", "--calls", number)

        assert ran.returncode == 2
        assert ran.stderr == (
            f"error: --calls: {number} is not in the range 1<=x<=10000. See `callroute demo --help`.\n"
        )


def test_the_project_is_the_nearest_folder_upwards_or_an_option(tmp_path: Path) -> None:
    outside = callroute("demo", "--calls", "1", cwd=tmp_path)
    assert outside.returncode == 2
    assert "Pulumi.yaml" in outside.stderr

    from_folder = callroute("demo", "--calls", "1", "--json", cwd=REPOSITORY / "docs")
    by_option = callroute("demo", "--calls", "1", "--json", "--project", REPOSITORY, cwd=tmp_path)
    assert from_folder.returncode == by_option.returncode == 0, from_folder.stderr + by_option.stderr
    assert from_folder.stdout == by_option.stdout
