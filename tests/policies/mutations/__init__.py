"""Ways to break the resources of the stack `prod`, each of which exactly one rule must report.

The modules correspond to those of call_route_policies that have a table of rules.
"""

from __future__ import annotations

from tests.policies.mutations import (
    connect_flows,
    data_protection,
    exposure,
    iam,
    inspectable,
    least_privilege,
    no_lambda,
    pipeline,
    tags,
)

MODULES = (
    inspectable,
    iam,
    least_privilege,
    no_lambda,
    pipeline,
    data_protection,
    exposure,
    connect_flows,
    tags,
)

CASES = [
    (rule, title, case)
    for module in MODULES
    for rule, cases in module.CASES.items()
    for title, case in cases.items()
]
"""Every case with its rule and its title."""
