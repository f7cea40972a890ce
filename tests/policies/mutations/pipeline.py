"""Pipelines that lose records, that log callers' numbers, or that stop."""

from __future__ import annotations

import json
from typing import Any

from tests.policies.edits import Edit, add, append, delete, put, put_foreign, remove, sequence, statement
from tests.policies.mutations.case import Case, Cases
from tests.policies.stacks import Stack
from tests.policies.values import (
    CONTACT_RECORDS,
    DEAD_LETTERS,
    PIPE,
    PIPE_LOGS,
    PIPE_POLICY,
    QUARANTINE,
    RECORDER,
    RECORDER_LOGS,
    STREAM,
    TAGS,
    arn,
)

CASES: Cases = {}

STREAM_SOURCE = "sourceParameters.kinesisStreamParameters"
"""Path of the pipe's parameters for its stream."""
RECORDS_STREAM = "storageConfig.kinesisStreamConfig.streamArn"
"""Path of the stream that Amazon Connect sends contact records to."""
EACH_CONTACT = "definition.States.EachContact.ItemProcessor.States"
"""Path of the states that run for each contact."""


def _put_source(parameter: str, value: Any) -> Edit:
    return put(PIPE, f"{STREAM_SOURCE}.{parameter}", value)


def _remove_source(parameter: str) -> Edit:
    return remove(PIPE, f"{STREAM_SOURCE}.{parameter}")


def set_target(target_arn: str) -> Edit:
    """Makes the pipe call another state machine, or the same by another ARN, and permits its role to do so."""
    return sequence(
        put_foreign(PIPE, "target", target_arn), statement(PIPE_POLICY, "RecordRoutes", Resource=target_arn)
    )


def set_filters(*patterns: str) -> Edit:
    """Gives the pipe other filters."""
    return put(PIPE, "sourceParameters.filterCriteria.filters", [{"pattern": each} for each in patterns])


# The target of the pipe

SYNCHRONOUS = "must invoke its state machine with REQUEST_RESPONSE, not {}, to see its failures"
INVOCATION = "targetParameters.stepFunctionStateMachineParameters.invocationType"
CASES["pipe-invokes-synchronously"] = {
    "FIRE_AND_FORGET": Case(
        SYNCHRONOUS.format('"FIRE_AND_FORGET"'),
        put(PIPE, INVOCATION, "FIRE_AND_FORGET"),
        statement(PIPE_POLICY, "RecordRoutes", Action=["states:StartExecution"]),
    ),
    "a misspelt invocation type": Case(
        SYNCHRONOUS.format('"request_response"'), put(PIPE, INVOCATION, "request_response")
    ),
    "an empty invocation type": Case(SYNCHRONOUS.format('""'), put(PIPE, INVOCATION, "")),
}

EXPRESS = f"must have the type EXPRESS, not {{}}: {PIPE} invokes it synchronously"
NOT_STANDARD = EXPRESS.format('"STANDARD"')
OTHER_MACHINE_ARN = arn("states", "stateMachine:other")
CASES["pipe-target-is-express"] = {
    "a Standard state machine": Case(NOT_STANDARD, put(RECORDER, "type", "STANDARD")),
    "no type, which means Standard": Case(NOT_STANDARD, remove(RECORDER, "type")),
    "a misspelt type": Case(EXPRESS.format('"Express"'), put(RECORDER, "type", "Express")),
    "a Standard state machine behind an alias": Case(
        NOT_STANDARD, put(RECORDER, "type", "STANDARD"), set_target(f"{RECORDER.arn}:live")
    ),
    "a version of a Standard state machine": Case(
        NOT_STANDARD, put(RECORDER, "type", "STANDARD"), set_target(f"{RECORDER.arn}:1")
    ),
    "a state machine that is not part of the stack": Case(
        f'must invoke a state machine of this stack: the type of "{OTHER_MACHINE_ARN}" is not known',
        set_target(OTHER_MACHINE_ARN),
    ),
}

# The source of the pipe

UNKEPT = "must have a standard SQS queue for dead letters, or it loses records that keep failing"
KEEP = "policy.Statement[KeepDeadLetters]"


def _lost(target_arn: str, action: str) -> Case:
    """Case of a pipe, and its role, with another target for dead letters."""
    role = statement(PIPE_POLICY, "KeepDeadLetters", Action=action, Resource=target_arn)
    return Case(UNKEPT, _put_source("deadLetterConfig.arn", target_arn), role)


CASES["pipe-has-dead-letter-queue"] = {
    "no dead-letter queue": Case(UNKEPT, _remove_source("deadLetterConfig"), remove(PIPE_POLICY, KEEP)),
    "a dead-letter queue without an ARN": Case(
        UNKEPT, _put_source("deadLetterConfig", {}), remove(PIPE_POLICY, KEEP)
    ),
    "a FIFO queue, which pipes do not support": _lost(f"{DEAD_LETTERS.arn}.fifo", "sqs:SendMessage"),
    "a topic, which stores nothing": _lost(arn("sns", "dead-letters"), "sns:Publish"),
}

RETRIES = "must limit maximumRetryAttempts, not {}, or one failing record blocks its shard"
AGE = "must limit maximumRecordAgeInSeconds, not {}, or one failing record blocks its shard"
CASES["pipe-retries-are-limited"] = {
    "no limit to retries": Case(RETRIES.format("null"), _remove_source("maximumRetryAttempts")),
    "unlimited retries": Case(RETRIES.format("-1"), _put_source("maximumRetryAttempts", -1)),
    "records of any age": Case(AGE.format("-1"), _put_source("maximumRecordAgeInSeconds", -1)),
    "an age that is a string": Case(AGE.format('"a day"'), _put_source("maximumRecordAgeInSeconds", "a day")),
}

TOO_OLD = (
    "must have a maximumRecordAgeInSeconds below the {} hours that its stream retains records, not {},"
    " or a failed record cannot be replayed"
)
ONE_DAY = TOO_OLD.format(24, 86400)
ELSEWHERE = arn("kinesis", "stream/elsewhere")


def _add_longer_stream(stack: Stack) -> None:
    """Adds a stream that is kept for longer, in front of the pipe's, and says that the source comes from both."""
    stream, pipe = stack.one("Stream"), stack.one("Pipe")
    inputs = {**stream.inputs, "retentionPeriod": 8_760}
    longer = stack.add(stream.type, "longer", inputs, arn=f"{STREAM.arn}-2")
    longer.protect = True
    stack.insert(1, stack.pop())
    pipe.dependencies["source"] = [longer.urn, stream.urn]


CASES["pipe-age-below-stream-retention"] = {
    "an age that equals the retention": Case(
        TOO_OLD.format(168, 604800), _put_source("maximumRecordAgeInSeconds", 604_800)
    ),
    "a shorter retention": Case(ONE_DAY, put(STREAM, "retentionPeriod", 24), at=PIPE),
    "no retention, which means one day": Case(ONE_DAY, remove(STREAM, "retentionPeriod"), at=PIPE),
    "a stream that is not part of the stack, with no retention configured": Case(
        ONE_DAY,
        put_foreign(PIPE, "source", ELSEWHERE),
        put(CONTACT_RECORDS, RECORDS_STREAM, ELSEWHERE),
        statement(PIPE_POLICY, "ReadStream", Resource=ELSEWHERE),
    ),
    "a retention that is not a number": Case(
        'must read a stream with a numeric retentionPeriod, not "a week"',
        put(STREAM, "retentionPeriod", "a week"),
        at=PIPE,
    ),
    "a shorter retention, and another stream with a longer one": Case(
        ONE_DAY, Edit(PIPE, _add_longer_stream), put(STREAM, "retentionPeriod", 24)
    ),
}

UNDIVIDED = "must set onPartialBatchItemFailure to AUTOMATIC_BISECT, or one bad record fails its whole batch"
CASES["pipe-bisects-failing-batches"] = {
    "no bisection": Case(UNDIVIDED, _remove_source("onPartialBatchItemFailure")),
    "an empty value": Case(UNDIVIDED, _put_source("onPartialBatchItemFailure", "")),
    "a value that is not a string": Case(UNDIVIDED, _put_source("onPartialBatchItemFailure", True)),
}

POSITION = "must have the startingPosition TRIM_HORIZON, not {}, which misses records"
CASES["pipe-starts-at-trim-horizon"] = {
    "LATEST": Case(POSITION.format('"LATEST"'), _put_source("startingPosition", "LATEST")),
    "a point in time": Case(
        POSITION.format('"AT_TIMESTAMP"'), _put_source("startingPosition", "AT_TIMESTAMP")
    ),
    "no position": Case(POSITION.format("null"), _remove_source("startingPosition")),
}

RUNNING = "must have the desiredState RUNNING, not {}, or it loses the records that its stream deletes"
CASES["pipe-is-running"] = {
    "a pipe that is stopped": Case(RUNNING.format('"STOPPED"'), put(PIPE, "desiredState", "STOPPED")),
    "a misspelt state": Case(RUNNING.format('"Running"'), put(PIPE, "desiredState", "Running")),
    "a state that is not a string": Case(RUNNING.format("false"), put(PIPE, "desiredState", False)),
}


def _narrow(*patterns: str) -> Case:
    shown = json.dumps(patterns)
    return Case(f"must let all tracked calls pass its filter, not only {shown}", set_filters(*patterns))


CASES["pipe-filter-passes-tracked-calls"] = {
    "calls of one route only": _narrow('{"data": {"Attributes": {"call_route": ["sales"]}}}'),
    "two filters, neither of which lets all calls pass": _narrow(
        '{"data": {"Channel": ["CHAT"]}}', '{"data": {"Queue": [null]}}'
    ),
    "a filter that is not JSON": _narrow("call_route"),
}

WHOLE_RECORD = '{"event_id": "<$.eventID>", "sequence_number": "<$.sequenceNumber>", "contact": <$.data>}'


def _partial(template: str | None) -> Case:
    message = f"must pass all fields of {WHOLE_RECORD}, not only {json.dumps(template)}"
    return Case(message, put(PIPE, "targetParameters.inputTemplate", template))


CASES["pipe-passes-whole-record"] = {
    "no input template": _partial(None),
    "records without their event id and sequence number": _partial('{"contact": <$.data>}'),
    "only a part of the record": _partial('{"contact": {"ContactId": "<$.data.ContactId>"}}'),
    "a template that is not JSON": _partial("<$.data>"),
}

UNREAD = "must send contact records to a stream that a pipe of this stack reads, not to {}"
DELIVERY = {"firehoseArn": arn("firehose", "deliverystream/calls")}
FIREHOSE = {"storageType": "KINESIS_FIREHOSE", "kinesisFirehoseConfig": DELIVERY}
OTHER_STREAM_ARN = arn("kinesis", "stream/other")
CASES["contact-records-reach-a-pipe"] = {
    "another stream": Case(
        UNREAD.format(OTHER_STREAM_ARN), put(CONTACT_RECORDS, RECORDS_STREAM, OTHER_STREAM_ARN)
    ),
    "no stream": Case(UNREAD.format("null"), put(CONTACT_RECORDS, "storageConfig", FIREHOSE)),
    "no pipe": Case(UNREAD.format(STREAM.arn), delete(PIPE), at=CONTACT_RECORDS),
}

# The state machine


def _lossy(requirement: str, state: str, element: str, value: Any, states: str = EACH_CONTACT) -> Case:
    """Case of a state with an element that loses records."""
    message = f"must {requirement} in {state!r}: {element} is {json.dumps(value)}"
    return Case(message, put(RECORDER, f"{states}.{state}.{element}", value))


OLDER = "must store or fail records after an error in 'Store', not end in 'OlderVersion': {}"
IDLE = "must store or fail every record that enters {!r}, not end in {!r}"
CATCH_ALL = {"ErrorEquals": ["States.ALL"], "Next": "OlderVersion"}
CATCH_FAILED = {"ErrorEquals": ["States.TaskFailed"], "Next": "Gone"}
SUCCEED = {"Type": "Succeed"}
CASES["state-machine-keeps-every-record"] = {
    "every error ignored": Case(
        OLDER.format('["States.ALL"]'), append(RECORDER, f"{EACH_CONTACT}.Store.Catch", CATCH_ALL)
    ),
    "throttling treated as an older version": Case(
        OLDER.format('["DynamoDB.ConditionalCheckFailedException", "DynamoDB.ThrottlingException"]'),
        append(RECORDER, f"{EACH_CONTACT}.Store.Catch[0].ErrorEquals", "DynamoDB.ThrottlingException"),
    ),
    "other errors of DynamoDB dropped in a Choice state": Case(
        OLDER.format('["DynamoDB.AmazonDynamoDBException", "DynamoDB.ValidationException"]'),
        put(RECORDER, f"{EACH_CONTACT}.WhyRefused.Default", "OlderVersion"),
    ),
    "a failed quarantine that drops the record": Case(
        """must store or fail records after an error in 'Quarantine', not end in 'Gone': ["States.TaskFailed"]""",
        put(RECORDER, f"{EACH_CONTACT}.Quarantine.Catch", [CATCH_FAILED]),
        put(RECORDER, f"{EACH_CONTACT}.Gone", SUCCEED),
    ),
    "failures that are tolerated": _lossy(
        "tolerate no failures", "EachContact", "ToleratedFailurePercentage", 100, "definition.States"
    ),
    "the first record of a batch only": _lossy(
        "process its whole input", "EachContact", "Items", "{% [$states.input[0]] %}", "definition.States"
    ),
    "an empty list of records": _lossy(
        "process its whole input", "EachContact", "Items", [], "definition.States"
    ),
    "a part of each record": _lossy(
        "pass the whole item",
        "EachContact",
        "ItemSelector",
        {"id": "{% $states.context.Map.Item.Value.contact.ContactId %}"},
        "definition.States",
    ),
    "one key for all records": _lossy(
        "use a key of the record", "Store", "Arguments.Key", {"contact_id": {"S": "latest"}}
    ),
    "a constant message": _lossy("send the record", "Quarantine", "Arguments.MessageBody", "failed"),
    "a start state after the work": Case(
        IDLE.format("Done", "Done"),
        put(RECORDER, "definition.States.Done", SUCCEED),
        put(RECORDER, "definition.StartAt", "Done"),
    ),
    "a Choice state that lets records expire by default": Case(
        IDLE.format("Read", "Expired"),
        put(RECORDER, f"{EACH_CONTACT}.CanBeStored.Default", "Expired"),
    ),
    "a Choice state that drops what cannot be stored": Case(
        IDLE.format("Read", "OlderVersion"),
        put(RECORDER, f"{EACH_CONTACT}.CanBeStored.Choices[0].Next", "OlderVersion"),
    ),
}

# Queues and logs

KEPT = "must have a messageRetentionSeconds of at least 4 days, not {}"


def _short(queue: str, seconds: int | str) -> Case:
    return Case(KEPT.format(json.dumps(seconds)), put(queue, "messageRetentionSeconds", seconds))


CASES["queues-retain-messages"] = {
    "dead letters kept for one minute": _short(DEAD_LETTERS, 60),
    "quarantined records kept for one second less than four days": _short(QUARANTINE, 345_599),
    "a time that is not a number": _short(QUARANTINE, "14 days"),
}

LOGGED = "must not set includeExecutionData{}, which writes callers' numbers to the log"
INCLUDED = "loggingConfiguration.includeExecutionData"
CASES["no-execution-data-in-logs"] = {
    "the state machine logs its data": Case(LOGGED.format(""), put(RECORDER, INCLUDED, True)),
    "the pipe logs its data": Case(
        LOGGED.format("s"), put(PIPE, "logConfiguration.includeExecutionDatas", ["ALL"])
    ),
    'the state machine logs its data, set by the string "true"': Case(
        LOGGED.format(""), put(RECORDER, INCLUDED, "true")
    ),
}

DAYS = "must have a retentionInDays of at least 1, not {}"
CASES["log-groups-have-retention"] = {
    "no retention": Case(DAYS.format("null"), remove(RECORDER_LOGS, "retentionInDays")),
    "zero days, which means forever": Case(DAYS.format("0"), put(PIPE_LOGS, "retentionInDays", 0)),
    "another log group without retention": Case(
        DAYS.format("null"), add("cloudwatch.LogGroup", name="/added", tags=TAGS)
    ),
}
