"""What ARNs and actions stand for, and the patterns in which policies name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from policy_sentry.querying.actions import get_action_data
from policy_sentry.shared.iam_data import get_service_prefix_data

MANAGED_BY_AWS = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/(.*)", re.DOTALL)

_PARTS = 6
"""arn:partition:service:region:account:resource, the last of which may hold colons."""


def _parts(arn: Any) -> Sequence[str]:
    parts = arn.split(":", _PARTS - 1) if isinstance(arn, str) else []
    return parts if len(parts) == _PARTS and parts[0] == "arn" else [""] * _PARTS


def service_of(arn: Any) -> str:
    """The service that an ARN names, as `sqs`; empty where it is no ARN."""
    return _parts(arn)[2]


def account_of(arn: Any) -> str:
    """The account that an ARN names; empty where it names none, or is no ARN."""
    return _parts(arn)[4]


def is_lambda(value: Any) -> bool:
    """Whether a value is the ARN of a Lambda function, or of an integration that calls one."""
    return isinstance(value, str) and value.startswith("arn:") and ":lambda:" in value


def is_wildcard(text: str) -> bool:
    """Whether an action or an ARN stands for more than itself."""
    return "*" in text or "?" in text


@cache
def has_resource_level(action: str) -> bool:
    """Whether an action can be limited to resources; one that IAM does not know counts as if."""
    service, _, name = action.partition(":")
    found = get_action_data(service.lower(), name) if name else None
    # False where the service or the action is unknown, for all that is promised.
    known = [each for entries in found.values() for each in entries] if found else []
    return not known or any(each["resource_arn_format"] != "*" for each in known)


@cache
def is_everything(arn: str) -> bool:
    """Whether an ARN stands for all resources of a service, or for all of one of its types: `table/*`, `tab*`.

    It does where it covers a resource of which it cannot know the name.
    """
    parts = arn.split(":", 5)
    if len(parts) < 6 or is_wildcard(parts[2]):
        return is_wildcard(arn)
    service, name = parts[2], parts[5]
    # Not by get_raw_arns_for_service, which fails on a service that it does not know.
    types = get_service_prefix_data(service).get("resources", {}).values()
    known = [re.sub(r"\$\{.*?\}", _NOBODYS, each["arn"].split(":", 5)[5]) for each in types]
    return any(covers(name, resource) for resource in (_NOBODYS, f"{_NOBODYS}/{_NOBODYS}", *known))


_NOBODYS = "-".join(["\uffff" * 4] * 5)
"""A name that nobody gives: whatever somebody writes beside a wildcard it does not meet, except hyphens."""


def covers(pattern: str, text: str) -> bool:
    """Whether IAM's pattern, in which `*` and `?` are wildcards, matches a text."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.DOTALL) is not None
