"""Lists all rules and creates a policy pack from them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pulumi_policy import EnforcementLevel, Policy, PolicyPack

from . import connect_flows, data_protection, exposure, forbidden, iam, least_privilege, pipeline, tags
from .exemptions import check as check_exemptions
from .pack_version import report_pack_version
from .rule import stack_rule
from .secrets import keep_secret_marks

_MODULES = (forbidden, iam, least_privilege, pipeline, data_protection, exposure, connect_flows, tags)

RULES = (
    *(rule for module in _MODULES for rule in module.RULES),
    stack_rule(
        "exemptions-are-needed", check_exemptions
    ),  # Must be last, because it lists the exemptions that the other rules have used.
)
"""All rules, in documentation order."""


def policies(exclude: Collection[str] = ()) -> list[Policy]:
    """Returns the rules as policies of the Pulumi SDK.

    Args:
        exclude: names of the rules to leave out.

    Raises:
        ValueError: an excluded rule does not exist.
    """
    names = {rule.name for rule in RULES}
    if unknown := sorted(set(exclude) - names):
        raise ValueError(f"no rule is called {unknown[0]!r}. Names: {', '.join(sorted(names))}")
    return [rule.policy() for rule in RULES if rule.name not in exclude]


POLICIES = policies()
"""All rules as policies of the Pulumi SDK."""


def create_pack(name: str, exclude: Collection[str] = (), extra: Sequence[Policy] = ()) -> PolicyPack:
    """Serves the rules as a policy pack. Never returns, because the SDK waits for Pulumi's engine to end the process.

    Args:
        name: name of the pack.
        exclude: names of the rules to leave out.
        extra: policies to serve besides the rules.

    Raises:
        ValueError: an excluded rule does not exist.
        RuntimeError: the installed pulumi-policy is not supported.
    """
    chosen = [*policies(exclude), *extra]
    keep_secret_marks()
    report_pack_version(Path())
    return PolicyPack(name, chosen, enforcement_level=EnforcementLevel.MANDATORY)
