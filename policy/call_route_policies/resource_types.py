"""Pulumi type tokens, and the property that names each type's customer managed key."""

from __future__ import annotations

FIREHOSE = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
FLOW = "aws:connect/contactFlow:ContactFlow"
KEY = "aws:kms/key:Key"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
MACHINE = "aws:sfn/stateMachine:StateMachine"
MODULE = "aws:connect/contactFlowModule:ContactFlowModule"
PIPE = "aws:pipes/pipe:Pipe"
POLICY = "aws:iam/policy:Policy"
QUEUE = "aws:sqs/queue:Queue"
REPLICA = "aws:dynamodb/tableReplica:TableReplica"
ROLE = "aws:iam/role:Role"
STORAGE = "aws:connect/instanceStorageConfig:InstanceStorageConfig"
STREAM = "aws:kinesis/stream:Stream"
TABLE = "aws:dynamodb/table:Table"
TOPIC = "aws:sns/topic:Topic"

CUSTOMER_MANAGED_KEY = {
    FIREHOSE: ("serverSideEncryption", "keyArn"),
    LOG_GROUP: ("kmsKeyId",),
    QUEUE: ("kmsMasterKeyId",),
    REPLICA: ("kmsKeyArn",),
    STREAM: ("kmsKeyId",),
    TABLE: ("serverSideEncryption", "kmsKeyArn"),
}
"""Path of the property that names the key, by type."""
