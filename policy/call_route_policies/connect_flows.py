"""Checks Amazon Connect flows with the lint rules in callroute.flows.lint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from callroute.errors import InputError
from callroute.flows import lint
from callroute.flows.block_types import KINDS
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
"""Default type, and the only one in which inbound calls start. Flows of the other types run after such a flow."""


def _check_content(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    content = resource.get("content")
    if isinstance(content, Unknown):
        yield content
    elif not isinstance(content, str):
        yield f"must have a string as content, not {shown(content)}"
    else:
        try:
            flow = _parse(content, resource)
        except InputError as error:
            yield f"must have content in the Connect flow language: {str(error).rstrip('.')}"
            return
        for each in _findings(flow, _VALIDITY):
            location = f"block {each.block!r}" if each.block else each.path
            problem = f"{location}: {each.message} {each.hint}".rstrip(".")
            yield f"must have content that Connect accepts: {problem}"


def _parse(content: str, resource: Resource) -> Flow:
    type_ = "MODULE" if resource.type == MODULE else str(resource.get("type") or _CONTACT_FLOW)
    return Flow.parse_lenient(content, "content", type_ if type_ in KINDS else None)


def _findings(flow: Flow, rules: Collection[str]) -> list[lint.Finding]:
    return lint.check(flow, rules=[rule for rule in lint.RULES if rule.id in rules])


def _check_tracking(*rules: str) -> Callable[[Resource, RuleConfig], Iterator[Finding]]:
    """Returns a check that runs the given lint rules on the flows where calls start."""

    def check(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
        content = resource.get("content")
        unknown = [value for value in (content, resource.get("type")) if isinstance(value, Unknown)]
        yield from unknown[:1]
        if unknown or not isinstance(content, str):
            return
        try:
            flow = _parse(content, resource)
        except InputError:
            return  # Reported by flow-content-is-valid.
        # A flow that is too large is reported by flow-content-is-valid. Analyzing it could take a very long time.
        if flow.type in (None, _CONTACT_FLOW) and not flow.is_too_large:
            for each in _findings(flow, rules):
                yield f"must {_TRACKING[each.rule]} block {each.block!r}"

    return check


RULES = (
    rule("flow-content-is-valid", _check_content),
    rule("flow-stops-are-tracked", _check_tracking("untracked-stop")),
    rule("flow-completion-is-tracked", _check_tracking("completion-unset", "completed-too-early")),
)
