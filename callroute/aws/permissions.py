"""IAM policies for the state machine and the pipe.

Each Task of the state machine needs one action on one resource. The permissions of the pipe follow from its source, target
and dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from callroute.arn import Arn

Document = dict[str, Any]
Statement = dict[str, Any]

# Maps a Task's service integration to its IAM action and the argument that names its target.
# Source: IAM policies for integrated services, AWS Step Functions Developer Guide.
_INTEGRATIONS = {
    "aws-sdk:cloudwatch:putMetricData": ("cloudwatch:PutMetricData", "Namespace"),
    "dynamodb:updateItem": ("dynamodb:UpdateItem", "TableName"),
    "sqs:sendMessage": ("sqs:SendMessage", "QueueUrl"),
}

READ_STREAM = (
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
)
"""Actions that a pipe needs on its source stream."""

DELIVER_LOGS = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
"""Actions that a state machine needs to write logs. They do not support resource-level permissions.

Source: Logging using CloudWatch Logs, AWS Step Functions Developer Guide.
"""

USE_KEY = {
    "dynamodb": ("kms:Decrypt", "kms:DescribeKey"),
    "kinesis": ("kms:Decrypt",),
    "sqs": ("kms:Decrypt", "kms:GenerateDataKey"),
}
"""Actions needed on the customer managed key of a table that is read or written, a stream that is read, or a queue that is written to."""


@dataclass(frozen=True)
class TaskNeed:
    """The permission that a Task of a state machine needs."""

    state: str
    """Name of the Task."""
    action: str
    """IAM action, for example `dynamodb:UpdateItem`."""
    target: str
    """Target in the Task's arguments: the name of a table, the URL of a queue or the namespace of metrics."""


def task_needs(definition: Document) -> list[TaskNeed]:
    """Returns the permissions that the Tasks of a state machine need, including Tasks inside Map and Parallel states.

    Raises:
        ValueError: the permissions are unknown because a Task uses an unknown integration or a computed target, or
            because a state uses credentials, a distributed Map, an item reader or a result writer.
    """
    return [need for name, state in states(definition) for need in state_needs(name, state)]


def states(definition: Document) -> Iterator[tuple[str, Document]]:
    """Yields all states with their names, including those inside Map and Parallel states."""
    for name, state in definition["States"].items():
        yield name, state
        for part in _parts(state):
            yield from states(part)


def _parts(state: Document) -> list[Document]:
    # Iterator is the older name for ItemProcessor.
    return [
        part
        for part in (state.get("ItemProcessor"), state.get("Iterator"), *state.get("Branches", []))
        if part
    ]


def state_needs(name: str, state: Document) -> Iterator[TaskNeed]:
    """Yields the permission that a state needs. The states inside it are not included.

    Raises:
        ValueError: see `task_needs`.
    """
    if state["Type"] == "Task":
        # The resource is arn:PARTITION:states:::SERVICE:API.
        integration = str(state["Resource"]).partition(":states:::")[2]
        if integration not in _INTEGRATIONS:
            raise ValueError(
                f"state {name!r}: no permission is known for {state['Resource']!r}; add it to _INTEGRATIONS"
            )
        action, argument = _INTEGRATIONS[integration]
        target = state.get("Arguments", {}).get(argument)
        if not isinstance(target, str) or target.startswith("{%"):
            raise ValueError(
                f"state {name!r}: {argument} must be a constant, so that the permission can name its target"
            )
        yield TaskNeed(name, action, target)
    for element in ("Credentials", "ItemReader", "ResultWriter"):
        if element in state:
            raise ValueError(f"state {name!r}: no permission is known for {element}")
    for part in _parts(state):
        mode = part.get("ProcessorConfig", {}).get("Mode", "INLINE")
        if mode != "INLINE":
            raise ValueError(f"state {name!r}: no permission is known for the ProcessorConfig.Mode {mode!r}")


def state_machine_policy(
    definition: Document, *, table_arn: str, quarantine_queue_arn: str, kms_key_arn: str | None = None
) -> Document:
    """Returns the permissions of the state machine's role.

    Args:
        definition: the state machine's definition.
        table_arn: the table of its DynamoDB tasks.
        quarantine_queue_arn: the queue of its SQS tasks.
        kms_key_arn: the customer managed key of the table and queue, if they have one.

    Raises:
        ValueError: a Task uses another table or queue, or an unknown integration.
    """
    arns = {"dynamodb": table_arn, "sqs": quarantine_queue_arn}
    statements = []
    for need in task_needs(definition):
        if need.action == "cloudwatch:PutMetricData":
            statements.append(_publish_metrics(need))
            continue
        arn = arns[need.action.partition(":")[0]]
        if Arn.parse(arn).name != need.target.rpartition("/")[2]:
            raise ValueError(
                f"state {need.state!r} acts on {need.target!r}, but the permission would be for {arn!r}"
            )
        statements.append(_allow(need.state, [need.action], arn))
    if kms_key_arn:
        statements.append(use_key("UseKeyOfTable", kms_key_arn, table_arn, "dynamodb"))
        statements.append(use_key("UseKeyOfQueue", kms_key_arn, quarantine_queue_arn, "sqs"))
    statements.append(_allow("DeliverLogs", DELIVER_LOGS, "*"))
    return _document(statements)


def pipe_policy(
    *,
    stream_arn: str,
    state_machine_arn: str,
    dead_letter_queue_arn: str,
    kms_key_arn: str | None = None,
    stream_kms_key_arn: str | None = None,
) -> Document:
    """Returns the permissions of the pipe's role.

    Logging needs no permissions, because EventBridge delivers the log on behalf of the pipe's creator.

    Args:
        stream_arn: the source.
        state_machine_arn: the target, an Express state machine called synchronously.
        dead_letter_queue_arn: the queue for the positions of records that could not be delivered.
        kms_key_arn: the customer managed key of the queue, if it has one.
        stream_kms_key_arn: the customer managed key of the stream, if it has one.
    """
    statements = [
        _allow("ReadStream", READ_STREAM, stream_arn),
        _allow("RecordRoutes", ["states:StartSyncExecution"], state_machine_arn),
        _allow("KeepDeadLetters", ["sqs:SendMessage"], dead_letter_queue_arn),
    ]
    if stream_kms_key_arn:
        statements.append(use_key("UseKeyOfStream", stream_kms_key_arn, stream_arn, "kinesis"))
    if kms_key_arn:
        statements.append(use_key("UseKeyOfQueue", kms_key_arn, dead_letter_queue_arn, "sqs"))
    return _document(statements)


def alarm_topic_policy(*, topic_arn: str, alarm_arns: str, account_id: str) -> Document:
    """Returns the policy of a topic that only alarms in this account may publish to.

    Args:
        topic_arn: the topic.
        alarm_arns: pattern of the alarms' ARNs.
        account_id: the AWS account of the alarms.
    """
    return _document(
        [
            {
                **_allow("PublishAlarms", ["sns:Publish"], topic_arn),
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Condition": {
                    "ArnLike": {"aws:SourceArn": alarm_arns},
                    "StringEquals": {"aws:SourceAccount": account_id},
                },
            }
        ]
    )


def alarm_key_policy(account_id: str) -> Document:
    """Returns the statement that a customer managed key needs in its policy so that alarms reach an encrypted topic.

    Args:
        account_id: the AWS account of the alarms.
    """
    return _document(
        [
            {
                # In a key policy, the resource is the key itself.
                **_allow("EncryptAlarms", ["kms:Decrypt", "kms:GenerateDataKey*"], "*"),
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
            }
        ]
    )


def trust_policy(
    service: Literal["states.amazonaws.com", "pipes.amazonaws.com"], *, account_id: str, source_arn: str
) -> Document:
    """Returns a trust policy that lets a service assume the role for one resource only.

    The conditions prevent the confused deputy problem.
    """
    return _document(
        [
            {
                "Sid": "AssumeRole",
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account_id, "aws:SourceArn": source_arn}},
            }
        ]
    )


def _publish_metrics(need: TaskNeed) -> Statement:
    # Metrics have no ARN. Only the condition can limit what the role may publish.
    condition = {"StringEquals": {"cloudwatch:namespace": need.target}}
    return {**_allow(need.state, [need.action], "*"), "Condition": condition}


def use_key(sid: str, key_arn: str, resource_arn: str, service: str) -> Statement:
    """Returns a statement that allows the use of a customer managed key, but only through the service that encrypts with it."""
    arn = Arn.parse(resource_arn)
    via = f"{service}.{arn.region}.amazonaws.com"
    # It is unconfirmed which of the two spellings AWS uses in China (docs/fidelity.md).
    spellings = [via, f"{via}.cn"] if arn.partition == "aws-cn" else via
    condition = {"StringEquals": {"kms:ViaService": spellings}}
    return {**_allow(sid, USE_KEY[service], key_arn), "Condition": condition}


def _allow(sid: str, actions: Iterable[str], resource: str) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}


def _document(statements: list[Statement]) -> Document:
    return {"Version": "2012-10-17", "Statement": statements}
