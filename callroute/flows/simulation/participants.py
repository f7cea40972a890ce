"""Who takes part in a simulated call, and by whose clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from callroute.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from callroute.flows.simulation.events import MenuOffered, Queued, Said

TIMEOUT = "timeout"
HANGUP = "hangup"
KEYS = "0123456789*#"


@lru_cache(maxsize=4096)
def _span(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


class Clock(Protocol):
    """Tells the time of the call."""

    def now(self) -> datetime:
        """The present moment, with its time zone."""

    def advance(self, seconds: float) -> None:
        """Something took this long. A clock that runs by itself (a person holds the telephone) need do nothing."""


@dataclass(slots=True)
class SimulatedClock:
    """A clock that moves only when something in the call takes time.

    Attributes:
        time: the moment at which the call begins; then the present moment.
    """

    time: datetime

    def now(self) -> datetime:
        """The present moment."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Moves on."""
        self.time += _span(seconds)


class Caller(Protocol):
    """The person on the line. Each question is asked after its event was yielded, so a person may see it first."""

    def listens(self, said: Said) -> bool:
        """Whether the caller hears the message out; False hangs up during it."""

    def chooses(self, menu: MenuOffered) -> str:
        """A key of `0123456789*#`, TIMEOUT or HANGUP. Where digits are asked for, asked again for each of them."""

    def waits(self, queued: Queued) -> float | None:
        """Seconds after which the caller gives up in the queue; None for never."""


class KeyedCaller:
    """A caller who presses given keys, one per menu, and hangs up at the first menu after the last key.

    Args:
        keys: keys, TIMEOUT or HANGUP, in order. A HANGUP that comes up in a queue leaves it after 10 seconds.
        leaves_queue_after: seconds after which the caller gives up in a queue; None for never.
    """

    def __init__(self, keys: Iterable[str], leaves_queue_after: float | None = None) -> None:
        self._keys = list(keys)[::-1]
        self._leaves_queue_after = leaves_queue_after

    def listens(self, said: Said) -> bool:  # noqa: ARG002 - part of the protocol
        """Hears every message out."""
        return True

    def chooses(self, menu: MenuOffered) -> str:  # noqa: ARG002 - part of the protocol
        """The next key."""
        return self._keys.pop() if self._keys else HANGUP

    def waits(self, queued: Queued) -> float | None:  # noqa: ARG002 - part of the protocol
        """As told; ten seconds where the next key is HANGUP."""
        return 10 if self._keys[-1:] == [HANGUP] else self._leaves_queue_after


def read_keys(text: str, source: str = "--keys") -> tuple[str, ...]:
    """Keys as typed on the command line: `1,2,timeout`; blanks around them do not matter, nothing means no keys.

    Keys that are typed in a row need no commas between them: `1,5550123#` is what `1,5,5,5,0,1,2,3,#` is.

    Raises:
        InputError: something else than 0-9, *, #, timeout or hangup.
    """
    keys: list[str] = []
    for position, word in enumerate(text.split(",") if text.strip() else (), start=1):
        key = word.strip().lower()
        if key in {TIMEOUT, HANGUP}:
            keys.append(key)
        elif key and all(each in KEYS for each in key):
            keys.extend(key)
        else:
            raise InputError(
                source,
                f"key {position}",
                f"{key!r} is not a key" if key else "there is nothing between the commas",
                f"Separate keys by commas; allowed are 0-9, *, #, {TIMEOUT} and {HANGUP}",
            )
    return tuple(keys)
