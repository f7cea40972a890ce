"""Checks that data stays in its account and region, and that resource settings neither expose nor lose it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

from .data import data
from .iam_patterns import parse_arn
from .policy_documents import walk
from .principals import own_accounts
from .resource import Resource, matches_any, shown
from .rule import Finding, RuleConfig, StackFindings, require, rule, stack_rule

_ACCOUNT_PROPERTY = re.compile(r"(account|accountids?|accounts|owner|principals?)(\[\d+\])?$", re.IGNORECASE)
_REGIONAL_PROPERTY = re.compile(
    r"(deadLetterConfig\.arn|deadLetterTargetArn|kms\w*|keyArn|logGroupArn|logDestination|streamArn)$"
)
"""Properties whose resource must be in the stack's region."""
_SUBJECTS = ("function", "keyId", "resourceArn", "tableArn", "topic")
"""Properties with the ARN of the resource to which access is granted. It is in the stack's account."""


def _check_locations(resources: Sequence[Resource], config: RuleConfig) -> StackFindings:
    found = own_accounts(resources)
    arns = [parse_arn(resource.get("arn")) for resource in resources]
    regions = {arn.region for arn in arns if arn and arn.region}
    for resource in resources:
        subjects = [arn.account_id for name in _SUBJECTS if (arn := parse_arn(resource.get(name)))]
        own = found or set(subjects)
        allowed = {*own, *config["accounts"]}
        for path, value, _ in walk(resource.props, "arn:"):
            arn = parse_arn(value)
            account = arn.account_id if arn else str(value) if _ACCOUNT_PROPERTY.search(path) else ""
            is_other = re.fullmatch(r"\d{12}", account) and account not in allowed
            if is_other and (own or (arn and arn.service == "organizations" and path == "principal")):
                yield resource, f"must not use another account in {path}: {value}"
            is_regional = _REGIONAL_PROPERTY.search(path) and not path.startswith("replicas")
            if is_regional and found and arn and account in allowed and arn.region not in ("", *regions):
                yield resource, f"must not use another region in {path}: {value}"


def _check_credentials(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    yield f"must not be part of the stack: {resource.type.rpartition(':')[2]} is a long-lived credential"


_SETTINGS = data("safe_settings.yaml")
_PUBLIC_GROUPS = ("/groups/global/AllUsers", "/groups/global/AuthenticatedUsers")


@cache
def _settings_of(type_: str) -> list[Mapping[str, Any]]:
    return [setting for setting in _SETTINGS if matches_any(type_, [setting["types"]])]


def _check_settings(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
    is_protected = matches_any(resource.stack, config["stacks"])
    for setting in _settings_of(resource.type):
        applies = all(
            matches_any(str(resource.get(name)), [pattern])
            for name, pattern in setting.get("when", {}).items()
        )
        if applies and (is_protected or not setting.get("protected")):
            path = setting["property"]
            value = resource.get(*path.split("."))
            violation = f"must {setting['requirement']}: {path} is {shown(value)}"
            yield from require(value, partial(_is_safe, setting, resource), violation)
    for path, value, _content in walk(resource.props, "groups/global"):
        if isinstance(value, str) and value.endswith(_PUBLIC_GROUPS):
            yield f"must not be public: {path} is {shown(value)}"


def _is_safe(setting: Mapping[str, Any], resource: Resource, value: Any) -> bool:
    """Returns whether a value, or each element of a list, passes the test of a setting."""
    if "alternatives" in setting:
        return any(map(resource.get, setting["alternatives"]))
    if isinstance(value, list):
        return all(_is_safe(setting, resource, each) for each in value)
    if "allowed" in setting:
        return value in setting["allowed"]
    if "minimum" in setting and value is not None:
        return isinstance(value, (int, float)) and value >= setting["minimum"]
    return value not in setting.get("forbidden", ())


_BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")


def _check_buckets(resources: Sequence[Resource], _: RuleConfig) -> StackFindings:
    blocks = [each for each in resources if matches_any(each.type, ["aws:s3*/*PublicAccessBlock:*"])]
    if any("accountPublicAccessBlock" in block.type for block in blocks):
        return
    for bucket in (resource for resource in resources if resource.type in _BUCKETS):
        names = [name for key in ("bucket", "id") if isinstance(name := bucket.get(key), str)]
        if not any(
            block.get("bucket") in names or bucket.urn in block.dependencies.get("bucket", ())
            for block in blocks
        ):
            yield bucket, "must have a BucketPublicAccessBlock"


RULES = (
    stack_rule("data-stays-in-account", _check_locations),
    rule("no-long-lived-credentials", _check_credentials),
    rule("data-settings-are-safe", _check_settings),
    stack_rule("buckets-block-public-access", _check_buckets),
)
