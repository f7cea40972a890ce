"""Collects the policies of each principal from all resources in a stack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .data import data
from .iam_patterns import arn_of
from .policy_documents import Document, Statement, policy_documents, statements_in, walk
from .resource import Resource, Unknown, by_arn, of_type
from .resource_types import POLICY

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

    def add(self, documents: Iterable[Document]) -> None:
        """Adds the documents that are attached to the principal."""
        for document in documents:
            if document.kind == "identity":
                self.documents.append(document)
                self.unknown = self.unknown or document.unknown


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
    # Sorted, because the order in which the engine registers resources varies and must not affect the findings.
    resources = sorted(resources, key=lambda resource: resource.urn)
    found: dict[tuple[str, str], Principal] = {}
    managed = by_arn(resources, POLICY)

    def principal(kind: str, name: Any, source: Resource) -> Principal:
        one = found.setdefault(_key(kind, name, source), Principal(source))
        if isinstance(name, Unknown) and name.path != "name":
            one.unknown = one.unknown or name
        return one

    for type_, properties in _TYPES["policies"].items():
        for source in of_type(resources, type_):
            documents = list(policy_documents(source))
            attached = _as_list(source.get(properties.get("attached", "")))
            for kind in ("role", "user", "group"):
                for name in _as_list(source.get(properties[kind])) or [None] if kind in properties else ():
                    one = principal(kind, name, source)
                    one.add(documents)
                    for arn in attached:
                        if isinstance(arn, Unknown):
                            one.unknown = one.unknown or arn
                        elif isinstance(arn, str) and arn not in managed:
                            one.external.append(arn)
                        elif isinstance(arn, str):
                            one.add(policy_documents(managed[arn]))
    for type_, (users, groups) in _TYPES["memberships"].items():
        for membership in of_type(resources, type_):
            for user in _as_list(membership.get(users)):
                for group in _as_list(membership.get(groups)):
                    principal("user", user, membership).groups.append(principal("group", group, membership))
    return found


def own_accounts(resources: Sequence[Resource], others: Iterable[str] = ()) -> set[str]:
    """Returns the accounts in the ARNs of the stack's resources.

    A first preview does not know these ARNs. The result is then the account that all other ARNs and `aws:SourceAccount` of
    the trust policies name, if it is a single one.

    Args:
        resources: the stack's resources.
        others: accounts that the settings allow in addition to the stack's own.
    """
    accounts = {
        arn_of(each.get("arn")).account_id for each in resources if each.type not in _TYPES["referring"]
    }
    if found := set(filter(str.isdigit, accounts)):
        return found
    referenced = {account for each in resources for account in _referenced_accounts(each)}
    found = set(filter(str.isdigit, referenced.difference(others)))
    return found if len(found) == 1 else set()


_ELSEWHERE = re.compile(r"(layers|principals?)(\[\d+\])?$", re.IGNORECASE)
"""Properties that often name other accounts."""


def _referenced_accounts(resource: Resource) -> Iterator[str]:
    """Yields the accounts in ARNs outside policies, and in policies except for the principals of resource policies."""
    for path, value, _ in walk(resource.props, "arn:"):
        if not _ELSEWHERE.search(path):
            yield arn_of(value).account_id
    for document in policy_documents(resource):
        for statement in document.allowing:
            yield from (arn_of(arn).account_id for arn in statement.resources)
            if document.kind == "trust":
                for condition in statement.conditions:
                    if condition.requires_value and condition.key == "aws:sourceaccount":
                        yield from condition.values


def resource_policy_statements(resources: Sequence[Resource], arn: str) -> list[Statement]:
    """Returns the statements in resource policies that grant or deny something to a principal."""
    account = arn_of(arn).account_id
    denied = {("*", "*"), ("AWS", "*"), ("AWS", account), ("AWS", f"arn:aws:iam::{account}:root")}
    statements = statements_in(
        document
        for resource in resources
        for document in policy_documents(resource)
        if document.kind == "resource"
    )
    return [
        each
        for each in statements
        if ("AWS", arn) in each.principals
        or (not each.allows and not denied.isdisjoint(each.principals))
        or (not each.allows and each.not_principals and ("AWS", arn) not in each.not_principals)
    ]


def _as_list(value: Any) -> Sequence[Any]:
    return (
        value if isinstance(value, list) else [] if value is None or isinstance(value, Mapping) else [value]
    )
