"""CloudWatch dashboard of the pipeline."""

import json

import pulumi
import pulumi_aws as aws

from callroute.aws.dashboard import dashboard_body

from .options import CallRouteTrackerArgs
from .shared import Account


def pipeline_dashboard(
    name: str,
    args: CallRouteTrackerArgs,
    *,
    prefix: str,
    account: Account,
    stream_name: pulumi.Input[str],
    state_machine: aws.sfn.StateMachine,
    pipe: aws.pipes.Pipe,
    table: aws.dynamodb.Table,
    index_name: str,
    dead_letter_queue: aws.sqs.Queue,
    quarantine_queue: aws.sqs.Queue,
    opts: pulumi.ResourceOptions | None = None,
) -> aws.cloudwatch.Dashboard:
    """Creates the dashboard. Its name contains the region, because dashboard names are unique in an account.

    Args:
        name: name of the resource.
        args: options of the tracker.
        prefix: prefix of the dashboard's name in AWS.
        account: the AWS account.
        stream_name: name of the stream.
        state_machine: the state machine.
        pipe: the pipe.
        table: the table of call records.
        index_name: name of the table's index.
        dead_letter_queue: the pipe's dead-letter queue.
        quarantine_queue: the queue for records that cannot be stored.
        opts: options of the resource.
    """
    return aws.cloudwatch.Dashboard(
        name,
        dashboard_name=pulumi.Output.format("{}-{}", prefix, account.region),
        dashboard_body=pulumi.Output.all(
            region=account.region,
            stream_name=stream_name,
            state_machine_arn=account.state_machine_arn(state_machine.name),
            pipe_name=pipe.name,
            table_name=table.name,
            index_name=index_name,
            dead_letter_queue_name=dead_letter_queue.name,
            quarantine_queue_name=quarantine_queue.name,
        ).apply(
            lambda known: json.dumps(
                dashboard_body(**known, metrics_namespace=args.metrics_namespace if args.metrics else None)
            )
        ),
        opts=opts,
    )
