"""The types of resource that rules are about, as Pulumi names them, and where what several rules look at stands in them."""

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

CUSTOMER_KEY = {
    FIREHOSE: ("serverSideEncryption", "keyArn"),
    LOG_GROUP: ("kmsKeyId",),
    QUEUE: ("kmsMasterKeyId",),
    REPLICA: ("kmsKeyArn",),
    STREAM: ("kmsKeyId",),
    TABLE: ("serverSideEncryption", "kmsKeyArn"),
}
"""Where a customer key stands."""
