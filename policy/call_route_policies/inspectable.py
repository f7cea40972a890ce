"""The rule that keeps in sight what all others judge."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import Severity

from .rule import Finding, Resource, Rule, Settings, matches_any, texts

_OUT_OF_SIGHT = (
    # Providers that make the same resources by other names.
    "aws-native:*",
    "awscc:*",
    "aws:index/*",
    "*:tf:*",
    # What makes resources that Pulumi does not register.
    "aws:cloudcontrol/*",
    "aws:cloudformation/stack*",
    "aws:serverlessrepository/*",
    "aws:servicecatalog/provisionedProduct:*",
    # What runs commands or code.
    "command:*",
    "pulumi-*:dynamic*",
)


def _in_sight(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if not matches_any(resource.type, settings["allowed"]):
        yield f"must be a resource that these rules can judge, and not {resource.type}"


RULES = (
    Rule(
        name="resources-can-be-judged",
        description="Resources must be made by the AWS provider, one by one, and not by what these rules cannot look into.",
        severity=Severity.HIGH,
        reason="What is made out of sight is judged by no rule at all.",
        remediation="Write it with the provider aws, or have the type allowed by those who watch over this pack.",
        url="https://www.pulumi.com/docs/iac/crossguard/",
        types=_OUT_OF_SIGHT,
        check=_in_sight,
        settings={
            "allowed": texts("Types of resource that are judged elsewhere; * stands for anything.", ())
        },
    ),
)
