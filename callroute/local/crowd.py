"""Simulated callers who make random decisions."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta

from callroute.flows import simulation
from callroute.flows.simulation import events
from callroute.local.dialer import Dialer

CALLERS = (*(f"+8150000000{number:02}" for number in range(1, 20)), "+12065550100", "+442079460000")
"""Phone numbers that are not assigned to any subscriber."""


def place_random_call(dialer: Dialer, flow: str, day: datetime, chance: random.Random) -> None:
    """Places a call from a random caller at a random time on a day. Operators work from 9:00 to 17:00.

    Args:
        dialer: places the call.
        flow: name of the flow in Connect.
        day: start of the day.
        chance: source of the random decisions.

    Raises:
        SimulationError: the simulation does not support the flow.
    """
    moment = day + timedelta(seconds=chance.randrange(8 * 3600, 19 * 3600))
    dialer.call(
        flow,
        RandomCaller(chance),
        clock=simulation.SimulatedClock(moment),
        environment=simulation.Environment(
            is_open=9 <= moment.hour < 17, agent_answers_after=chance.choice((10, 30, 60, 120, None))
        ),
        contact_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        customer_number=chance.choice((*CALLERS, None)),
    )


class RandomCaller:
    """A caller who usually presses one of the menu's keys but may also stay silent, press a wrong key or hang up.

    Args:
        chance: source of the random decisions.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._troubled_by = ""

    def listens(self, message: events.Said) -> bool:  # noqa: ARG002 - does not depend on the message
        """Hangs up during one message in 20."""
        return self._chance.random() > 0.05

    def chooses(self, menu: events.MenuOffered) -> str:
        """Hangs up at one menu in 7, or one in 3 after silence or a wrong key. Otherwise, usually presses a valid key."""
        draw = self._chance.random()
        if draw < (0.33 if self._troubled_by == menu.block else 0.14):
            return simulation.HANGUP
        wrong = [key for key in simulation.KEYS if key not in menu.keys]
        action = self._chance.random()
        if action < 0.18:
            self._troubled_by = menu.block
            return simulation.TIMEOUT if action < 0.11 or not wrong else self._chance.choice(wrong)
        return self._chance.choice(menu.keys or simulation.KEYS)

    def waits(self, queued: events.Queued) -> float | None:  # noqa: ARG002 - does not depend on the queue
        """Waits for half a minute, a minute and a half, or ten minutes."""
        return self._chance.choice((30.0, 90.0, 600.0))
