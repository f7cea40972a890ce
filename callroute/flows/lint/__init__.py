"""Lint rules for flows. They cover Connect's requirements, problems for callers and gaps in tracking."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from callroute.flows.flow import CONTENT_TOO_LONG, TOO_MANY_BLOCKS
from callroute.flows.lint import (
    attributes,
    block_rules,
    channels,
    conditions,
    content,
    modules,
    reachability,
    tracking,
)
from callroute.flows.lint.attributes import attributes_set
from callroute.flows.lint.links import FlowLinks
from callroute.flows.lint.rule import Finding, LintContext, Rule, Severity, Source

if TYPE_CHECKING:
    from callroute.flows.flow import Flow
    from callroute.flows.route_catalog import RouteCatalog

__all__ = ["RULES", "Finding", "FlowLinks", "Rule", "Severity", "Source", "attributes_set", "check"]

RULES: tuple[Rule, ...] = (
    *content.RULES,
    *block_rules.RULES,
    *conditions.RULES,
    *channels.RULES,
    *modules.RULES,
    *reachability.RULES,
    *attributes.RULES,
    *tracking.RULES,
)


def check(
    flow: Flow,
    catalog: RouteCatalog | None = None,
    *,
    set_elsewhere: Collection[str] | None = None,
    allowed_types: Collection[str] = (),
    rules: Iterable[Rule] = RULES,
    links: FlowLinks | None = None,
) -> list[Finding]:
    """Runs lint rules on a flow and returns the findings, sorted by block and then by rule.

    If a flow exceeds a size limit, only the size rules run, because the other rules can take a very long time on
    large flows.

    Args:
        flow: the flow, parsed with `Flow.parse_lenient`, so that structural defects are reported as findings.
        catalog: the flow's route catalog, or None.
        set_elsewhere: contact attributes that other flows set (see `attributes_set`); None if the flow is checked alone.
        allowed_types: block types that this version does not know but accepts.
        rules: the rules to run.
        links: links to the flows that are checked together with this one; None if it is checked alone.
    """
    context = LintContext(flow, catalog, set_elsewhere or (), allowed_types, links)
    rules = tuple(rules)
    size_rules = [rule for rule in rules if rule.id in (TOO_MANY_BLOCKS, CONTENT_TOO_LONG)]
    alone = set_elsewhere is None
    findings = _run(size_rules, context, alone) or _run(rules, context, alone)
    order = {identifier: index for index, identifier in enumerate(flow.blocks)}
    return sorted(findings, key=lambda finding: order.get(finding.block or "", -1))


def _run(rules: Iterable[Rule], context: LintContext, alone: bool) -> list[Finding]:
    return [
        Finding(rule.id, (alone and rule.severity_alone) or rule.severity, context.flow.source, *match)
        for rule in rules
        for match in rule.find(context)
    ]
