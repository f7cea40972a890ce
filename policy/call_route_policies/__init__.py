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

from . import connect_flows, data_protection, iam, inspectable, least_privilege, no_lambda, pipeline, tags
from .secrets import keep_secret_marks

keep_secret_marks()

RULES = tuple(
    rule
    for module in (
        inspectable,
        iam,
        least_privilege,
        no_lambda,
        pipeline,
        data_protection,
        connect_flows,
        tags,
    )
    for rule in module.RULES
)
"""Every rule, in the order of the docs."""

POLICIES = [rule.policy() for rule in RULES]
"""The rules as Pulumi runs them."""
