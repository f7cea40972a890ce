"""Callers and clocks for simulated calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from callroute.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from callroute.flows.simulation.events import MenuOffered, Queued, Said

TIMEOUT = "timeout"
HANGUP = "hangup"
KEYS = "0123456789*#"


@lru_cache(maxsize=4096)
def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


class Clock(Protocol):
    """The clock of a call."""

    def now(self) -> datetime:
        """Returns the current time as an aware datetime."""

    def advance(self, seconds: float) -> None:
        """Moves the clock forward. A real-time clock ignores this call."""


@dataclass(slots=True)
class SimulatedClock:
    """A clock that moves only when it is advanced.

    Attributes:
        time: current time.
    """

    time: datetime

    def now(self) -> datetime:
        """Returns the current time."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Moves the clock forward."""
        self.time += _seconds(seconds)


class RunningClock:
    """A clock that returns the current time, for calls in real time."""

    def now(self) -> datetime:
        """Returns the current time."""
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Does nothing, because time passes by itself."""


class Caller(Protocol):
    """A caller. Each method is called after its event, so an interactive caller has already seen it."""

    def listens(self, message: Said) -> bool | str:
        """Returns True to hear the whole message, False to hang up during it, or the keys pressed during it."""

    def chooses(self, menu: MenuOffered) -> str:
        """Returns one of the keys `0123456789*#`, TIMEOUT or HANGUP. Called once for each digit of a longer input."""

    def waits(self, queued: Queued) -> float | None:
        """Returns the number of seconds after which the caller leaves the queue, or None to wait for an agent."""


class KeyedCaller:
    """A caller who presses the given keys and hangs up at the first prompt after the last key.

    A key is pressed only at a prompt that waits for one (a menu, or a prompt for multiple digits), never during a
    message.

    Args:
        keys: keys, TIMEOUT or HANGUP, in order. If HANGUP comes next when the caller enters a queue, the caller
            leaves the queue after 10 seconds.
        leaves_queue_after: seconds after which the caller leaves a queue, or None to wait for an agent.
    """

    def __init__(self, keys: Iterable[str], leaves_queue_after: float | None = None) -> None:
        self._keys = list(keys)[::-1]
        self._leaves_queue_after = leaves_queue_after

    @property
    def unused_keys(self) -> tuple[str, ...]:
        """Keys that were never pressed because no prompt waited for them."""
        return tuple(key for key in reversed(self._keys) if key != HANGUP)

    def listens(self, message: Said) -> bool | str:  # noqa: ARG002 - part of the protocol
        """Returns True, because the caller hears every message to the end."""
        return True

    def chooses(self, menu: MenuOffered) -> str:  # noqa: ARG002 - part of the protocol
        """Returns the next key."""
        return self._keys.pop() if self._keys else HANGUP

    def waits(self, queued: Queued) -> float | None:  # noqa: ARG002 - part of the protocol
        """Returns 10 seconds if the next key is HANGUP, and `leaves_queue_after` otherwise."""
        return 10 if self._keys[-1:] == [HANGUP] else self._leaves_queue_after


def unused_keys_message(keys: tuple[str, ...], block: str) -> str:
    """Returns a message about keys that were never pressed.

    Args:
        keys: the keys, from `KeyedCaller.unused_keys`.
        block: block in which the call ended.
    """
    noun, verb = ("key", "was") if len(keys) == 1 else ("keys", "were")
    return (
        f"{noun} {', '.join(keys)} {verb} never pressed: the call ended in block {block!r}, "
        "and no further prompt waited for a key"
    )


def read_keys(text: str, source: str = "--keys") -> tuple[str, ...]:
    """Parses a list of keys, for example `1,2,timeout`.

    Spaces around keys are ignored. Adjacent digits do not need commas: `1,5550123#` means `1,5,5,5,0,1,2,3,#`.

    Raises:
        InputError: an item is not one of 0-9, *, #, timeout and hangup.
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
                f"{key!r} is not a key" if key else "the key is empty",
                f"Separate keys with commas. Valid keys are 0-9, *, #, {TIMEOUT} and {HANGUP}.",
            )
    return tuple(keys)
