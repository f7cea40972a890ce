"""Tests the offset changes of time zones, which determine the local times in the table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callroute.aws.utc_offsets import offset_changes

ZONES = (
    "Asia/Tokyo",
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
)
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
LAST = datetime(2045, 12, 31, tzinfo=UTC)

changes_of = cache(offset_changes)


def offset_in_python(zone: str, at: datetime) -> Any:
    # Uses the same release of the time zone data. The operating system may have another one.
    with files("tzdata").joinpath("zoneinfo", *zone.split("/")).open("rb") as data:
        return at.astimezone(ZoneInfo.from_file(data)).utcoffset()


@given(
    zone=st.sampled_from(ZONES),
    at=st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC)),
)
def test_the_last_change_before_a_time_has_the_same_offset_as_in_python(zone: str, at: datetime) -> None:
    in_force = [change for change in changes_of(zone) if int(change["from"]) <= at.timestamp()][-1]

    assert timedelta(seconds=int(in_force["seconds"])) == offset_in_python(zone, at)


@pytest.mark.parametrize("zone", ZONES)
def test_the_text_of_an_offset_matches_its_seconds(zone: str) -> None:
    for change in changes_of(zone):
        parsed = datetime.strptime(f"2020-01-01T00:00:00{change['text']}", "%Y-%m-%dT%H:%M:%S%z").utcoffset()
        assert parsed == timedelta(seconds=int(change["seconds"]))


def test_a_zone_without_daylight_saving_has_one_entry() -> None:
    assert offset_changes("Asia/Tokyo") == [{"from": 0, "seconds": 32400, "text": "+09:00"}]


def test_changes_are_exact_to_the_second() -> None:
    # In 2024 New York left daylight saving time on 3 November at 06:00 UTC.
    assert {"from": 1730613600, "seconds": -18000, "text": "-05:00"} in offset_changes("America/New_York")


def test_an_unknown_zone_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"'Asia/Tokio' is not an IANA time zone"):
        offset_changes("Asia/Tokio")
