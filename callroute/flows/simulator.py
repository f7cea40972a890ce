"""Plays one caller through one flow, block by block, as Amazon Connect would.

What lies outside the flow is passed in: the caller (`Caller`), opening hours and agents (`World`), time (`Clock`).
With those fixed the same call always takes the same way. A block that this simulator does not know is an error that
names it, never passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, TypeVar

from callroute.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from callroute.flows.model import Action, Flow

Result = TypeVar("Result")

TIMEOUT = "timeout"
HANGUP = "hangup"
KEYS = "0123456789*#"

STEP_LIMIT = 1_000
"""Blocks after which a call is cut off: a flow may ask the same question for ever, a simulation may not."""

# How long things take. Connect leaves this to voice and caller; fixed values make records reproducible.
_JAPANESE_CHARACTERS_PER_SECOND = 8
_LATIN_CHARACTERS_PER_SECOND = 15
_RECORDED_PROMPT_SECONDS = 5.0
_REACTION_SECONDS = 1.0

_REFERENCE = re.compile(r"\$\.(?:Attributes\.(?P<name>[\w-]+)|(?P<other>[A-Za-z][\w.\[\]'-]*))")
_TAG = re.compile(r"<[^>]*>")


class SimulationError(InputError):
    """A flow went where the simulator cannot follow."""


# --- Time ------------------------------------------------------------------------------------------------------------


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
        self.time += timedelta(seconds=seconds)


# --- What happens ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a call.

    Attributes:
        at: when.
        block: identifier of the block in which it happened.
    """

    at: datetime
    block: str


@dataclass(frozen=True, slots=True)
class LoggingChanged(Event):
    """Flow logging was switched."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class VoiceChanged(Event):
    """From here on another voice speaks."""

    voice: str
    engine: str


@dataclass(frozen=True, slots=True)
class AttributesSet(Event):
    """Contact attributes were written; these reach the contact record."""

    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Said(Event):
    """A message is being played. The caller may hang up during it, but keys pressed meanwhile are lost."""

    text: str


@dataclass(frozen=True, slots=True)
class MenuOffered(Event):
    """A menu is being played and waits for one key.

    Attributes:
        text: what is said.
        keys: the keys that lead somewhere.
        seconds: how long it waits after it has spoken.
    """

    text: str
    keys: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Pressed(Event):
    """The caller pressed a key; `accepted` says whether the menu has a branch for it."""

    key: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class TimedOut(Event):
    """The caller pressed nothing."""


@dataclass(frozen=True, slots=True)
class LoopPassed(Event):
    """A loop block was passed: on its `passes`-th of `count` turns, or for the last time (`done`)."""

    passes: int
    count: int
    done: bool


@dataclass(frozen=True, slots=True)
class HoursChecked(Event):
    """Opening hours were looked up; `hours` is their identifier, None for those of the queue."""

    hours: str | None
    open: bool


@dataclass(frozen=True, slots=True)
class QueueChosen(Event):
    """The queue for a later transfer was set."""

    queue: str


@dataclass(frozen=True, slots=True)
class QueueRefused(Event):
    """The transfer to a queue failed, for want of room (`QueueAtCapacity`) or of a queue (`NoMatchingError`)."""

    error: str


@dataclass(frozen=True, slots=True)
class Queued(Event):
    """The caller waits in a queue."""

    queue: str


@dataclass(frozen=True, slots=True)
class AgentConnected(Event):
    """An agent took the call."""

    waited_seconds: float


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """The call is over; always the last event.

    Attributes:
        reason: the contact record's DisconnectReason; `OTHER` where the step limit cut the call off.
        during: what was going on: `message`, `menu`, `queue`, `conversation`, `flow` (it came to its end) or
            `step limit`.
    """

    reason: str
    during: str


@dataclass(frozen=True, slots=True)
class QueueStay:
    """A stay in a queue, from `entered` to `left`; `queue` is the identifier that the flow set, usually an ARN."""

    queue: str
    entered: datetime
    left: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """How a call went: all that a contact record tells of it.

    Attributes:
        started: when it came in.
        ended: when the line was cut.
        disconnect_reason: as AWS names it, such as CUSTOMER_DISCONNECT.
        attributes: contact attributes at the end.
        queue: the stay in a queue, if there was one.
        agent_connected: when an agent answered, if one did.
    """

    started: datetime
    ended: datetime
    disconnect_reason: str
    attributes: Mapping[str, str]
    queue: QueueStay | None
    agent_connected: datetime | None


# --- Who takes part --------------------------------------------------------------------------------------------------


class Caller(Protocol):
    """The person on the line. Each question is asked after its event was yielded, so a person may see it first."""

    def listens(self, said: Said) -> bool:
        """Whether the caller hears the message out; False hangs up during it."""

    def chooses(self, menu: MenuOffered) -> str:
        """A key of `0123456789*#`, TIMEOUT or HANGUP."""

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

    Raises:
        InputError: something else than 0-9, *, #, timeout or hangup.
    """
    keys = tuple(key.strip().lower() for key in text.split(",")) if text.strip() else ()
    for position, key in enumerate(keys, start=1):
        if key not in {*KEYS, TIMEOUT, HANGUP}:
            raise InputError(
                source,
                f"key {position}",
                f"{key!r} is not a key" if key else "there is nothing between the commas",
                f"Separate keys by commas; allowed are 0-9, *, #, {TIMEOUT} and {HANGUP}",
            )
    return keys


@dataclass(frozen=True, slots=True)
class World:
    """What is so outside the flow while the call lasts.

    Attributes:
        is_open: what every check of opening hours finds.
        queue_is_full: whether queues turn callers away.
        agent_answers_after: seconds in the queue until an agent takes the call; None for never.
        talk_seconds: length of the conversation then.
        agent_hangs_up: whether the agent ends it, rather than the caller.
    """

    is_open: bool = True
    queue_is_full: bool = False
    agent_answers_after: float | None = 20
    talk_seconds: float = 60
    agent_hangs_up: bool = False


# --- The simulator ---------------------------------------------------------------------------------------------------


def play(
    flow: Flow, caller: Caller, *, clock: Clock, world: World | None = None, step_limit: int = STEP_LIMIT
) -> Generator[Event, None, Call]:
    """Plays a caller through a flow.

    Events are yielded as they happen and before the caller is asked what to do, so that a person can be that caller.
    The last event is `Ended`; the generator's return value is the Call (`call = watch(play(...), print)`, or
    `play_out` for all at once).

    Args:
        flow: the flow, its placeholders filled or not.
        caller: who is on the line.
        clock: read for every event, and told how long things take.
        world: opening hours, queue and agents; by default open, and an agent answers after 20 seconds.
        step_limit: blocks after which the call is cut off (DisconnectReason OTHER).

    Raises:
        SimulationError: a block of a type or with settings that are not simulated, or one without the branch needed.
    """
    return _Playing(flow, caller, clock, world or World()).play(step_limit)


def watch(playing: Generator[Event, None, Result], see: Callable[[Event], object]) -> Result:
    """Plays a call to its end, shows each event as it happens, and returns how the call went.

    Args:
        playing: from `play`, or from whoever plays a call and returns more of it.
        see: is given every event.

    Raises:
        SimulationError: as for `play`; the events before it have been seen.
    """
    while True:
        try:
            see(next(playing))
        except StopIteration as stop:
            result: Result = stop.value
            return result


def play_out(
    flow: Flow, caller: Caller, *, clock: Clock, world: World | None = None, step_limit: int = STEP_LIMIT
) -> tuple[list[Event], Call]:
    """Plays a call to its end: all its events, and how it went. Arguments and errors are those of `play`."""
    events: list[Event] = []
    call = watch(play(flow, caller, clock=clock, world=world, step_limit=step_limit), events.append)
    return events, call


@dataclass(slots=True)
class _Playing:
    """The state of one call on its way through a flow."""

    flow: Flow
    caller: Caller
    clock: Clock
    world: World
    attributes: dict[str, str] = field(default_factory=dict)
    loops: dict[str, int] = field(default_factory=dict)
    target_queue: str | None = None
    queue: QueueStay | None = None
    agent_connected: datetime | None = None
    reason: str = ""

    def play(self, step_limit: int) -> Generator[Event, None, Call]:
        actions = self.flow.actions
        started = self.clock.now()
        here: str | None = self.flow.start
        for _ in range(step_limit):
            if here is None:
                break
            action = actions[here]
            step = _STEPS.get(action.type)
            if step is None:
                raise self._error(
                    action, "blocks of this type are not simulated", f"Simulated are {', '.join(_STEPS)}"
                )
            here = yield from step(self, action)
        if here is not None:
            yield self._end(here, "OTHER", "step limit")
        return Call(started, self.clock.now(), self.reason, self.attributes, self.queue, self.agent_connected)

    # One method for each type of block: it yields events and returns the next block, or None when the call is over.

    def logging(self, action: Action) -> Generator[Event, None, str | None]:
        yield LoggingChanged(
            self.clock.now(), action.identifier, self._text(action, "FlowLoggingBehavior") == "Enabled"
        )
        return self._next(action)

    def voice(self, action: Action) -> Generator[Event, None, str | None]:
        engine = action.parameters.get("TextToSpeechEngine", "Standard")
        yield VoiceChanged(
            self.clock.now(), action.identifier, self._text(action, "TextToSpeechVoice"), str(engine)
        )
        return self._next(action)

    def set_attributes(self, action: Action) -> Generator[Event, None, str | None]:
        if action.parameters.get("TargetContact", "Current") != "Current":
            raise self._error(
                action, "attributes of a related contact are not simulated", "Use TargetContact Current"
            )
        values = action.parameters.get("Attributes")
        if not isinstance(values, dict):
            raise self._error(action, "it has no Attributes", "Give the attributes to set")
        written = {}
        for name, value in values.items():
            if not isinstance(value, str) or name.startswith("$."):
                raise self._error(action, f"the attribute {name!r} = {value!r} is not text", "Use text only")
            # A value is text or one whole reference; Connect does not put texts together here.
            whole_reference = value.startswith("$.") and _REFERENCE.fullmatch(value)
            written[name] = self._resolve(action, value) if whole_reference else value
        self.attributes.update(written)
        yield AttributesSet(self.clock.now(), action.identifier, written)
        return self._next(action)

    def message(self, action: Action) -> Generator[Event, None, str | None]:
        text, seconds = self._speech(action)
        said = Said(self.clock.now(), action.identifier, text)
        yield said
        if not self.caller.listens(said):
            self.clock.advance(seconds / 2)
            yield self._end(action.identifier, "CUSTOMER_DISCONNECT", "message")
            return None
        self.clock.advance(seconds)
        return self._next(action)

    def menu(self, action: Action) -> Generator[Event, None, str | None]:
        if str(action.parameters.get("StoreInput", "False")).lower() == "true":
            raise self._error(action, "stored input is not simulated", 'Use a menu (StoreInput "False")')
        limit = self._number(action, "InputTimeLimitSeconds", "5")
        text, seconds = self._speech(action)
        menu = MenuOffered(self.clock.now(), action.identifier, text, action.labels("condition"), limit)
        yield menu
        key = self.caller.chooses(menu)
        self.clock.advance(seconds + (limit if key == TIMEOUT else _REACTION_SECONDS))
        if key == HANGUP:
            yield self._end(action.identifier, "CUSTOMER_DISCONNECT", "menu")
            return None
        if key == TIMEOUT:
            yield TimedOut(self.clock.now(), action.identifier)
            return self._branch(action, "InputTimeLimitExceeded")
        if len(key) != 1 or key not in KEYS:
            raise ValueError(f"a caller cannot press {key!r}: allowed are {KEYS}, {TIMEOUT!r} and {HANGUP!r}")
        target = action.target("condition", key)
        yield Pressed(self.clock.now(), action.identifier, key, target is not None)
        return target or self._branch(action, "NoMatchingCondition")

    def loop(self, action: Action) -> Generator[Event, None, str | None]:
        count = int(self._number(action, "LoopCount"))
        passed = self.loops.get(action.identifier, 0)
        done = passed >= count
        # After DoneLooping the block counts from the start again.
        self.loops[action.identifier] = 0 if done else passed + 1
        yield LoopPassed(self.clock.now(), action.identifier, min(passed + 1, count), count, done)
        return self._condition(action, "DoneLooping" if done else "ContinueLooping")

    def check_hours(self, action: Action) -> Generator[Event, None, str | None]:
        hours = action.parameters.get("HoursOfOperationId")
        yield HoursChecked(
            self.clock.now(), action.identifier, None if hours is None else str(hours), self.world.is_open
        )
        return self._condition(action, str(self.world.is_open))

    def choose_queue(self, action: Action) -> Generator[Event, None, str | None]:
        self.target_queue = self._resolve(action, self._text(action, "QueueId"))
        yield QueueChosen(self.clock.now(), action.identifier, self.target_queue)
        return self._next(action)

    def transfer_to_queue(self, action: Action) -> Generator[Event, None, str | None]:
        if not self.target_queue or self.world.queue_is_full:
            error = "QueueAtCapacity" if self.target_queue else "NoMatchingError"
            yield QueueRefused(self.clock.now(), action.identifier, error)
            return self._branch(action, error)
        queued = Queued(self.clock.now(), action.identifier, self.target_queue)
        yield queued
        patience = self.caller.waits(queued)
        answer = self.world.agent_answers_after
        if patience is None and answer is None:
            raise self._error(
                action,
                "no agent answers and the caller does not leave the queue, so this call would never end",
                "Let one of the two happen after some seconds",
            )
        answered = answer is not None and (patience is None or answer <= patience)
        waited = answer if answered else patience
        assert waited is not None  # noqa: S101 - of the two at least one is a number, as seen above
        self.clock.advance(waited)
        self.queue = QueueStay(self.target_queue, queued.at, self.clock.now())
        if not answered:
            yield self._end(action.identifier, "CUSTOMER_DISCONNECT", "queue")
            return None
        self.agent_connected = self.clock.now()
        yield AgentConnected(self.agent_connected, action.identifier, waited)
        self.clock.advance(self.world.talk_seconds)
        by = "AGENT_DISCONNECT" if self.world.agent_hangs_up else "CUSTOMER_DISCONNECT"
        yield self._end(action.identifier, by, "conversation")
        return None

    def disconnect(self, action: Action) -> Generator[Event, None, str | None]:
        yield self._end(action.identifier, "CONTACT_FLOW_DISCONNECT", "flow")
        return None

    # What the blocks have in common.

    def _end(self, block: str, reason: str, during: str) -> Ended:
        self.reason = reason
        return Ended(self.clock.now(), block, reason, during)

    def _next(self, action: Action) -> str:
        return action.target("next") or self._missing(action, "NextAction")

    def _condition(self, action: Action, result: str) -> str:
        return action.target("condition", result) or self._missing(action, f"condition {result}")

    def _branch(self, action: Action, error: str) -> str:
        target = action.target("error", error) or action.target("error", "NoMatchingError")
        return target or self._missing(action, f"error branch {error}")

    def _missing(self, action: Action, branch: str) -> str:
        raise self._error(action, f"the call needs its {branch}, which it does not have", "Add the branch")

    def _error(self, action: Action, problem: str, remedy: str) -> SimulationError:
        return SimulationError(
            self.flow.source, f"block {action.identifier!r} ({action.type})", problem, remedy
        )

    def _text(self, action: Action, parameter: str) -> str:
        value = action.parameters.get(parameter)
        if not isinstance(value, str) or not value:
            raise self._error(action, f"its {parameter} is {value!r}", f"Give {parameter} as text")
        return value

    def _number(self, action: Action, parameter: str, default: str | None = None) -> float:
        value = str(action.parameters.get(parameter, default))
        if not value.isascii() or not value.isdigit():
            raise self._error(action, f"its {parameter} is {value!r}", f"Give {parameter} as a whole number")
        return int(value)

    def _speech(self, action: Action) -> tuple[str, float]:
        """What a block says, and how many seconds that takes."""
        parameters = action.parameters
        if "PromptId" in parameters:
            return f"[{parameters['PromptId']}]", _RECORDED_PROMPT_SECONDS
        text = self._resolve(action, self._text(action, "SSML" if "SSML" in parameters else "Text"))
        if "SSML" in parameters:
            text = _TAG.sub("", text)
        return text, _speaking_seconds(text)

    def _resolve(self, action: Action, text: str) -> str:
        """The text with contact attributes in place of references; one that was never set is nothing."""
        if "$." not in text:
            return text

        def value(reference: re.Match[str]) -> str:
            if reference["other"]:
                raise self._error(
                    action,
                    f"the reference {reference[0]} is not simulated",
                    "Use $.Attributes.… references only",
                )
            return self.attributes.get(reference["name"], "")

        return _REFERENCE.sub(value, text)


_STEPS: Mapping[str, Callable[[_Playing, Action], Generator[Event, None, str | None]]] = {
    "UpdateFlowLoggingBehavior": _Playing.logging,
    "UpdateContactTextToSpeechVoice": _Playing.voice,
    "UpdateContactAttributes": _Playing.set_attributes,
    "MessageParticipant": _Playing.message,
    "GetParticipantInput": _Playing.menu,
    "Loop": _Playing.loop,
    "CheckHoursOfOperation": _Playing.check_hours,
    "UpdateContactTargetQueue": _Playing.choose_queue,
    "TransferContactToQueue": _Playing.transfer_to_queue,
    "DisconnectParticipant": _Playing.disconnect,
}


@lru_cache(maxsize=1024)
def _speaking_seconds(text: str) -> float:
    latin = sum(character.isascii() for character in text)
    return latin / _LATIN_CHARACTERS_PER_SECOND + (len(text) - latin) / _JAPANESE_CHARACTERS_PER_SECOND
