"""Checks that data stays in its account and region, and that resource settings do not expose or lose it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .iam_patterns import arn_of
from .policy_documents import walk
from .principals import own_accounts
from .property_rules import property_check
from .resource import Resource, matches_any, shown
from .rule import Finding, RuleConfig, StackFindings, rule, stack_rule

_ACCOUNT_PROPERTY = re.compile(r"(account|accountids?|accounts|owner|principals?)(\[\d+\])?$", re.IGNORECASE)
_REGIONAL_PROPERTY = re.compile(
    r"(deadLetterConfig\.arn|deadLetterTargetArn|kms\w*|keyArn|logGroupArn|logDestination|streamArn)$"
)
"""Properties whose resource must be in the stack's region."""
_SUBJECTS = ("function", "keyId", "resourceArn", "tableArn", "topic")
"""Properties with the ARN of the resource to which access is granted. It is in the stack's account."""


def _check_locations(resources: Sequence[Resource], config: RuleConfig) -> StackFindings:
    found = own_accounts(resources, config["accounts"])
    regions = {arn_of(resource.get("arn")).region for resource in resources} - {""}
    for resource in resources:
        subjects = {arn_of(resource.get(name)).account_id for name in _SUBJECTS} - {""}
        own = found or subjects
        allowed = {*own, *config["accounts"]}
        for path, value, _ in walk(resource.props, "arn:"):
            arn = arn_of(value)
            is_account = not arn.partition and _ACCOUNT_PROPERTY.search(path)
            account = str(value) if is_account else arn.account_id
            is_other = re.fullmatch(r"\d{12}", account) and account not in allowed
            if is_other and (own or (arn.service == "organizations" and path == "principal")):
                yield resource, f"must not use another account in {path}: {value}"
            is_regional = _REGIONAL_PROPERTY.search(path) and not path.startswith("replicas")
            if is_regional and regions and account in allowed and arn.region not in regions | {""}:
                yield resource, f"must not use another region in {path}: {value}"


_PUBLIC_GROUPS = ("/groups/global/AllUsers", "/groups/global/AuthenticatedUsers")
_check_properties = property_check("data-settings-are-safe")


def _check_settings(resource: Resource, config: RuleConfig) -> Iterator[Finding]:
    yield from _check_properties(resource, config)
    for path, value, _content in walk(resource.props, "groups/global"):
        if isinstance(value, str) and value.endswith(_PUBLIC_GROUPS):
            yield f"must not be public: {path} is {shown(value)}"


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
    rule("data-settings-are-safe", _check_settings),
    stack_rule("buckets-block-public-access", _check_buckets),
)
