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
RECORD_SIZE = "accept messages of 262144 bytes, the size of the largest record"
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
        "must {}: {} is {}",
        ("a public bucket", ("not be public", "acl", '"public-read"'),
         add("s3.BucketAcl", acl="public-read")),
        ("a bucket that every user may read", ("not be public", GRANTEE, f'"{ALL_USERS}"'),
         add("s3.BucketAcl", accessControlPolicy=GRANTS)),
        ("public access that is not blocked", ("block public access", "blockPublicPolicy", "false"),
         add("s3.BucketPublicAccessBlock", **BLOCK, blockPublicPolicy=False)),
        ("a bucket that is deleted with its objects",
         ("not be deleted with its content", "forceDestroy", "true"),
         add("s3.Bucket", bucket="reports", forceDestroy=True),
         add("s3.BucketPublicAccessBlock", "block", bucket="reports", **BLOCK, blockPublicPolicy=True)),
        ("a pipe without a log", ("log errors", LEVEL, '"OFF"'), put(v.PIPE, LEVEL, "OFF")),
        ("a stream without shards", ("have at least one shard", "shardCount", "0"), put(v.STREAM, "shardCount", 0)),
        ("a queue for small messages only", (RECORD_SIZE, "maxMessageSize", "1024"),
         put(v.QUARANTINE, "maxMessageSize", 1024)),
        ("a topic that sends without encryption", ("encrypt messages in transit", "protocol", '"http"'),
         add("sns.TopicSubscription", protocol="http")),
        ("a grant that can be passed on",
         ("not let the grantee create more grants", "operations", '["CreateGrant"]'),
         add("kms.Grant", operations=["CreateGrant"])),
        ("recovery of one day", ("be recoverable for at least 7 days", PERIOD, "1"), put(v.TABLE, PERIOD, 1)),
    ),
    "buckets-block-public-access": table(
        "must have a BucketPublicAccessBlock",
        ("a bucket without a block", (), add("s3.Bucket", bucket="reports")),
        ("a bucket of the old type", (), add("s3.BucketV2", bucket="reports")),
        ("a block of another bucket", (), add("s3.Bucket", bucket="reports"),
         add("s3.BucketPublicAccessBlock", "other", bucket="other", **BLOCK, blockPublicPolicy=True)),
    ),
}
