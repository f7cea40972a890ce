"""The rules of the pack, importable without starting it.

Each of these modules ends in a table `RULES`, in front of which stand the checks it names, and none of them knows another:

- `sight`: what the rules can see at all;
- `iam`: what is granted, to whom, and who is trusted;
- `roles`: the roles of state machines and pipes, against what these do;
- `no_lambda`, `pipeline`, `data`, `flows`, `tags`: the rest, by what it is about.

They stand on `rule` (what a rule is), `documents` (policy documents in all forms), `grants` (who holds which), `arns`,
`json_text`, `marks` (which values are secrets) and `tokens`.
"""

from __future__ import annotations

from policy.rules import data, flows, iam, no_lambda, pipeline, roles, sight, tags
from policy.rules.marks import keep_secret_marks

keep_secret_marks()

RULES = tuple(
    rule for module in (sight, iam, roles, no_lambda, pipeline, data, flows, tags) for rule in module.RULES
)
"""Every rule, in the order of the docs."""

POLICIES = [rule.policy() for rule in RULES]
"""The rules as Pulumi runs them."""
