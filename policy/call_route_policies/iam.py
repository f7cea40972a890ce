"""Checks what IAM policies allow and to whom, and which principals may assume a role.

Only one rule reports each defect. For example, a statement with a wildcard action is reported by
iam-no-wildcard-actions, and the other rules skip that action.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Sequence, Set

from .data import data
from .escalation import escalations, usable_actions
from .iam_patterns import (
    AWS_MANAGED_POLICY,
    VARIABLE,
    arn_of,
    has_resource_level,
    ip_network,
    is_wildcard,
    names_one_resource,
)
from .iam_reference import mistakes
from .policy_documents import Kind, Statement, policy_documents, walk
from .principals import own_accounts, principals
from .resource import Resource, Unknown, matches_any, of_type
from .resource_types import ROLE
from .rule import Finding, ResourceCheck, RuleConfig, StackFindings, rule, stack_rule

StatementCheck = Callable[[Statement, RuleConfig], Iterable[Finding]]

_BROAD = ("*FullAccess", "*FullAccess[!a-z]*", "AdministratorAccess*", "PowerUserAccess")
"""AWS managed policies that the setting cannot allow."""


def _check_managed_policies(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
    """Checks every property that names an AWS managed policy, except permissions boundaries.

    An unknown ARN belongs to a resource that does not exist yet, so it is not the ARN of an AWS managed policy.
    """
    for path, value, _ in walk(resource.props, ":iam::aws:policy"):
        if path.startswith("permissionsBoundary"):
            continue
        found = AWS_MANAGED_POLICY.fullmatch(value) if isinstance(value, str) else None
        if found and matches_any(found[1].rpartition("/")[2], _BROAD):
            yield f"must not use the AWS managed policy {found[1]}, which grants broad access"
        elif found and value not in config["allowed"]:
            yield f"must not use the AWS managed policy {found[1]}, which is not listed in the setting allowed"


def _check_validity(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    for document in policy_documents(resource):
        for problem in document.problems:
            yield f"must {problem}"
        if document.unknown:
            yield document.unknown
        for statement in document.statements:
            yield from statement.unknown.values()


def _check_reference(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    for document in policy_documents(resource):
        yield from mistakes(document)


def _allowing_statements(resource: Resource, *kinds: Kind) -> list[Statement]:
    documents = [document for document in policy_documents(resource) if document.kind in kinds]
    return [statement for document in documents for statement in document.allowing]


def _for_each_statement(*kinds: Kind) -> Callable[[StatementCheck], ResourceCheck]:
    """Converts a check of an Allow statement into a check of a resource."""

    def decorate(check_statement: StatementCheck) -> ResourceCheck:
        def check(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
            for statement in _allowing_statements(resource, *kinds):
                yield from check_statement(statement, config)

        return check

    return decorate


_ACCOUNT_ROOT = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:root")
_IN_KEY_POLICY = (
    "kms:decrypt*",
    "kms:describe*",
    "kms:encrypt*",
    "kms:generatedatakey*",
    "kms:reencrypt*",
)
"""Wildcard actions in the key policies that AWS documents. Each matches one action or its variants."""


def _check_wildcard_actions(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    allowing = _allowing_statements(resource, "identity", "resource", "trust")
    ignored: list[str] = []
    if resource.type.startswith("aws:kms/"):
        ignored += _IN_KEY_POLICY
        ignored += ["kms:*"] if all(map(_is_default_key_statement, allowing)) else []
    for statement in allowing:
        for action in filter(is_wildcard, statement.actions):
            if action.lower() not in ignored:
                yield f"must list individual actions in {statement.label}, not {action}"
        yield from statement.unknown_in("Action")


def _is_default_key_statement(statement: Statement) -> bool:
    """Returns whether a statement in a key policy is harmless: it lets the account manage the key or is not for kms:*."""
    names = [name for _, name in statement.principals]
    is_root = bool(names) and all(map(_ACCOUNT_ROOT.fullmatch, names))
    return is_root or "kms:*" not in map(str.lower, statement.actions)


@_for_each_statement("identity", "resource", "trust")
def _check_exclusions(statement: Statement, _: RuleConfig) -> Iterator[Finding]:
    for element in ("NotAction", "NotResource", "NotPrincipal"):
        if element in statement.elements:
            yield f"must list what {statement.label} allows instead of using {element}"
    yield from statement.unknown_in()


def _check_wildcard_resources(resource: Resource, config: RuleConfig) -> Iterable[Finding]:
    if resource.type.startswith(("aws:backup/", "aws:kms/", "aws:secretsmanager/")):
        return ()  # In a policy attached to a backup vault, key or secret, `*` means that vault, key or secret.
    return _check_named_resources(resource, config)


@_for_each_statement("identity", "resource")
def _check_named_resources(statement: Statement, _: RuleConfig) -> Iterator[Finding]:
    for arn in statement.resources:
        if arn == "*":
            actions = [action for action in statement.actions if not is_wildcard(action)]
            if limitable := [action for action in actions if has_resource_level(action)]:
                yield f"must name the resources of {', '.join(limitable)} in {statement.label} instead of *"
        elif not names_one_resource(arn):
            yield f"must name the resources of {statement.label} instead of {arn}"
    yield from statement.unknown_in("Resource")
    if "*" in statement.resources:
        yield from statement.unknown_in("Action")


def _check_escalation(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    for document in policy_documents(resource):
        if document.kind == "identity":
            for actions in escalations(usable_actions(document)):
                yield f"must not allow {actions}, which permits privilege escalation"
            for statement in document.allowing:
                yield from statement.unknown_in("Action")


def _check_combined_escalation(resources: Sequence[Resource], _: RuleConfig) -> StackFindings:
    for principal in principals(resources).values():
        if principal.unknown:
            yield principal.resource, principal.unknown
        separate = [usable_actions(document) for document in principal.documents]
        # Escalations that a single group's policies permit are reported for the group.
        separate += [dict(ChainMap(*map(usable_actions, group.documents))) for group in principal.groups]
        reported = {actions for each in separate for actions in escalations(each)}
        source = "its policies and those of its groups" if principal.groups else "its policies"
        for actions in escalations(ChainMap(*separate)):
            if actions not in reported:
                yield (
                    principal.resource,
                    f"must not be allowed {actions} by {source} together, which permits privilege escalation",
                )


_WEB_IDENTITY = "sts:assumerolewithwebidentity"
_ASSUMING = {
    "sts:assumerole",
    "sts:assumerolewithsaml",
    _WEB_IDENTITY,
    "sts:setsourceidentity",
    "sts:tagsession",
}


def _unless_restricted(
    statement: Statement, keys: Iterable[str], is_specific: Callable[[str, str], bool], *violations: str
) -> Iterator[Finding]:
    """Yields violations unless a condition limits a statement to specific callers. Yields unknown values that may do so.

    The condition's lowercase key has one of the given endings, and each of its values is specific.
    """
    unknown = []
    for each in statement.conditions if violations else ():
        is_relevant = not each.key or (each.requires_value and each.key.endswith(tuple(keys)))
        if is_relevant and all(is_specific(each.key, value) for value in each.values):
            if each.values and not each.unknown:
                return
            unknown += [each.unknown] if each.unknown else []
    yield from unknown or violations


def _is_bound(_: str, value: str) -> bool:
    """Returns whether a value is, or starts with, the name of one client, for example `repo:example/calls:*`."""
    return bool(re.match(r"(?!repo:[^/]*$)[^*?$:]+(:[^*?$:]+|$)", value))


def _identity_keys(provider: str) -> tuple[str, ...]:
    """Returns the endings of the condition keys that can limit an identity provider to one client or user."""
    # GitHub's audience is the same for all repositories.
    return (":sub",) if "githubusercontent" in provider else (":sub", "amazonaws.com:aud", "saml:aud")


@_for_each_statement("trust")
def _check_trusted_principals(statement: Statement, config: RuleConfig) -> Iterator[Finding]:
    for type_, name in statement.principals:
        if type_ == "Service":
            if is_wildcard(name):
                yield f"must name the services that it trusts in {statement.label}, not {name}"
            elif not matches_any(name, config["services"]):
                yield f"must trust only {', '.join(config['services'])} in {statement.label}, not {name}"
            continue
        principal = "every principal" if type_ == "*" else f"{type_} {name}"
        violation = f"must trust only named services in {statement.label}, not {principal}"
        if type_ == "Federated":
            yield from _unless_restricted(statement, _identity_keys(name), _is_bound, violation)
        elif type_ == "AWS" and not is_wildcard(name):
            yield from _unless_restricted(statement, ["sts:externalid"], _is_bound, violation)
        else:
            yield violation
    if "Principal" in statement.unknown and _WEB_IDENTITY in map(str.lower, statement.actions):
        # The provider is unknown, but its condition keys contain its name.
        keys = _identity_keys(" ".join(each.key for each in statement.conditions))
        violation = f"must trust only named users of its identity provider in {statement.label}"
        yield from _unless_restricted(statement, keys, _is_bound, violation)
    federated = [name for type_, name in statement.principals if type_ == "Federated"]
    if (
        federated
        and len(federated) == len(statement.principals)
        and "sts:assumerole" in map(str.lower, statement.actions)
    ):
        yield f"must use sts:AssumeRoleWithWebIdentity or sts:AssumeRoleWithSAML for identity providers in {statement.label}"
    for action in statement.actions:
        if action.lower() not in _ASSUMING and not is_wildcard(action):
            yield f"must allow only sts:AssumeRole in {statement.label}, not {action}"
    yield from statement.unknown_in("Principal", "Action")


_KEYS = {name: set(keys) for name, keys in data("iam_reference.yaml")["callers"].items()}
_SOURCES, _ORGANIZATIONS = _KEYS["sources"], _KEYS["organizations"]
_ACCOUNTS = _SOURCES | _KEYS["accounts"]
_CALLERS = _ACCOUNTS | _ORGANIZATIONS | _KEYS["others"]
_WIDEST_NETWORKS = {4: 8, 6: 32}
"""Length of the shortest network prefix that counts as a restriction, by IP version."""


def _is_specific(key: str, value: str) -> bool:
    """Returns whether a condition value matches at most one account, organization or network."""
    if VARIABLE.search(value):  # A policy variable gets its value from the request.
        return False
    if key == "aws:sourceip":
        network = ip_network(value)
        return network is not None and network.prefixlen >= _WIDEST_NETWORKS[network.version]
    if key.endswith("orgpaths"):
        value = value.partition("/")[0]
    if key == "aws:userid":
        value = value.partition(":")[0]
    if not key.endswith("arn"):
        return value.strip() != "" and not is_wildcard(value)
    arn = arn_of(value)
    # Some ARNs, for example those in S3, contain no account. The resource must then be named in full.
    identifier = arn.account_id or arn.resource
    return identifier.strip() != "" and not is_wildcard(identifier)


@_for_each_statement("trust", "resource")
def _check_source_condition(statement: Statement, config: RuleConfig) -> Iterator[Finding]:
    keys = _SOURCES | _ORGANIZATIONS | {"aws:sourceowner", "kms:calleraccount"}
    violations = [
        f"must restrict {name} with aws:SourceAccount or aws:SourceArn in {statement.label}"
        for type_, name in statement.principals
        if type_ == "Service"
        and not is_wildcard(name)
        and not matches_any(name.removesuffix(".cn"), config["exempt"])
    ]
    if not any("kms:encryptioncontext:" in condition.key for condition in statement.conditions):
        yield from _unless_restricted(statement, keys, _is_specific, *violations)
    yield from statement.unknown_in("Principal")


def _check_trusted_accounts(resources: Sequence[Resource], config: RuleConfig) -> StackFindings:
    """Compares trusted accounts with the one in the role's own ARN, which is known after the role is created."""
    found = own_accounts(resources, config["accounts"])
    for role in of_type(resources, ROLE):
        own = arn_of(role.get("arn")).account_id or next(iter(found), "")
        for statement in _allowing_statements(role, "trust"):
            named = list(_accounts_in_conditions(statement, _SOURCES))
            named += [
                ("its identity provider", arn_of(name).account_id)
                for type_, name in statement.principals
                if type_ == "Federated" and arn_of(name).account_id
            ]
            for key, account in named:
                if not own:
                    yield role, Unknown("arn")
                elif account not in (own, *config["accounts"]):
                    yield role, f"must restrict {key} to its own account {own}, not {account}"
            for unknown in statement.unknown_in("Condition"):
                yield role, unknown


def _accounts_in_conditions(statement: Statement, keys: Set[str]) -> Iterator[tuple[str, str]]:
    """Yields (condition key, account) for each account in a condition on one of the keys."""
    for condition in statement.conditions:
        if condition.requires_value and condition.key in keys:
            for value in condition.values:
                account = arn_of(value).account_id if ":" in value else value
                if account and not is_wildcard(account) and not VARIABLE.search(account):
                    yield condition.written_key, account


def _check_granted_accounts(resources: Sequence[Resource], config: RuleConfig) -> StackFindings:
    """Compares granted accounts with those in the stack's ARNs or, if these are unknown, in the statement's ARNs."""
    found = own_accounts(resources, config["accounts"])
    nameless = [resource for resource in resources if isinstance(resource.get("arn"), Unknown)]
    for resource in resources:
        for statement in _allowing_statements(resource, "resource"):
            own = found or {arn_of(arn).account_id for arn in statement.resources} - {""}
            named = {arn_of(name).account_id or name for kind, name in statement.principals if kind == "AWS"}
            named |= {account for _, account in _accounts_in_conditions(statement, _ACCOUNTS)}
            others = sorted(named - own - {*config["accounts"], "*", "cloudfront"})
            if not own and len(several := [other for other in others if other.isdigit()]) > 1:
                yield (
                    resource,
                    f"must grant access to one account in {statement.label}, not to {', '.join(several)}",
                )
            for account in others:
                if not own:
                    yield nameless[0] if nameless else resource, Unknown("arn")
                else:
                    yield resource, f"must not grant access to account {account} in {statement.label}"
            for name in _other_grantees(statement, config["organizations"]):
                yield resource, f"must not grant access to {name} in {statement.label}"
            for unknown in statement.unknown_in("Principal", "Condition"):
                yield resource, unknown


def _other_grantees(statement: Statement, organizations: Sequence[str]) -> Iterator[str]:
    for type_, name in statement.principals:
        if type_ in ("CanonicalUser", "Federated") and not is_wildcard(name):
            yield f"the {'canonical user' if type_ == 'CanonicalUser' else 'identity provider'} {name}"
    for condition in statement.conditions:
        if condition.requires_value and condition.key in _ORGANIZATIONS:
            named = {value.partition("/")[0] for value in condition.values}
            yield from (f"organization {name}" for name in sorted(named.difference(organizations)))


@_for_each_statement("resource")
def _check_public_access(statement: Statement, _: RuleConfig) -> Iterator[Finding]:
    if any(is_wildcard(name) for _, name in statement.principals):
        violation = (
            f"must name the principals that {statement.label} allows instead of allowing every principal"
        )
        yield from _unless_restricted(statement, _CALLERS, _is_specific, violation)
    yield from statement.unknown_in("Principal")


RULES = (
    rule("iam-documents-are-valid", _check_validity),
    rule("iam-documents-match-reference", _check_reference),
    rule("iam-no-broad-managed-policies", _check_managed_policies),
    rule("iam-no-wildcard-actions", _check_wildcard_actions),
    rule("iam-no-allow-by-exclusion", _check_exclusions),
    rule("iam-no-wildcard-resources", _check_wildcard_resources),
    rule("iam-no-privilege-escalation", _check_escalation),
    stack_rule("iam-no-combined-privilege-escalation", _check_combined_escalation),
    rule("iam-no-public-resources", _check_public_access),
    stack_rule("iam-resources-stay-in-account", _check_granted_accounts),
    rule("iam-trust-only-allowed-principals", _check_trusted_principals),
    rule("iam-services-have-source-condition", _check_source_condition),
    stack_rule("iam-trust-stays-in-account", _check_trusted_accounts),
)
