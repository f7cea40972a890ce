"""Rules that keep the pipeline from losing records, or from telling callers' numbers to a log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import Severity

from callroute.aws.pipe import FILTER_PATTERN, INPUT_TEMPLATE

from .iam_patterns import service_of
from .json_text import inside, parse
from .resource_types import LOG_GROUP, MACHINE, PIPE, QUEUE, STORAGE, STREAM
from .rule import (
    Finding,
    Resource,
    ResourceCheck,
    Rule,
    Settings,
    Unknown,
    must,
    number,
    of_type,
    shown,
    texts,
)

SECONDS_PER_HOUR = 3_600
SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR
_DEFAULT_RETENTION_HOURS = 24
"""What Kinesis keeps where nothing is said."""
_DEFAULT_QUEUE_SECONDS = 4 * SECONDS_PER_DAY
"""What SQS keeps where nothing is said."""


_STREAM_PARAMETERS = ("sourceParameters", "kinesisStreamParameters")
"""Where a pipe says how it reads its stream."""


def _stream_parameter(pipe: Resource, *path: str) -> Any:
    return pipe.get(*_STREAM_PARAMETERS, *path)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _says(*path: str, one_of: Sequence[Any], otherwise: str) -> ResourceCheck:
    """A check that a property has one of some values, of which None stands for its absence."""

    def check(resource: Resource, _: Settings) -> Iterator[Finding]:
        value = resource.get(*path)
        yield from must(value, lambda value: value in one_of, otherwise.format(shown(value)))

    return check


def _without_qualifier(arn: str) -> str:
    """The ARN of a state machine without the alias or the version that may stand behind it."""
    return ":".join(arn.split(":")[:7])


def _target_is_express(resources: Sequence[Resource], _: Settings) -> Iterator[tuple[Resource, Finding]]:
    machines = list(of_type(resources, MACHINE))
    for pipe in of_type(resources, PIPE):
        target = pipe.get("target")
        # What the target will be may not be known yet, but where it comes from is.
        feeding = [machine for machine in machines if machine.urn in pipe.dependencies.get("target", ())]
        if isinstance(target, Unknown):
            behind = feeding
            if not behind:
                yield pipe, target
        elif service_of(target) != "states":
            continue  # It is told by no-lambda or pipe-role-fits-its-pipe.
        else:
            base = _without_qualifier(target)
            behind = [
                machine
                for machine in machines
                if machine.get("arn") == base
                or (machine in feeding and not isinstance(machine.get("arn"), str))
            ]
            if not behind:
                yield (
                    pipe,
                    f"must call a state machine of this stack, since it is not known whether {shown(target)} is EXPRESS",
                )
        for machine in behind:
            type_ = machine.get("type")
            for finding in must(
                type_,
                lambda value: value == "EXPRESS",
                f"must be EXPRESS, since {pipe.name} waits for its executions, and not {shown(type_ or 'STANDARD')}",
            ):
                yield machine, finding


def _dead_letters(pipe: Resource, _: Settings) -> Iterator[Finding]:
    yield from must(
        _stream_parameter(pipe, "deadLetterConfig", "arn"),
        lambda arn: service_of(arn) == "sqs" and not arn.endswith(".fifo"),
        "must have a standard SQS queue as dead-letter queue, or what keeps failing is lost",
    )


def _finite(pipe: Resource, _: Settings) -> Iterator[Finding]:
    for name, what in (("maximumRetryAttempts", "retries"), ("maximumRecordAgeInSeconds", "record age")):
        value = _stream_parameter(pipe, name)
        yield from must(
            value,
            lambda value: _is_number(value) and value >= 0,
            f"must have a finite {name}, or one failing record blocks its shard; {what}: {shown(value)}",
        )


def _age_below_retention(
    resources: Sequence[Resource], settings: Settings
) -> Iterator[tuple[Resource, Finding]]:
    streams = list(of_type(resources, STREAM))
    for pipe in of_type(resources, PIPE):
        source, age = pipe.get("source"), _stream_parameter(pipe, "maximumRecordAgeInSeconds")
        found = [stream for stream in streams if isinstance(source, str) and stream.get("arn") == source]
        # The ARN of a stream may not be known yet, but where the source comes from is.
        found = found or [stream for stream in streams if stream.urn in pipe.dependencies.get("source", ())]
        if not found and isinstance(source, Unknown):
            yield pipe, source
            continue
        hours = found[0].get("retentionPeriod") if found else settings["existingStreamRetentionHours"]
        hours = _DEFAULT_RETENTION_HOURS if hours is None else hours
        for value in (age, hours):
            if isinstance(value, Unknown):
                yield pipe, value
        if not isinstance(hours, Unknown) and not _is_number(hours):
            yield (
                pipe,
                f"must read a stream whose retentionPeriod is a number of hours, and not {shown(hours)}",
            )
        if not _is_number(age) or age < 0:
            continue  # It is told by pipe-retries-are-finite, or is not known yet.
        if _is_number(hours) and age >= hours * SECONDS_PER_HOUR:
            yield (
                pipe,
                f"must have a maximumRecordAgeInSeconds below the {hours} hours that its stream keeps records,"
                f" and not {age}: what it gives up could not be replayed",
            )


def _passes_tracked_calls(pipe: Resource, _: Settings) -> Iterator[Finding]:
    """Records pass that meet one of the filters, or all where there is none."""
    filters = pipe.get("sourceParameters", "filterCriteria", "filters")
    listed = filters if isinstance(filters, list) else [filters]
    patterns = [each.get("pattern") if isinstance(each, Mapping) else each for each in listed]
    if filters in (None, []) or any(_lets_pass(_parsed(pattern), FILTER_PATTERN) for pattern in patterns):
        return
    unknown = [each for each in patterns if isinstance(each, Unknown)]
    yield unknown[0] if unknown else f"must let all tracked calls pass, and not only {shown(patterns)}"


def _parsed(pattern: Any) -> Any:
    try:
        return parse(pattern) if isinstance(pattern, str) else None
    except ValueError:
        return None


def _lets_pass(pattern: Any, tracked: Any) -> bool:
    """Whether a filter lets pass whatever another one does: it asks of no other field, and takes the same values."""
    if isinstance(pattern, Mapping) and isinstance(tracked, Mapping):
        return all(name in tracked and _lets_pass(part, tracked[name]) for name, part in pattern.items())
    return (
        isinstance(pattern, list) and isinstance(tracked, list) and all(each in pattern for each in tracked)
    )


def _hands_over_the_record(pipe: Resource, _: Settings) -> Iterator[Finding]:
    template = pipe.get("targetParameters", "inputTemplate")
    needed = _template_parts(INPUT_TEMPLATE)
    yield from must(
        template,
        lambda value: needed.items() <= _template_parts(value).items(),
        f"must hand over what {INPUT_TEMPLATE} does, and not only {shown(template)}",
    )


def _template_parts(template: Any) -> dict[str, str]:
    """What an input template hands over, by name; a path is JSON only once it stands in quotes."""
    text = _PATH.sub(r'"\1, not quoted"', template) if isinstance(template, str) else ""
    parts = _parsed(text)
    return {name: str(value) for name, value in parts.items()} if isinstance(parts, Mapping) else {}


_PATH = re.compile(r'(?<!")(<[^<>"]+>)(?!")')
"""A path of an input template that stands for JSON; a quoted one stands for a text."""


def _reaches_a_pipe(resources: Sequence[Resource], _: Settings) -> Iterator[tuple[Resource, Finding]]:
    pipes = list(of_type(resources, PIPE))
    for storage in of_type(resources, STORAGE):
        if storage.get("resourceType") != "CONTACT_TRACE_RECORDS":
            continue
        stream = storage.get("storageConfig", "kinesisStreamConfig", "streamArn")
        # ARNs may not be known yet, but where they come from is.
        origin = set(storage.dependencies.get("storageConfig", ()))
        if isinstance(stream, Unknown):
            if not any(origin & set(pipe.dependencies.get("source", ())) for pipe in pipes):
                yield storage, stream
        elif stream not in [pipe.get("source") for pipe in pipes]:
            named = stream if isinstance(stream, str) else shown(stream)
            yield (
                storage,
                f"must send contact records to a stream that a pipe of this stack reads, and not to {named}",
            )


def _drops_no_record(machine: Resource, settings: Settings) -> Iterator[Finding]:
    definition = machine.get("definition")
    if isinstance(definition, Unknown):
        yield definition
    for scope in _scopes(definition):
        states = scope["States"]
        if end := _end_without_task(states, scope.get("StartAt")):
            yield f"must keep or fail what comes in at its state {scope['StartAt']!r}, and not end in {end!r}"
        for name, state in states.items():
            for catch in _mappings(state.get("Catch") if isinstance(state, Mapping) else None):
                errors = catch.get("ErrorEquals")
                is_expected = isinstance(errors, list) and all(
                    each in settings["expected"] for each in errors
                )
                if not is_expected and (end := _end_without_task(states, catch.get("Next"))):
                    yield f"must keep or fail what its state {name!r} catches, and not end in {end!r}: {shown(errors)}"


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    return (each for each in (value if isinstance(value, list) else ()) if isinstance(each, Mapping))


def _scopes(definition: Any) -> Iterator[Mapping[str, Any]]:
    """A definition and each part of it that has States of its own, however deep it stands."""
    waiting = [inside(definition)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            if isinstance(value.get("States"), Mapping):
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


_KEEPING = ("Task", "Map", "Parallel", "Fail")


def _end_without_task(states: Mapping[str, Any], start: Any) -> str | None:
    """A state in which an execution may end well, from some state on, without any Task; None where there is none.

    A Map and a Parallel have scopes of their own, which are judged by themselves.
    """
    waiting, seen = [start], []
    while waiting:
        name = waiting.pop()
        state = states.get(name) if isinstance(name, str) and name not in seen else None
        if not isinstance(state, Mapping) or state.get("Type") in _KEEPING:
            continue
        seen.append(name)
        if state.get("Type") != "Choice" and state.get("Next") is None:
            return str(name)
        choices = state.get("Choices")
        waiting += [state.get("Next"), state.get("Default")]
        waiting += [each.get("Next") for each in _mappings(choices)]
    return None


def _queue_retention(queue: Resource, settings: Settings) -> Iterator[Finding]:
    seconds, days = queue.get("messageRetentionSeconds"), settings["minimumDays"]
    yield from must(
        _DEFAULT_QUEUE_SECONDS if seconds is None else seconds,
        lambda value: _is_number(value) and value >= days * SECONDS_PER_DAY,
        f"must have messageRetentionSeconds of {days} days or more, and not {shown(seconds)}",
    )


def _no_execution_data(resource: Resource, _: Settings) -> Iterator[Finding]:
    path = (
        ("loggingConfiguration", "includeExecutionData")
        if resource.type == MACHINE
        else ("logConfiguration", "includeExecutionDatas")
    )
    yield from must(
        resource.get(*path),
        lambda value: not value,
        f"must not set {path[1]}: execution data puts callers' numbers into the log",
    )


def _log_retention(group: Resource, settings: Settings) -> Iterator[Finding]:
    days, least = group.get("retentionInDays"), settings["minimumDays"]
    yield from must(
        days,
        lambda value: _is_number(value) and value >= max(least, 1),
        f"must have a retentionInDays of {least} days or more, and not {shown(days)}",
    )


_LOSSY = "A record that is lost is lost for good, and nobody hears of it."
_PIPES = "https://docs.aws.amazon.com/eventbridge/latest/userguide/{}.html"

RULES = (
    Rule(
        name="pipe-calls-synchronously",
        description="A pipe must wait for its state machine, since only then does it see what fails.",
        severity=Severity.HIGH,
        reason=_LOSSY,
        remediation="Set invocation_type to REQUEST_RESPONSE.",
        url=_PIPES.format("eb-pipes-event-target"),
        types=(PIPE,),
        check=_says(
            *("targetParameters", "stepFunctionStateMachineParameters", "invocationType"),
            one_of=(None, "REQUEST_RESPONSE"),
            otherwise="must call its state machine by REQUEST_RESPONSE, so that it sees what fails, and not {}",
        ),
    ),
    Rule(
        name="pipe-target-is-express",
        description="The state machine behind a pipe must be an Express one.",
        severity=Severity.HIGH,
        reason="A pipe that waits cannot call a Standard state machine: it stops.",
        remediation='Set type="EXPRESS"; an existing state machine is then replaced.',
        url=_PIPES.format("eb-pipes-event-target"),
        check_stack=_target_is_express,
    ),
    Rule(
        name="pipe-has-dead-letter-queue",
        description="A pipe must put the positions of records that keep failing on a dead-letter queue.",
        severity=Severity.HIGH,
        reason=_LOSSY,
        remediation="Give dead_letter_config the ARN of a standard SQS queue.",
        url=_PIPES.format("eb-pipes-batching-concurrency"),
        types=(PIPE,),
        check=_dead_letters,
    ),
    Rule(
        name="pipe-retries-are-finite",
        description="A pipe must give up on a record at last: retries and age must be finite.",
        severity=Severity.HIGH,
        reason="By default both are endless, and one failing record blocks its shard.",
        remediation="Set maximum_retry_attempts and maximum_record_age_in_seconds.",
        url=_PIPES.format("eb-pipes-batching-concurrency"),
        types=(PIPE,),
        check=_finite,
    ),
    Rule(
        name="pipe-age-below-stream-retention",
        description="A pipe must give up on a record before the stream does, so that it can be replayed.",
        severity=Severity.HIGH,
        reason=_LOSSY,
        remediation="Lower maximumRecordAgeSeconds, or lengthen streamRetentionHours.",
        url="https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html",
        check_stack=_age_below_retention,
        settings={
            "existingStreamRetentionHours": number(
                "Hours for which a stream keeps records that is not of this stack.",
                _DEFAULT_RETENTION_HOURS,
                24,
            )
        },
    ),
    Rule(
        name="pipe-bisects-failing-batches",
        description="A pipe must halve a failing batch until the bad record stands alone.",
        severity=Severity.HIGH,
        reason=_LOSSY,
        remediation="Set on_partial_batch_item_failure to AUTOMATIC_BISECT.",
        url=_PIPES.format("eb-pipes-batching-concurrency"),
        types=(PIPE,),
        check=_says(
            *(*_STREAM_PARAMETERS, "onPartialBatchItemFailure"),
            one_of=("AUTOMATIC_BISECT",),
            otherwise="must have onPartialBatchItemFailure AUTOMATIC_BISECT, or a bad record takes its batch along",
        ),
    ),
    Rule(
        name="pipe-starts-at-trim-horizon",
        description="A pipe must start with the oldest record that the stream keeps.",
        severity=Severity.HIGH,
        reason="LATEST can miss records for minutes whenever the pipe is made or changed.",
        remediation="Set starting_position to TRIM_HORIZON.",
        url=_PIPES.format("eb-pipes-kinesis"),
        types=(PIPE,),
        check=_says(
            *(*_STREAM_PARAMETERS, "startingPosition"),
            one_of=("TRIM_HORIZON",),
            otherwise="must have the startingPosition TRIM_HORIZON, and not {}, which misses records",
        ),
    ),
    Rule(
        name="pipe-is-running",
        description="A pipe must run, since its stream drops what nobody read in time.",
        severity=Severity.HIGH,
        reason=_LOSSY,
        remediation="Set desired_state to RUNNING, or leave it out.",
        url="https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/API_StopPipe.html",
        types=(PIPE,),
        check=_says(
            "desiredState",
            one_of=(None, "RUNNING"),
            otherwise="must have the desiredState RUNNING, and not {}: what its stream drops meanwhile is lost",
        ),
    ),
    Rule(
        name="pipe-passes-tracked-calls",
        description="A pipe's filter must let every inbound call pass that carries a route.",
        severity=Severity.HIGH,
        reason=_LOSSY,
        remediation="Use callroute.aws.pipe.FILTER_PATTERN, or ask for less than it does.",
        url=_PIPES.format("eb-pipes-event-filtering"),
        types=(PIPE,),
        check=_passes_tracked_calls,
    ),
    Rule(
        name="pipe-hands-over-the-record",
        description="A pipe must hand over the whole record, with its place in the stream.",
        severity=Severity.HIGH,
        reason=_LOSSY,
        remediation="Use callroute.aws.pipe.INPUT_TEMPLATE, or add to it.",
        url=_PIPES.format("eb-pipes-input-transformation"),
        types=(PIPE,),
        check=_hands_over_the_record,
    ),
    Rule(
        name="contact-records-reach-a-pipe",
        description="Amazon Connect must send contact records to a stream that a pipe of this stack reads.",
        severity=Severity.HIGH,
        reason=_LOSSY,
        remediation="Give storage_config the ARN of the stream that is the pipe's source.",
        url="https://docs.aws.amazon.com/connect/latest/adminguide/data-streaming.html",
        check_stack=_reaches_a_pipe,
    ),
    Rule(
        name="state-machine-drops-no-record",
        description="What a state machine gets, or catches, must be kept by a Task or fail, unless it is expected.",
        severity=Severity.HIGH,
        reason=_LOSSY,
        remediation="Lead the start, or the Catch, to a state that quarantines the record, or let the error fail the execution.",
        url="https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html",
        types=(MACHINE,),
        check=_drops_no_record,
        settings={
            "expected": texts(
                "Errors after which there is nothing to keep.", ("DynamoDB.ConditionalCheckFailedException",)
            )
        },
    ),
    Rule(
        name="queues-keep-messages",
        description="Queues, which hold what could not be stored, must keep it until somebody had time to look at it.",
        severity=Severity.HIGH,
        reason=_LOSSY,
        remediation="Set message_retention_seconds; SQS keeps messages for 14 days at most.",
        url="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html",
        types=(QUEUE,),
        check=_queue_retention,
        settings={"minimumDays": number("The least number of days.", 4, 1)},
    ),
    Rule(
        name="no-execution-data-in-logs",
        description="Logs must not hold execution data, which are contact records with callers' numbers.",
        severity=Severity.HIGH,
        reason="What is in a log has left the table's encryption, retention and access.",
        remediation="Set include_execution_data to False, and leave out the pipe's include_execution_datas.",
        url=_PIPES.format("eb-pipes-logs"),
        types=(PIPE, MACHINE),
        check=_no_execution_data,
    ),
    Rule(
        name="log-groups-have-retention",
        description="Log groups must say for how long they keep logs.",
        severity=Severity.MEDIUM,
        reason="Without it they are kept, and paid for, for ever.",
        remediation="Set retention_in_days.",
        url="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html",
        types=(LOG_GROUP,),
        check=_log_retention,
        settings={"minimumDays": number("The least number of days.", 1, 1)},
    ),
)
