"""Guards against calls that succeed locally, but fail on AWS because the caller is not allowed to use the key."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callroute.local.emulator import Credentials, Emulator

KEY = "arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-000000000001"
Call = Callable[[Credentials], Any]


def caller(
    emulator: Emulator, allowed: Mapping[str, dict[str, Any]], boundary: str | None = None
) -> Credentials:
    """Creates a user who is allowed these actions. Each action maps to further elements of its statement."""
    iam, name = emulator.client("iam"), uuid.uuid4().hex
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": "*", **more} for action, more in allowed.items()
    ]
    iam.create_user(UserName=name, **({"PermissionsBoundary": boundary} if boundary else {}))
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def send(emulator: Emulator, key: str | None) -> Call:
    """Creates a queue with this key. Returns a call that sends a message to it."""
    attributes = {"KmsMasterKeyId": key} if key else {"SqsManagedSseEnabled": "true"}
    url = emulator.client("sqs").create_queue(QueueName=uuid.uuid4().hex, Attributes=attributes)["QueueUrl"]
    return lambda credentials: emulator.client("sqs", credentials).send_message(QueueUrl=url, MessageBody="m")


def receive(emulator: Emulator, key: str | None) -> Call:
    """Creates a queue with this key. Returns a call that receives messages."""
    attributes = {"KmsMasterKeyId": key} if key else {"SqsManagedSseEnabled": "true"}
    url = emulator.client("sqs").create_queue(QueueName=uuid.uuid4().hex, Attributes=attributes)["QueueUrl"]
    return lambda credentials: emulator.client("sqs", credentials).receive_message(QueueUrl=url)


def update(emulator: Emulator, key: str | None) -> Call:
    """Creates a table with this key. Returns a call that writes an item."""
    name = create_table(emulator, key)
    return lambda credentials: emulator.client("dynamodb", credentials).update_item(
        TableName=name, Key={"id": {"S": "a"}}
    )


def query(emulator: Emulator, key: str | None) -> Call:
    """Creates a table with this key. Returns a call that queries its index."""
    name = create_table(emulator, key)
    return lambda credentials: emulator.client("dynamodb", credentials).query(
        TableName=name,
        IndexName="index",
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": {"S": "a"}},
    )


def create_table(emulator: Emulator, key: str | None) -> str:
    """Creates a table with this key and an index. Returns its name."""
    name, schema = uuid.uuid4().hex, [{"AttributeName": "id", "KeyType": "HASH"}]
    emulator.client("dynamodb").create_table(
        TableName=name,
        KeySchema=schema,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[
            {"IndexName": "index", "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}
        ],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", **({"KMSMasterKeyId": key} if key else {})},
    )
    return name


def read(emulator: Emulator, key: str | None) -> Call:
    """Creates a stream with this key. Returns a call that reads it."""
    kinesis, name = emulator.client("kinesis"), uuid.uuid4().hex
    kinesis.create_stream(StreamName=name, ShardCount=1)
    waiter, config = kinesis.get_waiter("stream_exists"), {"Delay": 0.02, "MaxAttempts": 500}
    waiter.wait(StreamName=name, WaiterConfig=config)
    if key:
        kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=key)
        waiter.wait(StreamName=name, WaiterConfig=config)
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    iterator = kinesis.get_shard_iterator(
        StreamARN=arn, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    return lambda credentials: emulator.client("kinesis", credentials).get_records(
        StreamARN=arn, ShardIterator=iterator
    )


NEEDS = [
    (update, "dynamodb:UpdateItem", ("kms:Decrypt", "kms:DescribeKey"), "AccessDeniedException"),
    (query, "dynamodb:Query", ("kms:Decrypt", "kms:DescribeKey"), "AccessDeniedException"),
    (read, "kinesis:GetRecords", ("kms:Decrypt",), "KMSAccessDeniedException"),
    (receive, "sqs:ReceiveMessage", ("kms:Decrypt",), "KmsAccessDenied"),
    (send, "sqs:SendMessage", ("kms:GenerateDataKey", "kms:Decrypt"), "KmsAccessDenied"),
]


@pytest.mark.parametrize(("call", "action", "key_actions", "code"), NEEDS)
def test_a_call_needs_every_action_on_the_customer_managed_key(
    emulator: Emulator,
    call: Callable[[Emulator, str], Call],
    action: str,
    key_actions: tuple[str, ...],
    code: str,
) -> None:
    do = call(emulator, KEY)
    allowed: dict[str, dict[str, Any]] = {
        action: {},
        **{key_action: {"Resource": KEY} for key_action in key_actions},
    }
    do(caller(emulator, allowed))

    for key_action in key_actions:
        remaining = {name: more for name, more in allowed.items() if name != key_action}
        with pytest.raises(ClientError, match=f"perform: {key_action} on resource: {KEY} ") as caught:
            do(caller(emulator, remaining))
        assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize("key", ["alias/aws/service", None])
@pytest.mark.parametrize(("call", "action"), [need[:2] for need in NEEDS])
def test_no_key_permissions_are_needed_without_a_customer_managed_key(
    emulator: Emulator, call: Callable[[Emulator, str | None], Call], action: str, key: str | None
) -> None:
    call(emulator, key)(caller(emulator, {action: {}}))


@pytest.mark.parametrize(
    "grant",
    [
        {"Condition": {"StringEquals": {"kms:ViaService": "sqs.us-east-1.amazonaws.com"}}},
        {"Condition": {"StringEquals": {"kms:ViaService": "dynamodb.ap-northeast-1.amazonaws.com"}}},
        {"Resource": KEY[:-1] + "2"},
    ],
    ids=["in another region", "through another service", "another key"],
)
def test_a_permission_for_a_different_use_is_not_enough(emulator: Emulator, grant: dict[str, Any]) -> None:
    do = send(emulator, KEY)
    right = {"Condition": {"StringEquals": {"kms:ViaService": "sqs.ap-northeast-1.amazonaws.com"}}}
    allowed = {"sqs:SendMessage": {}, "kms:GenerateDataKey": right, "kms:Decrypt": right}
    do(caller(emulator, allowed))

    with pytest.raises(ClientError, match="kms:Decrypt"):
        do(caller(emulator, {**allowed, "kms:Decrypt": grant}))


def test_the_callers_permissions_boundary_applies_to_the_key(emulator: Emulator) -> None:
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    boundary = emulator.client("iam").create_policy(
        PolicyName=uuid.uuid4().hex,
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )["Policy"]["Arn"]
    everything: dict[str, dict[str, Any]] = {"*": {}}

    send(emulator, None)(caller(emulator, everything, boundary))
    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        send(emulator, KEY)(caller(emulator, everything, boundary))


def test_a_denied_call_is_reported_before_a_missing_key_permission(emulator: Emulator) -> None:
    with pytest.raises(ClientError, match="not authorized to perform: sqs:SendMessage "):
        send(emulator, KEY)(caller(emulator, {"sqs:ReceiveMessage": {}}))
