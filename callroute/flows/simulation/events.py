"""Events of a simulated call.

The class names and fields of the events appear in the output of `callroute simulate --json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True)
def _event(cls: type[_Class]) -> type[_Class]:
    """Makes a dataclass that is frozen only for type checkers, because creating a frozen instance takes four times as long."""
    return dataclass(slots=True)(cls)


@_event
class Event:
    """Base class of all events.

    Attributes:
        at: time of the event.
        block: identifier of the block that caused it.
    """

    at: datetime
    block: str


@_event
class LoggingChanged(Event):
    """Flow logging was turned on or off."""

    enabled: bool


@_event
class VoiceChanged(Event):
    """The text-to-speech voice was changed."""

    voice: str
    engine: str


@_event
class AttributesSet(Event):
    """Contact attributes were set. They appear in the contact record."""

    attributes: Mapping[str, str]


@_event
class FlowAttributesSet(Event):
    """Flow attributes were set. They never appear in the contact record."""

    attributes: Mapping[str, str]


@_event
class Said(Event):
    """A message started to play. The caller can hang up while it plays."""

    text: str


@_event
class KeyIgnored(Event):
    """The caller pressed a key during a message while touchtone buffering was off. The key has no effect."""

    key: str


@_event
class KeyBuffered(Event):
    """The caller pressed a key during a message while touchtone buffering was on. The next prompt uses the key."""

    key: str


@_event
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


@_event
class InputAsked(MenuOffered):
    """A prompt for multiple digits started to play. Input ends with `#`, after a timeout, or after `digits` digits.

    Attributes:
        digits: maximum number of digits.
    """

    digits: int


@_event
class BotAsked(Event):
    """The prompt of a Lex bot started to play."""

    text: str


@_event
class BotUnderstood(Event):
    """The bot recognized an intent."""

    intent: str


@_event
class Pressed(Event):
    """The caller pressed a key. `accepted` is false if the menu has no branch for it."""

    key: str
    accepted: bool


@_event
class InputStored(Event):
    """The caller's input was stored as `$.StoredCustomerInput`. If there was no input, the value is `Timeout`."""

    digits: str


@_event
class TimedOut(Event):
    """The caller did not respond within the time limit."""


@_event
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


@_event
class HoursChecked(Event):
    """Opening hours were checked. `hours` is their identifier, or None for the queue's own hours."""

    hours: str | None
    open: bool


@_event
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


@_event
class Fetched(Event):
    """The flow received data from a Lambda function (`lambda NAME`), a customer profile or a data table."""

    subject: str
    values: Mapping[str, Any]


@_event
class NoEffect(Event):
    """A block that has no effect on the simulated call was executed.

    Attributes:
        type: type of the block.
    """

    type: str


@_event
class Failed(Event):
    """A block failed because the environment forced an error or because a required value was empty."""

    error: str


@_event
class FlowEntered(Event):
    """The call entered another flow, module or customer queue flow. `flow` is the file that it was loaded from."""

    flow: str


@_event
class FlowLeft(Event):
    """A module, customer queue flow or whisper flow ended."""


@_event
class Waited(Event):
    """A Wait block started waiting."""

    seconds: float


@_event
class QueueChosen(Event):
    """The target queue of the contact was set."""

    queue: str


@_event
class QueueRefused(Event):
    """A transfer to a queue failed because the queue is full (`QueueAtCapacity`) or not set (`NoMatchingError`)."""

    error: str


@_event
class Queued(Event):
    """The caller entered a queue."""

    queue: str


@_event
class CallbackCreated(Event):
    """A callback was requested."""

    number: str
    queue: str


@_event
class AgentConnected(Event):
    """An agent answered."""

    waited_seconds: float


@_event
class Transferred(Event):
    """The contact ended and the call continued as a new contact.

    Attributes:
        method: InitiationMethod of the new contact: `TRANSFER` or `QUEUE_TRANSFER`.
        queue: queue of the new contact.
    """

    method: str
    queue: str


@_event
class ThirdPartyConnected(Event):
    """A phone number outside Amazon Connect answered."""

    number: str


@_event
class Ended(Event):
    """The call ended. This is always the last event.

    Attributes:
        reason: DisconnectReason of the contact record, or `OTHER` if the simulation stopped the call.
        during: activity when the call ended: `message`, `menu`, `input`, `bot`, `queue`, `hold`, `conversation`, `third
            party`, `flow` (the flow disconnected), `another flow` (a flow that is not simulated) or `step limit`.
    """

    reason: str
    during: str
