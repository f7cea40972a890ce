"""Guards against settings of rules that do nothing, do too much, or crash the pack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from call_route_policies import RULES
from tests.policies.edits import ASSUME_ROLE, remove, trust
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


def said(pack: Pack, stack: Stack, rule: str, settings: dict[str, Any]) -> list[Violation]:
    """What a rule says under a configuration; no other may say anything."""
    pack.configure({rule: settings})
    found = pack.judge(stack)
    assert {each.rule for each in found} <= {rule}
    return found


def test_a_managed_policy_may_be_listed_and_a_broad_one_may_not(pack: Pack) -> None:
    rule, names = "iam-no-broad-managed-policies", ("AWSXRayDaemonWriteAccess", "AmazonSQSFullAccess")
    settings = {"allowed": [managed(name) for name in names]}
    narrow, broad = recorded("prod"), recorded("prod")
    attach(narrow, names[0])
    attach(broad, names[1])

    assert said(pack, narrow, rule, settings) == []
    assert [each.resource for each in said(pack, broad, rule, settings)] == ["added"]


Break = Callable[[Stack], object]


def endless(stack: Stack) -> None:
    """Lets the table keep its items for ever."""
    stack.one("Table").inputs["ttl"] = {"enabled": False}


def expiring(stack: Stack) -> None:
    """Lets the table's items expire as the state machine says."""
    stack.one("Table").inputs["ttl"] = {"enabled": True, "attributeName": "expires_at"}


def deletable(stack: Stack) -> None:
    """Takes the table's deletion protection away."""
    stack.one("Table").inputs["deletionProtectionEnabled"] = False


def unprotected(stack: Stack) -> None:
    """Lets Pulumi delete the table."""
    stack.one("Table").protect = False


def elsewhere(stack: Stack) -> None:
    """Makes the stream one of another stack."""
    stack.remove(stack.one("Stream"))


def shared(stack: Stack) -> None:
    """Lets another account send to the quarantine."""
    document = open_to(OTHER_ACCOUNT, "sqs:SendMessage", QUARANTINE.arn)
    stack.one("Queue", "quarantine").inputs["policy"] = document


def unchanged(_: Stack) -> None:
    """The stack as it is."""


LIMITS: list[tuple[str, dict[str, Any], dict[str, Any], Break]] = [
    # rule, settings under which it speaks, settings under which it does not, what is changed
    ("log-groups-have-retention", {"minimumDays": 91}, {"minimumDays": 90}, unchanged),
    ("resources-have-required-tags", {"required": ["team"]}, {"required": []}, unchanged),
    (
        "tables-say-whether-items-expire",
        {"mustExpire": ["pr*"]},
        {"mustExpire": ["dev"]},
        endless,
    ),
    ("tables-say-whether-items-expire", {"attributes": ["ttl"]}, {"attributes": ["expires_at"]}, expiring),
    ("data-is-encrypted-at-rest", {"customerKeys": ["tables"]}, {"customerKeys": []}, unchanged),
    ("data-is-encrypted-at-rest", {"customerKeys": ["streams"]}, {"customerKeys": []}, unchanged),
    ("data-is-encrypted-at-rest", {"customerKeys": ["queues"]}, {"customerKeys": []}, unchanged),
    ("data-is-encrypted-at-rest", {"customerKeys": ["logs"]}, {"customerKeys": []}, unchanged),
    ("tables-are-recoverable", {"stacks": ["prod"]}, {"stacks": ["dev"]}, deletable),
    ("data-is-protected", {"stacks": ["*"]}, {"stacks": []}, unprotected),
    (
        "iam-trust-is-bound-to-a-source",
        {"exempt": ["ec2.amazonaws.com"]},
        {"exempt": ["pipes.amazonaws.com"]},
        remove(PIPE_ROLE, f"{ASSUME_ROLE}.Condition"),
    ),
    (
        "iam-trust-stays-in-its-account",
        {"accounts": []},
        {"accounts": ["222222222222"]},
        trust(PIPE_ROLE, Condition={"StringEquals": {"aws:SourceAccount": "222222222222"}}),
    ),
    (
        "iam-resources-stay-in-their-account",
        {"accounts": []},
        {"accounts": ["222222222222"]},
        shared,
    ),
    (
        "state-machine-drops-no-record",
        {"expected": []},
        {"expected": ["DynamoDB.ConditionalCheckFailedException"]},
        unchanged,
    ),
    ("queues-keep-messages", {"minimumDays": 15}, {"minimumDays": 14}, unchanged),
    (
        "resources-can-be-judged",
        {"allowed": []},
        {"allowed": ["aws-native:*"]},
        lambda stack: stack.add("aws-native:sqs:Queue", "added", {}),
    ),
    (
        "iam-trust-only-named-services",
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
def test_a_setting_decides_what_a_rule_says(
    pack: Pack, rule: str, strict: dict[str, Any], lenient: dict[str, Any], change: Break
) -> None:
    stack = recorded("prod")
    change(stack)

    assert said(pack, stack, rule, strict)
    assert said(pack, stack, rule, lenient) == []


def test_every_setting_is_tried() -> None:
    tried = {(rule, name) for rule, strict, _, _ in LIMITS for name in strict}

    assert tried | {("iam-no-broad-managed-policies", "allowed")} == {
        (rule.name, name) for rule in RULES for name in rule.settings
    }


def test_customer_keys_satisfy_where_they_are_asked_for(pack: Pack) -> None:
    stack = recorded("prod", {"kmsKeyArn": KEY_ARN})
    rule = "data-is-encrypted-at-rest"

    assert said(pack, stack, rule, {"customerKeys": ["tables", "streams", "queues"]}) == []


def test_every_replica_needs_a_customer_key_where_tables_do(pack: Pack) -> None:
    stack = recorded("prod", {"kmsKeyArn": KEY_ARN})
    kept = {"pointInTimeRecovery": True, "deletionProtectionEnabled": True}
    stack.one("Table").inputs["replicas"] = [{**kept, "kmsKeyArn": KEY_ARN}, kept]

    (found,) = said(pack, stack, "data-is-encrypted-at-rest", {"customerKeys": ["tables"]})

    assert found.message.endswith("must be encrypted with a customer key: replicas[1].kmsKeyArn is null.")


def test_a_delivery_stream_that_reads_a_stream_needs_no_encryption_of_its_own(pack: Pack) -> None:
    stack = recorded("prod", {"kmsKeyArn": KEY_ARN})
    stack.add(
        "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream",
        "added",
        {"kinesisSourceConfiguration": {"kinesisStreamArn": STREAM.arn}},
    )

    assert said(pack, stack, "data-is-encrypted-at-rest", {"customerKeys": ["streams"]}) == []


def test_stacks_that_are_not_protected_need_no_protection(pack: Pack) -> None:
    stack = recorded("dev")
    deletable(stack)
    unprotected(stack)

    assert pack.judge(stack) == []


@pytest.mark.parametrize(
    ("rule", "settings", "message"),
    [
        (
            "log-groups-have-retention",
            {"minimumDays": "a month"},
            'cannot be judged: the rule takes a whole number from 1 as minimumDays, and not "a month".',
        ),
        (
            "resources-have-required-tags",
            {"required": "project"},
            'cannot be judged: the rule takes a list of texts as required, and not "project".',
        ),
        (
            "tables-are-recoverable",
            {"stack": ["prod"]},
            "cannot be judged: the rule has no setting 'stack'; it has stacks.",
        ),
        (
            "data-is-encrypted-at-rest",
            {"customerKeys": ["tables", "queue"]},
            "cannot be judged: the rule takes a list of any of logs, queues, streams, tables as customerKeys,"
            ' and not ["tables", "queue"].',
        ),
        ("no-lambda", {"allowed": True}, "cannot be judged: the rule has no setting 'allowed'; it has none."),
    ],
)
def test_a_wrong_setting_is_told_and_not_passed_over(
    pack: Pack, rule: str, settings: dict[str, Any], message: str
) -> None:
    found = said(pack, recorded("prod"), rule, settings)

    assert found
    assert all(each.message == f"{each.resource} {message}" for each in found)


def test_a_wrong_setting_of_a_stack_rule_is_told_too(pack: Pack) -> None:
    (found,) = said(
        pack, recorded("prod"), "pipe-age-below-stream-retention", {"existingStreamRetentionHours": 1}
    )

    assert found.message == (
        "The stack cannot be judged: the rule takes a whole number from 24 as existingStreamRetentionHours, and not 1."
    )


def test_a_rule_can_be_made_advisory_or_switched_off(pack: Pack) -> None:
    stack = recorded("prod")
    stack.add("aws:lambda/function:Function", "added", {"tags": TAGS})

    assert [each.level for each in said(pack, stack, "no-lambda", {"enforcementLevel": "advisory"})] == [
        "advisory"
    ]
    assert said(pack, stack, "no-lambda", {"enforcementLevel": "disabled"}) == []
