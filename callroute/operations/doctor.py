"""Read-only checks of a deployed stack."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from botocore.exceptions import ClientError

from callroute.arn import Arn
from callroute.aws.permissions import Document, pipe_policy, state_machine_policy
from callroute.aws.thresholds import MAX_ITERATOR_AGE_SECONDS, OBSERVED_SECONDS
from callroute.operations.deployed_pipe import DeployedPipe

DAYS_WITHOUT_CALLS = 7
"""Number of days without a call after which the check reports a problem."""
HOUR = 3600
OUTPUTS = (
    "connectInstanceId",
    "deadLetterQueueArn",
    "deadLetterQueueUrl",
    "indexName",
    "pipeName",
    "quarantineQueueArn",
    "quarantineQueueUrl",
    "stateMachineArn",
    "streamArn",
    "streamName",
    "tableArn",
    "tableName",
    "timeZone",
)
"""Stack outputs that the checks use."""

Status = Literal["ok", "problem", "skipped", "unknown"]


class Result(NamedTuple):
    """Result of a check: its status, a message and, if there is a problem, a fix."""

    status: Status
    message: str
    fix: str = ""
    """Instruction for solving the problem."""


@dataclass(frozen=True)
class Finding:
    """Result of a named check, for output."""

    name: str
    """Name of the check."""
    status: Status
    """`skipped` if the local cloud lacks the service, and `unknown` if a permission is missing."""
    message: str
    fix: str


@dataclass(frozen=True)
class CheckedStack:
    """A stack to check."""

    option: str
    """Command-line option that selects the stack, for example `--stack prod`."""
    outputs: Mapping[str, Any]
    client: Callable[[str], Any]
    """Creates boto3 clients."""
    now: datetime
    is_local: bool = False
    """True for a stack in a local cloud."""
    registered_pipe: Mapping[str, Any] | None = None
    """Arguments of the pipe in a local cloud, because the emulator omits a pipe's parameters."""

    @cached_property
    def pipe(self) -> DeployedPipe:
        """The pipe."""
        return DeployedPipe.describe(self.client("pipes"), self.outputs["pipeName"], self.registered_pipe)

    @cached_property
    def stream(self) -> Mapping[str, Any]:
        """The stream."""
        summary: Mapping[str, Any] = self.client("kinesis").describe_stream_summary(
            StreamARN=self.outputs["streamArn"]
        )["StreamDescriptionSummary"]
        return summary

    @cached_property
    def dead_letters(self) -> Mapping[str, str]:
        """Attributes of the dead-letter queue."""
        return self._queue("deadLetterQueueUrl")

    @cached_property
    def quarantine(self) -> Mapping[str, str]:
        """Attributes of the quarantine queue."""
        return self._queue("quarantineQueueUrl")

    def _queue(self, output: str) -> Mapping[str, str]:
        attributes: Mapping[str, str] = self.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs[output], AttributeNames=["All"]
        )["Attributes"]
        return attributes


def run_checks(stack: CheckedStack) -> Iterator[Finding]:
    """Yields the finding of each check. If one check fails, the others still run."""
    for name, check in CHECKS.items():
        try:
            result = check(stack)
        except ClientError as error:
            result = _failure(error)
        yield Finding(name, *result)


def _failure(error: ClientError) -> Result:
    details = error.response["Error"]
    if "AccessDenied" in details["Code"]:
        action = re.search(r"not authorized to perform: (\S+)", details.get("Message", ""))
        permission = action[1] if action else f"the permission for {error.operation_name}"
        return Result(
            "unknown", f"your credentials lack {permission}", "Grant it: `callroute roles` prints the policy"
        )
    message = f"{error.operation_name} failed: {details['Code']}"
    return Result("problem", message, "Run `pulumi refresh` to compare the stack with AWS")


def _pipe(stack: CheckedStack) -> Result:
    pipe = stack.pipe
    if pipe.state == "RUNNING":
        return Result("ok", "running")
    reason = f": {pipe.state_reason.rstrip('.')}" if pipe.state_reason else ""
    if pipe.state == "STOPPED":
        fix = f"Find the cause in its log, then run `aws pipes start-pipe --name {pipe.name}`"
    else:
        fix = "Deploy the stack again with `pulumi up`"
    return Result("problem", f"{pipe.state}{reason}", fix)


def _contact_records(stack: CheckedStack) -> Result:
    if stack.is_local:
        return Result("skipped", "the local cloud has no Amazon Connect")
    configs = stack.client("connect").list_instance_storage_configs(
        InstanceId=stack.outputs["connectInstanceId"], ResourceType="CONTACT_TRACE_RECORDS"
    )["StorageConfigs"]
    streams = [each.get("KinesisStreamConfig", {}).get("StreamArn") for each in configs]
    if stack.outputs["streamArn"] in streams:
        return Result("ok", "the instance sends them to the stream")
    if other := next(filter(None, streams), None):
        return Result("problem", f"the instance sends them to {other}", "Set `streamArn` to this stream")
    fix = "Set `streamContactRecords` to true and deploy the stack"
    return Result("problem", "the instance does not send them to a Kinesis data stream", fix)


def _retention(stack: CheckedStack) -> Result:
    age, stream = stack.pipe.delivery.record_age, stack.stream
    if stream["StreamStatus"] not in ("ACTIVE", "UPDATING"):
        return Result(
            "problem",
            f"the stream is {stream['StreamStatus']}",
            "Run `pulumi refresh` to compare it with AWS",
        )
    kept = int(stream["RetentionPeriodHours"])
    message = f"the stream keeps records for {kept} hours"
    if age == -1:
        fix = "Set `maximumRecordAgeSeconds` and deploy the stack"
        return Result("problem", f"{message}, and the pipe retries them indefinitely", fix)
    message += f", and the pipe gives up after {age / HOUR:g} hours"
    if age < kept * HOUR:
        return Result("ok", message)
    fix = "Increase `streamRetentionHours` or reduce `maximumRecordAgeSeconds`, and deploy the stack"
    return Result("problem", message, fix)


def _dead_letters(stack: CheckedStack) -> Result:
    fix = f"Fix the cause, then run `callroute redrive {stack.option}`"
    return _empty(stack.dead_letters, fix)


def _quarantine(stack: CheckedStack) -> Result:
    fix = f"`callroute redrive {stack.option} --quarantined --dry-run` prints the reasons"
    return _empty(stack.quarantine, fix)


def _empty(queue: Mapping[str, str], fix: str) -> Result:
    kinds = ("", "NotVisible", "Delayed")
    messages = sum(int(queue[f"ApproximateNumberOfMessages{kind}"]) for kind in kinds)
    if not messages:
        return Result("ok", "empty")
    return Result("problem", f"{messages:,} message{'s' if messages > 1 else ''}", fix)


def _iterator_age(stack: CheckedStack) -> Result:
    if stack.is_local:
        return Result("skipped", "the local cloud has no metrics")
    metric = {
        "Namespace": "AWS/Kinesis",
        "MetricName": "GetRecords.IteratorAgeMilliseconds",
        "Dimensions": [{"Name": "StreamName", "Value": stack.outputs["streamName"]}],
    }
    answer = stack.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {"Id": "age", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}},
        ],
        StartTime=stack.now - timedelta(seconds=OBSERVED_SECONDS),
        EndTime=stack.now,
    )
    minutes = OBSERVED_SECONDS // 60
    values = answer["MetricDataResults"][0]["Values"]
    if not values:
        message = f"the stream was not read in the last {minutes} minutes"
        return Result("problem", message, "Find the cause in the pipe's log")
    seconds = max(values) / 1000
    message = f"the pipe was at most {seconds:,.0f} s behind in the last {minutes} minutes"
    if seconds <= MAX_ITERATOR_AGE_SECONDS:
        return Result("ok", message)
    return Result("problem", message, "Find the cause in the logs. See docs/scaling.md if the load has grown")


def _last_call(stack: CheckedStack) -> Result:
    today = stack.now.astimezone(ZoneInfo(stack.outputs["timeZone"])).date()
    dynamodb = stack.client("dynamodb")
    for days in range(DAYS_WITHOUT_CALLS):
        items = dynamodb.query(
            TableName=stack.outputs["tableName"],
            IndexName=stack.outputs["indexName"],
            KeyConditionExpression="call_date = :day",
            ExpressionAttributeValues={":day": {"S": str(today - timedelta(days=days))}},
            ProjectionExpression="start_time",
            ScanIndexForward=False,
            Limit=1,
        )["Items"]
        if items:
            return Result("ok", f"started at {items[0]['start_time']['S']}")
    message = f"none in the last {DAYS_WITHOUT_CALLS} days"
    return Result("problem", message, "Place a test call, and check the tracking of your flows")


def _alarms(stack: CheckedStack) -> Result:
    name = stack.outputs["pipeName"]
    # Composite alarms are not read, because that would require permission for all alarms in the account.
    pages = stack.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=name)
    alarms = [each for page in pages for each in page["MetricAlarms"]]
    if not alarms:
        return Result(
            "problem",
            f"no alarm has a name that starts with {name}",
            "Set `alarms` to true and deploy the stack",
        )
    active = [each["AlarmName"] for each in alarms if each["StateValue"] == "ALARM"]
    if active:
        return Result("problem", f"active: {', '.join(active)}", "See the description of each alarm")
    return Result("ok", f"{len(alarms)} alarm{'s' if len(alarms) > 1 else ''}, none of them active")


def _role_of_state_machine(stack: CheckedStack) -> Result:
    machine = stack.client("stepfunctions").describe_state_machine(
        stateMachineArn=stack.outputs["stateMachineArn"]
    )
    queue_arn = stack.outputs["quarantineQueueArn"]
    try:
        needed = state_machine_policy(
            json.loads(machine["definition"]),
            table_arn=stack.outputs["tableArn"],
            quarantine_queue_arn=queue_arn,
            kms_key_arn=_customer_key(stack.quarantine.get("KmsMasterKeyId"), queue_arn),
        )
    except ValueError as error:
        return Result("problem", f"unknown: {error}", "Deploy the stack again with `pulumi up --refresh`")
    return _role(stack, machine["roleArn"], needed)


def _role_of_pipe(stack: CheckedStack) -> Result:
    stream_arn, queue_arn = stack.outputs["streamArn"], stack.outputs["deadLetterQueueArn"]
    needed = pipe_policy(
        stream_arn=stream_arn,
        state_machine_arn=stack.outputs["stateMachineArn"],
        dead_letter_queue_arn=queue_arn,
        kms_key_arn=_customer_key(stack.dead_letters.get("KmsMasterKeyId"), queue_arn),
        stream_kms_key_arn=_customer_key(stack.stream.get("KeyId"), stream_arn),
    )
    return _role(stack, stack.pipe.role_arn, needed)


def _customer_key(key: str | None, resource_arn: str) -> str | None:
    """Returns the ARN of a customer managed key, or None for an AWS managed key."""
    if not key or "alias/aws/" in key:
        return None
    return (
        key
        if key.startswith("arn:")
        else str(Arn.parse(resource_arn)._replace(service="kms", resource=f"key/{key}"))
    )


def _role(stack: CheckedStack, role_arn: str, needed: Document) -> Result:
    """Compares a role's policies with the permissions that it needs."""
    iam, name = stack.client("iam"), Arn.parse(role_arn).name
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    documents = [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    wanted = set(_permissions([needed]))
    granted = set(_permissions(documents))
    missing = [each for each in wanted if not any(grant.covers(each) for grant in granted)]
    problems = [
        *(f"lacks {each}" for each in sorted(missing)),
        *(f"has {each}, which is not needed" for each in sorted(granted - wanted)),
        *(f"has the policy {each['PolicyArn']}, which is not needed" for each in attached),
    ]
    if not problems:
        return Result("ok", f"{name} has exactly the permissions that the definition needs")
    return Result(
        "problem", f"{name} {'; '.join(problems)}", "Deploy the stack again with `pulumi up --refresh`"
    )


class _Permission(NamedTuple):
    action: str
    resource: str
    condition: str
    """Condition as JSON text."""

    def covers(self, needed: _Permission) -> bool:
        return (
            fnmatchcase(needed.action.lower(), self.action.lower())
            and fnmatchcase(needed.resource, self.resource)
            and self.condition in ("{}", needed.condition)
        )

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


def _permissions(documents: Sequence[Mapping[str, Any]]) -> Iterator[_Permission]:
    """Yields each combination of action and resource. NotAction and NotResource appear under their own names."""
    for document in documents:
        for statement in _listed(document["Statement"]):
            condition = json.dumps(statement.get("Condition", {}), sort_keys=True)
            effect = "" if statement["Effect"] == "Allow" else "deny "
            for action in _listed(statement.get("Action", f"NotAction {statement.get('NotAction')}")):
                for resource in _listed(
                    statement.get("Resource", f"NotResource {statement.get('NotResource')}")
                ):
                    yield _Permission(f"{effect}{action}", resource, condition)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


CHECKS: dict[str, Callable[[CheckedStack], Result]] = {
    "pipe": _pipe,
    "contact records": _contact_records,
    "retention": _retention,
    "dead-letter queue": _dead_letters,
    "quarantine queue": _quarantine,
    "iterator age": _iterator_age,
    "last call": _last_call,
    "alarms": _alarms,
    "state machine's role": _role_of_state_machine,
    "pipe's role": _role_of_pipe,
}
"""Checks by name."""
