"""Lists the exemptions that are in use and those that are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pulumi_policy import EnforcementLevel, Severity

from .exemptions import USED
from .resource import Resource, of_type
from .rule import Finding, Rule, RuleConfig


def _check_exemptions(resources: Sequence[Resource], _: RuleConfig) -> Iterator[tuple[Resource, Finding]]:
    by_urn = {resource.urn: resource for resource in resources}
    root = next(of_type(resources, "pulumi:pulumi:Stack"), None)
    for rule, exemptions in list(USED.items()):
        for exemption, urns in exemptions.items():
            for urn in sorted(urns & set(by_urn)):
                yield by_urn[urn], f"is exempt from {rule} until {exemption.until}: {exemption.reason}"
            if root and not urns and not exemption.is_expired:
                yield root, f"has an unused exemption from {rule} for {exemption.resource}"


RULES = (
    Rule(
        name="exemptions-are-needed",
        description="Exemptions from rules are listed with their reasons, and unused ones must be removed.",
        severity=Severity.LOW,
        level=EnforcementLevel.ADVISORY,
        reason="Advisory: reviewers see which violations are accepted, and until when.",
        remediation="Remove unused exemptions from the policy configuration.",
        url="https://www.pulumi.com/docs/iac/crossguard/configuration/",
        check_stack=_check_exemptions,
    ),
)
