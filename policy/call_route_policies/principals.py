"""Collects the policies of each principal from all resources in a stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .data import data
from .iam_patterns import account_of
from .policy_documents import Document, Statement, policy_documents
from .resource import Resource, Unknown, of_type
from .resource_types import POLICY, ROLE

_TYPES = data("principals.yaml")


@dataclass
class Principal:
    """A role, user or group, with its policies."""

    resource: Resource
    """The principal. If it is not part of the stack, the first resource by URN that attaches a policy to it."""
    documents: list[Document] = field(default_factory=list)
    external: list[str] = field(default_factory=list)
    """ARNs of attached policies that are not part of the stack."""
    groups: list[Principal] = field(default_factory=list)
    """Groups of a user."""
    unknown: Unknown | None = None
    """The first unknown value that affects the policies."""


Principals = Mapping[tuple[str, str], Principal]
"""Principals by kind and name, or by kind and URN if the name is unknown."""


def principal_of(principals: Principals, role: Resource) -> Principal:
    """Returns the principal for a role in the stack."""
    return principals[_key("role", role.get("name"), role)]


def _key(kind: str, name: Any, resource: Resource) -> tuple[str, str]:
    # Policies of a principal with an unknown name cannot be combined.
    return kind, name if isinstance(name, str) else resource.urn


def principals(resources: Sequence[Resource]) -> Principals:
    """Returns every principal that has a policy in the stack, with all of its policies."""
    # The order in which the engine registers resources varies, and must not affect the findings.
    resources = sorted(resources, key=lambda resource: resource.urn)
    found: dict[tuple[str, str], Principal] = {}
    managed = {
        policy.get("arn"): policy
        for policy in of_type(resources, POLICY)
        if isinstance(policy.get("arn"), str)
    }

    def principal(kind: str, name: Any, source: Resource) -> Principal:
        one = found.setdefault(_key(kind, name, source), Principal(source))
        if isinstance(name, Unknown):
            one.unknown = one.unknown or name
        return one

    for type_, kind in _TYPES["principals"].items():
        for resource in of_type(resources, type_):
            key = _key(kind, resource.get("name"), resource)
            _add(found.setdefault(key, Principal(resource)), policy_documents(resource))
    for type_, kind in _TYPES["inline"].items():
        for policy in of_type(resources, type_):
            _add(principal(kind, policy.get(kind), policy), policy_documents(policy))
    for source, kind, name, arn in _attachments(resources):
        one = principal(kind, name, source)
        if isinstance(arn, Unknown):
            one.unknown = one.unknown or arn
        elif isinstance(arn, str):
            if arn in managed:
                _add(one, policy_documents(managed[arn]))
            else:
                one.external.append(arn)
    for type_, (users, groups) in _TYPES["memberships"].items():
        for membership in of_type(resources, type_):
            for user in _as_list(membership.get(users)):
                for group in _as_list(membership.get(groups)):
                    principal("user", user, membership).groups.append(principal("group", group, membership))
    return found


def own_accounts(resources: Sequence[Resource]) -> set[str]:
    """Returns the accounts in the ARNs of the stack's resources."""
    accounts = (account_of(each.get("arn")) for each in resources if each.type not in _TYPES["referring"])
    return {account for account in accounts if account.isdigit()}


def resource_policy_statements(resources: Sequence[Resource], arn: str) -> list[Statement]:
    """Returns the statements in resource policies that grant or deny something to a principal."""
    account = account_of(arn)
    denied = {("*", "*"), ("AWS", "*"), ("AWS", account), ("AWS", f"arn:aws:iam::{account}:root")}
    return [
        statement
        for resource in resources
        for document in policy_documents(resource)
        if document.kind == "resource"
        for statement in document.statements
        if ("AWS", arn) in statement.principals
        or (not statement.allows and denied & set(statement.principals))
        or (
            not statement.allows and statement.not_principals and ("AWS", arn) not in statement.not_principals
        )
    ]


def _add(principal: Principal, documents: Iterator[Document]) -> None:
    for document in documents:
        if document.kind == "identity":
            principal.documents.append(document)
            principal.unknown = principal.unknown or document.unknown


def _attachments(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str, Any, Any]]:
    """Yields (attaching resource, kind of principal, its name, ARN of the policy)."""
    for role in of_type(resources, ROLE):
        for arn in _as_list(role.get("managedPolicyArns")):
            yield role, "role", role.get("name"), arn
    for resource in resources:
        if resource.type not in _TYPES["attachments"]:
            continue
        principal, policies = _TYPES["attachments"][resource.type]
        for arn in _as_list(resource.get(policies)):
            if principal == "*":
                for kind in ("role", "user", "group"):
                    for name in _as_list(resource.get(f"{kind}s")):
                        yield resource, kind, name, arn
            else:
                yield resource, principal.removesuffix("Name"), resource.get(principal), arn


def _as_list(value: Any) -> Sequence[Any]:
    return (
        value if isinstance(value, list) else [] if value is None or isinstance(value, Mapping) else [value]
    )
