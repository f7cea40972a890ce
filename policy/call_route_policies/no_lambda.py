"""Rejects Lambda functions and calls to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callroute.errors import InputError
from callroute.flows.flow import Flow

from .iam_patterns import is_lambda
from .policy_documents import walk
from .resource import Resource, Unknown, matches_any
from .resource_types import FLOW, MACHINE, MODULE
from .rule import Finding, RuleConfig, rule

_LAMBDA_TYPES = ("aws:lambda/*", "aws:connect/lambdaFunctionAssociation:*")
"""Lambda resources, and the association that lets a Connect instance invoke a function."""


def _check_lambda(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    if matches_any(resource.type, _LAMBDA_TYPES):
        yield "must not be part of this stack, which does not use Lambda"
    elif resource.type in (FLOW, MODULE):
        content = resource.get("content")
        if isinstance(content, Unknown):
            yield content
        for block in _lambda_blocks(content):
            yield f"must not invoke Lambda in block {block!r}"
    else:
        for path, value, _content in walk(resource.props, ":lambda:"):
            # Any other unknown value can only refer to a function in this stack, which is itself a violation.
            if isinstance(value, Unknown) and (resource.type, path) == (MACHINE, "definition"):
                yield value
            elif is_lambda(value):
                yield f"must not invoke Lambda in {path}: {value}"


def _lambda_blocks(content: Any) -> list[str]:
    try:
        flow = Flow.parse_lenient(content, "content") if isinstance(content, str) else None
    except InputError:
        return []  # Reported by flow-content-is-valid.
    blocks = flow.blocks.values() if flow else ()
    return [block.identifier for block in blocks if block.type == "InvokeLambdaFunction"]


RULES = (rule("no-lambda", _check_lambda),)
