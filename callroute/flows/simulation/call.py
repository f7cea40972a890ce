"""The result of a simulated call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from callroute.flows.flow import Branch


@dataclass(frozen=True, slots=True)
class QueueStay:
    """The time a caller spent in a queue.

    Attributes:
        queue: identifier of the queue as set by the flow, usually an ARN.
        entered: start of the wait.
        left: end of the wait.
    """

    queue: str
    entered: datetime
    left: datetime


@dataclass(frozen=True, slots=True)
class ThirdParty:
    """A connection to a phone number outside Amazon Connect."""

    number: str
    connected: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """A finished call, with the data needed for its contact record.

    Each transfer or callback creates another contact, listed in `legs`.

    Attributes:
        started: time of the first event.
        ended: time at which the contact was disconnected or continued as a new contact.
        disconnect_reason: DisconnectReason of the contact record, for example CUSTOMER_DISCONNECT; empty if the
            contact continued as a new one.
        attributes: contact attributes at the end of the call.
        queue: the time in a queue, if any.
        agent_connected: time at which an agent answered, if any.
        third_party: the last connection to a number outside Amazon Connect, if any.
        initiation_method: INBOUND for the call itself; QUEUE_TRANSFER, TRANSFER or CALLBACK for its legs.
        previous_contact: for a leg, the index of the contact that created it. 0 is the call itself.
        legs: the other contacts of the call: transfers in order, then callbacks.
        taken: branches taken, in order, grouped by the file name of their flow.
    """

    started: datetime
    ended: datetime
    disconnect_reason: str
    attributes: Mapping[str, str]
    queue: QueueStay | None
    agent_connected: datetime | None
    third_party: ThirdParty | None = None
    initiation_method: str = "INBOUND"
    previous_contact: int = 0
    legs: tuple[Call, ...] = ()
    taken: Mapping[str, Sequence[Branch]] = field(default_factory=dict, repr=False, compare=False)
