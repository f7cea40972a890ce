"""IAM policy documents, derived from what the definitions do.

Each Task of the state machine gives one action on one resource, and the pipe's source, target and dead-letter
queue give the pipe's. Nothing else is granted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from callroute.arn import Arn

Document = dict[str, Any]
Statement = dict[str, Any]

# Resource of a Task -> its IAM action, and the argument that names what it acts on.
# Source: IAM policies for integrated services, AWS Step Functions Developer Guide.
_INTEGRATIONS = {
    "arn:aws:states:::dynamodb:updateItem": ("dynamodb:UpdateItem", "TableName"),
    "arn:aws:states:::sqs:sendMessage": ("sqs:SendMessage", "QueueUrl"),
}

READ_STREAM = (
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
)
"""What a pipe does with the stream that it reads."""

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
"""What a state machine that logs does. These actions manage the account's log deliveries and have no resource level.

Source: Logging using CloudWatch Logs, AWS Step Functions Developer Guide.
"""

USE_KEY = {
    "dynamodb": ("kms:Decrypt", "kms:DescribeKey"),
    "kinesis": ("kms:Decrypt",),
    "sqs": ("kms:Decrypt", "kms:GenerateDataKey"),
}
"""What whoever writes to a table or a queue, or reads from a stream, does with the customer key that encrypts it."""


@dataclass(frozen=True)
class TaskNeed:
    """What one Task of a state machine must be allowed to do."""

    state: str
    """Name of the Task."""
    action: str
    """IAM action, as `dynamodb:UpdateItem`."""
    target: str
    """What the Task names: a table's name or a queue's URL."""


def task_needs(definition: Document) -> list[TaskNeed]:
    """What the Tasks of a state machine need, in the order of the definition, Map and Parallel included.

    Raises:
        ValueError: a Task uses an integration that is not in the table above, or does not name its target; or a state
            does what needs permissions that are not known: another role's, a distributed Map's, its reader's or writer's.
    """
    return list(_walk(definition["States"]))


def _walk(states: Document) -> Iterator[TaskNeed]:
    for name, state in states.items():
        if state["Type"] == "Task":
            if state["Resource"] not in _INTEGRATIONS:
                raise ValueError(
                    f"state {name!r}: no permission is known for {state['Resource']!r}; add it to _INTEGRATIONS"
                )
            action, argument = _INTEGRATIONS[state["Resource"]]
            target = state.get("Arguments", {}).get(argument)
            if not isinstance(target, str) or target.startswith("{%"):
                raise ValueError(
                    f"state {name!r}: {argument} must be a plain name, so that its permission can be narrow"
                )
            yield TaskNeed(name, action, target)
        for element in ("Credentials", "ItemReader", "ResultWriter"):
            if element in state:
                raise ValueError(f"state {name!r}: no permission is known for {element}")
        # Iterator is the older name of ItemProcessor.
        for part in (state.get("ItemProcessor"), state.get("Iterator"), *state.get("Branches", [])):
            if part:
                mode = part.get("ProcessorConfig", {}).get("Mode", "INLINE")
                if mode != "INLINE":
                    raise ValueError(
                        f"state {name!r}: no permission is known for the ProcessorConfig.Mode {mode!r}"
                    )
                yield from _walk(part["States"])


def state_machine_policy(
    definition: Document, *, table_arn: str, quarantine_queue_arn: str, kms_key_arn: str | None = None
) -> Document:
    """What the state machine's role may do.

    Args:
        definition: the state machine's definition.
        table_arn: the table which its DynamoDB tasks name.
        quarantine_queue_arn: the queue which its SQS tasks name.
        kms_key_arn: the customer key of table and queue, where they have one.

    Raises:
        ValueError: a Task names another table or queue than the given one, or uses an unknown integration.
    """
    arns = {"dynamodb": table_arn, "sqs": quarantine_queue_arn}
    statements = []
    for need in task_needs(definition):
        arn = arns[need.action.partition(":")[0]]
        if Arn.parse(arn).name != need.target.rpartition("/")[2]:
            raise ValueError(
                f"state {need.state!r} acts on {need.target!r}, but the permission would be for {arn!r}"
            )
        statements.append(_allow(need.state, [need.action], arn))
    if kms_key_arn:
        statements.append(_use_key("UseKeyOfTable", kms_key_arn, table_arn, "dynamodb"))
        statements.append(_use_key("UseKeyOfQueue", kms_key_arn, quarantine_queue_arn, "sqs"))
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
    """What the pipe's role may do. Its log needs nothing: EventBridge delivers it on behalf of whoever made the pipe.

    Args:
        stream_arn: the source.
        state_machine_arn: the target, an Express state machine called synchronously.
        dead_letter_queue_arn: where the positions of records go that could not be handed over.
        kms_key_arn: the customer key of the queue, where it has one.
        stream_kms_key_arn: the customer key of the stream, where it has one.
    """
    statements = [
        _allow("ReadStream", READ_STREAM, stream_arn),
        _allow("RecordRoutes", ["states:StartSyncExecution"], state_machine_arn),
        _allow("KeepDeadLetters", ["sqs:SendMessage"], dead_letter_queue_arn),
    ]
    if stream_kms_key_arn:
        statements.append(_use_key("UseKeyOfStream", stream_kms_key_arn, stream_arn, "kinesis"))
    if kms_key_arn:
        statements.append(_use_key("UseKeyOfQueue", kms_key_arn, dead_letter_queue_arn, "sqs"))
    return _document(statements)


def trust_policy(
    service: Literal["states.amazonaws.com", "pipes.amazonaws.com"], *, account_id: str, source_arn: str
) -> Document:
    """Lets one service assume the role, on behalf of one resource of one account (no confused deputy)."""
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


def _use_key(sid: str, key_arn: str, resource_arn: str, service: str) -> Statement:
    """Use of a customer key, through the service that encrypts with it and in no other way."""
    region = Arn.parse(resource_arn).region
    condition = {"StringEquals": {"kms:ViaService": f"{service}.{region}.amazonaws.com"}}
    return {**_allow(sid, USE_KEY[service], key_arn), "Condition": condition}


def _allow(sid: str, actions: Iterable[str], resource: str) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}


def _document(statements: list[Statement]) -> Document:
    return {"Version": "2012-10-17", "Statement": statements}
