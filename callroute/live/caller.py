"""A caller controlled by a person on the page."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from typing import Literal

from callroute.flows import simulation
from callroute.flows.simulation import events
from callroute.flows.simulation.handlers.parameters import speaking_seconds

LONGEST_CONVERSATION = 600.0
"""Seconds after which a conversation with an agent ends."""


@dataclass(frozen=True)
class Action:
    """An action by the user of the page.

    Attributes:
        kind: `played` means that a prompt was played to its end. `skip` ends a prompt or a silence early.
        prompt: number of the prompt that the page showed. Actions for an earlier prompt are ignored, because the call
            has continued in the meantime.
        key: the key, for kind `key`.
    """

    kind: Literal["key", "played", "skip", "hangup"]
    prompt: int = 0
    key: str = ""


HANGUP = Action("hangup")


class LiveCaller:
    """A caller simulated in real time. The call runs in one thread, and other threads call `act`.

    Args:
        agent_answers_after: seconds in the queue until an agent answers.
    """

    def __init__(self, agent_answers_after: float) -> None:
        self.prompt = 0
        """Number of the current prompt. The first one has number 1."""
        self._agent_answers_after = agent_answers_after
        self._actions: queue.SimpleQueue[Action] = queue.SimpleQueue()
        self._playing = False
        self._hung_up = False

    def act(self, action: Action) -> None:
        """Queues an action by the user of the page."""
        self._actions.put(action)

    def start_prompt(self) -> int:
        """Starts a new prompt and returns its number."""
        self.prompt += 1
        self._playing = True
        return self.prompt

    def listens(self, message: events.Said) -> bool | str:
        """Returns the keys pressed during a message, False if the caller hangs up, or True otherwise."""
        keys = ""
        deadline = _longest(message.text)
        while action := self._next(deadline):
            if action.kind == "hangup":
                return False
            if action.kind != "key":
                break
            keys += action.key
        return keys or True

    def chooses(self, menu: events.MenuOffered) -> str:
        """Returns the next key. The time limit starts at the end of the prompt, and a key ends the prompt."""
        if self._playing:
            action = self._next(_longest(menu.text))
            self._playing = False
            if action and action.kind in ("key", "hangup"):
                return action.key or simulation.HANGUP
        action = self._next(time.monotonic() + menu.seconds, ignored=("played",))
        if action is None or action.kind == "skip":
            return simulation.TIMEOUT
        return action.key or simulation.HANGUP

    def waits(self, queued: events.Queued) -> float | None:  # noqa: ARG002 - the page shows the queue
        """Waits for the agent. Returns 0 if the caller hangs up first."""
        ends = time.monotonic() + self._agent_answers_after
        return 0.0 if self._next(ends, ignored=("key", "played", "skip")) else None

    def pause(self, seconds: float) -> None:
        """Waits for a number of seconds, or until the user skips the wait or hangs up."""
        self._next(time.monotonic() + seconds, ignored=("key", "played"))

    def _next(self, deadline: float, ignored: tuple[str, ...] = ()) -> Action | None:
        """Returns the next action for the current prompt, or None after the deadline. After a hangup, always returns `hangup`."""
        while not self._hung_up:
            try:
                action = self._actions.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if action.kind == "hangup":
                self._hung_up = True
            elif action.prompt == self.prompt and action.kind not in ignored:
                return action
        return HANGUP


def _longest(text: str) -> float:
    """Returns the time when a prompt is considered finished if the page does not report its end."""
    return time.monotonic() + 10 + 3 * speaking_seconds(text)
