"""Compares a role's permissions with what its state machine or pipe does. Reports unused and missing permissions.

The required permissions come from the registered state machine or pipe, through callroute.aws.permissions, which the program
also uses to build its policies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callroute.arn import Arn
from callroute.aws.permissions import DELIVER_LOGS, READ_STREAM, USE_KEY, TaskNeed, state_needs, states

from .conditions import Context, hold, request_context
from .contact_records import processes_records
from .data import data
from .iam_patterns import (
    AWS_MANAGED_POLICY,
    VARIABLE,
    arn_of,
    has_resource_level,
    is_lambda,
    is_wildcard,
    matches,
    names_one_resource,
)
from .json_values import parse
from .policy_documents import Statement, policy_documents, statements_in, walk
from .principals import Principal, principal_of, principals, resource_policy_statements
from .resource import Resource, Unknown, by_arn, of_type, shown
from .resource_types import KEY, MACHINE, PIPE, POLICY, QUEUE, ROLE, STREAM, TABLE
from .rule import Finding, RuleConfig, StackFindings, stack_rule

_SERVICES = {
    MACHINE: re.compile(r"states(\.[a-z0-9-]+)?\.amazonaws\.com"),
    PIPE: re.compile(r"pipes\.amazonaws\.com"),
}
"""Service principal that assumes the role, by type. The one for Step Functions may contain a region."""

_KEY_PROPERTIES = {
    QUEUE: ("kmsMasterKeyId",),
    STREAM: ("kmsKeyId",),
    TABLE: ("serverSideEncryption", "kmsKeyArn"),
}
"""Path of the property that names the customer managed key, by type."""

_PERMISSIONS = data("permissions.yaml")


@dataclass(frozen=True)
class Need:
    """A required permission: one action on one resource."""

    action: str
    resource: str
    """An ARN, or `*`."""
    purpose: str
    """Reason for messages, for example `used by its state 'Store'`."""
    encrypting: str = ""
    """Service that uses the key, if the permission is for a key."""
    certain: bool = True
    """False if the stack does not show whether the permission is needed. It is then optional."""


class _NotDerivedError(Exception):
    """The required permissions cannot be derived. Contains the finding to report, or None if another rule reports it.

    A violation matters only for resources that process contact records.
    """

    def __init__(self, finding: Finding | None) -> None:
        self.finding = finding
        super().__init__(str(finding))


Needs = Callable[[Resource, Sequence[Resource]], Iterator[Need | Unknown | None]]
"""Function that returns the permissions that a resource requires.

It also returns any unknown value that may require more, and None if the resource does something for which the required
permissions are not known.
"""


def _known(resource: Resource, path: str) -> Any:
    value = resource.get(*path.split("."))
    if isinstance(value, Unknown):
        raise _NotDerivedError(value)
    return value


def _string(resource: Resource, path: str) -> str:
    value = _known(resource, path)
    if value is not None and not isinstance(value, str):
        raise _NotDerivedError(f"must have a string as {path}, not {shown(value)}")
    return value or ""


def _reject(resource: Resource, *paths: str) -> None:
    """Rejects properties whose required permissions are not known."""
    for path in paths:
        if _known(resource, path):
            raise _NotDerivedError(f"must not set {path}: its required permissions are not known")


def _state_machine_needs(machine: Resource, resources: Sequence[Resource]) -> Iterator[Need | Unknown | None]:
    arn = _string(machine, "arn")
    text = _string(machine, "definition")
    # Lambda functions are reported by no-lambda.
    has_lambda = any(is_lambda(value) for _, value, _ in walk({"definition": text}, ":lambda:"))
    is_strict = processes_records(machine, resources) and not has_lambda
    needs: list[TaskNeed] = []
    try:
        for name, state in states(parse(text)):
            try:
                needs += state_needs(name, state)
            except ValueError:
                others = list(_other_task_needs(name, state))
                if is_strict and not others:
                    raise
                needs += others
                if not is_strict:
                    yield None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        reason = str(error) if type(error) is ValueError else "not an Amazon States Language definition"
        raise _NotDerivedError(f"must have a definition with known permissions: {reason}") from None
    _reject(machine, "encryptionConfiguration.kmsKeyId")
    for need in needs:
        service = need.action.partition(":")[0]
        # Metrics have no ARN.
        resource = "*" if service == "cloudwatch" else _target(need.target, service, arn)
        yield Need(need.action, resource, f"used by its state {need.state!r}")
        yield from _key_needs(service, resource, resources)
    if _string(machine, "loggingConfiguration.level") not in ("", "OFF"):
        yield from (Need(action, "*", "used for its log") for action in DELIVER_LOGS)
    if machine.get("tracingConfiguration", "enabled") is True:
        yield from (Need(action, "*", "used for tracing") for action in _PERMISSIONS["tracing"])


def _other_task_needs(name: str, state: Mapping[str, Any]) -> Iterator[TaskNeed]:
    """Yields the permission that a Task of a state machine for another purpose certainly needs."""
    integration = str(state.get("Resource")).partition(":states:::")[2].removesuffix(".waitForTaskToken")
    if integration in _PERMISSIONS["integrations"] and "Credentials" not in state:
        action, parameter = _PERMISSIONS["integrations"][integration]
        target = {**state.get("Parameters", {}), **state.get("Arguments", {})}.get(parameter)
        is_name = action.startswith(("dynamodb:", "sqs:"))
        if isinstance(target, str) and not target.startswith("{%") and (is_name or target.startswith("arn:")):
            yield TaskNeed(name, action, target)


_QUEUE_URL = re.compile(r"https?://(?:sqs\.([a-z0-9-]+)\.)?[^/]+/(\d{12})/([^/]+)")


def _target(target: str, service: str, machine_arn: str) -> str:
    """Returns the ARN of a table, in the state machine's account and region, or of a queue URL."""
    if target.startswith("arn:"):
        return target
    partition, _, region, account, _ = arn_of(machine_arn)
    name = f"table/{target}" if service == "dynamodb" else target.rpartition("/")[2]
    if url := _QUEUE_URL.fullmatch(target):
        region, account, name = url[1] or region, url[2], url[3]
    return str(Arn(partition, service, region, account, name))


def _pipe_needs(pipe: Resource, resources: Sequence[Resource]) -> Iterator[Need | Unknown | None]:
    source, target = _string(pipe, "source"), _string(pipe, "target")
    is_strict = processes_records(pipe, resources)
    if is_strict and (is_lambda(target) or is_lambda(_string(pipe, "enrichment"))):
        raise _NotDerivedError(None)  # Reported by no-lambda.
    for name, arn, service in (("source", source, "kinesis"), ("target", target, "states")):
        if arn_of(arn).service != service and not is_strict:
            yield None
        elif arn_of(arn).service != service:
            raise _NotDerivedError(
                f"must have a {service} {name}: the required permissions of {shown(arn)} are not known"
            )
    _reject(
        pipe,
        "enrichment",
        "kmsKeyIdentifier",
        "logConfiguration.firehoseLogDestination",
        "logConfiguration.s3LogDestination",
    )
    reading = {"kinesis": READ_STREAM, **_PERMISSIONS["sources"]}
    for action in reading.get(arn_of(source).service, ()):
        yield Need(action, source, "used to read its source")
    yield from _key_needs(arn_of(source).service, source, resources)
    invocation = _string(pipe, "targetParameters.stepFunctionStateMachineParameters.invocationType")
    start = "states:StartExecution" if invocation == "FIRE_AND_FORGET" else "states:StartSyncExecution"
    invoking = {"states": start, **_PERMISSIONS["targets"]}
    if action := invoking.get(arn_of(target).service):
        yield Need(action, target, "used to invoke its target")
    dead_letters = _string(pipe, "sourceParameters.kinesisStreamParameters.deadLetterConfig.arn")
    if dead_letters:
        action = "sns:Publish" if arn_of(dead_letters).service == "sns" else "sqs:SendMessage"
        yield Need(action, dead_letters, "used to send dead letters")
        yield from _key_needs("sqs", dead_letters, resources)


def _key_needs(service: str, arn: str, resources: Sequence[Resource]) -> Iterator[Need | Unknown]:
    """Yields the permissions to use the customer managed key of a table, stream or queue.

    A table's state also names a key that AWS manages, which requires no permission. A key is known to be
    customer managed if a stream or queue names it, or if it is part of the stack.
    """
    actions = USE_KEY.get(service, ())
    found = [each for each in resources if each.type in (QUEUE, STREAM, TABLE) and each.get("arn") == arn]
    if not found:  # The encryption of a resource outside the stack is not known.
        yield from (Need(action, "*", "may be used for its key", service, False) for action in actions)
    for each in found:
        key = _key(each)
        if isinstance(key, Unknown):
            yield key
        elif isinstance(key, str) and key.startswith("arn:"):
            customer_managed = [
                *(_key(other) for other in resources if other.type in (QUEUE, STREAM)),
                *(other.get("arn") for other in of_type(resources, KEY)),
            ]
            is_certain = key in customer_managed
            yield from (Need(action, key, f"encrypts {each.name}", service, is_certain) for action in actions)


def _key(resource: Resource) -> Any:
    value = resource.get(*_KEY_PROPERTIES[resource.type])
    return value if isinstance(value, (str, Unknown)) else None


def _check_roles(type_: str, needs_of: Needs) -> Callable[[Sequence[Resource], RuleConfig], StackFindings]:
    """Returns a check that compares the role of each resource of a type with what the resource does."""

    def check(resources: Sequence[Resource], _: RuleConfig) -> StackFindings:
        by_principal = principals(resources)
        roles = by_arn(resources, ROLE)
        for resource in of_type(resources, type_):
            try:
                arn = _string(resource, "roleArn")
                if arn not in roles:
                    raise _NotDerivedError(
                        f"must use a role from this stack: the permissions of {shown(arn or None)} are not known"
                    )
                found = list(needs_of(resource, resources))
            except _NotDerivedError as error:
                if isinstance(error.finding, Unknown) or (
                    error.finding and processes_records(resource, resources)
                ):
                    yield resource, error.finding
            else:
                principal = principal_of(by_principal, roles[arn])
                granted = resource_policy_statements(resources, arn)
                needs = [each for each in found if isinstance(each, Need)]
                yield from ((resource, each) for each in found if isinstance(each, Unknown))
                is_incomplete = len(needs) < len(found)
                for finding in (
                    *_compare(principal, granted, resource, needs, is_incomplete, resources),
                    *_compare_trust(roles[arn], resource),
                ):
                    yield principal.resource, finding

    return check


_PERMISSION_ELEMENTS = ("Action", "NotAction", "Resource", "NotResource", "Condition")


def _compare(
    principal: Principal,
    granted: Sequence[Statement],
    user: Resource,
    needs: Sequence[Need],
    is_incomplete: bool,
    resources: Sequence[Resource],
) -> Iterator[Finding]:
    """Yields missing permissions and, if the list of required permissions is complete, unused ones."""
    if any(document.problems for document in principal.documents):
        return  # Reported by iam-documents-are-valid.
    for arn in principal.external:
        if not AWS_MANAGED_POLICY.fullmatch(arn):  # Reported by iam-no-broad-managed-policies.
            yield f"must use only policies from this stack: the permissions of {arn} are not known"
    statements = [*statements_in(principal.documents), *granted]
    unknown = [principal.unknown] if principal.unknown else []
    unknown += [each for statement in statements for each in statement.unknown_in(*_PERMISSION_ELEMENTS)]
    yield from unknown[:1]
    role = principal.resource
    policy = by_arn(resources, POLICY).get(str(role.get("permissionsBoundary")))
    boundary = statements_in(policy_documents(policy)) if policy else []
    certain = [] if principal.unknown else [need for need in needs if need.certain]
    for need in dict.fromkeys(certain):
        context = request_context(role, user, need.resource, need.encrypting, resources)
        allowed = _is_allowed(need, statements, context) and (
            not boundary or _is_allowed(need, boundary, context)
        )
        if not allowed:
            yield f"must allow {need.action} on {need.resource} for {user.name}: {need.purpose}"
    if is_incomplete:
        return
    needed = {(need.action.lower(), need.resource) for need in needs}
    pairs = {
        (action, resource)
        for statement in statements
        if statement.allows
        for action in statement.actions
        for resource in statement.resources
    }
    for action, resource in sorted(pairs):
        uses = {(action.lower(), resource), (action.lower(), "*")}
        if not _is_reported_as_wildcard(action, resource) and needed.isdisjoint(uses):
            yield f"must not allow {action} on {resource}: not used by {user.name}"


def _is_allowed(need: Need, statements: Sequence[Statement], context: Context) -> bool:
    """Returns whether statements grant a required permission. An unknown value counts as granting it."""
    effects = [(each.allows, _applies(each, need), hold(each, context)) for each in statements]
    is_denied = (False, True, True) in effects
    return not is_denied and any(
        allows and False not in (applies, holds) for allows, applies, holds in effects
    )


def _compare_trust(role: Resource, user: Resource) -> Iterator[Finding]:
    """Checks that the service can assume the role on behalf of the resource, and that no other named service can.

    The rules about trust report all other principals.
    """
    statements = statements_in(each for each in policy_documents(role) if each.kind == "trust")
    trusted = {principal for each in statements if each.allows for principal in each.principals}
    services = sorted(name for type_, name in trusted if type_ == "Service" and not is_wildcard(name))
    is_own = _SERVICES[user.type].fullmatch
    others = [name for name in services if not is_own(name)]
    for name in others:
        yield f"must not trust {name}, which is not the service of {user.name}"
    if trusted and len(others) == len(trusted):
        yield f"must trust the service of {user.name}"
    arn = user.get("arn")
    applicable = [
        each for each in statements if any(name == "*" or is_own(name) for _, name in each.principals)
    ]
    if isinstance(arn, Unknown):
        yield arn
    elif isinstance(arn, str) and applicable:
        allowed = any(each.allows and _accepts_source(arn, each) for each in applicable)
        if not allowed or any(not each.allows and not each.conditions for each in applicable):
            yield f"must let its service assume it on behalf of {arn}"


def _accepts_source(arn: str, statement: Statement) -> bool:
    """Returns whether the conditions of a trust statement let the service act on behalf of a resource."""
    return not any(
        each.key == "aws:sourcearn"
        and not each.unknown
        and all(_is_other_source(value, arn) for value in each.values)
        for each in statement.conditions
    )


def _is_other_source(source: str, arn: str) -> bool:
    """Returns whether a source is a different resource in the same account. The trust rules report all other sources."""
    parsed = arn_of(source)
    is_own = (
        bool(parsed.service)
        and not VARIABLE.search(source)
        and parsed.account_id in ("", arn_of(arn).account_id)
    )
    return is_own and not matches(source, arn)


def _applies(statement: Statement, need: Need) -> bool | None:
    """Returns whether a statement's actions and resources cover a permission, or None if that depends on unknown values."""
    actions = [pattern.lower() for pattern in (*statement.actions, *statement.not_actions)]
    resources = (*statement.resources, *statement.not_resources)
    results = [
        _is_covered(need.action.lower(), actions, "Action", statement),
        _is_covered(need.resource, resources, "Resource", statement),
    ]
    return None if None in results and False not in results else all(results)


def _is_covered(value: str, patterns: Sequence[str], element: str, statement: Statement) -> bool | None:
    is_listed = any(matches(pattern, value) for pattern in patterns)
    if not is_listed and any(statement.unknown_in(element, f"Not{element}")):
        return None
    return is_listed != (f"Not{element}" in statement.elements)


def _is_reported_as_wildcard(action: str, resource: str) -> bool:
    """Returns whether one of the wildcard rules already reports the permission."""
    if resource == "*":
        return is_wildcard(action) or has_resource_level(action)
    return is_wildcard(action) or not names_one_resource(resource)


RULES = (
    stack_rule("state-machine-role-matches-definition", _check_roles(MACHINE, _state_machine_needs)),
    stack_rule("pipe-role-matches-pipe", _check_roles(PIPE, _pipe_needs)),
)
