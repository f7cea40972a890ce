"""CloudWatch alarms for the pipeline, and the SNS topic that they notify."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from callroute.aws.permissions import alarm_topic_policy
from callroute.aws.thresholds import MAX_ITERATOR_AGE_SECONDS, OBSERVED_SECONDS

from .options import CallRouteTrackerArgs
from .shared import Account

_FIVE_MINUTES = 300
_ONE_HOUR = 3_600
_BAND = "band"


class PipelineAlarms(pulumi.ComponentResource):
    """Alarms for the pipeline, and a new topic unless an existing one is used.

    Each description contains the steps to take and names a section of docs/operations.md. Alarms act only when they go off,
    not when they recover.

    Args:
        name: name of the resource.
        args: options of the tracker.
        prefix: prefix of the alarms' names in AWS.
        account: the AWS account.
        stream_name: name of the stream.
        state_machine: the state machine.
        pipe: the pipe.
        table: the table of call records.
        dead_letter_queue: the pipe's dead-letter queue.
        quarantine_queue: the queue for records that cannot be stored.
        opts: options of this component.
    """

    TOKEN = "call-route-tracker:index:PipelineAlarms"  # noqa: S105 - a Pulumi type token, not a secret

    def __init__(
        self,
        name: str,
        args: CallRouteTrackerArgs,
        *,
        prefix: str,
        account: Account,
        stream_name: pulumi.Input[str],
        state_machine: aws.sfn.StateMachine,
        pipe: aws.pipes.Pipe,
        table: aws.dynamodb.Table,
        dead_letter_queue: aws.sqs.Queue,
        quarantine_queue: aws.sqs.Queue,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._args, self._prefix = name, args, prefix
        # An alarm can go off because of missing data as soon as it exists, so the alarms are created after the pipe.
        self._options = pulumi.ResourceOptions(parent=self, depends_on=[pipe])
        self.topic = None
        if args.alarm_topic_arn is None:
            self.topic = self._create_topic(account)
            self.topic_arn = account.topic_arn(self.topic)
        else:
            self.topic_arn = pulumi.Output.from_input(args.alarm_topic_arn)
        self.alarms = {
            "quarantine": self._queue_alarm(
                "quarantine",
                quarantine_queue,
                "The quarantine queue contains records that cannot be stored, and deletes them after 14 days."
                " Read the reasons, then correct and replay the records."
                " See 'Inspect the quarantine queue' in docs/operations.md.",
            ),
            "dead-letters": self._queue_alarm(
                "dead-letters",
                dead_letter_queue,
                "The pipe gave up on records, which the stream deletes at the end of its retention period."
                " Find the cause in the logs, fix it and replay the records."
                " See 'Replay dead letters' in docs/operations.md.",
            ),
            "iterator-age": self._alarm(
                "iterator-age",
                "The pipe is more than 10 minutes behind. The stream deletes records at the end of its retention"
                " period. Look for failing executions and throttling."
                " See 'When the pipe falls behind' in docs/operations.md.",
                namespace="AWS/Kinesis",
                metric_name="GetRecords.IteratorAgeMilliseconds",
                dimensions={"StreamName": stream_name},
                statistic="Maximum",
                period=_FIVE_MINUTES,
                evaluation_periods=OBSERVED_SECONDS // _FIVE_MINUTES,
                comparison_operator="GreaterThanThreshold",
                threshold=MAX_ITERATOR_AGE_SECONDS * 1_000,
                # Data is missing if nothing reads the stream, which has its own alarm.
                treat_missing_data="notBreaching",
            ),
            "executions-failed": self._alarm(
                "executions-failed",
                "Executions of the state machine have been failing for 15 minutes. The pipe retries them and then"
                " dead-letters the records. Find the error in the state machine's log."
                " See 'When executions fail' in docs/operations.md.",
                namespace="AWS/States",
                metric_name="ExecutionsFailed",
                dimensions={"StateMachineArn": account.state_machine_arn(state_machine.name)},
                statistic="Sum",
                period=_FIVE_MINUTES,
                evaluation_periods=OBSERVED_SECONDS // _FIVE_MINUTES,
                comparison_operator="GreaterThanThreshold",
                threshold=0,
                # Data is missing if there were no executions.
                treat_missing_data="notBreaching",
            ),
            "stream-not-read": self._alarm(
                "stream-not-read",
                "Nothing has read the stream for 15 minutes, so new records wait in it until they are deleted."
                " The pipe was probably stopped or disabled: find out why, and start it."
                " See 'When nothing reads the stream' in docs/operations.md.",
                namespace="AWS/Kinesis",
                metric_name="GetRecords.Success",
                dimensions={"StreamName": stream_name},
                statistic="Sum",
                period=_FIVE_MINUTES,
                evaluation_periods=OBSERVED_SECONDS // _FIVE_MINUTES,
                comparison_operator="LessThanThreshold",
                threshold=1,
                # A running pipe reads the stream continuously. Kinesis reports no data for a stream that is not read.
                treat_missing_data="breaching",
            ),
        }
        if args.alarm_after_hours_without_calls:
            self.alarms["no-calls"] = self._alarm(
                "no-calls",
                f"No call has been recorded for {args.alarm_after_hours_without_calls} hours. Place a test"
                " call, and check that the flow sets call_route and that the instance sends contact records to the"
                " stream. See 'When no calls are recorded' in docs/operations.md.",
                # Counts successful writes. Quarantined, expired and outdated records are not written.
                namespace="AWS/DynamoDB",
                metric_name="SuccessfulRequestLatency",
                dimensions={"TableName": table.name, "Operation": "UpdateItem"},
                statistic="SampleCount",
                period=_ONE_HOUR,
                evaluation_periods=args.alarm_after_hours_without_calls,
                comparison_operator="LessThanThreshold",
                threshold=1,
                # DynamoDB reports no data while there are no writes.
                treat_missing_data="breaching",
            )
        if args.metrics:
            self.alarms["abandonment"] = self._alarm(
                "abandonment",
                "The share of callers who give up is unusual for this time of the week. Compare the routes on the"
                " dashboard, and look for a changed flow or an outage."
                " See 'When more or fewer callers give up' in docs/operations.md.",
                metric_queries=[
                    aws.cloudwatch.MetricAlarmMetricQueryArgs(
                        id="share",
                        metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
                            namespace=args.metrics_namespace,
                            metric_name="Abandoned",
                            dimensions={"Tracker": state_machine.name},
                            period=_ONE_HOUR,
                            stat="Average",
                        ),
                        return_data=True,
                    ),
                    aws.cloudwatch.MetricAlarmMetricQueryArgs(
                        id=_BAND, expression="ANOMALY_DETECTION_BAND(share, 3)", return_data=True
                    ),
                ],
                threshold_metric_id=_BAND,
                evaluation_periods=3,
                datapoints_to_alarm=2,
                comparison_operator="LessThanLowerOrGreaterThanUpperThreshold",
                # Data is missing in hours without calls.
                treat_missing_data="notBreaching",
            )
        self.register_outputs({"topicArn": self.topic_arn})

    def _create_topic(self, account: Account) -> aws.sns.Topic:
        child = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(
            self._name,
            # Without a customer managed key, the topic is not encrypted with KMS: CloudWatch cannot use alias/aws/sns
            # (docs/fidelity.md). Alarms contain names and thresholds, but no call data.
            kms_master_key_id=self._args.kms_key_arn,
            tags=self._args.tags,
            opts=child,
        )
        self.topic_policy = aws.sns.TopicPolicy(
            f"{self._name}-policy",
            arn=account.topic_arn(topic),
            policy=pulumi.Output.all(
                topic_arn=account.topic_arn(topic),
                alarm_arns=account.arn("cloudwatch", f"alarm:{self._prefix}-*"),
                account_id=account.account_id,
            ).apply(lambda known: json.dumps(alarm_topic_policy(**known))),
            opts=child,
        )
        if self._args.alarm_email:
            self.subscription = aws.sns.TopicSubscription(
                f"{self._name}-email",
                topic=account.topic_arn(topic),
                protocol="email",
                endpoint=self._args.alarm_email,
                opts=child,
            )
        return topic

    def _queue_alarm(self, suffix: str, queue: aws.sqs.Queue, description: str) -> aws.cloudwatch.MetricAlarm:
        return self._alarm(
            suffix,
            description,
            namespace="AWS/SQS",
            metric_name="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": queue.name},
            statistic="Maximum",
            period=_FIVE_MINUTES,
            evaluation_periods=1,
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            # SQS stops reporting on a queue that has been empty and unused for six hours.
            treat_missing_data="notBreaching",
        )

    def _alarm(self, suffix: str, description: str, **settings: Any) -> aws.cloudwatch.MetricAlarm:
        return aws.cloudwatch.MetricAlarm(
            f"{self._name}-{suffix}",
            name=f"{self._prefix}-{suffix}",
            alarm_description=description,
            alarm_actions=[self.topic_arn],
            tags=self._args.tags,
            opts=self._options,
            **settings,
        )
