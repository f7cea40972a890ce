"""Checks Amazon Connect flows with the lint rules in callroute.flows.lint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from callroute.errors import InputError
from callroute.flows import lint
from callroute.flows.flow import Flow
from callroute.flows.lint import tracking

from .resource import Resource, Unknown, shown
from .resource_types import MODULE
from .rule import Finding, RuleConfig, rule

_VALIDITY = {rule.id for rule in lint.RULES if rule.severity == "error"} - {
    rule.id for rule in tracking.RULES
}
"""Lint rules that report content Amazon Connect rejects."""

_TRACKING = {
    "untracked-stop": "set call_route on every path to",
    "completion-unset": 'set call_completed to "false" before',
    "completed-too-early": 'not set call_completed to "true" before',
}
"""Lint rules that report tracking gaps, each with the start of its message. The block name follows."""

_CONTACT_FLOW = "CONTACT_FLOW"
"""Default flow type."""

_LATER_FLOWS = (
    *("AGENT_HOLD", "AGENT_TRANSFER", "AGENT_WHISPER"),
    *("CUSTOMER_HOLD", "CUSTOMER_QUEUE", "CUSTOMER_WHISPER"),
    *("CAMPAIGN", "OUTBOUND_WHISPER", "QUEUE_TRANSFER"),
)
"""Flow types in which inbound calls cannot start. They run after a flow of another type."""


def _check_content(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    content = resource.get("content")
    if isinstance(content, Unknown):
        yield content
    elif not isinstance(content, str):
        yield f"must have a string as content, not {shown(content)}"
    else:
        try:
            flow = Flow.parse_lenient(content, "content")
        except InputError as error:
            yield f"must have content in the Connect flow language: {str(error).rstrip('.')}"
            return
        if resource.type == MODULE and not flow.is_module:
            yield "must have Settings in its content, because it is a module"
        for each in _findings(_as_registered(flow, resource), _VALIDITY):
            location = f"block {each.block!r}" if each.block else each.path
            yield f"must have content that Connect accepts: {location}: {each.message} {each.hint}".rstrip(
                "."
            )


def _type(flow: Resource) -> Any:
    type_ = flow.get("type")
    return _CONTACT_FLOW if type_ is None else type_


def _as_registered(flow: Flow, resource: Resource) -> Flow:
    """Returns the flow with its resource's type, which takes precedence over the type in the content."""
    if resource.type == MODULE:
        return replace(flow, document={**flow.document, "Settings": {}})
    first, *others = str(_type(resource)).lower().split("_")
    # Spelling in the content, for example contactFlow.
    kind = "".join([first, *map(str.capitalize, others)])
    metadata = flow.document.get("Metadata")
    document = {key: value for key, value in flow.document.items() if key != "Settings"}
    document["Metadata"] = {**(metadata if isinstance(metadata, Mapping) else {}), "type": kind}
    return replace(flow, document=document)


def _findings(flow: Flow, rules: Collection[str]) -> list[lint.Finding]:
    return lint.check(flow, rules=[rule for rule in lint.RULES if rule.id in rules])


def _check_tracking(*rules: str) -> Callable[[Resource, RuleConfig], Iterator[Finding]]:
    """Returns a check that runs the given lint rules on flows in which calls start."""

    def check(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
        content, type_ = resource.get("content"), _type(resource)
        for value in (content, type_):
            if isinstance(value, Unknown):
                yield value
                return
        if isinstance(content, str) and type_ not in _LATER_FLOWS:
            try:
                flow = _as_registered(Flow.parse_lenient(content, "content"), resource)
            except InputError:
                return  # Reported by flow-content-is-valid.
            if flow.is_too_large:
                return  # Reported by flow-content-is-valid. Analyzing it could take a very long time.
            for each in _findings(flow, rules):
                yield f"must {_TRACKING[each.rule]} block {each.block!r}"

    return check


RULES = (
    rule("flow-content-is-valid", _check_content),
    rule("flow-stops-are-tracked", _check_tracking("untracked-stop")),
    rule("flow-completion-is-tracked", _check_tracking("completion-unset", "completed-too-early")),
)
