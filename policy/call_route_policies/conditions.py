"""Evaluates conditions in policy statements for the requests that a state machine or pipe makes with its role."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .data import data
from .iam_patterns import is_wildcard, matches, parse_arn
from .policy_documents import Condition, Statement
from .resource import Resource, Unknown

_ABSENT_KEYS = data("iam_reference.yaml")["absent"]
_TIMES = ("aws:currenttime", "aws:epochtime", "aws:tokenissuetime")
_TIME_OPERATOR = re.compile(r"(?:date|numeric)(less|greater)than(?:equals)?")
_ROLE_TAG = "aws:principaltag/"
"""Key prefix for the role's tags. The context contains it if all tags are known."""
_NAMES = "names"
"""Key for the names and ARNs of the stack's resources, which an encryption context may contain."""

Context = Mapping[str, Sequence[str]]
"""Values of condition keys in a request, by lowercase key and in lower case. Empty if the request does not contain the key."""


def request_context(
    role: Resource, user: Resource, target: str, encrypting: str, resources: Sequence[Resource]
) -> Context:
    """Returns the values of condition keys in a request.

    Args:
        role: the role.
        user: the state machine or pipe that uses the role.
        target: ARN of the resource that the request is for, or `*`.
        encrypting: service through which the request uses a key, for example `sqs`.
        resources: all resources in the stack.
    """
    own, other = parse_arn(user.get("arn")), parse_arn(target)
    region = (other and other.region) or (own.region if own else "")
    account = own.account_id if own else ""
    known: dict[str, Any] = {
        "aws:principalaccount": account,
        "aws:principalarn": str(role.get("arn")),
        "aws:principalisawsservice": "false",
        "aws:principaltype": "AssumedRole",
        "aws:requestedregion": region,
        "aws:resourceaccount": (other and other.account_id) or account,
        "aws:securetransport": "true",
        "kms:calleraccount": account,
        "kms:viaservice": f"{encrypting}.{region}.amazonaws.com" if encrypting and region else "",
    }
    # tagsAll includes the provider's default tags.
    tags = [role.get(name) or {} for name in ("tags", "tagsAll")]
    known |= {
        f"{_ROLE_TAG}{key}": value
        for each in tags
        if isinstance(each, Mapping)
        for key, value in each.items()
    }
    return {
        **({} if any(isinstance(each, Unknown) for each in tags) else {_ROLE_TAG: ()}),
        **dict.fromkeys(_ABSENT_KEYS, ()),
        **{key.lower(): (value.lower(),) for key, value in known.items() if value and isinstance(value, str)},
        _NAMES: [str(each.get(name)) for each in resources for name in ("arn", "id", "name")],
    }


def hold(statement: Statement, context: Context) -> bool | None:
    """Returns whether all of a statement's conditions are met, or None if that depends on unknown values."""
    results = [_holds(condition, context) for condition in statement.conditions]
    if False in results or _exclude_each_other(statement.conditions):
        return False
    return None if None in results else True


def _holds(condition: Condition, context: Context) -> bool | None:
    quantifier, _, operator = condition.operator.rpartition(":")
    if condition.key.startswith("kms:encryptioncontext:"):
        names = context[_NAMES]
        is_known = any(matches(value, name) for value in condition.values for name in names)
        return None if condition.unknown or is_known != ("not" in operator) else False
    actual = _actual(condition.key, context)
    if actual is None:
        return None
    if operator == "null":
        return None if condition.unknown else (condition.values == ("true",)) == (not actual)
    if operator.endswith("ifexists") and not actual:
        return True
    operator, is_negated = operator.removesuffix("ifexists").replace("not", ""), "not" in operator
    if condition.key in _TIMES:
        return None if condition.unknown else _holds_now(operator, is_negated, condition.values)
    if not actual:
        return is_negated or quantifier == "forallvalues"
    if not operator.startswith(("string", "arn", "bool")):
        return None
    expected = [value.lower() for value in condition.values]
    if operator.startswith(("stringequals", "bool")):
        found = bool({*expected} & {*actual})
    else:
        found = any(matches(pattern, value) for pattern in expected for value in actual)
    return None if condition.unknown and not found else found != is_negated


def _actual(key: str, context: Context) -> Sequence[str] | None:
    """Returns the values of a key in a request, or None if they are not known."""
    if key in _TIMES:
        return ("now",)
    # Step Functions and Pipes neither pass session tags nor send tags.
    if key.startswith(_ROLE_TAG):
        return context.get(key, context.get(_ROLE_TAG))
    return context.get(key, () if key.startswith("aws:requesttag/") else None)


def _holds_now(operator: str, is_negated: bool, values: Sequence[str]) -> bool | None:
    """Returns whether a comparison with the current time is true."""
    times = [time for value in values if (time := _time(value))]
    if len(times) < len(values):
        return None
    now = datetime.now(UTC)
    if found := _TIME_OPERATOR.fullmatch(operator):
        return any(now < time if found[1] == "less" else now > time for time in times)
    return is_negated


def _time(value: str) -> datetime | None:
    """Parses a time in ISO 8601 format or in seconds since 1970. Returns None for any other value."""
    try:
        time = (
            datetime.fromtimestamp(float(value), UTC) if value.isdecimal() else datetime.fromisoformat(value)
        )
    except (OSError, OverflowError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _exclude_each_other(conditions: Sequence[Condition]) -> bool:
    """Returns whether two conditions on the same key can never both be met."""
    exact = [
        each
        for each in conditions
        if each.operator in ("stringequals", "stringnotequals") and not each.unknown and each.values
    ]
    for key in {each.key for each in exact}:
        required = [set(each.values) for each in exact if each.key == key and "not" not in each.operator]
        excluded = {
            value for each in exact if each.key == key and "not" in each.operator for value in each.values
        }
        if required and not set.intersection(*required) - excluded:
            return True
    return False


def is_date(value: str) -> bool:
    """Returns whether a date operator accepts a value."""
    return is_wildcard(value) or _time(value) is not None
