"""Rules for Pulumi Policies. `RULES` lists them, and `create_pack` serves them as a policy pack.

Each module with rules ends in a table `RULES` and imports no other module with rules:

- `forbidden`: types of resources that a stack must not contain, and calls to Lambda;
- `iam`: permissions, principals and trust;
- `least_privilege`: roles of state machines and pipes, compared with what these do;
- `exposure`: data in other accounts, and settings that expose or lose data;
- `pipeline`, `data_protection`, `connect_flows`, `tags`;
- `exemptions`: exemptions from the other rules.

They share `rule` (rules and findings), `property_rules` (rules that a table declares), `resource`, `preview` (values that
a preview does not know), `policy_documents`, `principals` (the policies of each principal), `iam_patterns`, `json_values`,
`secrets`, `pack_version` and `resource_types`. `testing` is a test kit for any pack.
"""

from __future__ import annotations

from .pack import POLICIES, RULES, create_pack

__all__ = ["POLICIES", "RULES", "create_pack"]
