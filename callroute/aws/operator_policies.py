"""IAM policies for operators: one each for `callroute redrive`, `callroute doctor` and `callroute pull`.

The first two commands also read the outputs of the stack from Pulumi's state.
"""

from __future__ import annotations

from callroute.aws.deployment_roles import (
    DeploymentTarget,
    Grant,
    instance_arn,
    role_arns,
    state_grants,
    stream_arn,
)
from callroute.aws.permissions import Document, alarm_key_policy

INDEX_ATTRIBUTES = ["call_date", "contact_id", "start_time"]
"""Attributes that `callroute doctor` may read: the keys of the table and of its index, which DynamoDB requires."""


def operator_documents(target: DeploymentTarget) -> dict[str, Document]:
    """Returns the policies for operators, and what the policy of a customer managed key needs, keyed by file name."""
    args = target.args
    uses_key = args.kms_key_arn and args.alarms and not args.alarm_topic_arn
    return {
        **({"key-policy.json": alarm_key_policy(target.account_id)} if uses_key else {}),
        "doctor-policy.json": doctor_policy(target),
        "pull-policy.json": pull_policy(target),
        "redrive-policy.json": redrive_policy(target),
    }


def redrive_policy(target: DeploymentTarget) -> Document:
    """Returns the policy for `callroute redrive`. It allows reading contact records, which contain personal data."""
    stream, key, stream_key = stream_arn(target), target.args.kms_key_arn, _stream_key_arn(target)
    return _document(
        Grant("Pipe", (_pipe_arn(target),), ("pipes:DescribePipe",)),
        Grant("Records", (stream,), ("kinesis:GetRecords", "kinesis:GetShardIterator")),
        Grant("StateMachine", (_state_machine_arn(target),), ("states:StartSyncExecution",)),
        Grant(
            "Messages",
            _queue_arns(target),
            (
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ),
        ),
        *([_use_key("KeyOfStream", target, stream_key, "kinesis", "kms:Decrypt")] if stream_key else []),
        *([_use_key("KeyOfQueues", target, key, "sqs", "kms:Decrypt")] if key else []),
        *state_grants(target),
    )


def doctor_policy(target: DeploymentTarget) -> Document:
    """Returns the policy for `callroute doctor`. It allows no changes and no access to personal data.

    The definition of the state machine contains the salt of hashed phone numbers.
    """
    table = target.arn("dynamodb", f"table/{target.args.table_name}")
    key = target.args.kms_key_arn
    return _document(
        Grant("Pipe", (_pipe_arn(target),), ("pipes:DescribePipe",)),
        Grant("ContactRecords", (instance_arn(target),), ("connect:ListInstanceStorageConfigs",)),
        Grant("Stream", (stream_arn(target),), ("kinesis:DescribeStreamSummary",)),
        Grant("Queues", _queue_arns(target), ("sqs:GetQueueAttributes",)),
        # This action has no resource types.
        Grant("Metrics", ("*",), ("cloudwatch:GetMetricData",)),
        # A search by prefix is authorized against all alarms (docs/fidelity.md).
        Grant("Alarms", (target.arn("cloudwatch", "alarm:*"),), ("cloudwatch:DescribeAlarms",)),
        Grant(
            "LastCall",
            (f"{table}/index/by-day",),
            ("dynamodb:Query",),
            condition={
                "ForAllValues:StringEquals": {"dynamodb:Attributes": INDEX_ATTRIBUTES},
                "StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
            },
        ),
        *([_use_key("KeyOfTable", target, key, "dynamodb", "kms:Decrypt", "kms:DescribeKey")] if key else []),
        Grant("StateMachine", (_state_machine_arn(target),), ("states:DescribeStateMachine",)),
        Grant(
            "Roles",
            role_arns(target),
            ("iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"),
        ),
        *state_grants(target),
    )


def pull_policy(target: DeploymentTarget) -> Document:
    """Returns the policy for `callroute pull`. It allows no changes."""
    instance = instance_arn(target)
    return _document(
        Grant(
            "Flows",
            (f"{instance}/contact-flow/*",),
            ("connect:DescribeContactFlow", "connect:ListContactFlows"),
        ),
        Grant("Modules", (f"{instance}/flow-module/*",), ("connect:DescribeContactFlowModule",)),
        Grant("Queues", (f"{instance}/queue/*",), ("connect:ListQueues",)),
        Grant(
            "Names",
            (instance,),
            ("connect:ListContactFlowModules", "connect:ListHoursOfOperations", "connect:ListPrompts"),
        ),
        Grant("Bots", (target.arn("lex", "bot/*"),), ("lex:DescribeBot",)),
        # Finds an instance by its alias. These actions have no resource types.
        Grant("Instances", ("*",), ("connect:ListInstances", "ds:DescribeDirectories")),
    )


def _document(*grants: Grant) -> Document:
    statements = [grant.statement(grant.reads) for grant in grants]
    return {"Version": "2012-10-17", "Statement": statements}


def _use_key(sid: str, target: DeploymentTarget, key_arn: str, service: str, *actions: str) -> Grant:
    condition = {"StringEquals": {"kms:ViaService": f"{service}.{target.region}.amazonaws.com"}}
    return Grant(sid, (key_arn,), actions, condition=condition)


def _pipe_arn(target: DeploymentTarget) -> str:
    return target.arn("pipes", f"pipe/{target.project}-{target.stack}")


def _state_machine_arn(target: DeploymentTarget) -> str:
    return target.arn("states", f"stateMachine:{target.project}-{target.stack}")


def _queue_arns(target: DeploymentTarget) -> tuple[str, ...]:
    names = ("pipe-dead-letters", "quarantine")
    return tuple(target.arn("sqs", f"{target.project}-{name}-*") for name in names)


def _stream_key_arn(target: DeploymentTarget) -> str | None:
    args = target.args
    key: str | None = args.stream_kms_key_arn if args.stream_arn else args.kms_key_arn
    return key
