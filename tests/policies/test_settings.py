"""Guards against settings that have no effect or the wrong effect, or that crash the pack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from call_route_policies import RULES
from tests.policies.edits import ASSUME_ROLE, put, remove, trust
from tests.policies.pack import Pack, Violation
from tests.policies.stacks import Stack, recorded
from tests.policies.values import (
    KEY_ARN,
    OTHER_ACCOUNT,
    PIPE_ROLE,
    QUARANTINE,
    STREAM,
    TAGS,
    managed,
    open_to,
)


def attach(stack: Stack, name: str) -> None:
    """Attaches an AWS managed policy to a user."""
    stack.add(
        "aws:iam/userPolicyAttachment:UserPolicyAttachment",
        "added",
        {"user": "operator", "policyArn": managed(name)},
    )


def violations(pack: Pack, stack: Stack, rule: str, settings: dict[str, Any]) -> list[Violation]:
    """Returns the violations of a rule with some settings. The other rules are disabled, which saves most of the time."""
    others = {each.name: {"enforcementLevel": "disabled"} for each in RULES if each.name != rule}
    pack.configure({**others, rule: settings})
    return pack.analyze(stack)


def test_a_narrow_managed_policy_can_be_allowed_and_a_broad_one_cannot(pack: Pack) -> None:
    rule, names = "iam-no-broad-managed-policies", ("AWSXRayDaemonWriteAccess", "AmazonSQSFullAccess")
    settings = {"allowed": [managed(name) for name in names]}
    narrow, broad = recorded("prod"), recorded("prod")
    attach(narrow, names[0])
    attach(broad, names[1])

    assert violations(pack, narrow, rule, settings) == []
    assert [each.resource for each in violations(pack, broad, rule, settings)] == ["added"]


Break = Callable[[Stack], object]


def endless(stack: Stack) -> None:
    """Disables ttl of the table."""
    stack.one("Table").inputs["ttl"] = {"enabled": False}


def expiring(stack: Stack) -> None:
    """Enables ttl of the table."""
    stack.one("Table").inputs["ttl"] = {"enabled": True, "attributeName": "expires_at"}


def deletable(stack: Stack) -> None:
    """Disables deletion protection of the table."""
    stack.one("Table").inputs["deletionProtectionEnabled"] = False


def unprotected(stack: Stack) -> None:
    """Removes the protect option of the table."""
    stack.one("Table").protect = False


def elsewhere(stack: Stack) -> None:
    """Removes the stream, as if it belonged to another stack."""
    stack.remove(stack.one("Stream"))


def shared(stack: Stack) -> None:
    """Lets another account send messages to the quarantine queue."""
    document = open_to(OTHER_ACCOUNT, "sqs:SendMessage", QUARANTINE.arn)
    stack.one("Queue", "quarantine").inputs["policy"] = document


def unchanged(_: Stack) -> None:
    """Changes nothing."""


LIMITS: list[tuple[str, dict[str, Any], dict[str, Any], Break]] = [
    # rule, settings with a violation, settings without one, change of the stack
    ("log-groups-have-retention", {"minimumDays": 91}, {"minimumDays": 90}, unchanged),
    ("resources-have-required-tags", {"required": ["team"]}, {"required": []}, unchanged),
    (
        "tables-have-explicit-expiry",
        {"mustExpire": ["pr*"]},
        {"mustExpire": ["dev"]},
        endless,
    ),
    ("tables-have-explicit-expiry", {"attributes": ["ttl"]}, {"attributes": ["expires_at"]}, expiring),
    (
        "data-is-encrypted-at-rest",
        {"customerManagedKeys": ["tables"]},
        {"customerManagedKeys": []},
        unchanged,
    ),
    (
        "data-is-encrypted-at-rest",
        {"customerManagedKeys": ["streams"]},
        {"customerManagedKeys": []},
        unchanged,
    ),
    (
        "data-is-encrypted-at-rest",
        {"customerManagedKeys": ["queues"]},
        {"customerManagedKeys": []},
        unchanged,
    ),
    ("data-is-encrypted-at-rest", {"customerManagedKeys": ["logs"]}, {"customerManagedKeys": []}, unchanged),
    ("tables-are-recoverable", {"stacks": ["prod"]}, {"stacks": ["dev"]}, deletable),
    (
        "data-settings-are-safe",
        {"stacks": ["prod"]},
        {"stacks": []},
        put(STREAM, "forceDestroy", True),
    ),
    (
        "data-stays-in-account",
        {"accounts": []},
        {"accounts": ["222222222222"]},
        put(
            QUARANTINE,
            "redrivePolicy",
            '{"deadLetterTargetArn": "arn:aws:sqs:ap-northeast-1:222222222222:x"}',
        ),
    ),
    ("data-has-protect-option", {"stacks": ["*"]}, {"stacks": []}, unprotected),
    (
        "iam-services-have-source-condition",
        {"exempt": ["ec2.amazonaws.com"]},
        {"exempt": ["pipes.amazonaws.com"]},
        remove(PIPE_ROLE, f"{ASSUME_ROLE}.Condition"),
    ),
    (
        "iam-trust-stays-in-account",
        {"accounts": []},
        {"accounts": ["222222222222"]},
        trust(PIPE_ROLE, Condition={"StringEquals": {"aws:SourceAccount": "222222222222"}}),
    ),
    (
        "iam-resources-stay-in-account",
        {"organizations": []},
        {"organizations": ["o-a1b2c3d4e5"]},
        put(
            QUARANTINE,
            "policy",
            open_to(
                "*",
                "sqs:SendMessage",
                QUARANTINE.arn,
                Condition={"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
            ),
        ),
    ),
    (
        "iam-resources-stay-in-account",
        {"accounts": []},
        {"accounts": ["222222222222"]},
        shared,
    ),
    (
        "state-machine-keeps-every-record",
        {"expected": []},
        {"expected": ["DynamoDB.ConditionalCheckFailedException"]},
        unchanged,
    ),
    ("state-machine-keeps-every-record", {"expired": []}, {"expired": ["Expired"]}, unchanged),
    (
        "pipe-filter-passes-tracked-calls",
        {"initiationMethods": ["INBOUND", "CALLBACK"]},
        {"initiationMethods": ["INBOUND", "WEBRTC_API"]},
        unchanged,
    ),
    ("queues-retain-messages", {"minimumDays": 15}, {"minimumDays": 14}, unchanged),
    (
        "resources-are-inspectable",
        {"allowed": []},
        {"allowed": ["aws-native:*"]},
        lambda stack: stack.add("aws-native:sqs:Queue", "added", {}),
    ),
    (
        "iam-trust-only-allowed-principals",
        {"services": ["pipes.amazonaws.com"]},
        {"services": ["pipes.amazonaws.com", "states.*"]},
        unchanged,
    ),
    (
        "pipe-age-below-stream-retention",
        {"existingStreamRetentionHours": 24},
        {"existingStreamRetentionHours": 25},
        elsewhere,
    ),
]


@pytest.mark.parametrize(
    ("rule", "strict", "lenient", "change"),
    LIMITS,
    ids=lambda each: getattr(each, "__name__", str(each))[:60],
)
def test_a_setting_decides_what_a_rule_reports(
    pack: Pack, rule: str, strict: dict[str, Any], lenient: dict[str, Any], change: Break
) -> None:
    stack = recorded("prod")
    change(stack)

    assert violations(pack, stack, rule, strict)
    assert violations(pack, stack, rule, lenient) == []


def test_every_setting_is_tested() -> None:
    tested = {(rule, name) for rule, strict, _, _ in LIMITS for name in strict}

    assert tested | {("iam-no-broad-managed-policies", "allowed")} == {
        (rule.name, name) for rule in RULES for name in rule.settings
    }


def test_customer_managed_keys_are_accepted_where_they_are_required(pack: Pack) -> None:
    stack = recorded("prod", {"kmsKeyArn": KEY_ARN})
    rule = "data-is-encrypted-at-rest"

    assert violations(pack, stack, rule, {"customerManagedKeys": ["tables", "streams", "queues"]}) == []


def test_every_replica_needs_a_customer_managed_key_if_tables_do(pack: Pack) -> None:
    stack = recorded("prod", {"kmsKeyArn": KEY_ARN})
    kept = {"pointInTimeRecovery": True, "deletionProtectionEnabled": True}
    stack.one("Table").inputs["replicas"] = [{**kept, "kmsKeyArn": KEY_ARN}, kept]

    (found,) = violations(pack, stack, "data-is-encrypted-at-rest", {"customerManagedKeys": ["tables"]})

    assert found.message.endswith(
        "must be encrypted with a customer managed key: replicas[1].kmsKeyArn is null."
    )


def test_a_delivery_stream_that_reads_a_stream_needs_no_encryption(pack: Pack) -> None:
    stack = recorded("prod", {"kmsKeyArn": KEY_ARN})
    stack.add(
        "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream",
        "added",
        {"kinesisSourceConfiguration": {"kinesisStreamArn": STREAM.arn}},
    )

    assert violations(pack, stack, "data-is-encrypted-at-rest", {"customerManagedKeys": ["streams"]}) == []


def test_an_unprotected_stack_needs_no_protection(pack: Pack) -> None:
    stack = recorded("dev")
    deletable(stack)
    unprotected(stack)

    assert pack.analyze(stack) == []


@pytest.mark.parametrize(
    ("rule", "settings", "message"),
    [
        (
            "log-groups-have-retention",
            {"minimumDays": "a month"},
            'cannot be checked: the rule has an invalid setting minimumDays: "a month" is not an integer of at least 1.',
        ),
        (
            "resources-have-required-tags",
            {"required": "project"},
            'cannot be checked: the rule has an invalid setting required: "project" is not a list of strings.',
        ),
        (
            "tables-are-recoverable",
            {"stack": ["prod"]},
            "cannot be checked: the rule has no setting 'stack'. Its settings: stacks.",
        ),
        (
            "data-is-encrypted-at-rest",
            {"customerManagedKeys": ["tables", "queue"]},
            'cannot be checked: the rule has an invalid setting customerManagedKeys: ["tables", "queue"]'
            " is not a list of logs, queues, streams, tables.",
        ),
        (
            "iam-no-public-resources",
            {"allowed": True},
            "cannot be checked: the rule has no setting 'allowed'. Its settings: none.",
        ),
    ],
)
def test_an_invalid_setting_is_a_violation(
    pack: Pack, rule: str, settings: dict[str, Any], message: str
) -> None:
    found = violations(pack, recorded("prod"), rule, settings)

    assert found
    assert all(each.message == f"{each.resource} {message}" for each in found)


def test_an_invalid_setting_of_a_stack_rule_is_a_violation(pack: Pack) -> None:
    (found,) = violations(
        pack, recorded("prod"), "pipe-age-below-stream-retention", {"existingStreamRetentionHours": 1}
    )

    assert found.message == (
        "The stack cannot be checked: the rule has an invalid setting existingStreamRetentionHours:"
        " 1 is not an integer of at least 24."
    )


def test_a_rule_can_be_advisory_or_disabled(pack: Pack) -> None:
    stack = recorded("prod")
    stack.add("aws:lambda/function:Function", "added", {"tags": TAGS})

    assert [
        each.level for each in violations(pack, stack, "no-lambda", {"enforcementLevel": "advisory"})
    ] == ["advisory"]
    assert violations(pack, stack, "no-lambda", {"enforcementLevel": "disabled"}) == []
