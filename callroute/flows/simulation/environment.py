"""Defines the environment of a simulated call: opening hours, agents, Lambda functions, bots and other flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callroute.flows.flow import Flow

INSTANCE_ARN = "arn:aws:connect:ap-northeast-1:111111111111:instance/00000000-0000-0000-0000-000000000000"
"""Connect instance of simulated calls. It does not exist and uses a documentation account ID."""

CUSTOMER_NUMBER = "+815000000001"
SYSTEM_NUMBER = "+815000000099"
CONTACT_ID = "00000000-0000-4000-8000-000000000000"

ANY_PLACE = "*"
"""Place whose response applies to all places that do not have their own."""

RESPONSE_KINDS: Mapping[str, str] = {
    "lambda": "the result of a Lambda function: a mapping, available as $.External",
    "lex": "the intent that a bot recognizes: a name, a mapping {intent, slots, attributes}, timeout or hangup",
    "hours": "the result of an opening hours check: true or false",
    "metrics": "the value of a queue metric, for example NumberOfAgentsOnline or Queue.Size: a number or string",
    "split": "the number that a percentage split draws: from 1 to 100",
    "third_party": "the result of a transfer to a phone number: answered, CallFailed or "
    "ConnectionTimeLimitExceeded",
    "profile": "the customer profile: a mapping, available as $.Customer",
    "status": "the result of a voice check or of an outbound campaign call: the text of a condition, for example "
    "Authenticated or CallAnswered",
    "table": "the data read from a data table: a mapping by query, available as $.DataTables",
    "view": "the result of a view: an action, or a mapping {action, data}",
    "errors": "the error with which a block, or every block of a type, fails: an error type, for example NoMatchingError",
}
"""Kinds of responses. Each description has the form `subject: accepted values`."""

END, RETURN = "ends", "returns"
"""Stand-ins for flows that have no file. END ends the call there, and RETURN makes a module return immediately."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything outside the flow that affects a simulated call.

    Responses are grouped by kind (see `RESPONSE_KINDS`) and place. The place is a block identifier, the name of the
    resource that the block calls (the last part of its ARN is enough), or `*` for all other places. For forced
    errors, the place is a block identifier or a block type. A list provides one response per request, in order. When
    it is exhausted, there is no response. For forced errors, this means that the block succeeds. Any other value
    applies to every request.

    Attributes:
        is_open: result of opening hours checks without a response.
        queue_is_full: whether transfers to a queue fail.
        agent_answers_after: seconds in the queue until an agent answers, or None if no agent answers.
        talk_seconds: length of a conversation with an agent or a third party.
        agent_hangs_up: whether the agent or third party, rather than the caller, ends the conversation.
        agent_transfers_to: queue to which the agent transfers the caller with a quick connect, or None.
        customer_number: the caller's number in E.164 format; None if it is withheld.
        system_number: the dialed number in E.164 format.
        contact_id: value of `$.ContactId`.
        instance_arn: ARN of the Connect instance.
        attributes: contact attributes at the start of the call.
        missing_attributes_fail: whether a block fails if it copies an attribute that was never set. Otherwise, the copy is
            an empty string.
        responses: responses by kind and place.
        flows: other flows and modules by block identifier, flow identifier or name. END or RETURN represents a flow
            that has no file.
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
    missing_attributes_fail: bool = False
    responses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    flows: Mapping[str, Flow | str] = field(default_factory=dict, repr=False)


def response_problem(kind: str, response: Any) -> str:
    """Returns what is wrong with a response of the given kind, or an empty string if it is valid."""
    match kind, response:
        case ("lambda" | "profile" | "table", Mapping()):
            return ""
        case ("lambda" | "profile" | "table", _):
            return "is not a mapping"
        case ("lex", str() | {"intent": str()}) | ("view", str() | {"action": str()}):
            return ""
        case ("hours", bool()):
            return ""
        case ("metrics", str() | int() | float()) if not isinstance(response, bool):
            return ""
        case ("split", int()) if not isinstance(response, bool):
            return "" if 1 <= response <= 100 else "is not from 1 to 100"
        case ("third_party", "answered" | "CallFailed" | "ConnectionTimeLimitExceeded"):
            return ""
        case ("errors" | "status", str()) if response:
            return ""
    return f"is not {RESPONSE_KINDS[kind].partition(': ')[2]}"


class Responses:
    """The responses of one kind for a call. Each item in a list is used once.

    Args:
        by_place: the responses by place.
    """

    def __init__(self, by_place: Mapping[str, Any]) -> None:
        self._by_place = by_place
        self._requests: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Returns whether there are any responses."""
        return bool(self._by_place)

    def get(self, *places: str) -> Any:
        """Returns the response for the first place that has one, or None if no place has one left."""
        for place in places:
            if place in self._by_place:
                response = self._by_place[place]
                if not isinstance(response, list):
                    return response
                request = self._requests.get(place, 0)
                self._requests[place] = request + 1
                return response[request] if request < len(response) else None
        return None


def resource_names(resource: str) -> Sequence[str]:
    """Returns the names of a resource: its ARN, the last part of the ARN, and its function name."""
    last = resource.rpartition("/")[2]
    function = last.partition(":function:")[2].partition(":")[0]
    return [name for name in (resource, last, function) if name]
