"""EventBridge pipe from the stream to the state machine, with a dead-letter queue."""

import json

import pulumi
import pulumi_aws as aws

from callroute.aws.permissions import pipe_policy
from callroute.aws.pipe import INPUT_TEMPLATE, filter_pattern

from .options import CallRouteTrackerArgs
from .shared import Account, message_queue, service_role


class RecordPipe(pulumi.ComponentResource):
    """An EventBridge pipe with its dead-letter queue, log and role.

    Args:
        name: name of the resource.
        args: options of the tracker.
        pipe_name: name of the pipe in AWS.
        account: the AWS account.
        stream_arn: the source.
        stream_kms_key_arn: customer managed key of the source.
        state_machine_arn: the target, an Express state machine.
        opts: options of this component.
    """

    TOKEN = "call-route-tracker:index:RecordPipe"  # noqa: S105 - a Pulumi type token, not a secret

    def __init__(
        self,
        name: str,
        args: CallRouteTrackerArgs,
        *,
        pipe_name: str,
        account: Account,
        stream_arn: pulumi.Input[str],
        stream_kms_key_arn: pulumi.Input[str] | None,
        state_machine_arn: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self.dead_letter_queue = message_queue(f"{name}-dead-letters", args, parent=self)
        dead_letter_queue_arn = account.queue_arn(self.dead_letter_queue)
        self.logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/vendedlogs/pipes/{pipe_name}",
            retention_in_days=args.log_retention_days,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.role, self.policy = service_role(
            name,
            args,
            service="pipes.amazonaws.com",
            account=account,
            source_arn=account.pipe_arn(pipe_name),
            policy=pulumi.Output.all(
                stream_arn=stream_arn,
                state_machine_arn=state_machine_arn,
                dead_letter_queue_arn=dead_letter_queue_arn,
                kms_key_arn=args.kms_key_arn,
                stream_kms_key_arn=stream_kms_key_arn,
            ).apply(lambda arns: json.dumps(pipe_policy(**arns))),
            parent=self,
        )
        self.pipe = aws.pipes.Pipe(
            name,
            name=pipe_name,
            role_arn=account.role_arn(self.role),
            source=stream_arn,
            source_parameters=aws.pipes.PipeSourceParametersArgs(
                filter_criteria=aws.pipes.PipeSourceParametersFilterCriteriaArgs(
                    filters=[
                        aws.pipes.PipeSourceParametersFilterCriteriaFilterArgs(
                            pattern=json.dumps(filter_pattern(args.tracked_initiation_methods))
                        )
                    ]
                ),
                kinesis_stream_parameters=aws.pipes.PipeSourceParametersKinesisStreamParametersArgs(
                    # LATEST can miss records for minutes after the pipe is created or updated (docs/fidelity.md).
                    starting_position="TRIM_HORIZON",
                    batch_size=args.batch_size,
                    maximum_batching_window_in_seconds=args.batching_window_seconds,
                    parallelization_factor=args.parallelization_factor,
                    # Both are unlimited by default, so a single failing record would block its shard.
                    maximum_retry_attempts=args.maximum_retry_attempts,
                    maximum_record_age_in_seconds=args.maximum_record_age_seconds,
                    on_partial_batch_item_failure="AUTOMATIC_BISECT",
                    dead_letter_config=aws.pipes.PipeSourceParametersKinesisStreamParametersDeadLetterConfigArgs(
                        arn=dead_letter_queue_arn
                    ),
                ),
            ),
            target=state_machine_arn,
            target_parameters=aws.pipes.PipeTargetParametersArgs(
                input_template=INPUT_TEMPLATE,
                step_function_state_machine_parameters=aws.pipes.PipeTargetParametersStepFunctionStateMachineParametersArgs(
                    # Makes the pipe wait for the execution and retry if it fails.
                    invocation_type="REQUEST_RESPONSE"
                ),
            ),
            log_configuration=aws.pipes.PipeLogConfigurationArgs(
                # include_execution_datas is not set, because execution data contains phone numbers.
                level="ERROR",
                cloudwatch_logs_log_destination=aws.pipes.PipeLogConfigurationCloudwatchLogsLogDestinationArgs(
                    log_group_arn=account.log_group_arn(self.logs)
                ),
            ),
            tags=args.tags,
            # EventBridge checks the role's permissions when the pipe is created.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.policy]),
        )
        self.register_outputs({"pipeArn": self.pipe.arn})
