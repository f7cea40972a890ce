"""The rules of the pack, importable without starting it."""

from __future__ import annotations

from policy.rules import data, flows, iam, pipeline, roles, sight, tags
from policy.rules.marks import keep_secret_marks

keep_secret_marks()

RULES = (
    *(*sight.RULES, *iam.RULES, *roles.RULES, *pipeline.RULES, *data.RULES, *flows.RULES),
    *tags.RULES,
)
"""Every rule, in the order of the docs."""

POLICIES = [rule.policy() for rule in RULES]
"""The rules as Pulumi runs them."""
