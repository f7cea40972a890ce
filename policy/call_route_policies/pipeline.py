"""Checks that the pipeline neither loses contact records nor writes callers' numbers to a log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import Severity

from callroute.aws.pipe import INPUT_TEMPLATE, filter_pattern

from .contact_records import of_record_pipes, processes_records, record_pipes
from .iam_patterns import service_of
from .json_values import decoded, parse
from .resource import Resource, Unknown, of_type, shown
from .resource_types import LOG_GROUP, MACHINE, PIPE, QUEUE, STORAGE, STREAM
from .rule import Finding, ResourceCheck, Rule, RuleConfig, integer, require, string_list

SECONDS_PER_HOUR = 3_600
SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR
_DEFAULT_STREAM_HOURS = 24
"""Default retention of Kinesis."""
_DEFAULT_QUEUE_SECONDS = 4 * SECONDS_PER_DAY
"""Default retention of SQS."""

_STREAM_PARAMETERS = ("sourceParameters", "kinesisStreamParameters")


def _stream_parameter(pipe: Resource, *path: str) -> Any:
    return pipe.get(*_STREAM_PARAMETERS, *path)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _requires(*path: str, one_of: Sequence[Any], violation: str) -> ResourceCheck:
    """Returns a check that a property has one of some values, where None means that it is not set."""

    def check(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
        value = resource.get(*path)
        yield from require(value, lambda value: value in one_of, violation.format(shown(value)))

    return check


def _unqualified(arn: str) -> str:
    """Returns the ARN of a state machine without its alias or version."""
    return ":".join(arn.split(":")[:7])


def _check_target_type(resources: Sequence[Resource], _: RuleConfig) -> Iterator[tuple[Resource, Finding]]:
    machines = list(of_type(resources, MACHINE))
    for pipe in record_pipes(resources):
        target = pipe.get("target")
        # A preview may not know the target, but it knows which resources the target depends on.
        dependencies = [machine for machine in machines if machine.urn in pipe.dependencies.get("target", ())]
        if isinstance(target, Unknown):
            targets = dependencies
            if not targets:
                yield pipe, target
        elif service_of(target) != "states":
            continue  # Reported by no-lambda or pipe-role-matches-pipe.
        else:
            arn = _unqualified(target)
            targets = [
                machine
                for machine in machines
                if machine.get("arn") == arn
                or (machine in dependencies and not isinstance(machine.get("arn"), str))
            ]
            if not targets:
                yield (
                    pipe,
                    f"must invoke a state machine of this stack: the type of {shown(target)} is not known",
                )
        for machine in targets:
            type_ = machine.get("type")
            for finding in require(
                type_,
                lambda value: value == "EXPRESS",
                f"must have the type EXPRESS, not {shown(type_ or 'STANDARD')}: {pipe.name} invokes it synchronously",
            ):
                yield machine, finding


def _check_dead_letter_queue(pipe: Resource, _: RuleConfig) -> Iterator[Finding]:
    yield from require(
        _stream_parameter(pipe, "deadLetterConfig", "arn"),
        lambda arn: service_of(arn) == "sqs" and not arn.endswith(".fifo"),
        "must have a standard SQS queue for dead letters, or it loses records that keep failing",
    )


def _check_retry_limits(pipe: Resource, _: RuleConfig) -> Iterator[Finding]:
    for name in ("maximumRetryAttempts", "maximumRecordAgeInSeconds"):
        value = _stream_parameter(pipe, name)
        yield from require(
            value,
            lambda value: _is_number(value) and value >= 0,
            f"must limit {name}, not {shown(value)}, or one failing record blocks its shard",
        )


def _check_record_age(
    resources: Sequence[Resource], config: RuleConfig
) -> Iterator[tuple[Resource, Finding]]:
    streams = list(of_type(resources, STREAM))
    for pipe in record_pipes(resources):
        source, age = pipe.get("source"), _stream_parameter(pipe, "maximumRecordAgeInSeconds")
        found = [stream for stream in streams if isinstance(source, str) and stream.get("arn") == source]
        # A preview may not know the ARN of a stream, but it knows which resources the source depends on.
        found = found or [stream for stream in streams if stream.urn in pipe.dependencies.get("source", ())]
        if not found and isinstance(source, Unknown):
            yield pipe, source
            continue
        hours = found[0].get("retentionPeriod") if found else config["existingStreamRetentionHours"]
        hours = _DEFAULT_STREAM_HOURS if hours is None else hours
        for value in (age, hours):
            if isinstance(value, Unknown):
                yield pipe, value
        if not isinstance(hours, Unknown) and not _is_number(hours):
            yield pipe, f"must read a stream with a numeric retentionPeriod, not {shown(hours)}"
        if not _is_number(age) or age < 0:
            continue  # Unknown, or reported by pipe-retries-are-limited.
        if _is_number(hours) and age >= hours * SECONDS_PER_HOUR:
            yield (
                pipe,
                f"must have a maximumRecordAgeInSeconds below the {hours} hours that its stream retains records,"
                f" not {age}, or a failed record cannot be replayed",
            )


def _check_filter(pipe: Resource, config: RuleConfig) -> Iterator[Finding]:
    """A pipe passes records that match at least one of its filters, or all records without a filter."""
    filters = pipe.get("sourceParameters", "filterCriteria", "filters")
    listed = filters if isinstance(filters, list) else [filters]
    patterns = [each.get("pattern") if isinstance(each, Mapping) else each for each in listed]
    tracked = filter_pattern(config["initiationMethods"])
    if filters in (None, []) or any(_is_superset(_parsed(pattern), tracked) for pattern in patterns):
        return
    unknown = [each for each in patterns if isinstance(each, Unknown)]
    yield unknown[0] if unknown else f"must let all tracked calls pass its filter, not only {shown(patterns)}"


def _parsed(pattern: Any) -> Any:
    try:
        return parse(pattern) if isinstance(pattern, str) else None
    except ValueError:
        return None


def _is_superset(pattern: Any, tracked: Any) -> bool:
    """Returns whether a filter passes everything that another one does: it tests no other field and accepts the same values."""
    if isinstance(pattern, Mapping) and isinstance(tracked, Mapping):
        return all(name in tracked and _is_superset(part, tracked[name]) for name, part in pattern.items())
    return (
        isinstance(pattern, list) and isinstance(tracked, list) and all(each in pattern for each in tracked)
    )


def _check_input_template(pipe: Resource, _: RuleConfig) -> Iterator[Finding]:
    template = pipe.get("targetParameters", "inputTemplate")
    needed = _template_fields(INPUT_TEMPLATE)
    yield from require(
        template,
        lambda value: needed.items() <= _template_fields(value).items(),
        f"must pass all fields of {INPUT_TEMPLATE}, not only {shown(template)}",
    )


def _template_fields(template: Any) -> dict[str, str]:
    """Returns the fields of an input template. Quotes unquoted paths first, because the template is not JSON otherwise."""
    text = _UNQUOTED_PATH.sub(r'"\1, not quoted"', template) if isinstance(template, str) else ""
    fields = _parsed(text)
    return {name: str(value) for name, value in fields.items()} if isinstance(fields, Mapping) else {}


_UNQUOTED_PATH = re.compile(r'(?<!")(<[^<>"]+>)(?!")')
"""A path in an input template that inserts JSON. A quoted path inserts a string."""


def _check_contact_records(
    resources: Sequence[Resource], _: RuleConfig
) -> Iterator[tuple[Resource, Finding]]:
    pipes = list(of_type(resources, PIPE))
    for storage in of_type(resources, STORAGE):
        if storage.get("resourceType") != "CONTACT_TRACE_RECORDS":
            continue
        stream = storage.get("storageConfig", "kinesisStreamConfig", "streamArn")
        # A preview may not know the ARNs, but it knows which resources they depend on.
        dependencies = set(storage.dependencies.get("storageConfig", ()))
        if isinstance(stream, Unknown):
            if not any(dependencies & set(pipe.dependencies.get("source", ())) for pipe in pipes):
                yield storage, stream
        elif stream not in [pipe.get("source") for pipe in pipes]:
            name = stream if isinstance(stream, str) else shown(stream)
            yield (
                storage,
                f"must send contact records to a stream that a pipe of this stack reads, not to {name}",
            )


def _check_kept_records(
    resources: Sequence[Resource], config: RuleConfig
) -> Iterator[tuple[Resource, Finding]]:
    for machine in of_type(resources, MACHINE):
        if processes_records(machine, resources):
            for finding in _lost_records(machine, config):
                yield machine, finding


_WHOLE_INPUT = re.compile(r"\{%\s*\$states\.(input|context\.Execution\.Input)(\.\w+)*\s*%\}")
_WHOLE_ITEM = re.compile(r"Map\.Item\.Value(?![.\[\w])")
_LOSSY_ELEMENTS: Sequence[tuple[str, str, Callable[[Any], bool], str]] = (
    # Type, element, test of a lossy value, requirement
    ("Map", "ToleratedFailurePercentage", bool, "tolerate no failures"),
    ("Map", "ToleratedFailurePercentagePath", bool, "tolerate no failures"),
    ("Map", "ToleratedFailureCount", bool, "tolerate no failures"),
    ("Map", "ToleratedFailureCountPath", bool, "tolerate no failures"),
    ("Map", "Items", lambda value: not _WHOLE_INPUT.fullmatch(str(value)), "process its whole input"),
    (
        "Map",
        "ItemsPath",
        lambda value: not re.fullmatch(r"\$(\.\w+)*", str(value)),
        "process its whole input",
    ),
    ("Map", "ItemSelector", lambda value: not _WHOLE_ITEM.search(str(value)), "pass the whole item"),
    ("Task", "Arguments.Key", lambda value: _is_constant(value), "use a key of the record"),
    ("Task", "Arguments.Item", lambda value: _is_constant(value), "store values of the record"),
    (
        "Task",
        "Arguments.ExpressionAttributeValues",
        lambda value: _is_constant(value),
        "store values of the record",
    ),
    ("Task", "Arguments.MessageBody", lambda value: _is_constant(value), "send the record"),
)


def _is_constant(value: Any) -> bool:
    """Returns whether a value contains no expression."""
    text = str(value)
    return "{%" not in text and "$." not in text


def _lossy_elements(name: str, state: Any) -> Iterator[str]:
    for type_, path, is_lossy, requirement in _LOSSY_ELEMENTS:
        value = state
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None and state.get("Type") == type_ and is_lossy(value):
            yield f"must {requirement} in {name!r}: {path} is {shown(value)}"


def _lost_records(machine: Resource, config: RuleConfig) -> Iterator[Finding]:
    definition = machine.get("definition")
    if isinstance(definition, Unknown):
        yield definition
    for scope in _scopes(definition):
        states = scope["States"]
        if end := _end_without_task(states, scope.get("StartAt"), config["expired"]):
            yield f"must store or fail every record that enters {scope['StartAt']!r}, not end in {end!r}"
        for name, state in states.items():
            yield from _lossy_elements(name, state)
            for catch in _mappings(state.get("Catch") if isinstance(state, Mapping) else None):
                errors = catch.get("ErrorEquals")
                is_expected = isinstance(errors, list) and all(each in config["expected"] for each in errors)
                if (
                    not is_expected
                    and not _publishes_metrics(state)
                    and (end := _end_without_task(states, catch.get("Next")))
                ):
                    yield f"must store or fail records after an error in {name!r}, not end in {end!r}: {shown(errors)}"


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    return (each for each in (value if isinstance(value, list) else ()) if isinstance(each, Mapping))


def _scopes(definition: Any) -> Iterator[Mapping[str, Any]]:
    """Yields the definition and every nested part with States of its own."""
    pending = [decoded(definition)]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            if isinstance(value.get("States"), Mapping):
                yield value
            pending += value.values()
        elif isinstance(value, list):
            pending += value


_STORING = ("Task", "Map", "Parallel", "Fail")


def _publishes_metrics(state: Mapping[str, Any]) -> bool:
    """Returns whether a state is a Task that publishes metrics, which neither stores nor loses records."""
    return str(state.get("Resource")).endswith(":states:::aws-sdk:cloudwatch:putMetricData")


def _end_without_task(states: Mapping[str, Any], start: Any, chosen: Sequence[str] = ()) -> str | None:
    """Returns a state in which an execution can succeed without reaching a Task from a given state, or None.

    Ignores states in `chosen` if the condition of a Choice leads to them.

    The states inside a Map or Parallel form scopes of their own, which are checked separately.
    """
    pending, seen = [start], []
    while pending:
        name = pending.pop()
        state = states.get(name) if isinstance(name, str) and name not in seen else None
        if not isinstance(state, Mapping) or (
            state.get("Type") in _STORING and not _publishes_metrics(state)
        ):
            continue
        seen.append(name)
        if state.get("Type") != "Choice" and state.get("Next") is None:
            return str(name)
        choices = state.get("Choices")
        pending += [state.get("Next"), state.get("Default")]
        pending += [each.get("Next") for each in _mappings(choices) if each.get("Next") not in chosen]
    return None


def _check_queue_retention(queue: Resource, config: RuleConfig) -> Iterator[Finding]:
    seconds, days = queue.get("messageRetentionSeconds"), config["minimumDays"]
    yield from require(
        _DEFAULT_QUEUE_SECONDS if seconds is None else seconds,
        lambda value: _is_number(value) and value >= days * SECONDS_PER_DAY,
        f"must have a messageRetentionSeconds of at least {days} days, not {shown(seconds)}",
    )


def _check_execution_data(resource: Resource, _: RuleConfig) -> Iterator[Finding]:
    path = (
        ("loggingConfiguration", "includeExecutionData")
        if resource.type == MACHINE
        else ("logConfiguration", "includeExecutionDatas")
    )
    yield from require(
        resource.get(*path),
        lambda value: not value,
        f"must not set {path[1]}, which writes callers' numbers to the log",
    )


def _check_log_retention(group: Resource, config: RuleConfig) -> Iterator[Finding]:
    days, minimum = group.get("retentionInDays"), config["minimumDays"]
    yield from require(
        days,
        lambda value: _is_number(value) and value >= max(minimum, 1),
        f"must have a retentionInDays of at least {minimum}, not {shown(days)}",
    )


_DATA_LOSS = "A lost contact record cannot be recovered, and its loss goes unnoticed."
_PIPES = "https://docs.aws.amazon.com/eventbridge/latest/userguide/{}.html"

RULES = (
    Rule(
        name="pipe-invokes-synchronously",
        description="A pipe must wait for its state machine, because it retries only failures that it sees.",
        severity=Severity.HIGH,
        reason=_DATA_LOSS,
        remediation="Set invocation_type to REQUEST_RESPONSE.",
        url=_PIPES.format("eb-pipes-event-target"),
        check_stack=of_record_pipes(
            _requires(
                *("targetParameters", "stepFunctionStateMachineParameters", "invocationType"),
                one_of=(None, "REQUEST_RESPONSE"),
                violation="must invoke its state machine with REQUEST_RESPONSE, not {}, to see its failures",
            )
        ),
    ),
    Rule(
        name="pipe-target-is-express",
        description="The target state machine of a pipe must be an Express state machine.",
        severity=Severity.HIGH,
        reason="A pipe cannot invoke a Standard state machine synchronously and stops.",
        remediation='Set type="EXPRESS". This replaces an existing state machine.',
        url=_PIPES.format("eb-pipes-event-target"),
        check_stack=_check_target_type,
    ),
    Rule(
        name="pipe-has-dead-letter-queue",
        description="A pipe must send the positions of records that keep failing to a dead-letter queue.",
        severity=Severity.HIGH,
        reason=_DATA_LOSS,
        remediation="Set dead_letter_config to the ARN of a standard SQS queue.",
        url=_PIPES.format("eb-pipes-batching-concurrency"),
        check_stack=of_record_pipes(_check_dead_letter_queue),
    ),
    Rule(
        name="pipe-retries-are-limited",
        description="A pipe must limit retries and record age.",
        severity=Severity.HIGH,
        reason="Both are unlimited by default, and one failing record then blocks its shard.",
        remediation="Set maximum_retry_attempts and maximum_record_age_in_seconds.",
        url=_PIPES.format("eb-pipes-batching-concurrency"),
        check_stack=of_record_pipes(_check_retry_limits),
    ),
    Rule(
        name="pipe-age-below-stream-retention",
        description="A pipe must give up on a record before the stream deletes it, so that the record can be replayed.",
        severity=Severity.HIGH,
        reason=_DATA_LOSS,
        remediation="Decrease maximumRecordAgeSeconds or increase streamRetentionHours.",
        url="https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html",
        check_stack=_check_record_age,
        settings={
            "existingStreamRetentionHours": integer(
                "Retention in hours of a stream that is not part of the stack.", _DEFAULT_STREAM_HOURS, 24
            )
        },
    ),
    Rule(
        name="pipe-bisects-failing-batches",
        description="A pipe must split a failing batch until the failing record is alone.",
        severity=Severity.HIGH,
        reason=_DATA_LOSS,
        remediation="Set on_partial_batch_item_failure to AUTOMATIC_BISECT.",
        url=_PIPES.format("eb-pipes-batching-concurrency"),
        check_stack=of_record_pipes(
            _requires(
                *(*_STREAM_PARAMETERS, "onPartialBatchItemFailure"),
                one_of=("AUTOMATIC_BISECT",),
                violation="must set onPartialBatchItemFailure to AUTOMATIC_BISECT, or one bad record fails its whole batch",
            )
        ),
    ),
    Rule(
        name="pipe-starts-at-trim-horizon",
        description="A pipe must start with the oldest record in the stream.",
        severity=Severity.HIGH,
        reason="LATEST can miss records for minutes after the pipe is created or updated.",
        remediation="Set starting_position to TRIM_HORIZON.",
        url=_PIPES.format("eb-pipes-kinesis"),
        check_stack=of_record_pipes(
            _requires(
                *(*_STREAM_PARAMETERS, "startingPosition"),
                one_of=("TRIM_HORIZON",),
                violation="must have the startingPosition TRIM_HORIZON, not {}, which misses records",
            )
        ),
    ),
    Rule(
        name="pipe-is-running",
        description="A pipe must be running, because its stream deletes records after a time.",
        severity=Severity.HIGH,
        reason=_DATA_LOSS,
        remediation="Set desired_state to RUNNING or remove it.",
        url="https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_StopPipe.html",
        check_stack=of_record_pipes(
            _requires(
                "desiredState",
                one_of=(None, "RUNNING"),
                violation="must have the desiredState RUNNING, not {}, or it loses the records that its stream deletes",
            )
        ),
    ),
    Rule(
        name="pipe-filter-passes-tracked-calls",
        description="The filter of a pipe must let every inbound call with a route pass.",
        severity=Severity.HIGH,
        reason=_DATA_LOSS,
        remediation="Use callroute.aws.pipe.filter_pattern or a less restrictive pattern.",
        url=_PIPES.format("eb-pipes-event-filtering"),
        check_stack=of_record_pipes(_check_filter),
        settings={
            "initiationMethods": string_list("Initiation methods of tracked calls.", ("INBOUND",)),
        },
    ),
    Rule(
        name="pipe-passes-whole-record",
        description="A pipe must pass the whole record to its target, with its position in the stream.",
        severity=Severity.HIGH,
        reason=_DATA_LOSS,
        remediation="Use callroute.aws.pipe.INPUT_TEMPLATE, or a template with additional fields.",
        url=_PIPES.format("eb-pipes-input-transformation"),
        check_stack=of_record_pipes(_check_input_template),
    ),
    Rule(
        name="contact-records-reach-a-pipe",
        description="Amazon Connect must send contact records to a stream that a pipe of the stack reads.",
        severity=Severity.HIGH,
        reason=_DATA_LOSS,
        remediation="Set storage_config to the ARN of the pipe's source stream.",
        url="https://docs.aws.amazon.com/connect/latest/adminguide/data-streaming.html",
        check_stack=_check_contact_records,
    ),
    Rule(
        name="state-machine-keeps-every-record",
        description="A state machine must store each record in a Task or fail, and may ignore only expected errors.",
        severity=Severity.HIGH,
        reason=_DATA_LOSS,
        remediation="Route the start state or the Catch to a state that quarantines the record, or let the execution fail.",
        url="https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html",
        check_stack=_check_kept_records,
        settings={
            "expected": string_list(
                "Errors that a Catch may ignore.", ("DynamoDB.ConditionalCheckFailedException",)
            ),
            "expired": string_list("States to which a Choice may send records to expire.", ("Expired",)),
        },
    ),
    Rule(
        name="queues-retain-messages",
        description="Queues must retain failed records long enough for an operator to process them.",
        severity=Severity.HIGH,
        reason=_DATA_LOSS,
        remediation="Set message_retention_seconds. The maximum of SQS is 14 days.",
        url="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html",
        types=(QUEUE,),
        check=_check_queue_retention,
        settings={"minimumDays": integer("Minimum retention in days.", 4, 1)},
    ),
    Rule(
        name="no-execution-data-in-logs",
        description="Logs must not contain execution data, which includes callers' numbers.",
        severity=Severity.HIGH,
        reason="The encryption, retention and access control of the table do not apply to a log.",
        remediation="Set include_execution_data to False and remove the pipe's include_execution_datas.",
        url=_PIPES.format("eb-pipes-logs"),
        types=(PIPE, MACHINE),
        check=_check_execution_data,
    ),
    Rule(
        name="log-groups-have-retention",
        description="Log groups must have an explicit retention period.",
        severity=Severity.MEDIUM,
        reason="By default, logs are kept and billed forever.",
        remediation="Set retention_in_days.",
        url="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html",
        types=(LOG_GROUP,),
        check=_check_log_retention,
        settings={"minimumDays": integer("Minimum retention in days.", 1, 1)},
    ),
)
