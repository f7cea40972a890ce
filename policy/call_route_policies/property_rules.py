"""Checks properties against the table in property_rules.yaml."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import Any

from .data import data
from .resource import Resource, matches_any, shown
from .rule import Finding, ResourceCheck, Rule, RuleConfig, require, rule


def property_check(rule: str) -> ResourceCheck:
    """Returns a check of the properties that the table lists for a rule."""

    @cache
    def entries(type_: str) -> list[Mapping[str, Any]]:
        return [
            each for each in data("property_rules.yaml")[rule] if matches_any(type_, [each.get("types", "*")])
        ]

    def check(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
        for entry in entries(resource.type):
            if _applies(entry, resource, config):
                for path, given in resource.values(entry["property"]):
                    value = entry.get("default") if given is None else given
                    violation = entry["violation"].format(
                        **config, name=resource.name, path=path, stack=resource.stack, value=shown(value)
                    )
                    yield from require(value, partial(_is_valid, entry, config), violation)

    return check


def property_rule(name: str) -> Rule:
    """Returns a rule for single resources that checks only the table."""
    return rule(name, property_check(name))


def _applies(entry: Mapping[str, Any], resource: Resource, config: RuleConfig) -> bool:
    if entry.get("protected") and not matches_any(resource.stack, config["stacks"]):
        return False
    if "customerManagedKeys" in entry and entry["customerManagedKeys"] not in config["customerManagedKeys"]:
        return False
    conditions = entry.get("when", {}).items()
    return all(matches_any(str(resource.get(name)), patterns) for name, patterns in conditions)


def _is_valid(entry: Mapping[str, Any], config: RuleConfig, value: Any) -> bool:
    """Returns whether a value, or each element of a list, passes an entry's test."""
    if isinstance(value, list):
        return all(_is_valid(entry, config, each) for each in value)
    if "forbidden" in entry:
        return value not in entry["forbidden"]
    # In Python, 1 equals True.
    if any(value == each and type(value) is type(each) for each in entry.get("allowed", ())):
        return True
    if "pattern" in entry:
        return isinstance(value, str) and bool(re.fullmatch(entry["pattern"], value))
    minimum = entry.get("minimum", math.inf)
    least = config[minimum] if isinstance(minimum, str) else minimum
    return is_number(value) and value >= least * entry.get("unit", 1)


def is_number(value: Any) -> bool:
    """Returns whether a value is a number. Booleans are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
