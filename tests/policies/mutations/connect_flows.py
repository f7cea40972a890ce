"""Contact flows with content that Connect refuses, and flows that lose track of a call."""

from __future__ import annotations

import json
from typing import Any

from tests.policies.edits import Edit, add, append, put, remove
from tests.policies.mutations.case import Case, Cases
from tests.policies.values import FLOW, TAGS

CASES: Cases = {}

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
CLOSED = "content.Actions[closed]"


def _refused(message: str, *edits: Edit) -> Case:
    return Case(f"must have content that Connect accepts: block 'closed': {message}", *edits)


def _not_a_flow(message: str, edit: Edit) -> Case:
    return Case(f"must have content in the Connect flow language: content: {message}", edit)


CASES["flow-content-is-valid"] = {
    "content that is not JSON": _not_a_flow(NOT_JSON, put(FLOW, "content", "Press 1")),
    "an export of the Connect console": _not_a_flow(
        EXPORT, put(FLOW, "content", '{"modules": [], "version": "1"}')
    ),
    "another version of the language": _not_a_flow(VERSION, put(FLOW, "content.Version", "2020-01-01")),
    "a branch that leads nowhere": _refused(
        NOWHERE, put(FLOW, f"{CLOSED}.Transitions.NextAction", "nowhere")
    ),
    "an empty text": _refused(EMPTY, put(FLOW, f"{CLOSED}.Parameters.Text", "")),
    "a block for modules, in a flow that claims to be a module": _refused(
        MODULE_BLOCK, put(FLOW, "content.Settings", {}), put(FLOW, CLOSED, {**END, "Identifier": "closed"})
    ),
    "a module whose start does not exist": Case(
        f"must have content that Connect accepts: {NO_START}", add_module(StartAction="nowhere")
    ),
    "a module without Settings": Case(
        "must have Settings in its content, because it is a module", add_module(settings=False)
    ),
}

ATTRIBUTES = "content.Actions[route-start].Parameters.Attributes"
WELCOME = {
    "Identifier": "welcome",
    "Type": "MessageParticipant",
    "Parameters": {"Text": "お電話ありがとうございます。"},
    "Transitions": {"NextAction": "route-start", "Errors": []},
}


def _untracked(blocks: list[str], *edits: Edit) -> Case:
    return Case([f"must set call_route on every path to block {each!r}" for each in blocks], *edits)


FIRST_MENU = ["menu-start", "notice-start"]
NO_ROUTE = remove(FLOW, f"{ATTRIBUTES}.call_route")
CASES["flow-stops-are-tracked"] = {
    "a first menu without a route": _untracked(FIRST_MENU, NO_ROUTE),
    "a prompt before the first route": _untracked(
        ["welcome"], append(FLOW, "content.Actions", WELCOME), put(FLOW, "content.StartAction", "welcome")
    ),
    "a route under a misspelt name": _untracked(
        FIRST_MENU, NO_ROUTE, put(FLOW, f"{ATTRIBUTES}.call_rout", "start")
    ),
    "no route in a flow that claims to be a module": _untracked(
        FIRST_MENU, NO_ROUTE, put(FLOW, "content.Settings", {})
    ),
    "no route in a flow that claims to be for callers in a queue": _untracked(
        FIRST_MENU, NO_ROUTE, put(FLOW, "content.Metadata", {"type": "customerQueue"})
    ),
    "no route in a flow with a misspelt type": _untracked(
        FIRST_MENU, NO_ROUTE, put(FLOW, "type", "contact_flow")
    ),
}

INCOMPLETE = 'must set call_completed to "false" before block {!r}'
COMPLETE = 'must not set call_completed to "true" before block {!r}'
CHOICE = "content.Actions[route-balance].Parameters.Attributes"
CASES["flow-completion-is-tracked"] = {
    "no call_completed at the start": Case(
        [INCOMPLETE.format(each) for each in ("goodbye-start", "menu-start")],
        remove(FLOW, f"{ATTRIBUTES}.call_completed"),
    ),
    "calls marked as completed at the start": Case(
        [COMPLETE.format(f"menu-{menu}") for menu in ("balance", "open-account", "start")],
        put(FLOW, f"{ATTRIBUTES}.call_completed", "true"),
    ),
    "a choice that marks a call as completed before the last menu": Case(
        COMPLETE.format("menu-balance"), put(FLOW, f"{CHOICE}.call_completed", "true")
    ),
}
