"""Pulumi type tokens."""

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
