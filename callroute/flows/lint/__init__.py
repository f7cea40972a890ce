"""What is wrong with a flow: what Connect would refuse, what callers would suffer, which stops are not tracked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from callroute.flows.lint import attributes, block_rules, conditions, content, reachability, tracking
from callroute.flows.lint.attributes import attributes_set
from callroute.flows.lint.rule import Finding, Rule, Severity, Subject

if TYPE_CHECKING:
    from callroute.flows.flow import Flow
    from callroute.flows.route_catalog import RouteCatalog

__all__ = ["RULES", "Finding", "Rule", "Severity", "attributes_set", "check"]

RULES: tuple[Rule, ...] = (
    *content.RULES,
    *block_rules.RULES,
    *conditions.RULES,
    *reachability.RULES,
    *attributes.RULES,
    *tracking.RULES,
)


def check(
    flow: Flow,
    catalog: RouteCatalog | None = None,
    *,
    set_elsewhere: Collection[str] = (),
    rules: Iterable[Rule] = RULES,
) -> list[Finding]:
    """Everything that the rules find in a flow, in the order of its blocks, then of the rules.

    Args:
        flow: the flow, from `Flow.examine`, so that what `Flow.parse` refuses is found and told too.
        catalog: the route catalog beside it, where there is one.
        set_elsewhere: contact attributes that other flows set (`attributes_set`).
        rules: what to look for.
    """
    subject = Subject(flow, catalog, set_elsewhere)
    findings = [
        Finding(rule.id, rule.severity, flow.source, *found) for rule in rules for found in rule.find(subject)
    ]
    order = {identifier: index for index, identifier in enumerate(flow.blocks)}
    return sorted(findings, key=lambda finding: order.get(finding.block or "", -1))
