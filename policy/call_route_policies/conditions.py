"""Evaluates conditions in policy statements for the requests that a state machine or pipe makes with its role."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .data import data
from .iam_patterns import PRINCIPAL_TAG, REQUEST_TAG, arn_of, matches
from .policy_documents import Condition, Statement
from .resource import Resource, Unknown

_ABSENT_KEYS = data("iam_reference.yaml")["absent"]
_TIMES = ("aws:currenttime", "aws:epochtime", "aws:tokenissuetime")
_TIME_OPERATOR = re.compile(r"(?:date|numeric)(less|greater)than(?:equals)?")
_NAMES = "names"
"""Key for the names and ARNs of the stack's resources, which an encryption context may contain."""

Context = Mapping[str, Sequence[str]]
"""Values of condition keys in a request, by lowercase key and in lower case. Empty if the request does not contain the key."""


def request_context(
    role: Resource, user: Resource, target: str, encrypting: str, resources: Sequence[Resource]
) -> Context:
    """Returns the condition keys of a request that a state machine or pipe sends to a target with its role.

    If `encrypting` names a service, for example `sqs`, the service sends the request to use a key.
    """
    own, other = arn_of(user.get("arn")), arn_of(target)
    region, account = other.region or own.region, own.account_id
    known: dict[str, Any] = {
        "aws:principalaccount": account,
        "aws:principalarn": str(role.get("arn")),
        "aws:principalisawsservice": "false",
        "aws:principaltype": "AssumedRole",
        "aws:requestedregion": region,
        "aws:resourceaccount": other.account_id or account,
        "aws:securetransport": "true",
        # Services use keys on behalf of the role.
        "aws:viaawsservice": "true" if encrypting else "false",
        "kms:calleraccount": account,
        "kms:viaservice": f"{encrypting}.{region}.amazonaws.com" if encrypting and region else "",
    }
    # tagsAll includes the provider's default tags.
    tags = [role.get(name) or {} for name in ("tags", "tagsAll")]
    known |= {
        f"{PRINCIPAL_TAG}{key}": value
        for each in tags
        if isinstance(each, Mapping)
        for key, value in each.items()
    }
    # The bare prefix represents all other principal tags, which are absent. It is added only if all of the role's tags are
    # known. Step Functions and Pipes pass no session tags and send no request tags.
    return {
        **({} if any(isinstance(each, Unknown) for each in tags) else {PRINCIPAL_TAG: ()}),
        **{key: () for key in _ABSENT_KEYS if not (encrypting and "calledvia" in key)},
        **dict.fromkeys(_TIMES, ("now",)),
        **{key.lower(): (value.lower(),) for key, value in known.items() if value and isinstance(value, str)},
        _NAMES: [str(each.get(name)) for each in resources for name in ("arn", "id", "name")],
    }


def hold(statement: Statement, context: Context) -> bool | None:
    """Returns whether all of a statement's conditions are met, or None if that depends on unknown values."""
    results = [_holds(condition, context) for condition in statement.conditions]
    if False in results or _exclude_each_other(statement.conditions, context):
        return False
    return None if None in results else True


def _holds(condition: Condition, context: Context) -> bool | None:
    quantifier, _, operator = condition.operator.rpartition(":")
    if condition.key.startswith("kms:encryptioncontext:"):
        names = context[_NAMES]
        is_known = any(matches(value, name) for value in condition.values for name in names)
        return None if condition.unknown or is_known != ("not" in operator) else False
    default = context.get(PRINCIPAL_TAG) if condition.key.startswith(PRINCIPAL_TAG) else None
    actual = context.get(condition.key, default)
    if condition.key.startswith(REQUEST_TAG):
        actual = ()
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


def _holds_now(operator: str, is_negated: bool, values: Sequence[str]) -> bool | None:
    """Returns whether a comparison with the current time is true."""
    times = [time for value in values if (time := time_of(value))]
    if len(times) < len(values):
        return None
    now = datetime.now(UTC)
    if found := _TIME_OPERATOR.fullmatch(operator):
        return any(now < time if found[1] == "less" else now > time for time in times)
    return is_negated


def time_of(value: str) -> datetime | None:
    """Parses a time in ISO 8601 format or in seconds since 1970. Returns None for any other value."""
    try:
        time = (
            datetime.fromtimestamp(float(value), UTC) if value.isdecimal() else datetime.fromisoformat(value)
        )
    except (OSError, OverflowError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _exclude_each_other(conditions: Sequence[Condition], context: Context) -> bool:
    """Returns whether conditions contradict each other, so that each value required by one is excluded by another."""
    for one in conditions:
        if one.operator == "stringequals" and one.values and not one.unknown:
            others = [each for each in conditions if each.key == one.key]
            assumed = [{**context, one.key: (value.lower(),)} for value in one.values]
            if all(any(_holds(each, world) is False for each in others) for world in assumed):
                return True
    return False
