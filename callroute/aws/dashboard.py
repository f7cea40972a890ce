"""Builds the CloudWatch dashboard: the health of the pipeline and, if metrics are on, calls and drop-offs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callroute.arn import Arn
from callroute.aws.state_machine import OUTCOMES

_COLUMNS = 24
_WIDTH, _HEIGHT = 8, 6
_FIVE_MINUTES = 300
_ONE_HOUR = 3_600

Widget = dict[str, Any]
Metric = list[Any]
"""Namespace, metric name, dimension names and values, and optionally an object with the settings of a line."""


def dashboard_body(
    *,
    region: str,
    stream_name: str,
    state_machine_arn: str,
    pipe_name: str,
    table_name: str,
    index_name: str,
    dead_letter_queue_name: str,
    quarantine_queue_name: str,
    metrics_namespace: str | None,
) -> dict[str, Any]:
    """Returns the dashboard body.

    Args:
        region: region of the stack.
        stream_name: name of the stream.
        state_machine_arn: ARN of the state machine.
        pipe_name: name of the pipe.
        table_name: name of the table.
        index_name: name of the table's index.
        dead_letter_queue_name: name of the dead-letter queue.
        quarantine_queue_name: name of the quarantine queue.
        metrics_namespace: namespace of the tracker's own metrics, or None if they are off.
    """
    kinesis = ("StreamName", stream_name)
    states = ("StateMachineArn", state_machine_arn)
    pipes = ("PipeName", pipe_name)
    table = ("TableName", table_name)
    queues = {"quarantine": quarantine_queue_name, "dead letters": dead_letter_queue_name}
    widgets = []
    if metrics_namespace:
        widgets += _call_widgets(metrics_namespace, Arn.parse(state_machine_arn).name)
    widgets += [
        _widget(
            "Delay of the pipe (iterator age)",
            [["AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", *kinesis]],
            stat="Maximum",
        ),
        _widget(
            "Messages in the queues",
            [
                ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, {"label": label}]
                for label, queue in queues.items()
            ],
            stat="Maximum",
        ),
        _widget(
            "Age of the oldest message, in seconds",
            [
                ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue, {"label": label}]
                for label, queue in queues.items()
            ],
            stat="Maximum",
        ),
        _widget(
            "Executions of the state machine",
            [["AWS/States", f"Executions{kind}", *states] for kind in ("Succeeded", "Failed", "TimedOut")]
            + [["AWS/States", "ExecutionThrottled", *states]],
        ),
        _widget(
            "Duration of executions, in milliseconds",
            [
                ["AWS/States", "ExecutionTime", *states, {"stat": stat, "label": label}]
                for stat, label in (("p50", "median"), ("p99", "99th percentile"))
            ],
        ),
        _widget(
            "Failures of the pipe",
            [
                ["AWS/EventBridge/Pipes", f"Execution{kind}", *pipes]
                for kind in ("Failed", "Throttled", "Timeout")
            ],
        ),
        _widget(
            "Records on the stream",
            [
                ["AWS/Kinesis", "IncomingRecords", *kinesis],
                ["AWS/Kinesis", "GetRecords.Records", *kinesis],
                ["AWS/Kinesis", "WriteProvisionedThroughputExceeded", *kinesis],
            ],
        ),
        _widget(
            "Items written",
            [
                [
                    "AWS/DynamoDB",
                    "SuccessfulRequestLatency",
                    *table,
                    "Operation",
                    "UpdateItem",
                    {"label": "items"},
                ]
            ],
            stat="SampleCount",
        ),
        _widget(
            "Throttled writes",
            [
                ["AWS/DynamoDB", "WriteThrottleEvents", *table, {"label": "table"}],
                [
                    "AWS/DynamoDB",
                    "WriteThrottleEvents",
                    *table,
                    "GlobalSecondaryIndexName",
                    index_name,
                    {"label": "index"},
                ],
            ],
        ),
    ]
    return {"widgets": list(_arranged(widgets, region))}


def _call_widgets(namespace: str, tracker: str) -> list[Widget]:
    search = f'{{{namespace},Route,Tracker}} MetricName="Abandoned" Tracker="{tracker}"'
    return [
        _widget(
            "Calls by outcome",
            [
                [namespace, "Calls", "Tracker", tracker, "Outcome", outcome, {"label": outcome}]
                for outcome in OUTCOMES
            ],
            period=_ONE_HOUR,
        ),
        _widget(
            "Share of callers who gave up",
            [[namespace, "Abandoned", "Tracker", tracker, {"label": "share"}]],
            stat="Average",
            period=_ONE_HOUR,
        ),
        _widget(
            "Callers who gave up, by last stop",
            [[{"expression": f"SEARCH('{search}', 'Sum', {_ONE_HOUR})", "label": "${PROP('Dim.Route')}"}]],
            period=_ONE_HOUR,
        ),
    ]


def _widget(title: str, metrics: list[Metric], *, stat: str = "Sum", period: int = _FIVE_MINUTES) -> Widget:
    properties = {"title": title, "metrics": metrics, "stat": stat, "period": period, "view": "timeSeries"}
    return {"type": "metric", "width": _WIDTH, "height": _HEIGHT, "properties": properties}


def _arranged(widgets: list[Widget], region: str) -> Iterator[Widget]:
    """Arranges widgets in rows, from left to right."""
    in_row = _COLUMNS // _WIDTH
    for index, widget in enumerate(widgets):
        row, column = divmod(index, in_row)
        place = {"x": column * _WIDTH, "y": row * _HEIGHT}
        yield {**widget, **place, "properties": {**widget["properties"], "region": region}}
