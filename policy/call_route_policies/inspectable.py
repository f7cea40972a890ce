"""Rejects resources that the other rules cannot inspect."""

from __future__ import annotations

from collections.abc import Iterator

from .resource import Resource, matches_any
from .rule import Finding, RuleConfig, rule


def _check_type(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
    if not matches_any(resource.type, config["allowed"]):
        yield f"must be a type of resource that the rules can inspect, not {resource.type}"


RULES = (rule("resources-are-inspectable", _check_type),)
