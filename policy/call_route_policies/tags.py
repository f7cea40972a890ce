"""Requires tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pulumi_policy import EnforcementLevel, Severity

from .resource import Resource, Unknown
from .resource_types import (
    FLOW,
    KEY,
    LOG_GROUP,
    MACHINE,
    MODULE,
    PIPE,
    POLICY,
    QUEUE,
    ROLE,
    STREAM,
    TABLE,
)
from .rule import Finding, Rule, RuleConfig, string_list

_TAGGABLE = (FLOW, KEY, LOG_GROUP, MACHINE, MODULE, PIPE, POLICY, QUEUE, ROLE, STREAM, TABLE)


def _check_tags(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
    tags = resource.get("tags")
    for key in config["required"]:
        value = tags.get(key) if isinstance(tags, Mapping) else tags if isinstance(tags, Unknown) else None
        if isinstance(value, Unknown):
            yield value
        elif not isinstance(value, str) or not value:
            yield f"must have the tag {key}"


RULES = (
    Rule(
        name="resources-have-required-tags",
        description="Resources must have the tags that identify their project and stack.",
        severity=Severity.LOW,
        level=EnforcementLevel.ADVISORY,
        reason="Advisory: a missing tag puts no data at risk and can be added without replacing the resource.",
        remediation="Set tags; the program sets project and stack itself.",
        url="https://docs.aws.amazon.com/whitepapers/latest/tagging-best-practices/tagging-best-practices.html",
        types=_TAGGABLE,
        check=_check_tags,
        settings={"required": string_list("Keys of the required tags.", ("project", "stack"))},
    ),
)
