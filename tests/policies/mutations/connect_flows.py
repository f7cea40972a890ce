"""Contact flows with content that Connect rejects, and flows that lose track of a call."""

from __future__ import annotations

import json
from typing import Any

from tests.policies.edits import Edit, add, append, put, remove
from tests.policies.mutations.case import Cases, table
from tests.policies.values import FLOW, TAGS

END = {"Identifier": "end", "Type": "EndFlowModuleExecution", "Parameters": {}, "Transitions": {}}


def add_module(*blocks: dict[str, Any], settings: bool = True, **elements: Any) -> Edit:
    """Adds a flow module that runs some blocks and ends."""
    actions = [*blocks, END]
    content = {"Version": "2019-10-30", "StartAction": actions[0]["Identifier"], "Actions": actions}
    content |= {"Settings": {}} if settings else {}
    return add("connect.ContactFlowModule", content=json.dumps({**content, **elements}), tags=TAGS)


NOT_JSON = "line 1 column 1: is not JSON (expecting value). Provide a flow in JSON"
EXPORT = (
    "modules: this was exported from the Connect console and is not in the flow language. Get the flow with"
    " `aws connect describe-contact-flow`, which returns flow language 2019-10-30"
)
VERSION = "Version: Version must be '2019-10-30', not the string '2020-01-01'. Provide a flow in flow language 2019-10-30"
NOWHERE = "The branch 'next' leads to block 'nowhere', which does not exist. Use the identifier of a block in this flow"
EMPTY = "The string is empty, but Connect rejects empty strings. Set a value, or remove the field"
MODULE_BLOCK = (
    "EndFlowModuleExecution is allowed in module flows; this is a contact flow."
    " Move it to a flow of an allowed kind, or use another block"
)
NO_START = "$.StartAction: There is no block 'nowhere'. Set StartAction to the identifier of the first block"
NO_SETTINGS = (
    "$: The flow is a module, and a module needs Settings. Add Settings:"
    ' {"InputParameters": [], "OutputParameters": [], "Transitions": []}'
)
CLOSED = "content.Actions[closed]"

WELCOME = {
    "Identifier": "welcome",
    "Type": "MessageParticipant",
    "Parameters": {"Text": "お電話ありがとうございます。"},
    "Transitions": {"NextAction": "route-start", "Errors": []},
}
START = put(FLOW, "content.StartAction", "welcome")
ATTRIBUTES = "content.Actions[route-start].Parameters.Attributes"
CHOICE = "content.Actions[route-balance].Parameters.Attributes"
FIRST_MENU = ["'menu-start'", "'notice-start'"]
NO_ROUTE = remove(FLOW, f"{ATTRIBUTES}.call_route")
MODULE = put(FLOW, "content.Settings", {})
QUEUE_FLOW = put(FLOW, "content.Metadata", {"type": "customerQueue"})
MENUS = ["'menu-balance'", "'menu-open-account'", "'menu-start'"]

# fmt: off
CASES: Cases = {
    "flow-content-is-valid": {
        **table(
            "must have content in the Connect flow language: content: {}",
            ("not JSON", NOT_JSON, put(FLOW, "content", "Press 1")),
            ("an export of the console", EXPORT, put(FLOW, "content", '{"modules": [], "version": "1"}')),
            ("another version", VERSION, put(FLOW, "content.Version", "2020-01-01")),
        ),
        **table(
            "must have content that Connect accepts: block 'closed': {}",
            ("a branch to nowhere", NOWHERE, put(FLOW, f"{CLOSED}.Transitions.NextAction", "nowhere")),
            ("an empty text", EMPTY, put(FLOW, f"{CLOSED}.Parameters.Text", "")),
            ("a block for modules", MODULE_BLOCK, MODULE, put(FLOW, CLOSED, {**END, "Identifier": "closed"})),
        ),
        **table(
            "must have {}",
            ("no start", f"content that Connect accepts: {NO_START}", add_module(StartAction="nowhere")),
            ("no Settings", f"content that Connect accepts: {NO_SETTINGS}", add_module(settings=False)),
        ),
    },
    "flow-stops-are-tracked": table(
        "must set call_route on every path to block {}",
        ("no route", FIRST_MENU, NO_ROUTE),
        ("a prompt before the first route", "'welcome'", append(FLOW, "content.Actions", WELCOME), START),
        ("a misspelled name", FIRST_MENU, NO_ROUTE, put(FLOW, f"{ATTRIBUTES}.call_rout", "start")),
        ("a flow that claims to be a module", FIRST_MENU, NO_ROUTE, MODULE),
        ("a flow that claims to be for queues", FIRST_MENU, NO_ROUTE, QUEUE_FLOW),
        ("a flow with a misspelled type", FIRST_MENU, NO_ROUTE, put(FLOW, "type", "contact_flow")),
    ),
    "flow-completion-is-tracked": {
        **table(
            'must set call_completed to "false" before block {}',
            ("not set", ["'goodbye-start'", "'menu-start'"], remove(FLOW, f"{ATTRIBUTES}.call_completed")),
        ),
        **table(
            'must not set call_completed to "true" before block {}',
            ("true at the start", MENUS, put(FLOW, f"{ATTRIBUTES}.call_completed", "true")),
            ("true too early", "'menu-balance'", put(FLOW, f"{CHOICE}.call_completed", "true")),
        ),
    },
}
