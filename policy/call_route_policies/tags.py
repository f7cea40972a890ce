"""Requires tags."""

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
    if isinstance(tags, list):  # Auto Scaling groups have a list of objects.
        tags = {tag.get("key"): tag.get("value") for tag in tags if isinstance(tag, Mapping)}
    values: Mapping[str, Any] = tags if isinstance(tags, Mapping) else {}
    missing = [
        key
        for key in config["required"]
        if not isinstance(value := values.get(key), Unknown) and (not isinstance(value, str) or not value)
    ]
    if isinstance(tags, Unknown):
        yield tags
    elif missing:
        yield f"must have the tag{'s' if missing[1:] else ''} {' and '.join(missing)}"
    yield from (values[key] for key in config["required"] if isinstance(values.get(key), Unknown))


RULES = (rule("resources-have-required-tags", _check_tags),)
