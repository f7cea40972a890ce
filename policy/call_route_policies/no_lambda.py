"""The rule that keeps Lambda out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import Severity

from callroute.errors import InputError
from callroute.flows.flow import Flow

from .iam_patterns import is_lambda
from .policy_documents import TYPES, walk
from .resource_types import FLOW, MACHINE, MODULE, PIPE
from .rule import Finding, Resource, Rule, Settings, Unknown, matches_any

_LAMBDA_TYPES = ("aws:lambda/*", "aws:connect/lambdaFunctionAssociation:*")
"""Functions and what belongs to them, and the leave for an instance of Amazon Connect to call one."""

_CALLING = {PIPE: ("enrichment", "target"), MACHINE: ("definition",)}
"""Where a value that is not known yet may name a function."""


def _no_lambda(resource: Resource, _: Settings) -> Iterator[Finding]:
    if matches_any(resource.type, _LAMBDA_TYPES):
        yield "must not be part of this stack, which does without Lambda"
    elif resource.type in (FLOW, MODULE):
        content = resource.get("content")
        if isinstance(content, Unknown):
            yield content
        for block in _blocks(content):
            yield f"must not call Lambda in block {block!r}"
    else:
        for place, value, _content in walk(resource.props, ":lambda:"):
            if isinstance(value, Unknown) and place in _CALLING.get(resource.type, ()):
                yield value
            elif is_lambda(value):
                yield f"must not call Lambda in {place}: {value}"


def _blocks(content: Any) -> list[str]:
    """The blocks of a flow or module that call Lambda."""
    try:
        flow = Flow.parse_lenient(content, "content") if isinstance(content, str) else None
    except InputError:
        return []  # It is told by flow-content-is-flow-language.
    blocks = flow.blocks.values() if flow else ()
    return [block.identifier for block in blocks if block.type == "InvokeLambdaFunction"]


RULES = (
    Rule(
        name="no-lambda",
        description="This stack must do without Lambda functions.",
        severity=Severity.MEDIUM,
        reason="It is a decision of the design: a function is a thing to patch, to scale and to grant permissions to.",
        remediation="Write it as JSONata in the state machine.",
        url="https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html",
        types=TYPES,
        check=_no_lambda,
    ),
)
