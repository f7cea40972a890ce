"""The rule about tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pulumi_policy import EnforcementLevel, Severity

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
from .rule import Finding, Resource, Rule, Settings, Unknown, texts

_TAGGED = (FLOW, KEY, LOG_GROUP, MACHINE, MODULE, PIPE, POLICY, QUEUE, ROLE, STREAM, TABLE)


def _tagged(resource: Resource, settings: Settings) -> Iterator[Finding]:
    tags = resource.get("tags")
    for key in settings["required"]:
        value = tags.get(key) if isinstance(tags, Mapping) else tags if isinstance(tags, Unknown) else None
        if isinstance(value, Unknown):
            yield value
        elif not isinstance(value, str) or not value:
            yield f"must have the tag {key}"


RULES = (
    Rule(
        name="resources-have-required-tags",
        description="Resources must carry the tags by which a team finds and accounts for them.",
        severity=Severity.LOW,
        level=EnforcementLevel.ADVISORY,
        reason="Advisory: a missing tag harms no data and can be mended at any time without replacing anything.",
        remediation="Set tags; project and stack are set by the program.",
        url="https://docs.aws.amazon.com/whitepapers/latest/tagging-best-practices/tagging-best-practices.html",
        types=_TAGGED,
        check=_tagged,
        settings={"required": texts("Keys of the tags that every resource must have.", ("project", "stack"))},
    ),
)
