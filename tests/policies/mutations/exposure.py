"""Data that another account or everyone can reach, and settings that lose it."""

from __future__ import annotations

from typing import Any

from tests.policies.edits import add, put, statement
from tests.policies.mutations.case import Case, Cases
from tests.policies.mutations.pipeline import STREAM_SOURCE
from tests.policies.values import (
    DEAD_LETTERS,
    KEY_ARN,
    PIPE,
    PIPE_POLICY,
    QUARANTINE,
    STREAM,
    TABLE,
)

CASES: Cases = {}

OTHER_QUEUE = DEAD_LETTERS.arn.replace("111111111111", "222222222222")
OTHER_REGION = KEY_ARN.replace("ap-northeast-1", "us-west-2")
FOREIGN = "must not use another {} in {}: {}"
DESTINATION = "arn:aws:logs:ap-northeast-1:222222222222:destination:calls"
CASES["data-stays-in-account"] = {
    "dead letters of another account": Case(
        FOREIGN.format("account", f"{STREAM_SOURCE}.deadLetterConfig.arn", OTHER_QUEUE),
        put(PIPE, f"{STREAM_SOURCE}.deadLetterConfig.arn", OTHER_QUEUE),
        statement(PIPE_POLICY, "KeepDeadLetters", Resource=OTHER_QUEUE),
    ),
    "a key of another region": Case(
        FOREIGN.format("region", "kmsKeyId", OTHER_REGION),
        add("cloudwatch.LogGroup", kmsKeyId=OTHER_REGION, retentionInDays=30),
    ),
    "logs for another account": Case(
        FOREIGN.format("account", "destinationArn", DESTINATION),
        add("cloudwatch.LogSubscriptionFilter", destinationArn=DESTINATION),
    ),
    "events for another account": Case(
        FOREIGN.format("account", "principal", "222222222222"),
        add("cloudwatch.EventPermission", principal="222222222222", statementId="other"),
    ),
}

CREDENTIAL = "must not be part of the stack: {} is a long-lived credential"
CASES["no-long-lived-credentials"] = {
    "an access key": Case(CREDENTIAL.format("AccessKey"), add("iam.AccessKey", user="operator")),
    "a password for the console": Case(
        CREDENTIAL.format("UserLoginProfile"), add("iam.UserLoginProfile", user="operator")
    ),
    "credentials for one service": Case(
        CREDENTIAL.format("ServiceSpecificCredential"),
        add("iam.ServiceSpecificCredential", userName="operator"),
    ),
}

UNSAFE = "must {}: {} is {}"
ACL = "accessControlPolicy.grants[0].grantee.uri"
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
BLOCKED: dict[str, Any] = dict.fromkeys(
    ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
)
CASES["data-settings-are-safe"] = {
    "a public bucket": Case(
        UNSAFE.format("not be public", "acl", '"public-read"'), add("s3.BucketAcl", acl="public-read")
    ),
    "a bucket that everyone may read": Case(
        UNSAFE.format("not be public", ACL, f'"{ALL_USERS}"'),
        add("s3.BucketAcl", accessControlPolicy={"grants": [{"grantee": {"uri": ALL_USERS}}]}),
    ),
    "public access that is not blocked": Case(
        UNSAFE.format("block public access", "blockPublicPolicy", "false"),
        add("s3.BucketPublicAccessBlock", **{**BLOCKED, "blockPublicPolicy": False}),
    ),
    "a bucket that is deleted with its objects": Case(
        UNSAFE.format("not be deleted with its content", "forceDestroy", "true"),
        add("s3.Bucket", bucket="reports", forceDestroy=True),
        add("s3.BucketPublicAccessBlock", "block", bucket="reports", **BLOCKED),
    ),
    "a pipe without a log": Case(
        UNSAFE.format("log errors", "logConfiguration.level", '"OFF"'),
        put(PIPE, "logConfiguration.level", "OFF"),
    ),
    "a stream without shards": Case(
        UNSAFE.format("have at least one shard", "shardCount", "0"), put(STREAM, "shardCount", 0)
    ),
    "a queue for small messages only": Case(
        UNSAFE.format(
            "accept messages of 262144 bytes, the size of the largest record", "maxMessageSize", "1024"
        ),
        put(QUARANTINE, "maxMessageSize", 1024),
    ),
    "point-in-time recovery of one day": Case(
        UNSAFE.format("be recoverable for at least 7 days", "pointInTimeRecovery.recoveryPeriodInDays", "1"),
        put(TABLE, "pointInTimeRecovery.recoveryPeriodInDays", 1),
    ),
}

CASES["buckets-block-public-access"] = {
    "a bucket without a public access block": Case(
        "must have a BucketPublicAccessBlock", add("s3.Bucket", bucket="reports")
    ),
    "a public access block of another bucket": Case(
        "must have a BucketPublicAccessBlock",
        add("s3.Bucket", bucket="reports"),
        add("s3.BucketPublicAccessBlock", "other", bucket="other", **BLOCKED),
    ),
    "a bucket of the old type without a public access block": Case(
        "must have a BucketPublicAccessBlock", add("s3.BucketV2", bucket="reports")
    ),
}
