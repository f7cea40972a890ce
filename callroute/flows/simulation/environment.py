"""What lies outside the flow while a call lasts: hours, queues, agents, functions, bots, other flows, chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callroute.flows.flow import Flow

INSTANCE_ARN = "arn:aws:connect:ap-northeast-1:111111111111:instance/00000000-0000-0000-0000-000000000000"
"""The instance of simulated calls: documentation's account number, no real instance."""

CUSTOMER_NUMBER = "+815000000001"
SYSTEM_NUMBER = "+815000000099"
CONTACT_ID = "00000000-0000-4000-8000-000000000000"

ANY = "*"
"""Stands for every place that has no answer of its own."""

KINDS: Mapping[str, str] = {
    "lambda": "what a Lambda function returns: a mapping, which becomes $.External",
    "lex": "what a bot understands: an intent, a mapping {intent, slots, attributes}, timeout or hangup",
    "hours": "what a check of opening hours finds: true or false",
    "metrics": "a queue metric, by its name such as NumberOfAgentsOnline or Queue.Size: a number or text",
    "split": "the number from 1 to 100 that a split by percentage draws",
    "third_party": "what becomes of a transfer to a telephone number: answered, CallFailed or "
    "ConnectionTimeLimitExceeded",
    "profile": "what the customer profile holds: a mapping, which becomes $.Customer",
    "status": "what a check of the caller's voice, or of a call made by a campaign, finds: the text of a condition "
    "such as Authenticated or CallAnswered",
    "table": "what is read from a data table: a mapping by query, which becomes $.DataTables",
    "view": "what is done with a view: an action, or a mapping {action, data}",
    "errors": "the error with which a block, or every block of a type, fails: such as NoMatchingError",
}
"""What can be answered, and what an answer is."""

END, RETURN = "ends", "returns"
"""Stand for a flow that is not at hand: the call ends there; the module does nothing and returns."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What is so outside the flow while the call lasts.

    An answer belongs to a kind (see `KINDS`) and a place: the block's identifier, or the name of what the block asks
    (a function, bot, module or flow; the last part of its ARN will do), or `*` for every other place. For errors it is
    a block or a type of block. A list holds one answer for each time it is asked, and after it errors are over while
    other answers are missing; anything else is the answer each time.

    Attributes:
        is_open: what every check of opening hours finds that `answers` says nothing of.
        queue_is_full: whether queues turn callers away.
        agent_answers_after: seconds in the queue until an agent takes the call; None for never.
        talk_seconds: length of the conversation then, also with someone outside Amazon Connect.
        agent_hangs_up: whether the other side ends it, rather than the caller.
        agent_transfers_to: queue to which the agent then passes the caller on, by quick connect; None where the
            conversation is the end.
        customer_number: the caller's number in E.164 form; None where it is withheld.
        system_number: the number that was called, in E.164 form.
        contact_id: what `$.ContactId` is.
        instance_arn: the Connect instance.
        attributes: contact attributes that the contact has from the beginning.
        answers: by kind and place.
        flows: other flows and modules, by block, identifier or name; ENDS or RETURNS for one that is not at hand.
    """

    is_open: bool = True
    queue_is_full: bool = False
    agent_answers_after: float | None = 20
    talk_seconds: float = 60
    agent_hangs_up: bool = False
    agent_transfers_to: str | None = None
    customer_number: str | None = CUSTOMER_NUMBER
    system_number: str = SYSTEM_NUMBER
    contact_id: str = CONTACT_ID
    instance_arn: str = INSTANCE_ARN
    attributes: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    flows: Mapping[str, Flow | str] = field(default_factory=dict, repr=False)


def problem_of(kind: str, answer: Any) -> str:
    """What is wrong with an answer of a kind (see `KINDS`); empty where nothing is."""
    match kind, answer:
        case ("lambda" | "profile" | "table", Mapping()):
            return ""
        case ("lambda" | "profile" | "table", _):
            return "is not a mapping"
        case ("lex", str() | {"intent": str()}) | ("view", str() | {"action": str()}):
            return ""
        case ("hours", bool()):
            return ""
        case ("metrics", str() | int() | float()) if not isinstance(answer, bool):
            return ""
        case ("split", int()) if not isinstance(answer, bool):
            return "" if 1 <= answer <= 100 else "is not from 1 to 100"
        case ("third_party", "answered" | "CallFailed" | "ConnectionTimeLimitExceeded"):
            return ""
        case ("errors" | "status", str()) if answer:
            return ""
    return f"is not {KINDS[kind].partition(': ')[2]}"


class Answers:
    """The answers of one kind during one call; lists are used up.

    Args:
        by_place: the answers.
    """

    def __init__(self, by_place: Mapping[str, Any]) -> None:
        self._by_place = by_place
        self._asked: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._by_place)

    def get(self, *places: str) -> Any:
        """The answer for the first of these places that has one; None without, and where a list is used up."""
        for place in places:
            if place in self._by_place:
                answer = self._by_place[place]
                if not isinstance(answer, list):
                    return answer
                asked = self._asked.get(place, 0)
                self._asked[place] = asked + 1
                return answer[asked] if asked < len(answer) else None
        return None


def names_of(resource: str) -> Sequence[str]:
    """The names by which people call a resource: its ARN, its last part, a function's name."""
    last = resource.rpartition("/")[2]
    function = last.partition(":function:")[2].partition(":")[0]
    return [name for name in (resource, last, function) if name]
