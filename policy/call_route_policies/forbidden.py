"""Rejects resources of types that a stack must not contain, and calls to Lambda functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callroute.errors import InputError
from callroute.flows.flow import Flow

from .contact_records import record_pipes
from .iam_patterns import is_lambda
from .policy_documents import walk
from .resource import Resource, Unknown, matches_any
from .resource_types import FLOW, MACHINE, MODULE
from .rule import Finding, RuleConfig, StackFindings, rule, stack_rule

_LAMBDA_TYPES = ("aws:lambda/*", "aws:connect/lambdaFunctionAssociation:*")
"""Lambda resources, and the association that lets a Connect instance invoke a function."""


def _check_type(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
    if not matches_any(resource.type, config["allowed"]):
        yield f"must be a type of resource that the rules can inspect, not {resource.type}"


def _check_credentials(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    yield f"must not be part of the stack: {resource.type.rpartition(':')[2]} is a long-lived credential"


def _check_lambda(resources: Sequence[Resource], _: RuleConfig) -> StackFindings:
    if record_pipes(resources):
        yield from ((each, finding) for each in resources for finding in _uses_of_lambda(each))


def _uses_of_lambda(resource: Resource) -> Iterator[Finding]:
    if matches_any(resource.type, _LAMBDA_TYPES):
        yield "must not be part of this stack, which does not use Lambda"
    elif resource.type in (FLOW, MODULE):
        yield from _check_flow(resource.get("content"))
    else:
        for path, value, _content in walk(resource.props, ":lambda:"):
            # Any other unknown value can only refer to a function in this stack, which is itself a violation.
            if isinstance(value, Unknown) and (resource.type, path) == (MACHINE, "definition"):
                yield value
            elif is_lambda(value):
                yield f"must not invoke Lambda in {path}: {value}"


def _check_flow(content: object) -> Iterator[Finding]:
    if isinstance(content, Unknown):
        yield content
    elif isinstance(content, str):
        try:
            flow = Flow.parse_lenient(content, "content")
        except InputError:
            return  # Reported by flow-content-is-valid.
        for block in flow.blocks.values():
            if block.type == "InvokeLambdaFunction":
                yield f"must not invoke Lambda in block {block.identifier!r}"


RULES = (
    rule("resources-are-inspectable", _check_type),
    rule("no-long-lived-credentials", _check_credentials),
    stack_rule("no-lambda", _check_lambda),
)
