"""Who holds which policy documents, over all resources of a stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .policy_documents import Document, Statement, documents
from .resource_types import POLICY, ROLE
from .rule import Resource, Unknown, of_type

_NAMES = {
    ROLE: "role",
    "aws:iam/user:User": "user",
    "aws:iam/group:Group": "group",
}
_INLINE = {
    "aws:iam/rolePolicy:RolePolicy": "role",
    "aws:iam/userPolicy:UserPolicy": "user",
    "aws:iam/groupPolicy:GroupPolicy": "group",
}
_ATTACHMENTS = {
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("role", "policyArn"),
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": ("user", "policyArn"),
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": ("group", "policyArn"),
    "aws:iam/policyAttachment:PolicyAttachment": ("*", "policyArn"),
    "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive": ("roleName", "policyArns"),
    "aws:iam/userPolicyAttachmentsExclusive:UserPolicyAttachmentsExclusive": ("userName", "policyArns"),
    "aws:iam/groupPolicyAttachmentsExclusive:GroupPolicyAttachmentsExclusive": ("groupName", "policyArns"),
}


_MEMBERSHIPS = {
    "aws:iam/groupMembership:GroupMembership": ("users", "group"),
    "aws:iam/userGroupMembership:UserGroupMembership": ("user", "groups"),
}
"""Where it stands which users are in which groups."""


@dataclass
class Holder:
    """A role, user or group, and what it may do."""

    resource: Resource
    """The principal, or where it is not of this stack the first resource that gives it a policy."""
    documents: list[Document] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """ARNs of policies that it carries and this stack does not hold."""
    groups: list[Holder] = field(default_factory=list)
    """Of a user, the groups whose policies count as well."""
    unknown: Unknown | None = None
    """A value that must be known before all of this is."""


Holders = Mapping[tuple[str, str], Holder]
"""Principals by kind, and by name or where that is not known by URN."""


def holder_of(holders: Holders, role: Resource) -> Holder:
    """What a role of this stack may do."""
    return holders[_key("role", role.get("name"), role)]


def _key(kind: str, name: Any, resource: Resource) -> tuple[str, str]:
    # A principal that is not known yet stands alone with what it is given.
    return kind, name if isinstance(name, str) else resource.urn


def holders(resources: Sequence[Resource]) -> Holders:
    """Every principal that gets a policy in this stack, with all of its policies."""
    found: dict[tuple[str, str], Holder] = {}
    managed = {
        policy.get("arn"): policy
        for policy in of_type(resources, POLICY)
        if isinstance(policy.get("arn"), str)
    }

    def holder(kind: str, name: Any, giver: Resource) -> Holder:
        one = found.setdefault(_key(kind, name, giver), Holder(giver))
        if isinstance(name, Unknown):
            one.unknown = one.unknown or name
        return one

    for type_, kind in _NAMES.items():
        for principal in of_type(resources, type_):
            key = _key(kind, principal.get("name"), principal)
            _add(found.setdefault(key, Holder(principal)), documents(principal))
    for type_, kind in _INLINE.items():
        for policy in of_type(resources, type_):
            _add(holder(kind, policy.get(kind), policy), documents(policy))
    for giver, kind, name, arn in _attached(resources):
        one = holder(kind, name, giver)
        if isinstance(arn, Unknown):
            one.unknown = one.unknown or arn
        elif isinstance(arn, str):
            if arn in managed:
                _add(one, documents(managed[arn]))
            else:
                one.elsewhere.append(arn)
    for type_, (users, groups) in _MEMBERSHIPS.items():
        for membership in of_type(resources, type_):
            for user in _listed(membership.get(users)):
                for group in _listed(membership.get(groups)):
                    holder("user", user, membership).groups.append(holder("group", group, membership))
    return found


def given_by_resources(resources: Sequence[Resource], arn: str) -> list[Statement]:
    """What the policies of resources say about a principal: allowed to it by name, or denied to it or to everybody."""
    return [
        statement
        for resource in resources
        for document in documents(resource)
        if document.kind == "resource"
        for statement in document.statements
        if ("AWS", arn) in statement.principals
        or (not statement.allows and {("*", "*"), ("AWS", "*")} & set(statement.principals))
    ]


def _add(holder: Holder, given: Iterator[Document]) -> None:
    for document in given:
        if document.kind == "identity":
            holder.documents.append(document)
            holder.unknown = holder.unknown or document.unknown


def _attached(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str, Any, Any]]:
    """(what attaches, kind of principal, its name, ARN of the policy)."""
    for role in of_type(resources, ROLE):
        for arn in _listed(role.get("managedPolicyArns")):
            yield role, "role", role.get("name"), arn
    for resource in resources:
        if resource.type not in _ATTACHMENTS:
            continue
        holder, policies = _ATTACHMENTS[resource.type]
        for arn in _listed(resource.get(policies)):
            if holder == "*":
                for kind in ("role", "user", "group"):
                    for name in _listed(resource.get(f"{kind}s")):
                        yield resource, kind, name, arn
            else:
                yield resource, holder.removesuffix("Name"), resource.get(holder), arn


def _listed(value: Any) -> Sequence[Any]:
    return (
        value if isinstance(value, list) else [] if value is None or isinstance(value, Mapping) else [value]
    )
