"""Lists the exemptions that are in use and those that are not."""

from __future__ import annotations

from collections.abc import Sequence

from .exemptions import USED
from .resource import Resource, of_type
from .rule import RuleConfig, StackFindings, stack_rule


def _check_exemptions(resources: Sequence[Resource], _: RuleConfig) -> StackFindings:
    by_urn = {resource.urn: resource for resource in resources}
    root = next(of_type(resources, "pulumi:pulumi:Stack"), None)
    for rule, exemptions in list(USED.items()):
        for exemption, urns in exemptions.items():
            for urn in sorted(urns & set(by_urn)):
                yield by_urn[urn], f"is exempt from {rule} until {exemption.until}: {exemption.reason}"
            if root and not urns and not exemption.is_expired:
                yield root, f"has an unused exemption from {rule} for {exemption.resource}"


RULES = (stack_rule("exemptions-are-needed", _check_exemptions),)
