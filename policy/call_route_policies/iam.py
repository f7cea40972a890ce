"""Rules about what is granted, to whom, and who may assume a role.

Each defect is told by one rule: a document that cannot be read by the first of them, a wildcard by the one about
wildcards; the others pass over it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Set

from cloudsplaining.shared.constants import PRIVILEGE_ESCALATION_METHODS
from pulumi_policy import Severity

from . import principals
from .iam_patterns import MANAGED_BY_AWS, account_of, has_resource_level, is_everything, is_wildcard
from .policy_documents import TYPES, Document, Kind, Statement, documents, walk
from .resource_types import ROLE
from .rule import (
    Finding,
    Resource,
    ResourceCheck,
    Rule,
    Settings,
    Unknown,
    matches_any,
    of_type,
    texts,
)

# A grant is given with the first deployment and used against us later: nothing below is worth a deployment.
_MANDATORY = "A permission that is too broad does its harm before anybody reads a warning."

StatementCheck = Callable[[Statement, Settings], Iterable[Finding]]

_ATTACHING = re.compile(r"(^|[a-z])[pP]olicyArns?(\[\d+\])?$")
"""Properties by which policies are attached: there a value that is not known yet may become a managed one."""

_BROAD = ("*FullAccess", "*FullAccess[!a-z]*", "AdministratorAccess*", "PowerUserAccess")
"""AWS managed policies that no list of allowed ones can allow."""


def _managed(resource: Resource, settings: Settings) -> Iterator[Finding]:
    """Whatever names an AWS managed policy attaches it, except as a boundary, which gives nothing."""
    for place, value, _ in walk(resource.props, ":iam::aws:policy"):
        if place.startswith("permissionsBoundary"):
            continue
        if isinstance(value, Unknown):
            if _ATTACHING.search(place):
                yield value
            continue
        found = MANAGED_BY_AWS.fullmatch(value) if isinstance(value, str) else None
        if found and matches_any(found[1].rpartition("/")[2], _BROAD):
            yield f"must not carry the AWS managed policy {found[1]}, which allows nearly everything"
        elif found and value not in settings["allowed"]:
            yield f"must not carry the AWS managed policy {found[1]}, which the rule's setting allowed does not list"


def _readable(resource: Resource, _: Settings) -> Iterator[Finding]:
    for document in documents(resource):
        for problem in document.problems:
            yield f"must {problem}"
        if document.unknown:
            yield document.unknown


def _statements(resource: Resource, *kinds: Kind) -> Iterator[Statement | Unknown]:
    """The statements that allow something, of all documents of some kinds; Unknown for what cannot be read yet."""
    for document in documents(resource):
        if document.kind in kinds:
            yield from (statement for statement in document.statements if statement.allows)
            if document.unknown:
                yield document.unknown


def _each_statement(*kinds: Kind) -> Callable[[StatementCheck], ResourceCheck]:
    """Makes a check of resources of one of single statements that allow something."""

    def check_resources(check_statement: StatementCheck) -> ResourceCheck:
        def check(resource: Resource, settings: Settings) -> Iterator[Finding]:
            for statement in _statements(resource, *kinds):
                if isinstance(statement, Unknown):
                    yield statement
                else:
                    yield from check_statement(statement, settings)

        return check

    return check_resources


@_each_statement("identity", "resource", "trust")
def _wildcard_actions(statement: Statement, _: Settings) -> Iterator[Finding]:
    for action in filter(is_wildcard, statement.actions):
        yield f"must name single actions in {statement.label}, and not {action}"


@_each_statement("identity", "resource", "trust")
def _exclusions(statement: Statement, _: Settings) -> Iterator[Finding]:
    for element, excludes in (
        ("NotAction", statement.not_actions),
        ("NotResource", statement.not_resources),
        ("NotPrincipal", statement.not_principals),
    ):
        if excludes:
            yield f"must say what {statement.label} allows, and not by {element} what it does not"


def _wildcard_resources(resource: Resource, settings: Settings) -> Iterable[Finding]:
    if resource.type.startswith(("aws:kms/", "aws:secretsmanager/")):
        return ()  # In the policy of a key or of a secret, `*` is that key or secret.
    return _named_resources(resource, settings)


@_each_statement("identity", "resource")
def _named_resources(statement: Statement, _: Settings) -> Iterator[Finding]:
    for arn in statement.resources:
        if arn == "*":
            actions = [action for action in statement.actions if not is_wildcard(action)]
            if could := [action for action in actions if has_resource_level(action)]:
                yield f"must name the resources of {', '.join(could)} in {statement.label}, and not *"
        elif is_everything(arn):
            yield f"must name the resources of {statement.label}, and not {arn}"


def _escalations(actions: Iterable[str]) -> dict[str, Sequence[str]]:
    """The known ways to more permissions that some actions open: actions by name, without those that contain another."""
    lower = {action.lower() for action in actions}
    open_ = {
        name: set(needs) for name, needs in PRIVILEGE_ESCALATION_METHODS.items() if lower.issuperset(needs)
    }
    least = {
        name: needs for name, needs in open_.items() if not any(other < needs for other in open_.values())
    }
    return {name: PRIVILEGE_ESCALATION_METHODS[name] for name in sorted(least)}


def _allowed_actions(document: Document) -> set[str]:
    return {action for statement in document.statements if statement.allows for action in statement.actions}


def _escalation(resource: Resource, _: Settings) -> Iterator[Finding]:
    for document in documents(resource):
        if document.kind == "identity":
            for name, needs in _escalations(_allowed_actions(document)).items():
                yield f"must not allow {' with '.join(needs)}, which opens more permissions ({name})"
            if document.unknown:
                yield document.unknown


def _combined_escalation(resources: Sequence[Resource], _: Settings) -> Iterator[tuple[Resource, Finding]]:
    for holder in principals.holders(resources).values():
        if holder.unknown:
            yield holder.resource, holder.unknown
        single = [_allowed_actions(document) for document in holder.documents]
        # What a group's own policies open is told of the group.
        single += [
            set().union(*(_allowed_actions(document) for document in group.documents))
            for group in holder.groups
        ]
        told = {name for actions in single for name in _escalations(actions)}
        whose = "its policies and those of its groups" if holder.groups else "its policies"
        for name, needs in _escalations(set().union(*single)).items():
            if name not in told:
                yield (
                    holder.resource,
                    f"must not be allowed {' with '.join(needs)} by {whose} together,"
                    f" which opens more permissions ({name})",
                )


@_each_statement("trust")
def _trusted(statement: Statement, settings: Settings) -> Iterator[Finding]:
    for kind, name in statement.principals:
        if kind != "Service":
            principal = "everybody" if kind == "*" else f"{kind} {name}"
            yield f"must trust services by name in {statement.label}, and not {principal}"
        elif not matches_any(name, settings["services"]) or is_wildcard(name):
            yield f"must trust one of {', '.join(settings['services'])} in {statement.label}, and not {name}"
    for action in statement.actions:
        if action.lower() != "sts:assumerole" and not is_wildcard(action):
            yield f"must let its services do sts:AssumeRole only in {statement.label}, and not {action}"


_POSITIVE = {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"}
"""Operators that hold only where the key is there and has the value; not so with IfExists behind them."""
_SOURCES = {"aws:sourceaccount", "aws:sourcearn"}
_CALLERS = {"aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:sourceorgid", *_SOURCES}
"""Condition keys that tell who calls, or on whose behalf."""
_ACCOUNTS = {"aws:principalaccount", "aws:principalarn", *_SOURCES}
"""Those that name an account."""


def _names_one(key: str, value: str) -> bool:
    """Whether the value of a condition key stands for one account, or one organisation, at most."""
    if "${" in value:  # A variable takes its value from the call that it should bind.
        return False
    if not key.endswith("arn"):
        return value.strip() != "" and not is_wildcard(value)
    parts = value.split(":", 5)
    if len(parts) < 6:
        return False
    # The ARNs of some services, such as S3, hold no account: there the resource has to be named in full.
    named = parts[4] or parts[5]
    return named.strip() != "" and not is_wildcard(named)


def _is_bound(statement: Statement, keys: Set[str]) -> bool:
    """Whether a condition on one of some keys, in lower case, holds for one account or organisation per value only."""
    return any(
        operator.lower() in _POSITIVE
        and key.lower() in keys
        and values
        and all(_names_one(key.lower(), value) for value in values)
        for operator, key, values in statement.conditions
    )


@_each_statement("trust")
def _bound(statement: Statement, settings: Settings) -> Iterator[Finding]:
    bound = _is_bound(statement, _SOURCES)
    for kind, name in statement.principals:
        if kind == "Service" and not bound and name not in settings["exempt"]:
            yield f"must bind {name} to aws:SourceAccount or aws:SourceArn in {statement.label}"


def _foreign_sources(resources: Sequence[Resource], settings: Settings) -> Iterator[tuple[Resource, Finding]]:
    """A role's own ARN tells its account, so that this is known once the role is made."""
    for role in of_type(resources, ROLE):
        arn = role.get("arn")
        own = account_of(arn)
        for statement in _statements(role, "trust"):
            if isinstance(statement, Unknown):
                yield role, statement
                continue
            for key, account in _accounts_in_conditions(statement, _SOURCES):
                if not own:
                    yield role, Unknown("arn")
                elif account not in (own, *settings["accounts"]):
                    yield (
                        role,
                        f"must not be bound by {key} to another account than its own, {own}: {account}",
                    )


def _accounts_in_conditions(statement: Statement, keys: Set[str]) -> Iterator[tuple[str, str]]:
    """(condition key, account) of what a statement is bound to by some keys, in lower case; without what names no account or any."""
    for operator, key, values in statement.conditions:
        if operator.lower() in _POSITIVE and key.lower() in keys:
            for value in values:
                account = account_of(value) if ":" in value else value
                if account and not is_wildcard(account) and "${" not in account:
                    yield key, account


def _foreign_principals(
    resources: Sequence[Resource], settings: Settings
) -> Iterator[tuple[Resource, Finding]]:
    """The stack's own account is the one of its roles."""
    arns = [role.get("arn") for role in of_type(resources, ROLE)]
    own = {account_of(arn) for arn in arns if isinstance(arn, str)}
    for resource in resources:
        for statement in _statements(resource, "resource"):
            if isinstance(statement, Unknown):
                yield resource, statement
                continue
            named = {account_of(name) or name for kind, name in statement.principals if kind == "AWS"}
            named |= {account for _, account in _accounts_in_conditions(statement, _ACCOUNTS)}
            for account in sorted(named - own - {*settings["accounts"], "*"}):
                if not own and arns:
                    yield next(of_type(resources, ROLE)), Unknown("arn")
                else:
                    yield resource, f"must not give {statement.label} to another account: {account}"


@_each_statement("resource")
def _public(statement: Statement, _: Settings) -> Iterator[Finding]:
    if any(is_wildcard(name) for _, name in statement.principals) and not _is_bound(statement, _CALLERS):
        yield f"must say whom {statement.label} allows, and not everybody"


RULES = (
    Rule(
        name="iam-documents-are-readable",
        description="Policy documents must be JSON that IAM accepts, so that it can be judged what they allow.",
        severity=Severity.HIGH,
        reason="What cannot be read cannot be judged by any other rule.",
        remediation="Write the document with callroute.aws.permissions, or mend the element that is named.",
        url="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html",
        types=TYPES,
        check=_readable,
    ),
    Rule(
        name="iam-no-broad-managed-policies",
        description="No principal may carry an AWS managed policy, unless the team lists it; none of the broad ones ever.",
        severity=Severity.CRITICAL,
        reason=_MANDATORY,
        remediation="Attach a policy of the stack that allows the single actions that are used.",
        url="https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege",
        types=TYPES,
        check=_managed,
        settings={
            "allowed": texts(
                "ARNs of AWS managed policies that may be attached; no *FullAccess or the like.", ()
            )
        },
    ),
    Rule(
        name="iam-no-wildcard-actions",
        description="Statements that allow must name single actions, without wildcards.",
        severity=Severity.CRITICAL,
        reason=_MANDATORY,
        remediation="List the actions that are used; callroute.aws.permissions derives them.",
        url="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html",
        types=TYPES,
        check=_wildcard_actions,
    ),
    Rule(
        name="iam-no-allow-by-exclusion",
        description="Statements that allow must say what they allow, and not with NotAction, NotResource or NotPrincipal.",
        severity=Severity.CRITICAL,
        reason=_MANDATORY,
        remediation="Name what is allowed; what AWS adds tomorrow is then not allowed today.",
        url="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html",
        types=TYPES,
        check=_exclusions,
    ),
    Rule(
        name="iam-no-avoidable-wildcard-resources",
        description="Statements that allow must name their resources, unless no action of theirs has a resource level.",
        severity=Severity.HIGH,
        reason=_MANDATORY,
        remediation="Give the ARN of the resource; put actions without a resource level into a statement of their own.",
        url="https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html",
        types=TYPES,
        check=_wildcard_resources,
    ),
    Rule(
        name="iam-no-privilege-escalation",
        description="No policy may allow a combination of actions by which its holder gains further permissions.",
        severity=Severity.CRITICAL,
        reason=_MANDATORY,
        remediation="Take out one of the actions that are named.",
        url="https://pathfinding.cloud",
        types=TYPES,
        check=_escalation,
    ),
    Rule(
        name="iam-no-combined-privilege-escalation",
        description="The policies of one principal must not together allow what gains it further permissions.",
        severity=Severity.CRITICAL,
        reason=_MANDATORY,
        remediation="Take out one of the actions that are named, or give them to different principals.",
        url="https://pathfinding.cloud",
        check_stack=_combined_escalation,
    ),
    Rule(
        name="iam-no-public-resources",
        description="The policy of a queue, a key or the like must not allow everybody.",
        severity=Severity.CRITICAL,
        reason=_MANDATORY,
        remediation="Name the principal, or add a condition on aws:SourceArn, aws:SourceAccount or aws:PrincipalOrgID.",
        url="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
        types=TYPES,
        check=_public,
    ),
    Rule(
        name="iam-resources-stay-in-their-account",
        description="The policy of a queue, a table or the like must not allow anything to another account.",
        severity=Severity.CRITICAL,
        reason=_MANDATORY,
        remediation="Take the principal out, or have its account listed by those who watch over this pack.",
        url="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html",
        check_stack=_foreign_principals,
        settings={"accounts": texts("Ids of other accounts that may be given something.", ())},
    ),
    Rule(
        name="iam-trust-only-named-services",
        description="Roles must be assumable by AWS services that are named, and by nobody else.",
        severity=Severity.CRITICAL,
        reason=_MANDATORY,
        remediation="Name the service as principal, as in callroute.aws.permissions.trust_policy.",
        url="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
        types=(ROLE,),
        check=_trusted,
        settings={
            "services": texts("Services that may be trusted; * stands for anything.", ("*.amazonaws.com",)),
        },
    ),
    Rule(
        name="iam-trust-is-bound-to-a-source",
        description="A service must be trusted on behalf of one account or resource only (no confused deputy).",
        severity=Severity.HIGH,
        reason=_MANDATORY,
        remediation="Add StringEquals conditions for aws:SourceAccount and aws:SourceArn.",
        url="https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html",
        types=(ROLE,),
        check=_bound,
        settings={"exempt": texts("Services that send neither of the two keys.", ())},
    ),
    Rule(
        name="iam-trust-stays-in-its-account",
        description="A role must not let a service assume it on behalf of another account.",
        severity=Severity.CRITICAL,
        reason=_MANDATORY,
        remediation="Give the role's own account as aws:SourceAccount and in aws:SourceArn.",
        url="https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html",
        check_stack=_foreign_sources,
        settings={"accounts": texts("Ids of other accounts on whose behalf services may come.", ())},
    ),
)
