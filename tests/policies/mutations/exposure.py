"""Data that another account or every principal can reach, and settings that lose it."""

from __future__ import annotations

from typing import Any

from tests.policies import values as v
from tests.policies.edits import add, put, statement
from tests.policies.mutations.case import Cases, table
from tests.policies.mutations.pipeline import STREAM_SOURCE

QUEUE = v.DEAD_LETTERS.arn.replace("111111111111", "222222222222")
DEAD_LETTERS = f"{STREAM_SOURCE}.deadLetterConfig.arn"
KEY = v.KEY_ARN.replace("ap-northeast-1", "us-west-2")
LOGS = "arn:aws:logs:ap-northeast-1:222222222222:destination:calls"
ACCOUNT = "222222222222"

BLOCK: dict[str, Any] = dict.fromkeys(("blockPublicAcls", "ignorePublicAcls", "restrictPublicBuckets"), True)
GRANTEE = "accessControlPolicy.grants[0].grantee.uri"
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
GRANTS = {"grants": [{"grantee": {"uri": ALL_USERS}}]}
LEVEL, PERIOD = "logConfiguration.level", "pointInTimeRecovery.recoveryPeriodInDays"

# fmt: off
CASES: Cases = {
    "data-stays-in-account": table(
        "must not use another {} in {}: {}",
        ("dead letters of another account", ("account", DEAD_LETTERS, QUEUE),
         put(v.PIPE, DEAD_LETTERS, QUEUE), statement(v.PIPE_POLICY, "KeepDeadLetters", Resource=QUEUE)),
        ("a key of another region", ("region", "kmsKeyId", KEY),
         add("cloudwatch.LogGroup", kmsKeyId=KEY, retentionInDays=30)),
        ("logs for another account", ("account", "destinationArn", LOGS),
         add("cloudwatch.LogSubscriptionFilter", destinationArn=LOGS)),
        ("events for another account", ("account", "principal", ACCOUNT),
         add("cloudwatch.EventPermission", principal=ACCOUNT, statementId="other")),
    ),
    "no-long-lived-credentials": table(
        "must not be part of the stack: {} is a long-lived credential",
        ("an access key", "AccessKey", add("iam.AccessKey", user="operator")),
        ("a console password", "UserLoginProfile", add("iam.UserLoginProfile", user="operator")),
        ("credentials for one service", "ServiceSpecificCredential",
         add("iam.ServiceSpecificCredential", userName="operator")),
    ),
    "data-settings-are-safe": table(
        "must set a safe {}: it must {}, not {}",
        ("a public bucket", ("acl", "not be public", '"public-read"'),
         add("s3.BucketAcl", acl="public-read")),
        ("a bucket that every user may read", (GRANTEE, "not be public", f'"{ALL_USERS}"'),
         add("s3.BucketAcl", accessControlPolicy=GRANTS)),
        ("public access that is not blocked", ("blockPublicPolicy", "be true", "false"),
         add("s3.BucketPublicAccessBlock", **BLOCK, blockPublicPolicy=False)),
        ("a bucket that is deleted with its objects",
         ("forceDestroy", "not be set on a protected stack", "true"), add("s3.Bucket", forceDestroy=True)),
        ("a pipe without a log", (LEVEL, "be ERROR, INFO or TRACE", '"OFF"'), put(v.PIPE, LEVEL, "OFF")),
        ("a stream without shards", ("shardCount", "be at least 1", "0"), put(v.STREAM, "shardCount", 0)),
        ("a queue for small messages only", ("maxMessageSize", "be at least 262144, for one record", "1024"),
         put(v.QUARANTINE, "maxMessageSize", 1024)),
        ("recovery of one day", (PERIOD, "be at least 7", "1"), put(v.TABLE, PERIOD, 1)),
    ),
}
