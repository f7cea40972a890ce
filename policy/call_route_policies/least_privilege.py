"""Roles may do exactly what their definitions use: what is excess and what is missing, each by itself.

The needs come from the same place as the program's own permissions, callroute.aws.permissions; here they are
read off the state machine and the pipe as they are registered, and set against whatever the role carries in the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pulumi_policy import Severity

from callroute.aws.permissions import DELIVER_LOGS, READ_STREAM, USE_KEY, task_needs

from .iam_patterns import (
    MANAGED_BY_AWS,
    account_of,
    covers,
    has_resource_level,
    is_everything,
    is_lambda,
    is_wildcard,
    service_of,
)
from .json_text import parse
from .policy_documents import Statement, documents, walk
from .principals import Holder, given_by_resources, holder_of, holders
from .resource_types import CUSTOMER_KEY, KEY, MACHINE, PIPE, QUEUE, ROLE, STREAM, TABLE
from .rule import Finding, Resource, Rule, Settings, Unknown, of_type, shown

_SERVICES = {
    MACHINE: re.compile(r"states(\.[a-z0-9-]+)?\.amazonaws\.com"),
    PIPE: re.compile(r"pipes\.amazonaws\.com"),
}
"""The principal as which what has a role assumes it; that of Step Functions may name the region."""

# Source: AWS X-Ray and Step Functions, AWS Step Functions Developer Guide.
_TRACE = (
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)


@dataclass(frozen=True)
class Need:
    """One action on one resource that something does."""

    action: str
    resource: str
    """An ARN, or `*`."""
    use: str
    """What does it, as `its state 'Store' does that`."""
    certain: bool = True
    """False where the stack does not show whether it is needed: it may then be granted or not."""


class _CannotTellError(Exception):
    """What a definition must be so that its needs can be told."""


class _ToldElsewhereError(Exception):
    """What stands in the way of telling the needs is refused by a rule of its own."""


class _NotYetError(Exception):
    """A value that the needs depend on is not known yet."""

    def __init__(self, unknown: Unknown) -> None:
        self.unknown = unknown
        super().__init__(unknown.path)


Needs = Callable[[Resource, Sequence[Resource]], Iterator[Need]]


def _text(resource: Resource, *path: str) -> str | None:
    value = resource.get(*path)
    if isinstance(value, Unknown):
        raise _NotYetError(value)
    if value is not None and not isinstance(value, str):
        raise _CannotTellError(f"have a text as {'.'.join(path)}, and not {shown(value)}")
    return value or None


def _refuse(resource: Resource, *paths: str) -> None:
    """Refuses what is set at a path, since nobody here knows which permissions it takes."""
    for path in paths:
        value = resource.get(*path.split("."))
        if isinstance(value, Unknown):
            raise _NotYetError(value)
        if value:
            raise _CannotTellError(f"have no {path}, since it is not known what that needs")


def _state_machine_needs(machine: Resource, resources: Sequence[Resource]) -> Iterator[Need]:
    arn = _text(machine, "arn")
    text = _text(machine, "definition")
    if any(is_lambda(value) for _, value, _ in walk({"definition": text}, ":lambda:")):
        raise _ToldElsewhereError("no-lambda")
    try:
        needs = task_needs(parse(text or ""))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        told = (
            str(error) if type(error) is ValueError else "it is not a state machine in Amazon States Language"
        )
        raise _CannotTellError(f"have a definition that tells what it needs: {told}") from None
    _refuse(machine, "encryptionConfiguration.kmsKeyId")
    for need in needs:
        service = need.action.partition(":")[0]
        resource = _target(need.target, service, arn or "")
        yield Need(need.action, resource, f"its state {need.state!r} does that")
        yield from _key_needs(service, resource, resources)
    if (_text(machine, "loggingConfiguration", "level") or "OFF") != "OFF":
        yield from (Need(action, "*", "it logs") for action in DELIVER_LOGS)
    if machine.get("tracingConfiguration", "enabled") is True:
        yield from (Need(action, "*", "it is traced") for action in _TRACE)


_QUEUE_URL = re.compile(r"https?://(?:sqs\.([a-z0-9-]+)\.)?[^/]+/(\d{12})/([^/]+)")


def _target(target: str, service: str, machine_arn: str) -> str:
    """The ARN of what a Task names: a table in the state machine's account and region, or a queue by its URL."""
    if target.startswith("arn:"):
        return target
    _, partition, _, region, account = (*machine_arn.split(":", 5), "", "", "", "", "")[:5]
    name = f"table/{target}" if service == "dynamodb" else target.rpartition("/")[2]
    if url := _QUEUE_URL.fullmatch(target):
        region, account, name = url[1] or region, url[2], url[3]
    return f"arn:{partition}:{service}:{region}:{account}:{name}"


def _pipe_needs(pipe: Resource, resources: Sequence[Resource]) -> Iterator[Need]:
    source, target = _text(pipe, "source") or "", _text(pipe, "target") or ""
    if is_lambda(target) or is_lambda(_text(pipe, "enrichment")):
        raise _ToldElsewhereError("no-lambda")
    for what, arn, service in (("source", source, "kinesis"), ("target", target, "states")):
        if service_of(arn) != service:
            raise _CannotTellError(
                f"have a {what} in {service}, since it is not known what {shown(arn)} needs"
            )
    _refuse(
        pipe,
        "enrichment",
        "kmsKeyIdentifier",
        "logConfiguration.firehoseLogDestination",
        "logConfiguration.s3LogDestination",
    )
    yield from (Need(action, source, "it reads its source") for action in READ_STREAM)
    yield from _key_needs("kinesis", source, resources)
    call = _text(pipe, "targetParameters", "stepFunctionStateMachineParameters", "invocationType")
    start = "states:StartExecution" if call == "FIRE_AND_FORGET" else "states:StartSyncExecution"
    yield Need(start, target, "it calls its target")
    dead_letters = _text(pipe, "sourceParameters", "kinesisStreamParameters", "deadLetterConfig", "arn")
    if dead_letters:
        action = "sns:Publish" if service_of(dead_letters) == "sns" else "sqs:SendMessage"
        yield Need(action, dead_letters, "it keeps there what fails")
        yield from _key_needs("sqs", dead_letters, resources)


def _key_needs(service: str, arn: str, resources: Sequence[Resource]) -> Iterator[Need]:
    """Use of the customer key with which a table, stream or queue is encrypted.

    The state of a table names a key also where AWS manages it, and no permission is needed then. A key is known to be
    a customer's where a stream or queue names it, or the stack makes it.
    """
    actions = USE_KEY.get(service, ())
    found = [each for each in resources if each.type in (QUEUE, STREAM, TABLE) and each.get("arn") == arn]
    if not found:  # It is not of this stack, which therefore does not show how it is encrypted.
        yield from (Need(action, "*", "its key may need it", certain=False) for action in actions)
    for each in found:
        key = _key(each)
        if isinstance(key, Unknown):
            raise _NotYetError(key)
        if isinstance(key, str) and key.startswith("arn:"):
            customers = [
                *(_key(other) for other in resources if other.type in (QUEUE, STREAM)),
                *(other.get("arn") for other in of_type(resources, KEY)),
            ]
            certain = key in customers
            yield from (Need(action, key, f"{each.name} is encrypted with it", certain) for action in actions)


def _key(resource: Resource) -> Any:
    value = resource.get(*CUSTOMER_KEY[resource.type])
    return value if isinstance(value, (str, Unknown)) else None


def _fits(
    type_: str, needs_of: Needs
) -> Callable[[Sequence[Resource], Settings], Iterator[tuple[Resource, Finding]]]:
    """A check that the roles of all resources of a type fit what these do."""

    def check(resources: Sequence[Resource], _: Settings) -> Iterator[tuple[Resource, Finding]]:
        held = holders(resources)
        roles = {
            role.get("arn"): role for role in of_type(resources, ROLE) if isinstance(role.get("arn"), str)
        }
        for resource in of_type(resources, type_):
            try:
                arn = _text(resource, "roleArn")
                if arn not in roles:
                    raise _CannotTellError(
                        f"have a role of this stack, since it is not known what {shown(arn)} allows"
                    )
                needs = list(needs_of(resource, resources))
            except _NotYetError as not_yet:
                yield resource, not_yet.unknown
            except _ToldElsewhereError:
                continue
            except _CannotTellError as error:
                yield resource, f"must {error}"
            else:
                holder = holder_of(held, roles[arn])
                given = given_by_resources(resources, arn or "")
                for finding in (
                    *_compare(holder, given, resource, needs),
                    *_compare_trust(roles[arn], resource),
                ):
                    yield holder.resource, finding

    return check


def _compare(
    holder: Holder, given: Sequence[Statement], user: Resource, needs: Sequence[Need]
) -> Iterator[Finding]:
    if holder.unknown:
        yield holder.unknown
        return
    if any(document.problems for document in holder.documents):
        return  # It is told by iam-documents-are-readable.
    for arn in holder.elsewhere:
        if not MANAGED_BY_AWS.fullmatch(arn):  # which a rule of its own refuses
            yield f"must carry policies of this stack only, since it is not known what {arn} allows"
    statements = [statement for document in holder.documents for statement in document.statements]
    statements += given
    for need in dict.fromkeys(needs):
        concerning = [each for each in statements if _concerns(each, need)]
        allowed = any(each.allows for each in concerning)
        # Whether the conditions of a Deny are met, only the call itself tells.
        denied = any(not each.allows and not each.conditions for each in concerning)
        if need.certain and (denied or not allowed):
            yield f"must be allowed {need.action} on {need.resource} for {user.name}: {need.use}"
    pairs = {(need.action.lower(), need.resource) for need in needs}
    granted = {
        (action, resource)
        for statement in statements
        if statement.allows
        for action in statement.actions
        for resource in statement.resources
    }
    for action, resource in sorted(granted):
        if not _is_told_elsewhere(action, resource) and not pairs & {
            (action.lower(), resource),
            (action.lower(), "*"),
        }:
            yield f"must not be allowed {action} on {resource}: nothing in {user.name} does that"


def _compare_trust(role: Resource, user: Resource) -> Iterator[Finding]:
    """Whether its user may assume a role, and which other services by name; the rules about trust tell of all others."""
    read = [document for document in documents(role) if document.kind == "trust"]
    statements = [statement for document in read for statement in document.statements]
    trusted = {principal for each in statements if each.allows for principal in each.principals}
    services = sorted(name for kind, name in trusted if kind == "Service" and not is_wildcard(name))
    is_own = _SERVICES[user.type].fullmatch
    others = [name for name in services if not is_own(name)]
    for name in others:
        yield f"must not be assumable by {name}: {user.name} is not of that service"
    if trusted and len(others) == len(trusted):
        yield f"must be assumable by the service of {user.name}"
    arn = user.get("arn")
    concerning = [
        each for each in statements if any(name == "*" or is_own(name) for _, name in each.principals)
    ]
    if isinstance(arn, Unknown):
        yield arn
    elif isinstance(arn, str) and concerning:
        allowed = any(each.allows and _is_for(arn, each) for each in concerning)
        if not allowed or any(not each.allows and not each.conditions for each in concerning):
            yield f"must be assumable on behalf of {arn}"


def _is_for(arn: str, statement: Statement) -> bool:
    """Whether a statement lets the service come on behalf of an ARN, and not only of others in its account."""
    return not any(
        key.lower() == "aws:sourcearn" and all(_is_another(value, arn) for value in values)
        for _, key, values in statement.conditions
    )


def _is_another(source: str, arn: str) -> bool:
    """Whether a source is not an ARN's; what is no source, or another account's, is told by the rules about trust."""
    is_told_elsewhere = (
        not service_of(source) or "${" in source or account_of(source) not in ("", account_of(arn))
    )
    return not is_told_elsewhere and not covers(source, arn)


def _concerns(statement: Statement, need: Need) -> bool:
    """Whether a statement, be it by what it names or by what it leaves out, is about all that is needed."""
    action, excluded = need.action.lower(), statement.not_actions
    is_action = any(covers(pattern.lower(), action) for pattern in statement.actions or excluded)
    is_resource = any(
        covers(pattern, need.resource) for pattern in statement.resources or statement.not_resources
    )
    return is_action != bool(excluded) and is_resource != bool(statement.not_resources)


def _is_told_elsewhere(action: str, resource: str) -> bool:
    """Whether a grant is refused by the rules about wildcards already."""
    if resource == "*":
        return is_wildcard(action) or has_resource_level(action)
    return is_wildcard(action) or is_everything(resource)


_REASON = "A permission too many is a risk nobody sees, one too few stops the pipeline when it is needed."
_URL = "https://docs.aws.amazon.com/{}"

RULES = (
    Rule(
        name="state-machine-role-fits-its-definition",
        description="The role of a state machine must allow what the definition does, to Step Functions, and nothing else.",
        severity=Severity.HIGH,
        reason=_REASON,
        remediation="Derive the policy with callroute.aws.permissions.state_machine_policy.",
        url=_URL.format("step-functions/latest/dg/service-integration-iam-templates.html"),
        check_stack=_fits(MACHINE, _state_machine_needs),
    ),
    Rule(
        name="pipe-role-fits-its-pipe",
        description="The role of a pipe must allow what source, target and dead-letter queue need, to Pipes, and nothing else.",
        severity=Severity.HIGH,
        reason=_REASON,
        remediation="Derive the policy with callroute.aws.permissions.pipe_policy.",
        url=_URL.format("eventbridge/latest/userguide/eb-pipes-permissions.html"),
        check_stack=_fits(PIPE, _pipe_needs),
    ),
)
