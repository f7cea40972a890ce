"""Events of a simulated call.

The class names and fields of the events appear in the output of `callroute simulate --json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Base class of all events.

    Attributes:
        at: time of the event.
        block: identifier of the block that caused it.
    """

    at: datetime
    block: str


@dataclass(frozen=True, slots=True)
class LoggingChanged(Event):
    """Flow logging was turned on or off."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class VoiceChanged(Event):
    """The text-to-speech voice was changed."""

    voice: str
    engine: str


@dataclass(frozen=True, slots=True)
class AttributesSet(Event):
    """Contact attributes were set. They appear in the contact record."""

    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FlowAttributesSet(Event):
    """Flow attributes were set. They never appear in the contact record."""

    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Said(Event):
    """A message started to play. The caller can hang up while it plays."""

    text: str


@dataclass(frozen=True, slots=True)
class KeyIgnored(Event):
    """The caller pressed a key during a message while touchtone buffering was off. The key has no effect."""

    key: str


@dataclass(frozen=True, slots=True)
class KeyBuffered(Event):
    """The caller pressed a key during a message while touchtone buffering was on. The next prompt uses the key."""

    key: str


@dataclass(frozen=True, slots=True)
class MenuOffered(Event):
    """A menu started to play. It waits for a single key.

    Attributes:
        text: text of the prompt.
        keys: keys for which there is a branch.
        seconds: time limit for pressing a key after the prompt.
    """

    text: str
    keys: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class InputAsked(MenuOffered):
    """A prompt for multiple digits started to play. Input ends with `#`, after a timeout, or after `digits` digits.

    Attributes:
        digits: maximum number of digits.
    """

    digits: int


@dataclass(frozen=True, slots=True)
class BotAsked(Event):
    """The prompt of a Lex bot started to play."""

    text: str


@dataclass(frozen=True, slots=True)
class BotUnderstood(Event):
    """The bot recognized an intent."""

    intent: str


@dataclass(frozen=True, slots=True)
class Pressed(Event):
    """The caller pressed a key. `accepted` is false if the menu has no branch for it."""

    key: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class InputStored(Event):
    """The caller's input was stored as `$.StoredCustomerInput`. If there was no input, the value is `Timeout`."""

    digits: str


@dataclass(frozen=True, slots=True)
class TimedOut(Event):
    """The caller did not respond within the time limit."""


@dataclass(frozen=True, slots=True)
class LoopPassed(Event):
    """A Loop block was executed.

    Attributes:
        passes: number of the current pass.
        count: maximum number of passes.
        done: whether the block took its DoneLooping branch.
    """

    passes: int
    count: int
    done: bool


@dataclass(frozen=True, slots=True)
class HoursChecked(Event):
    """Opening hours were checked. `hours` is their identifier, or None for the queue's own hours."""

    hours: str | None
    open: bool


@dataclass(frozen=True, slots=True)
class Compared(Event):
    """The flow compared a value and selected a branch.

    Attributes:
        subject: a reference, the name of a queue metric, `percentage` or `view`.
        value: value of the subject.
        branch: label of the matching condition, or an empty string if no condition matched.
    """

    subject: str
    value: str
    branch: str


@dataclass(frozen=True, slots=True)
class Fetched(Event):
    """The flow received data from a Lambda function (`lambda NAME`), a customer profile or a data table."""

    subject: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoEffect(Event):
    """A block that has no effect on the simulated call was executed.

    Attributes:
        type: type of the block.
    """

    type: str


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """A block failed because the environment forced an error or because a required value was empty."""

    error: str


@dataclass(frozen=True, slots=True)
class FlowEntered(Event):
    """The call entered another flow, module or customer queue flow. `flow` is the file that it was loaded from."""

    flow: str


@dataclass(frozen=True, slots=True)
class FlowLeft(Event):
    """A module, customer queue flow or whisper flow ended."""


@dataclass(frozen=True, slots=True)
class Waited(Event):
    """A Wait block started waiting."""

    seconds: float


@dataclass(frozen=True, slots=True)
class QueueChosen(Event):
    """The target queue of the contact was set."""

    queue: str


@dataclass(frozen=True, slots=True)
class QueueRefused(Event):
    """A transfer to a queue failed because the queue is full (`QueueAtCapacity`) or not set (`NoMatchingError`)."""

    error: str


@dataclass(frozen=True, slots=True)
class Queued(Event):
    """The caller entered a queue."""

    queue: str


@dataclass(frozen=True, slots=True)
class CallbackCreated(Event):
    """A callback was requested."""

    number: str
    queue: str


@dataclass(frozen=True, slots=True)
class AgentConnected(Event):
    """An agent answered."""

    waited_seconds: float


@dataclass(frozen=True, slots=True)
class Transferred(Event):
    """The contact ended and the call continued as a new contact.

    Attributes:
        method: InitiationMethod of the new contact: `TRANSFER` or `QUEUE_TRANSFER`.
        queue: queue of the new contact.
    """

    method: str
    queue: str


@dataclass(frozen=True, slots=True)
class ThirdPartyConnected(Event):
    """A phone number outside Amazon Connect answered."""

    number: str


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """The call ended. This is always the last event.

    Attributes:
        reason: DisconnectReason of the contact record, or `OTHER` if the simulation stopped the call.
        during: activity when the call ended: `message`, `menu`, `input`, `bot`, `queue`, `hold`, `conversation`, `third
            party`, `flow` (the flow disconnected), `another flow` (a flow that is not simulated) or `step limit`.
    """

    reason: str
    during: str
