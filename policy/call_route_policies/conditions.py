"""Evaluates the conditions of policy statements, as far as the values in a request are known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime

from .iam_patterns import matches, parse_arn
from .policy_documents import Statement

_ABSENT = {
    *(
        "aws:multifactorauthage",
        "aws:multifactorauthpresent",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
    ),
    *("aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip", "aws:username"),
}
"""Keys that are missing in the requests that a service sends as a role."""
_TIMES = ("aws:currenttime", "aws:epochtime")


def request_context(role_arn: str, user_arn: str) -> Mapping[str, str]:
    """Returns the values of condition keys in the requests of a state machine or pipe, in lower case."""
    arn = parse_arn(user_arn)
    account, region = (arn.account_id, arn.region) if arn else ("", "")
    return {
        "aws:principalaccount": account,
        "aws:principalarn": role_arn.lower(),
        "aws:requestedregion": region,
        "aws:resourceaccount": account,
        "aws:securetransport": "true",
        "kms:calleraccount": account,
        "kms:viaservice": f"*.{region}.amazonaws.com",
    }


def hold(statement: Statement, context: Mapping[str, str], names: Set[str]) -> bool | None:
    """Returns whether the conditions of a statement hold, or None if that depends on unknown values.

    Args:
        statement: the statement.
        context: known values by lowercase key.
        names: names and ARNs of the stack's resources, which encryption contexts contain.
    """
    results = [
        _holds(operator.lower(), key.lower(), values, context, names)
        for operator, key, values in statement.conditions
    ]
    if False in results:
        return False
    return None if None in results else True


def _holds(
    operator: str, key: str, values: Sequence[str], context: Mapping[str, str], names: Set[str]
) -> bool | None:
    operator = operator.rpartition(":")[2]
    is_absent = key in _ABSENT
    if operator == "null":
        return (values == ("true",)) == is_absent if is_absent or key in context else None
    if operator.endswith("ifexists") and is_absent:
        return True
    operator, is_negated = operator.removesuffix("ifexists").replace("not", ""), "not" in operator
    if key in _TIMES and (match := re.fullmatch(r"date(less|greater)than(equals)?", operator)):
        return _is_time(match[1], values)
    if is_absent:
        return is_negated
    if key.startswith("kms:encryptioncontext:"):
        return (
            None if any(matches(value, name) for value in values for name in names) != is_negated else False
        )
    if not context.get(key) or not operator.startswith(("string", "arn", "bool")):
        return None
    actual = context[key]
    found = any(matches(value.lower(), actual) or matches(actual, value.lower()) for value in values)
    return found != is_negated


def _is_time(direction: str, values: Sequence[str]) -> bool | None:
    """Returns whether the current time is before or after a time."""
    try:
        times = [datetime.fromisoformat(value) for value in values]
    except ValueError:
        return None
    now = datetime.now(UTC)
    known = [time if time.tzinfo else time.replace(tzinfo=UTC) for time in times]
    return any(now < time if direction == "less" else now > time for time in known)
