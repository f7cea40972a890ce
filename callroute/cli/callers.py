"""Callers controlled by the user through terminal prompts and Ctrl-C."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from callroute.cli import output
from callroute.cli.call_events import TEXT_COLUMN
from callroute.flows import simulation
from callroute.flows.simulation import events

Answer = TypeVar("Answer")
Event = TypeVar("Event")


class TerminalCaller:
    """A caller whose decisions the user makes at the terminal. The caller hangs up at the end of the input."""

    def listens(self, message: events.Said) -> bool | str:  # noqa: ARG002 - the message is already on the screen
        """Asks whether the caller listens to the whole message. A key press is passed to the simulation."""
        answers: dict[str, bool | str] = {"": True, "h": False} | {key: key for key in simulation.KEYS}
        return self._ask("Enter: keep listening, h: hang up", answers, at_end=False)

    def chooses(self, menu: events.MenuOffered) -> str:  # noqa: ARG002 - the keys are already on the screen
        """Asks for the key that the caller presses."""
        answers = {key: key for key in simulation.KEYS} | {"": simulation.TIMEOUT, "h": simulation.HANGUP}
        return self._ask("0-9 * #: press, Enter: wait, h: hang up", answers, at_end=simulation.HANGUP)

    def waits(self, queued: events.Queued) -> float | None:  # noqa: ARG002 - the queue is already on the screen
        """Asks whether the caller waits in a queue."""
        return self._ask("Enter: wait for an agent, h: hang up", {"": None, "h": 0.0}, at_end=0.0)

    def _ask(self, question: str, answers: Mapping[str, Answer], at_end: Answer) -> Answer:
        margin = [" " * TEXT_COLUMN]
        while True:
            output.write((f"{question}: ", "cyan"), margin=margin, error=True, end="")
            line = sys.stdin.readline()
            if not line:
                output.write("", error=True)
                return at_end
            answer = line.strip().lower()
            if answer in answers:
                return answers[answer]
            output.write(f"{line.strip()!r} is not one of these keys", margin=margin, error=True)


class InterruptibleCaller:
    """A caller who hangs up when the user presses Ctrl-C.

    Args:
        caller: makes all other decisions.
    """

    def __init__(self, caller: simulation.Caller) -> None:
        self._caller = caller
        self._hung_up = False
        self._is_asked = False

    @contextmanager
    def on_the_line(self) -> Iterator[None]:
        """Handles Ctrl-C during the call."""
        before = signal.signal(signal.SIGINT, self._interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def listens(self, message: events.Said) -> bool | str:
        """Returns False after Ctrl-C."""
        hang_up: bool | str = False
        return self._ask(self._caller.listens, message, hang_up=hang_up)

    def chooses(self, menu: events.MenuOffered) -> str:
        """Returns HANGUP after Ctrl-C."""
        return self._ask(self._caller.chooses, menu, hang_up=simulation.HANGUP)

    def waits(self, queued: events.Queued) -> float | None:
        """Returns 0 seconds after Ctrl-C."""
        at_once: float | None = 0.0
        return self._ask(self._caller.waits, queued, hang_up=at_once)

    def _interrupted(self, _signal: int, _frame: Any) -> None:
        if not self._hung_up:
            self._hung_up = True
            output.write("\nCtrl-C: the caller hangs up.", error=True)
        if self._is_asked:  # ends waiting for input
            raise KeyboardInterrupt

    def _ask(self, ask: Callable[[Event], Answer], event: Event, hang_up: Answer) -> Answer:
        if self._hung_up:
            return hang_up
        try:
            self._is_asked = True
            return ask(event)
        except KeyboardInterrupt:
            return hang_up
        finally:
            self._is_asked = False
