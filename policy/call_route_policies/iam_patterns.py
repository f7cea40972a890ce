"""Inspects ARNs, actions and wildcards in policy documents."""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from typing import Any

from policy_sentry.querying.actions import get_action_data
from policy_sentry.shared.iam_data import get_service_prefix_data

from callroute.arn import Arn

AWS_MANAGED_POLICY = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/(.*)", re.DOTALL)
VARIABLE = re.compile(r"\$\{\s*([^},]*)[^}]*\}")
"""A policy variable, or a placeholder in policy_sentry's ARN formats. The group is its name."""
TAG_KEYS = PRINCIPAL_TAG, REQUEST_TAG, RESOURCE_TAG = (
    "aws:principaltag/",
    "aws:requesttag/",
    "aws:resourcetag/",
)
"""Start of the lowercase condition keys about tags."""


def arn_of(value: Any) -> Arn:
    """Splits an ARN into its parts. If the value is not an ARN, all parts are empty."""
    try:
        return Arn.parse(value)
    except (AttributeError, ValueError):
        return Arn("", "", "", "", "")


def ip_network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Parses an IP address or network. Returns None for any other value."""
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None


def is_lambda(value: Any) -> bool:
    """Returns whether a value is the ARN of a Lambda function or of a service integration that invokes one."""
    return isinstance(value, str) and value.startswith("arn:") and ":lambda:" in value


def is_wildcard(text: str) -> bool:
    """Returns whether an action or an ARN contains a wildcard."""
    return "*" in text or "?" in text


@cache
def action_data(action: str) -> list[dict[str, Any]]:
    """Returns policy_sentry's entries for an action, one per resource type. The result is empty if the action is unknown."""
    service, _, name = action.partition(":")
    # The result is False for an unknown service or action, contrary to the annotation.
    found = get_action_data(service.lower(), name) if name else None
    return [entry for entries in found.values() for entry in entries] if found else []


def has_resource_level(action: str) -> bool:
    """Returns whether an action supports resource-level permissions, or True if policy_sentry does not know the action."""
    entries = action_data(action)
    return not entries or any(each["resource_arn_format"] != "*" for each in entries)


@cache
def names_one_resource(arn: str) -> bool:
    """Returns whether an ARN pattern names its resource, in one region and account.

    A wildcard is allowed at the end of a name that is not global, for example `table/call-*`, after a name, for example
    `table/calls/index/*`, and for the random suffix of a secret's name. A policy variable counts as a
    wildcard, except the caller's name in an IAM ARN.
    """
    pattern = VARIABLE.sub("*", re.sub(r":(mfa|user)/\$\{aws:username\}", ":user/own", arn))
    parsed = arn_of(pattern.removesuffix("-??????") if ":secret:" in pattern else pattern)
    if not is_wildcard(str(parsed)):
        return not is_wildcard(pattern) or bool(parsed.resource)
    if any(map(is_wildcard, parsed[:4])) or matches_every_resource(str(parsed)):
        return False
    names = [parsed.resource.removeprefix(each) for each in _prefixes(parsed.service)]
    name = min(names, key=len, default=parsed.resource)
    before, wildcard, after = re.split(r"([*?])", f"{name}\n", maxsplit=1)
    is_named = bool(re.search(r"[^/:][/:]", before))
    return is_named or (parsed.service != "s3" and bool(before) and wildcard == "*" and after[:1] in "\n/:")


@cache
def _prefixes(service: str) -> tuple[str, ...]:
    """Returns the prefixes of resource names in a service's ARNs, for example `table/`."""
    types = get_service_prefix_data(service).get("resources", {}).values()
    return tuple({each["arn"].split(":", 5)[5].partition("${")[0] for each in types})


@cache
def matches_every_resource(arn: str) -> bool:
    """Returns whether an ARN pattern matches all resources of a service or of one type, for example `table/*` or `tab*`.

    The test uses a resource name that no pattern can contain.
    """
    parsed = arn_of(arn)
    if not parsed.service or is_wildcard(parsed.service):
        return is_wildcard(arn)
    # get_raw_arns_for_service fails for a service that policy_sentry does not know.
    types = get_service_prefix_data(parsed.service).get("resources", {}).values()
    known = [VARIABLE.sub(_ANY_NAME, each["arn"].split(":", 5)[5]) for each in types]
    return any(
        matches(parsed.resource, resource) for resource in (_ANY_NAME, f"{_ANY_NAME}/{_ANY_NAME}", *known)
    )


_ANY_NAME = "-".join(["\uffff" * 4] * 5)
"""A resource name that only a wildcard can match. It contains hyphens because many names do."""


def matches(pattern: str, text: str) -> bool:
    """Returns whether a string matches an IAM pattern, in which `*` and `?` are wildcards."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.DOTALL) is not None
