"""The pipe from the stream to the state machine, and the queues for what does not get through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from callroute.aws.permissions import pipe_policy, trust_policy
from callroute.aws.pipe import FILTER_PATTERN, INPUT_TEMPLATE

FOURTEEN_DAYS = 14 * 86_400
"""The longest that SQS keeps a message, in seconds."""


@dataclass(frozen=True)
class PipePace:
    """How the pipe reads: in which batches, how long it waits for them, how long it tries."""

    batch_size: int
    """Records that are handed over together, at most."""
    batching_window_seconds: int
    """How long the pipe waits for a full batch."""
    parallelization_factor: int
    """Batches of one shard that run at the same time; a partition key stays in order."""
    maximum_retry_attempts: int
    """How often a failing batch is tried again before it is dead-lettered."""
    maximum_record_age_seconds: int
    """Age at which a record is dead-lettered untried."""


def record_queue(
    name: str,
    *,
    kms_key_arn: pulumi.Input[str] | None,
    protect_data: bool,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.sqs.Queue:
    """An encrypted standard queue that keeps for 14 days what an operator has to look at.

    Args:
        name: the resource's name.
        kms_key_arn: customer key; without it SQS encrypts with a key of its own.
        protect_data: guards the queue against deletion by Pulumi: its messages exist nowhere else.
        tags: tags of the queue.
        opts: whose child it is.
    """
    return aws.sqs.Queue(
        name,
        message_retention_seconds=FOURTEEN_DAYS,
        sqs_managed_sse_enabled=True if kms_key_arn is None else None,
        kms_master_key_id=kms_key_arn,
        tags=tags,
        opts=pulumi.ResourceOptions(parent=opts.parent, protect=protect_data, retain_on_delete=protect_data),
    )


class RecordPipe(pulumi.ComponentResource):
    """An EventBridge pipe with its dead-letter queue, its log, and a role for just this source and target.

    Args:
        name: the resource's name.
        pipe_name: the pipe's name in AWS.
        pipe_arn: its ARN, known beforehand, since the role trusts no other pipe.
        account_id: the AWS account.
        stream_arn: the source.
        state_machine_arn: the target, an Express state machine.
        pace: batches and retries.
        kms_key_arn: customer key of the dead-letter queue.
        stream_kms_key_arn: customer key of the stream.
        permissions_boundary_arn: managed policy that bounds what the role can be allowed.
        log_retention_days: how long the log is kept.
        protect_data: guards the dead-letter queue against deletion by Pulumi.
        tags: tags of whatever can have tags.
        opts: options of this component.
    """

    TOKEN = "call-route-tracker:index:RecordPipe"  # noqa: S105 - a Pulumi type token, not a secret

    dead_letter_queue: aws.sqs.Queue
    role: aws.iam.Role
    policy: aws.iam.RolePolicy
    logs: aws.cloudwatch.LogGroup
    pipe: aws.pipes.Pipe

    def __init__(
        self,
        name: str,
        *,
        pipe_name: str,
        pipe_arn: pulumi.Input[str],
        account_id: pulumi.Input[str],
        stream_arn: pulumi.Input[str],
        state_machine_arn: pulumi.Input[str],
        pace: PipePace,
        kms_key_arn: pulumi.Input[str] | None,
        stream_kms_key_arn: pulumi.Input[str] | None,
        permissions_boundary_arn: pulumi.Input[str] | None,
        log_retention_days: int,
        protect_data: bool,
        tags: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.dead_letter_queue = record_queue(
            f"{name}-dead-letters", kms_key_arn=kms_key_arn, protect_data=protect_data, tags=tags, opts=child
        )
        self.logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/vendedlogs/pipes/{pipe_name}",
            retention_in_days=log_retention_days,
            tags=tags,
            opts=child,
        )
        self.role = aws.iam.Role(
            f"{name}-role",
            assume_role_policy=pulumi.Output.all(account_id=account_id, source_arn=pipe_arn).apply(
                lambda known: json.dumps(trust_policy("pipes.amazonaws.com", **known))
            ),
            permissions_boundary=permissions_boundary_arn,
            tags=tags,
            opts=child,
        )
        self.policy = aws.iam.RolePolicy(
            f"{name}-policy",
            role=self.role.name,
            policy=pulumi.Output.all(
                stream_arn=stream_arn,
                state_machine_arn=state_machine_arn,
                dead_letter_queue_arn=self.dead_letter_queue.arn,
                kms_key_arn=kms_key_arn,
                stream_kms_key_arn=stream_kms_key_arn,
            ).apply(lambda arns: json.dumps(pipe_policy(**arns))),
            opts=child,
        )
        self.pipe = aws.pipes.Pipe(
            name,
            name=pipe_name,
            role_arn=self.role.arn,
            source=stream_arn,
            source_parameters=aws.pipes.PipeSourceParametersArgs(
                filter_criteria=aws.pipes.PipeSourceParametersFilterCriteriaArgs(
                    filters=[
                        aws.pipes.PipeSourceParametersFilterCriteriaFilterArgs(
                            pattern=json.dumps(FILTER_PATTERN)
                        )
                    ]
                ),
                kinesis_stream_parameters=aws.pipes.PipeSourceParametersKinesisStreamParametersArgs(
                    # LATEST can miss records for minutes after the pipe is made or changed (docs/fidelity.md).
                    starting_position="TRIM_HORIZON",
                    batch_size=pace.batch_size,
                    maximum_batching_window_in_seconds=pace.batching_window_seconds,
                    parallelization_factor=pace.parallelization_factor,
                    # Both are endless by default: one failing record would then block its shard.
                    maximum_retry_attempts=pace.maximum_retry_attempts,
                    maximum_record_age_in_seconds=pace.maximum_record_age_seconds,
                    on_partial_batch_item_failure="AUTOMATIC_BISECT",
                    dead_letter_config=aws.pipes.PipeSourceParametersKinesisStreamParametersDeadLetterConfigArgs(
                        arn=self.dead_letter_queue.arn
                    ),
                ),
            ),
            target=state_machine_arn,
            target_parameters=aws.pipes.PipeTargetParametersArgs(
                input_template=INPUT_TEMPLATE,
                step_function_state_machine_parameters=aws.pipes.PipeTargetParametersStepFunctionStateMachineParametersArgs(
                    # Only then does the pipe see that an execution failed, and tries again.
                    invocation_type="REQUEST_RESPONSE"
                ),
            ),
            log_configuration=aws.pipes.PipeLogConfigurationArgs(
                # Without include_execution_datas: execution data would put phone numbers into the log.
                level="ERROR",
                cloudwatch_logs_log_destination=aws.pipes.PipeLogConfigurationCloudwatchLogsLogDestinationArgs(
                    log_group_arn=self.logs.arn
                ),
            ),
            tags=tags,
            # EventBridge tries the role when the pipe is made.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.policy]),
        )
        self.register_outputs({"pipeArn": self.pipe.arn})
