"""Pulumi type tokens, and the property that names each type's customer managed key."""

from __future__ import annotations

FLOW = "aws:connect/contactFlow:ContactFlow"
KEY = "aws:kms/key:Key"
MACHINE = "aws:sfn/stateMachine:StateMachine"
MODULE = "aws:connect/contactFlowModule:ContactFlowModule"
PIPE = "aws:pipes/pipe:Pipe"
POLICY = "aws:iam/policy:Policy"
QUEUE = "aws:sqs/queue:Queue"
ROLE = "aws:iam/role:Role"
STORAGE = "aws:connect/instanceStorageConfig:InstanceStorageConfig"
STREAM = "aws:kinesis/stream:Stream"
TABLE = "aws:dynamodb/table:Table"
TOPIC = "aws:sns/topic:Topic"

CUSTOMER_MANAGED_KEY = {
    QUEUE: ("kmsMasterKeyId",),
    STREAM: ("kmsKeyId",),
    TABLE: ("serverSideEncryption", "kmsKeyArn"),
}
"""Path of the property that names the key, by type."""
