"""Computes the UTC offset changes of time zones.

JSONata in Step Functions can only format times in UTC or at a fixed offset (docs/fidelity.md), so the definition of the
state machine contains the offset changes of the time zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

FIRST_YEAR = 2020
LAST_YEAR = 2045
START = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)


@cache
def time_zones() -> frozenset[str]:
    """Returns the names of all IANA time zones."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def offset_changes(name: str) -> list[dict[str, int | str]]:
    """Returns the UTC offset at the start of 2020 and all changes until the end of 2045, in chronological order.

    Reads the `tzdata` package instead of the operating system's data, so that the definition is the same on all machines.
    Earlier times get the offset from the start of 2020, and later times the offset from the end of 2045.

    Returns:
        [{"from": seconds since 1970, "seconds": offset in seconds, "text": "+09:00"}, ...]; the first `from` is 0.

    Raises:
        ValueError: the zone does not exist.
    """
    if name not in time_zones():
        raise ValueError(f"{name!r} is not an IANA time zone")
    zone = _zone(name)
    changes = [_change(0, zone, START)]
    changes += [_change(int(at.timestamp()), zone, at) for at in _transitions(name)]
    return changes


@cache
def _zone(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@cache
def _transitions(name: str) -> tuple[datetime, ...]:
    """Returns the times at which the offset changes. Cached, because a program builds the definition several times."""
    return tuple(_search(_zone(name), START))


def _search(zone: ZoneInfo, start: datetime) -> Iterator[datetime]:
    """Finds offset changes by comparing the offsets of successive days, because zoneinfo does not list the changes."""
    end, day = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC), timedelta(days=1)
    offset = start.astimezone(zone).utcoffset()
    while start < end:
        next_day = start + day
        next_offset = next_day.astimezone(zone).utcoffset()
        if next_offset != offset:
            before, after = start, next_day
            while after - before > timedelta(seconds=1):
                middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
                unchanged = middle.astimezone(zone).utcoffset() == offset
                before, after = (middle, after) if unchanged else (before, middle)
            yield after
        start, offset = next_day, next_offset


def _change(since: int, zone: ZoneInfo, at: datetime) -> dict[str, int | str]:
    offset = at.astimezone(zone).utcoffset()
    if offset is None:  # pragma: no cover - a ZoneInfo always has an offset
        raise ValueError(f"{zone.key} has no offset at {at}")
    seconds = int(offset.total_seconds())
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return {
        "from": since,
        "seconds": seconds,
        "text": f"{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}",
    }
