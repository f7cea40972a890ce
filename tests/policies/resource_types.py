"""Lists the resource types in the tests of the policy pack."""

from __future__ import annotations

from tests.policies.exam.cases import kinds
from tests.policies.mutations import CASES
from tests.policies.stacks import COMPONENTS, STACKS, recorded


def used_types() -> list[str]:
    """Returns the types of the stacks, the mutations and the exam, except for components."""
    found = {resource.type for stack in STACKS for resource in recorded(stack)}
    for _, _, case in CASES:
        stack = recorded("prod")
        case.edit(stack)
        found |= {resource.type for resource in stack}
    found |= {resource.type for kind in kinds() for case in kind.cases for resource in case.resources}
    return sorted(each for each in found if not each.startswith(COMPONENTS))
