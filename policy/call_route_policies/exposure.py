"""Checks that data stays in its account and region, and that resource settings neither expose nor lose it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .iam_patterns import parse_arn
from .policy_documents import walk
from .principals import own_accounts
from .resource import Resource, Unknown, matches_any, shown
from .resource_types import MACHINE, PIPE, QUEUE, STREAM, TABLE
from .rule import Finding, RuleConfig, rule, stack_rule

_ACCOUNT_PROPERTY = re.compile(r"(account|accountids?|accounts|owner|principals?)(\[\d+\])?$", re.IGNORECASE)
_REGIONAL_PROPERTY = re.compile(
    r"(deadLetterConfig\.arn|deadLetterTargetArn|kms\w*|keyArn|logGroupArn|logDestination|streamArn)$"
)
"""Properties whose resource must be in the region of the stack."""


def _check_locations(resources: Sequence[Resource], config: RuleConfig) -> Iterator[tuple[Resource, Finding]]:
    own = own_accounts(resources)
    arns = [parse_arn(resource.get("arn")) for resource in resources]
    regions = {arn.region for arn in arns if arn and arn.region}
    allowed = {*own, *config["accounts"]}
    for resource in resources if own else ():
        for path, value, _ in walk(resource.props, "arn:"):
            arn = parse_arn(value)
            account = arn.account_id if arn else str(value) if _ACCOUNT_PROPERTY.search(path) else ""
            if re.fullmatch(r"\d{12}", account) and account not in allowed:
                yield resource, f"must not use another account in {path}: {value}"
            is_regional = _REGIONAL_PROPERTY.search(path) and not path.startswith("replicas")
            if is_regional and arn and arn.region and account in allowed and arn.region not in regions:
                yield resource, f"must not use another region in {path}: {value}"


_CREDENTIAL_TYPES = (
    *("aws:iam/accessKey:*", "aws:iam/serviceSpecificCredential:*", "aws:iam/signingCertificate:*"),
    *("aws:iam/sshKey:*", "aws:iam/userLoginProfile:*", "aws:lightsail/keyPair:*"),
)


def _check_credentials(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    yield f"must not be part of the stack: {resource.type.rpartition(':')[2]} is a long-lived credential"


_PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")
_ACL_GROUPS = ("AllUsers", "AuthenticatedUsers")
_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_ABSENT = (None, "", "OFF")

_Requirement = tuple[str, str, Callable[[Any], bool], str]
_REQUIREMENTS: Sequence[_Requirement] = (
    # Types, property, test of a valid value, requirement
    ("aws:s3/bucket*", "acl", lambda value: value not in _PUBLIC_ACLS, "not be public"),
    *(("aws:s3*/*PublicAccessBlock:*", name, lambda value: value is True, "be true") for name in _BLOCKS),
    ("aws:cloudwatch/eventPermission:*", "principal", lambda value: value != "*", "name an account"),
    ("aws:ram/resourceShare:*", "allowExternalPrincipals", lambda value: not value, "not be set"),
    ("aws:ec2/amiLaunchPermission:*", "group", lambda value: value != "all", "not be all"),
    ("aws:*", "publiclyAccessible", lambda value: not value, "not be set"),
    (PIPE, "logConfiguration.level", lambda value: value not in _ABSENT, "be ERROR, INFO or TRACE"),
    (STREAM, "shardCount", lambda value: value is None or value > 0, "be at least 1"),
    (
        QUEUE,
        "maxMessageSize",
        lambda value: value is None or value >= 262_144,
        "be at least 262144, for one record",
    ),
    (
        TABLE,
        "pointInTimeRecovery.recoveryPeriodInDays",
        lambda value: value is None or value >= 7,
        "be at least 7",
    ),
)


def _check_settings(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
    requirements = [each for each in _REQUIREMENTS if matches_any(resource.type, [each[0]])]
    if matches_any(resource.stack, config["stacks"]):
        requirements.append(("", "forceDestroy", lambda value: not value, "not be set on a protected stack"))
    if resource.type == MACHINE and resource.get("type") == "EXPRESS":
        level = "loggingConfiguration.level"
        requirements.append(("", level, lambda value: value not in _ABSENT, "be ERROR, FATAL or ALL"))
    for _, path, is_valid, requirement in requirements:
        value = resource.get(*path.split("."))
        if isinstance(value, Unknown):
            yield value
        elif not _is_true(is_valid, value):
            yield f"must set a safe {path}: it must {requirement}, not {shown(value)}"
    for path, value, _content in walk(resource.props, "groups/global"):
        if isinstance(value, str) and value.endswith(tuple(f"/groups/global/{name}" for name in _ACL_GROUPS)):
            yield f"must set a safe {path}: it must not be public, not {shown(value)}"


def _is_true(is_valid: Callable[[Any], bool], value: Any) -> bool:
    try:
        return is_valid(value)
    except TypeError:
        return False


RULES = (
    stack_rule("data-stays-in-account", _check_locations),
    rule("no-long-lived-credentials", _check_credentials),
    rule("data-settings-are-safe", _check_settings),
)
