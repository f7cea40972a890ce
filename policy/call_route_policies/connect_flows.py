"""Rules about Amazon Connect flows. The checks of callroute.flows do the work; here they stop a deployment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pulumi_policy import Severity

from callroute.errors import InputError
from callroute.flows import lint
from callroute.flows.flow import Flow
from callroute.flows.lint import tracking

from .resource_types import FLOW, MODULE
from .rule import Finding, Resource, Rule, Settings, Unknown, shown

_REFUSED = {rule.id for rule in lint.RULES if rule.severity == "error"} - {rule.id for rule in tracking.RULES}
"""Checks that tell what Connect would refuse."""

_TRACKING = {
    "untracked-stop": "set call_route on every path to",
    "completion-unset": 'set call_completed to "false" before',
    "completed-too-early": 'not set call_completed to "true" before',
}
"""Checks that tell where tracking has a gap, and what a flow must do about it, before the block's name."""

_CONTACT_FLOW = "CONTACT_FLOW"
"""The type of flow where none is said."""

_INSIDE_OF_CALLS = (
    *("AGENT_HOLD", "AGENT_TRANSFER", "AGENT_WHISPER"),
    *("CUSTOMER_HOLD", "CUSTOMER_QUEUE", "CUSTOMER_WHISPER"),
    *("CAMPAIGN", "OUTBOUND_WHISPER", "QUEUE_TRANSFER"),
)
"""Types of flow in which no inbound call begins; they run inside a call that has been through a flow of another type."""


def _parses(resource: Resource, _: Settings) -> Iterator[Finding]:
    content = resource.get("content")
    if isinstance(content, Unknown):
        yield content
    elif not isinstance(content, str):
        yield f"must have its content as a text, and not {shown(content)}"
    else:
        try:
            flow = Flow.parse_lenient(content, "content")
        except InputError as error:
            yield f"must have a content in the Connect flow language: {str(error).rstrip('.')}"
            return
        if resource.type == MODULE and not flow.is_module:
            yield "must have Settings in its content, which every module has"
        for each in _findings(_as_registered(flow, resource), _REFUSED):
            place = f"block {each.block!r}" if each.block else each.path
            yield f"must have a content that Connect takes: {place}: {each.message} {each.hint}".rstrip(".")


def _type(flow: Resource) -> Any:
    type_ = flow.get("type")
    return _CONTACT_FLOW if type_ is None else type_


def _as_registered(flow: Flow, resource: Resource) -> Flow:
    """A flow as what it is registered for, whatever its content says that it is for."""
    if resource.type == MODULE:
        return replace(flow, document={**flow.document, "Settings": {}})
    first, *others = str(_type(resource)).lower().split("_")
    kind = "".join([first, *map(str.capitalize, others)])  # as the console names it: contactFlow
    metadata = flow.document.get("Metadata")
    document = {key: value for key, value in flow.document.items() if key != "Settings"}
    document["Metadata"] = {**(metadata if isinstance(metadata, Mapping) else {}), "type": kind}
    return replace(flow, document=document)


def _findings(flow: Flow, rules: Collection[str]) -> list[lint.Finding]:
    return lint.check(flow, rules=[rule for rule in lint.RULES if rule.id in rules])


def _tracks(*rules: str) -> Callable[[Resource, Settings], Iterator[Finding]]:
    """A check that some checks find nothing in a flow in which calls begin."""

    def check(resource: Resource, _: Settings) -> Iterator[Finding]:
        content, type_ = resource.get("content"), _type(resource)
        for value in (content, type_):
            if isinstance(value, Unknown):
                yield value
                return
        if isinstance(content, str) and type_ not in _INSIDE_OF_CALLS:
            try:
                flow = _as_registered(Flow.parse_lenient(content, "content"), resource)
            except InputError:
                return  # It is told by flow-content-is-flow-language.
            if flow.is_too_large:
                return  # Reported by flow-content-is-flow-language; the analysis could take very long.
            for each in _findings(flow, rules):
                yield f"must {_TRACKING[each.rule]} block {each.block!r}"

    return check


RULES = (
    Rule(
        name="flow-content-is-flow-language",
        description="The content of a contact flow or module must be one that Amazon Connect takes.",
        severity=Severity.HIGH,
        reason="Connect refuses it otherwise, in the middle of a deployment, and hardly says why.",
        remediation="Run `python -m callroute check` on the flow.",
        url="https://docs.aws.amazon.com/connect/latest/APIReference/flow-language.html",
        types=(FLOW, MODULE),
        check=_parses,
    ),
    Rule(
        name="flow-stops-are-tracked",
        description="Wherever callers can hang up, call_route must be set, or their record does not say where they were.",
        severity=Severity.HIGH,
        reason="It is what this system is for; a call without a route is not even tracked.",
        remediation="Run `python -m callroute track` on the flow, or set call_route on every path to the block.",
        url="https://docs.aws.amazon.com/connect/latest/adminguide/what-is-a-contact-attribute.html",
        types=(FLOW,),
        check=_tracks("untracked-stop"),
    ),
    Rule(
        name="flow-completion-is-told",
        description="The attribute call_completed must be false before the first prompt, and not true before the menus are done.",
        severity=Severity.HIGH,
        reason="An abandoned call would count as a completed one, or as neither.",
        remediation='Set call_completed to "false" where call_route is set first, and to "true" after the last menu.',
        url="https://docs.aws.amazon.com/connect/latest/adminguide/what-is-a-contact-attribute.html",
        types=(FLOW,),
        check=_tracks("completion-unset", "completed-too-early"),
    ),
)
