"""What happens in a simulated call, and how the call went in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from callroute.flows.flow import Branch


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
class FlowAttributesSet(Event):
    """Flow attributes were written; these never reach the contact record."""

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
class InputAsked(MenuOffered):
    """Digits are asked for, one key after the other, until `#`, silence, or `digits` of them.

    Attributes:
        digits: how many are taken at most.
    """

    digits: int


@dataclass(frozen=True, slots=True)
class BotAsked(Event):
    """A Lex bot is being played and listens."""

    text: str


@dataclass(frozen=True, slots=True)
class BotUnderstood(Event):
    """The bot made this intent of what the caller said."""

    intent: str


@dataclass(frozen=True, slots=True)
class Pressed(Event):
    """The caller pressed a key; `accepted` says whether the menu has a branch for it."""

    key: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class InputStored(Event):
    """What the caller typed is now `$.StoredCustomerInput`; `Timeout` where nothing was typed."""

    digits: str


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
class Compared(Event):
    """The flow looked at a value and chose a branch by it.

    Attributes:
        subject: what was looked at: a reference, the name of a queue metric, `percentage`, `view`.
        value: what it was.
        branch: label of the condition that holds; empty where none does.
    """

    subject: str
    value: str
    branch: str


@dataclass(frozen=True, slots=True)
class Fetched(Event):
    """Something outside the flow answered: a Lambda function (`lambda …`), queue metrics, a customer profile."""

    subject: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoEffect(Event):
    """A block did its work without the caller noticing, and without any effect that this simulator follows.

    Attributes:
        type: the type of the block.
    """

    type: str


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """A block failed, because the world says so (`errors`) or because what it needs is empty."""

    error: str


@dataclass(frozen=True, slots=True)
class FlowEntered(Event):
    """The call goes on in another flow, module or customer queue flow; `flow` is the file it came from."""

    flow: str


@dataclass(frozen=True, slots=True)
class FlowLeft(Event):
    """A module or customer queue flow came to its end, and the call goes on where it was."""


@dataclass(frozen=True, slots=True)
class Waited(Event):
    """The flow waits without saying anything."""

    seconds: float


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
class CallbackCreated(Event):
    """The caller will be called back."""

    number: str
    queue: str


@dataclass(frozen=True, slots=True)
class AgentConnected(Event):
    """An agent took the call."""

    waited_seconds: float


@dataclass(frozen=True, slots=True)
class Transferred(Event):
    """The contact ends here and the call goes on as a new contact.

    Attributes:
        method: the new contact's InitiationMethod: `TRANSFER` or `QUEUE_TRANSFER`.
        queue: where the caller now waits.
    """

    method: str
    queue: str


@dataclass(frozen=True, slots=True)
class ThirdPartyConnected(Event):
    """Someone outside Amazon Connect took the call."""

    number: str


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """The call is over; always the last event.

    Attributes:
        reason: the contact record's DisconnectReason; `OTHER` where the simulation was cut off.
        during: what was going on: `message`, `menu`, `input`, `bot`, `queue`, `conversation`, `third party`, `flow`
            (it came to its end), `another flow` (which was not to be followed) or `step limit`.
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
class ThirdParty:
    """Someone outside Amazon Connect who took the call: when, and at which number."""

    number: str
    connected: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """How a call went: all that a contact record tells of it.

    A call that was transferred, and one for which a callback was made, has further contacts in `legs`.

    Attributes:
        started: when it came in.
        ended: when the line was cut, or when the contact was left for the next.
        disconnect_reason: as AWS names it, such as CUSTOMER_DISCONNECT; empty where AWS gives none.
        attributes: contact attributes at the end.
        queue: the stay in a queue, if there was one.
        agent_connected: when an agent answered, if one did.
        third_party: who outside Amazon Connect took the call last, if anyone did.
        initiation_method: INBOUND for the call itself; QUEUE_TRANSFER, TRANSFER or CALLBACK for its legs.
        came_of: for a leg, the contact from which it came: 0 is the call itself, 1 its first transfer, and so on.
        legs: the contacts that came of this one: transfers in their order, then callbacks.
        taken: the branches taken, in order, by the file of their flow.
    """

    started: datetime
    ended: datetime
    disconnect_reason: str
    attributes: Mapping[str, str]
    queue: QueueStay | None
    agent_connected: datetime | None
    third_party: ThirdParty | None = None
    initiation_method: str = "INBOUND"
    came_of: int = 0
    legs: tuple[Call, ...] = ()
    taken: Mapping[str, Sequence[Branch]] = field(default_factory=dict, repr=False, compare=False)
