"""Checks that resources have the required tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from .resource import Resource, Unknown
from .rule import Finding, RuleConfig, rule

TAGGABLE_TYPES = frozenset((files(__package__ or "") / "taggable_types.txt").read_text("utf-8").split())
"""Every type with a `tags` argument. Source: schema of pulumi-aws 7.51.1."""


def _check_tags(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
    if resource.type not in TAGGABLE_TYPES:
        return
    tags = resource.get("tags")
    if isinstance(tags, list):  # The tags of Auto Scaling groups are a list of objects.
        tags = {tag.get("key"): tag.get("value") for tag in tags if isinstance(tag, Mapping)}
    values: Mapping[str, Any] = tags if isinstance(tags, Mapping) else {}
    unknown = [each for each in (tags, *map(values.get, config["required"])) if isinstance(each, Unknown)]
    missing = [
        key for key in config["required"] if not isinstance(values.get(key), Unknown | str) or not values[key]
    ]
    yield from unknown
    if missing and not isinstance(tags, Unknown):
        yield f"must have the tag{'s' if missing[1:] else ''} {' and '.join(missing)}"


RULES = (rule("resources-have-required-tags", _check_tags),)
