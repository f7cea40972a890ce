"""Rejects resources that the other rules cannot inspect."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import Severity

from .resource import Resource, matches_any
from .rule import Finding, Rule, RuleConfig, string_list

_NOT_INSPECTABLE = (
    # Other providers for AWS resources, with other type tokens and property names.
    "aws-native:*",
    "awscc:*",
    "aws:index/*",
    "*:tf:*",
    # Services that create resources from a template.
    "aws:cloudcontrol/*",
    "aws:cloudformation/stack*",
    "aws:serverlessrepository/*",
    "aws:servicecatalog/provisionedProduct:*",
    # Commands and code.
    "command:*",
    "pulumi-*:dynamic*",
)


def _check_type(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
    if not matches_any(resource.type, config["allowed"]):
        yield f"must be a type of resource that the rules can inspect, not {resource.type}"


RULES = (
    Rule(
        name="resources-are-inspectable",
        description="Resources must be declared directly with the aws provider, so that the other rules can inspect them.",
        severity=Severity.HIGH,
        reason="No other rule checks resources of these types.",
        remediation="Declare the resource with the aws provider, or add its type to the setting allowed.",
        url="https://www.pulumi.com/docs/iac/crossguard/",
        types=_NOT_INSPECTABLE,
        check=_check_type,
        settings={
            "allowed": string_list(
                "Resource types that are allowed although no rule inspects them; may contain wildcards.", ()
            )
        },
    ),
)
