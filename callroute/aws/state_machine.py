"""Definition of the state machine that converts contact records to items.

    Settings ─> EachContact (Map) ┬─ Read ─> CanBeStored ┬─> Store ┬─> (stored)
                                  │                      │         ├─> OlderVersion        the table has this version or a newer one
                                  │                      │         └─> WhyRefused ─> Quarantine, or the execution fails
                                  │                      ├─> Expired                       the retention has passed
                                  │                      └─> Quarantine                    the record cannot be stored

Temporary errors make the execution fail, so the pipe retries the batch.

With the option `metrics`, three more states follow:

    EachContact ─> HasNewCalls ┬─> CountCalls ─> Done
                               └─> Done
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from callroute.aws.options import RecordOptions
from callroute.aws.utc_offsets import offset_changes

_SECONDS_PER_DAY = 86_400
_SECONDS_PER_HOUR = 3_600

# Error names of the optimized DynamoDB integration (docs/fidelity.md). Any other error, such as a missing permission or
# table, fails the execution immediately, and the pipe retries later.
_THROTTLING_AND_SERVICE_FAULTS = [
    "DynamoDB.InternalServerError",
    "DynamoDB.InternalServerErrorException",
    "DynamoDB.ProvisionedThroughputExceededException",
    "DynamoDB.RequestLimitExceeded",
    "DynamoDB.RequestLimitExceededException",
    "DynamoDB.SdkClientException",
    "DynamoDB.ServiceUnavailableException",
    "DynamoDB.ThrottlingException",
    "DynamoDB.TransactionConflictException",
]
_QUEUE_FAULTS = [
    "SQS.AmazonSQSException",
    "SQS.InternalErrorException",
    "SQS.RequestThrottledException",
    "SQS.SdkClientException",
    "SQS.ServiceUnavailableException",
]


# Items written before release 0.2.0 have no version, so they are compared by time.
_NEWER = (
    "version < :version"
    " OR (attribute_not_exists(version) AND (attribute_not_exists(last_update) OR last_update <= :last_update))"
)


def definition(
    options: RecordOptions,
    *,
    table_name: str,
    quarantine_queue_url: str,
    salt: str = "",
    partition: str = "aws",
) -> dict[str, Any]:
    """Returns the definition of the state machine.

    The input is a list of {"event_id", "sequence_number", "contact"}, one for each record of a batch. The output is a
    list of results: `stored`, `older` (the table contains this version or a newer one), `expired` or `quarantined`.

    Args:
        options: the options of the tracker.
        table_name: the table of call records.
        quarantine_queue_url: the queue for records that cannot be stored.
        salt: the salt of hashed phone numbers.
        partition: the AWS partition, which is part of the ARNs of service integrations.

    Raises:
        ValueError: the time zone is unknown.
    """
    machine: dict[str, Any] = {
        "Comment": "One item per call: where in the phone menu the caller stopped",
        "QueryLanguage": "JSONata",
        "StartAt": "Settings",
        "States": {
            "Settings": {
                "Type": "Pass",
                "Assign": {"settings": _settings(options, salt)},
                "Next": "EachContact",
            },
            "EachContact": {
                "Type": "Map",
                "Items": "{% $states.input %}",
                # The order of the writes does not matter, but parallel writes would put bursts of load on the table.
                "MaxConcurrency": 1,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "Read",
                    "States": _contact_states(table_name, quarantine_queue_url, partition),
                },
                "End": True,
            },
        },
    }
    if options.metrics:
        _add_metrics(machine["States"], options.metrics_namespace, partition)
    return machine


def _settings(options: RecordOptions, salt: str) -> dict[str, Any]:
    return {
        "zone": offset_changes(options.time_zone),
        "phone_number": options.phone_number,
        "country": f"+{options.country_code}",
        "trunk_prefix": options.trunk_prefix,
        "salt": salt,
        "retention_seconds": options.retention_days * _SECONDS_PER_DAY,
    }


def _contact_states(table_name: str, quarantine_queue_url: str, partition: str) -> dict[str, Any]:
    return {
        "Read": {
            "Type": "Pass",
            "Output": {"record": "{% $states.input %}", "reading": _jsonata(_read_expression())},
            "Next": "CanBeStored",
        },
        "CanBeStored": {
            "Type": "Choice",
            "Choices": [
                {
                    "Condition": "{% $exists($states.input.reading.problem) %}",
                    "Output": _quarantine_message("$states.input.reading.problem"),
                    "Next": "Quarantine",
                },
                {"Condition": "{% $exists($states.input.reading.expired) %}", "Next": "Expired"},
            ],
            "Default": "Store",
        },
        "Store": {
            "Type": "Task",
            "Resource": f"arn:{partition}:states:::dynamodb:updateItem",
            "Arguments": {
                "TableName": table_name,
                "Key": {"contact_id": {"S": "{% $states.input.record.contact.ContactId %}"}},
                # An update keeps the attributes that other programs added. Attributes that this version does not have
                # are removed, so that an item never combines two versions.
                "UpdateExpression": _jsonata(_UPDATE),
                "ConditionExpression": _NEWER,
                "ExpressionAttributeValues": _jsonata(_VALUES),
            },
            "Output": "stored",
            "Retry": [_retry(_THROTTLING_AND_SERVICE_FAULTS)],
            "Catch": [
                {"ErrorEquals": ["DynamoDB.ConditionalCheckFailedException"], "Next": "OlderVersion"},
                {
                    "ErrorEquals": ["DynamoDB.AmazonDynamoDBException", "DynamoDB.ValidationException"],
                    "Output": {"record": "{% $states.input.record %}", "error": "{% $states.errorOutput %}"},
                    "Next": "WhyRefused",
                },
            ],
            "End": True,
        },
        "OlderVersion": {"Type": "Pass", "Output": "older", "End": True},
        "Expired": {"Type": "Pass", "Output": "expired", "End": True},
        # The integration raises the same generic exception for invalid requests and missing permissions. They differ
        # only in the cause.
        "WhyRefused": {
            "Type": "Choice",
            "Choices": [
                {
                    "Condition": _jsonata(
                        "$states.input.error.Error = 'DynamoDB.ValidationException'"
                        " or $contains('' & $states.input.error.Cause, 'ValidationException')"
                    ),
                    "Output": _quarantine_message(
                        "'DynamoDB refused the item: ' & $states.input.error.Cause"
                    ),
                    "Next": "Quarantine",
                }
            ],
            "Default": "WriteFailed",
        },
        "WriteFailed": {
            "Type": "Fail",
            "Error": "{% $states.input.error.Error %}",
            # An error may have no cause.
            "Cause": "{% '' & $states.input.error.Cause %}",
        },
        "Quarantine": {
            "Type": "Task",
            "Resource": f"arn:{partition}:states:::sqs:sendMessage",
            "Arguments": {
                "QueueUrl": quarantine_queue_url,
                # The message is an object rather than a string, because $string would round numbers to 15 digits.
                "MessageBody": "{% $states.input %}",
            },
            "Output": "quarantined",
            "Retry": [_retry(_QUEUE_FAULTS)],
            "End": True,
        },
    }


METRICS_PER_CALL = 3
"""Number of data points that one call adds to a request. A request can contain 1,000 different metrics."""
OUTCOMES = ("answered", "completed", "abandoned_in_queue", "abandoned_in_flow")
"""Outcomes of a call."""
DROPPED_OUTCOMES = ("abandoned_in_queue", "abandoned_in_flow")
"""Outcomes that the metric `Abandoned` counts."""

# CloudWatch rejects a request with a timestamp that is more than two weeks old or two hours ahead. One hour is reserved
# for the time between this comparison and the request. Source: PutMetricData.
_METRIC_AGE_SECONDS = 14 * _SECONDS_PER_DAY - _SECONDS_PER_HOUR
_METRIC_LEAD_SECONDS = _SECONDS_PER_HOUR


def _add_metrics(states: dict[str, Any], namespace: str, partition: str) -> None:
    """Adds the states that count the calls in a batch that were stored for the first time.

    A call that is stored for the first time has an object as its result until the metrics are published.
    """
    each_contact = states["EachContact"]
    store = each_contact["ItemProcessor"]["States"]["Store"]
    # Every item that this state machine has written contains last_update.
    store["Arguments"]["ReturnValues"] = "UPDATED_OLD"
    store["Output"] = _jsonata(_new_call_expression())
    del each_contact["End"]
    each_contact |= {
        "Assign": {"calls": "{% [$states.result[$type($) = 'object']] %}"},
        "Output": "{% [$states.result.($type($) = 'object' ? 'stored' : $)] %}",
        "Next": "HasNewCalls",
    }
    states |= {
        "HasNewCalls": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $count($calls) > 0 %}", "Next": "CountCalls"}],
            "Default": "Done",
        },
        "CountCalls": {
            "Type": "Task",
            "Resource": f"arn:{partition}:states:::aws-sdk:cloudwatch:putMetricData",
            "Arguments": {"Namespace": namespace, "MetricData": _jsonata(_METRIC_DATA)},
            "TimeoutSeconds": 10,
            "Output": "{% $states.input %}",
            # The items are already stored, so a failed metric must not make the pipe send the batch again.
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.input %}", "Next": "Done"}],
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
    }


def _new_call_expression() -> str:
    dropped = ", ".join(f"'{outcome}'" for outcome in DROPPED_OUTCOMES)
    return f"""(
  $item := $states.input.reading.item;
  $time := $substring($states.input.record.contact.InitiationTimestamp, 0, 19) & 'Z';
  $age := ($millis() - $toMillis($time)) / 1000;
  $exists($states.result.Attributes.last_update) or $age > {_METRIC_AGE_SECONDS} or $age < -{_METRIC_LEAD_SECONDS}
    ? 'stored'
    : {{
        'time': $time,
        'route': $substring($item.call_route, 0, 1024),
        'outcome': $item.outcome,
        'abandoned': $item.outcome in [{dropped}] ? 1 : 0
      }}
)"""


# A dimension value has 1 to 1,024 ASCII characters and cannot start with a colon. Source: API reference, Dimension.
_METRIC_DATA = """(
  $tracker := {'Name': 'Tracker', 'Value': $states.context.StateMachine.Name};
  $dimension := function($text) {
    $trim($text) = '' ? '(empty)'
    : $substring($contains($text, /^:|[^ -~]/) ? $encodeUrlComponent($text) : $text, 0, 1024)
  };
  [
    $calls.{'MetricName': 'Abandoned', 'Value': abandoned, 'Timestamp': time, 'Dimensions': [$tracker]},
    $calls.{
      'MetricName': 'Abandoned', 'Value': abandoned, 'Timestamp': time,
      'Dimensions': [$tracker, {'Name': 'Route', 'Value': $dimension(route)}]
    },
    $calls.{
      'MetricName': 'Calls', 'Value': 1, 'Timestamp': time,
      'Dimensions': [$tracker, {'Name': 'Outcome', 'Value': outcome}]
    }
  ]
)"""


def _quarantine_message(reason: str) -> str:
    """Returns an expression for the record with the reason added, replacing any existing field of the same name."""
    return f"{{% $merge([$states.input.record, {{'reason': {reason}}}]) %}}"


def _retry(errors: list[str]) -> dict[str, Any]:
    """Returns a retrier that waits up to 15 seconds in total, because an Express execution is limited to 5 minutes."""
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": 1,
        "BackoffRate": 2.0,
        "MaxAttempts": 4,
        "JitterStrategy": "FULL",
    }


ITEM_ATTRIBUTES = (
    "call_route",
    "call_completed",
    "start_time",
    "end_time",
    "duration_seconds",
    "phone_number",
    "outcome",
    "disconnect_reason",
    "queue_name",
    "queue_seconds",
    "call_flow",
    "initiation_method",
    "flow_version",
    "arm",
    "stops_visited",
    "trouble",
    "call_date",
    "last_update",
    "version",
    "expires_at",
)
"""Attributes of an item, excluding its key `contact_id`. None of the names is a DynamoDB reserved word."""

# `$all` starts with the attributes in `$present`. The ones after them are missing from this version and are removed.
_UPDATE = f"""(
  $present := $keys($states.input.reading.item);
  $all := $distinct($append($present, $split('{" ".join(ITEM_ATTRIBUTES)}', ' ')));
  $set := $join($present, ', ');
  $remove := $substring($join($all, ', '), $length($set) + 2);
  'SET ' & $replace($set, /[a-z_]+/, '$0 = :$0') & ($remove != '' ? ' REMOVE ' & $remove : '')
)"""

_VALUES = """$merge($each($states.input.reading.item, function($value, $name) {{
  ':' & $name:
    $type($value) = 'string' ? {'S': $value}
    : $type($value) = 'number' ? {'N': $string($value)}
    : $type($value) = 'array' ? {'L': [$value.{'S': $}]}
    : {'M': $merge($each($value, function($kinds, $stop) {{
        $stop: {'M': $merge($each($kinds, function($count, $kind) {{ $kind: {'N': $string($count)} }}))}
      }}))}
}}))"""


@cache
def _read_expression() -> str:
    """Returns the expression without comments. AWS does not document comments in expressions."""
    text = Path(__file__).with_name("record.jsonata").read_text(encoding="utf-8")
    lines = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _jsonata(expression: str) -> str:
    return f"{{% {expression.strip()} %}}"
