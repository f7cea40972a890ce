"""Rules about Amazon Connect flows. The checks of callroute.flows do the work; here they stop a deployment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from pulumi_policy import Severity

from callroute.errors import InputError
from callroute.flows import checks
from callroute.flows.checks import tracking
from callroute.flows.model import Flow
from policy.rules.rule import Finding, Resource, Rule, Settings, Unknown, shown

FLOW = "aws:connect/contactFlow:ContactFlow"

_REFUSED = {rule.id for rule in checks.RULES if rule.severity == "error"} - {
    rule.id for rule in tracking.RULES
}
"""Checks that tell what Connect would refuse."""

_TRACKING = {
    "untracked-stop": "set call_route on every path to",
    "completion-unset": 'set call_completed to "false" before',
    "completed-too-early": 'not set call_completed to "true" before',
}
"""Checks that tell where tracking has a gap, and what a flow must do about it, before the block's name."""

_CALLS_COME_IN = (None, "CONTACT_FLOW")
"""Types of flow in which a call begins; others run inside a call that has been through one of these."""


def _parses(resource: Resource, _: Settings) -> Iterator[Finding]:
    content = resource.get("content")
    if isinstance(content, Unknown):
        yield content
    elif not isinstance(content, str):
        yield f"must have its content as a text, and not {shown(content)}"
    else:
        try:
            found = _findings(content, _REFUSED)
        except InputError as error:
            yield f"must have a content in the Connect flow language: {str(error).rstrip('.')}"
        else:
            for each in found:
                place = f"block {each.block!r}" if each.block else each.path
                yield f"must have a content that Connect takes: {place}: {each.message} {each.hint}".rstrip(
                    "."
                )


def _findings(content: str, rules: Collection[str]) -> list[checks.Finding]:
    flow = Flow.examine(content, "content")
    return checks.check(flow, rules=[rule for rule in checks.RULES if rule.id in rules])


def _tracks(*rules: str) -> Callable[[Resource, Settings], Iterator[Finding]]:
    """A check that some checks find nothing in a flow in which calls begin."""

    def check(resource: Resource, _: Settings) -> Iterator[Finding]:
        content, type_ = resource.get("content"), resource.get("type")
        for value in (content, type_):
            if isinstance(value, Unknown):
                yield value
                return
        if isinstance(content, str) and type_ in _CALLS_COME_IN:
            try:
                found = _findings(content, rules)
            except InputError:
                return  # It is told by flow-content-is-flow-language.
            for each in found:
                yield f"must {_TRACKING[each.rule]} block {each.block!r}"

    return check


RULES = (
    Rule(
        name="flow-content-is-flow-language",
        description="The content of a contact flow must be one that Amazon Connect takes.",
        severity=Severity.HIGH,
        reason="Connect refuses it otherwise, in the middle of a deployment, and hardly says why.",
        remediation="Run `python -m callroute check` on the flow.",
        url="https://docs.aws.amazon.com/connect/latest/APIReference/flow-language.html",
        types=(FLOW,),
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
