"""Pipelines that lose records, that log callers' numbers, or that stop."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from tests.policies import values as v
from tests.policies.edits import Edit, add, append, delete, put, put_foreign, remove, sequence, statement
from tests.policies.mutations.case import Cases, named, table, values
from tests.policies.stacks import Stack
from tests.policies.values import arn

STREAM_SOURCE = "sourceParameters.kinesisStreamParameters"
"""Path of the pipe's parameters for its stream."""
RECORDS_STREAM = "storageConfig.kinesisStreamConfig.streamArn"
"""Path of the stream that Amazon Connect sends contact records to."""
EACH_CONTACT = "definition.States.EachContact.ItemProcessor.States"
"""Path of the states that run for each contact."""


def set_target(target_arn: str) -> Edit:
    """Makes the pipe call another state machine, or the same by another ARN, and permits its role to do so."""
    role = statement(v.PIPE_POLICY, "RecordRoutes", Resource=target_arn)
    return sequence(put_foreign(v.PIPE, "target", target_arn), role)


def set_filters(*patterns: str) -> Edit:
    """Gives the pipe other filters."""
    return put(v.PIPE, "sourceParameters.filterCriteria.filters", [{"pattern": each} for each in patterns])


def _source(parameter: str, *alternatives: Any) -> list[tuple[Any, ...]]:
    return values(v.PIPE, f"{STREAM_SOURCE}.{parameter}", *alternatives)


INVOCATION = "targetParameters.stepFunctionStateMachineParameters.invocationType"
FORGET = put(v.PIPE, INVOCATION, "FIRE_AND_FORGET")
START_ONLY = statement(v.PIPE_POLICY, "RecordRoutes", Action=["states:StartExecution"])
STANDARD = put(v.RECORDER, "type", "STANDARD")
OTHER_MACHINE = arn("states", "stateMachine:other")

NO_KEEP = remove(v.PIPE_POLICY, "policy.Statement[KeepDeadLetters]")
DEAD_LETTERS = f"{STREAM_SOURCE}.deadLetterConfig"
FIFO, TOPIC = f"{v.DEAD_LETTERS.arn}.fifo", arn("sns", "dead-letters")
_keep = partial(statement, v.PIPE_POLICY, "KeepDeadLetters")

AGE = f"{STREAM_SOURCE}.maximumRecordAgeInSeconds"
ONE_DAY = ("24", "86400")
ELSEWHERE = arn("kinesis", "stream/elsewhere")
NO_NUMBER = 'must read a stream with a numeric retentionPeriod, not "a week"'
_retention = partial(put, v.STREAM, "retentionPeriod")


def _add_longer_stream(stack: Stack) -> None:
    """Adds a stream that is kept for longer, in front of the pipe's, and makes the source come from both."""
    stream, pipe = stack.one("Stream"), stack.one("Pipe")
    inputs = {**stream.inputs, "retentionPeriod": 8_760}
    longer = stack.add(stream.type, "longer", inputs, arn=f"{v.STREAM.arn}-2")
    longer.protect = True
    stack.insert(1, stack.pop())
    pipe.dependencies["source"] = [longer.urn, stream.urn]


SALES = '{"data": {"Attributes": {"call_route": ["sales"]}}}'
NEITHER = ('{"data": {"Channel": ["CHAT"]}}', '{"data": {"Queue": [null]}}')
FILTERS = ((SALES,), NEITHER, ("call_route",))
WHOLE_RECORD = '{{"event_id": "<$.eventID>", "sequence_number": "<$.sequenceNumber>", "contact": <$.data>}}'
TEMPLATES = (None, '{"contact": <$.data>}', '{"contact": {"ContactId": "<$.data.ContactId>"}}', "<$.data>")
DELIVERY = {"firehoseArn": arn("firehose", "deliverystream/calls")}
FIREHOSE = {"storageType": "KINESIS_FIREHOSE", "kinesisFirehoseConfig": DELIVERY}
OTHER_STREAM = arn("kinesis", "stream/other")


def _lossy(
    requirement: str, state: str, element: str, value: Any, path: str = EACH_CONTACT
) -> tuple[Any, ...]:
    """Returns a row with a state whose element loses records."""
    edit = put(v.RECORDER, f"{path}.{state}.{element}", value)
    return f"{state}.{element}: {value}", (requirement, repr(state), element, json.dumps(value)), edit


_batch = partial(_lossy, state="EachContact", path="definition.States")
ID = {"id": "{% $states.context.Map.Item.Value.contact.ContactId %}"}
CATCH = f"{EACH_CONTACT}.Store.Catch"
CATCH_ALL = {"ErrorEquals": ["States.ALL"], "Next": "OlderVersion"}
FAILED = {"ErrorEquals": ["States.TaskFailed"], "Next": "Gone"}
SUCCEED = {"Type": "Succeed"}
CHECK, THROTTLED = "DynamoDB.ConditionalCheckFailedException", "DynamoDB.ThrottlingException"
OTHERS = '["DynamoDB.AmazonDynamoDBException", "DynamoDB.ValidationException"]'
OLDER = partial(put, v.RECORDER, value="OlderVersion")
CAN_BE_STORED = f"{EACH_CONTACT}.CanBeStored"
LOGGED = "loggingConfiguration.includeExecutionData"

# fmt: off
CASES: Cases = {
    "pipe-invokes-synchronously": table(
        "must invoke its state machine with REQUEST_RESPONSE, not {}, to see its failures",
        ("FIRE_AND_FORGET", '"FIRE_AND_FORGET"', FORGET, START_ONLY),
        *values(v.PIPE, INVOCATION, "request_response", ""),
    ),
    "pipe-target-is-express": {
        **table(
            f"must have the type EXPRESS, not {{}}: {v.PIPE} invokes it synchronously",
            *values(v.RECORDER, "type", "STANDARD", "Express"),
            ("no type", '"STANDARD"', remove(v.RECORDER, "type")),
            ("an alias", '"STANDARD"', STANDARD, set_target(f"{v.RECORDER.arn}:live")),
            ("a version", '"STANDARD"', STANDARD, set_target(f"{v.RECORDER.arn}:1")),
        ),
        **table(
            'must invoke a state machine in this stack: the type of "{}" is not known',
            ("a state machine of another stack", OTHER_MACHINE, set_target(OTHER_MACHINE)),
        ),
    },
    "pipe-has-dead-letter-queue": table(
        "must have a standard SQS queue for dead letters, or it loses records that keep failing",
        ("no dead-letter queue", (), remove(v.PIPE, DEAD_LETTERS), NO_KEEP),
        ("no ARN", (), put(v.PIPE, DEAD_LETTERS, {}), NO_KEEP),
        ("a FIFO queue", (), put(v.PIPE, f"{DEAD_LETTERS}.arn", FIFO),
         _keep(Resource=FIFO, Action="sqs:SendMessage")),
        ("a topic", (), put(v.PIPE, f"{DEAD_LETTERS}.arn", TOPIC),
         _keep(Resource=TOPIC, Action="sns:Publish")),
    ),
    "pipe-retries-are-limited": {
        **table(
            "must limit maximumRetryAttempts, not {}, or one failing record blocks its shard",
            *_source("maximumRetryAttempts", None, -1),
        ),
        **table(
            "must limit maximumRecordAgeInSeconds, not {}, or one failing record blocks its shard",
            *_source("maximumRecordAgeInSeconds", -1, "a day"),
        ),
    },
    "pipe-age-below-stream-retention": {
        **table(
            "must have a maximumRecordAgeInSeconds below the {} hours that its stream retains records, not {},"
            " or a failed record cannot be replayed",
            ("an age that equals the retention", ("168", "604800"), put(v.PIPE, AGE, 604_800)),
            ("a shorter retention", ONE_DAY, named(v.PIPE, _retention(24))),
            ("the default retention", ONE_DAY, named(v.PIPE, remove(v.STREAM, "retentionPeriod"))),
            ("a stream of another stack", ONE_DAY, put_foreign(v.PIPE, "source", ELSEWHERE),
             put(v.CONTACT_RECORDS, RECORDS_STREAM, ELSEWHERE),
             statement(v.PIPE_POLICY, "ReadStream", Resource=ELSEWHERE)),
            ("two streams", ONE_DAY, Edit(v.PIPE, _add_longer_stream), _retention(24)),
        ),
        **table(NO_NUMBER, ("not a number", (), named(v.PIPE, _retention("a week")))),
    },
    "pipe-bisects-failing-batches": table(
        "must set onPartialBatchItemFailure to AUTOMATIC_BISECT, or one bad record fails its whole batch",
        *_source("onPartialBatchItemFailure", None, "", True),
    ),
    "pipe-starts-at-trim-horizon": table(
        "must have the startingPosition TRIM_HORIZON, not {}, which misses records",
        *_source("startingPosition", "LATEST", "AT_TIMESTAMP", None),
    ),
    "pipe-is-running": table(
        "must have the desiredState RUNNING, not {}, or it loses the records that its stream deletes",
        *values(v.PIPE, "desiredState", "STOPPED", "Running", False),
    ),
    "pipe-filter-passes-tracked-calls": table(
        "must let all tracked calls pass its filter, not only {}",
        *((" ".join(each), json.dumps(each), set_filters(*each)) for each in FILTERS),
    ),
    "pipe-passes-whole-record": table(
        f"must pass all fields of {WHOLE_RECORD}, not only {{}}",
        *(
            (str(each), json.dumps(each), put(v.PIPE, "targetParameters.inputTemplate", each))
            for each in TEMPLATES
        ),
    ),
    "contact-records-reach-a-pipe": table(
        "must send contact records to a stream that a pipe of this stack reads, not to {}",
        ("another stream", OTHER_STREAM, put(v.CONTACT_RECORDS, RECORDS_STREAM, OTHER_STREAM)),
        ("no stream", "null", put(v.CONTACT_RECORDS, "storageConfig", FIREHOSE)),
        ("no pipe", v.STREAM.arn, named(v.CONTACT_RECORDS, delete(v.PIPE))),
    ),
    "state-machine-keeps-every-record": {
        **table(
            "must store or fail records after an error in '{}', not end in '{}': {}",
            ("every error ignored", ("Store", "OlderVersion", '["States.ALL"]'),
             append(v.RECORDER, CATCH, CATCH_ALL)),
            ("throttling treated as an older version",
             ("Store", "OlderVersion", json.dumps([CHECK, THROTTLED])),
             append(v.RECORDER, f"{CATCH}[0].ErrorEquals", THROTTLED)),
            ("other errors dropped in a Choice state", ("Store", "OlderVersion", OTHERS),
             OLDER(path=f"{EACH_CONTACT}.WhyRefused.Default")),
            ("a failed quarantine that drops the record", ("Quarantine", "Gone", '["States.TaskFailed"]'),
             put(v.RECORDER, f"{EACH_CONTACT}.Quarantine.Catch", [FAILED]),
             put(v.RECORDER, f"{EACH_CONTACT}.Gone", SUCCEED)),
        ),
        **table(
            "must {} in {}: {} is {}",
            _batch("tolerate no failures", element="ToleratedFailurePercentage", value=100),
            _batch("process its whole input", element="Items", value="{% [$states.input[0]] %}"),
            _batch("process its whole input", element="Items", value=[]),
            _batch("pass the whole item", element="ItemSelector", value=ID),
            _lossy("use data from the record", "Store", "Arguments.Key", {"contact_id": {"S": "latest"}}),
            _lossy("use data from the record", "Quarantine", "Arguments.MessageBody", "failed"),
        ),
        **table(
            "must store or fail every record that enters '{}', not end in '{}'",
            ("a start state after the work", ("Done", "Done"),
             put(v.RECORDER, "definition.States.Done", SUCCEED),
             put(v.RECORDER, "definition.StartAt", "Done")),
            ("expiry by default", ("Read", "Expired"),
             put(v.RECORDER, f"{CAN_BE_STORED}.Default", "Expired")),
            ("a dropped record", ("Read", "OlderVersion"), OLDER(path=f"{CAN_BE_STORED}.Choices[0].Next")),
        ),
    },
    "queues-retain-messages": table(
        "must have a messageRetentionSeconds of at least 4 days, not {}",
        *values(v.DEAD_LETTERS, "messageRetentionSeconds", 60),
        *values(v.QUARANTINE, "messageRetentionSeconds", 345_599, "14 days"),
    ),
    "no-execution-data-in-logs": table(
        "must not set includeExecutionData{}, which writes callers' numbers to the log",
        ("the state machine", "", put(v.RECORDER, LOGGED, True)),
        ("the pipe", "s", put(v.PIPE, "logConfiguration.includeExecutionDatas", ["ALL"])),
        ("a string", "", put(v.RECORDER, LOGGED, "true")),
    ),
    "log-groups-have-retention": table(
        "must have a retentionInDays of at least 1, not {}",
        *values(v.RECORDER_LOGS, "retentionInDays", None),
        *values(v.PIPE_LOGS, "retentionInDays", 0),
        ("another log group", "null", add("cloudwatch.LogGroup", name="/added", tags=v.TAGS)),
    ),
}
