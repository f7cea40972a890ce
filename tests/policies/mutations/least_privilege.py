"""Roles that may do less or more than their state machine or their pipe needs."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.policies import values as v
from tests.policies.edits import Edit, add, add_statement, append, put, remove, statement, trust
from tests.policies.mutations.case import Case, Cases, named, table
from tests.policies.mutations.pipeline import EACH_CONTACT, STREAM_SOURCE
from tests.policies.values import arn, document, open_to

MISSING = "must allow {} on {} for {}: {}"
EXCESS = "must not allow {} on {}: not used by {}"
UNTRUSTED = "must let its service assume it on behalf of {}"
UNKNOWN = "must not set {}: its required permissions are not known"
OTHER_POLICY = "arn:aws:iam::111111111111:policy/other"
OTHER_ROLE = "arn:aws:iam::111111111111:role/other"

# State machines

NO_STORE = MISSING.format("dynamodb:UpdateItem", v.TABLE.arn, v.RECORDER, "used by its state 'Store'")
NO_QUARANTINE = MISSING.format(
    "sqs:SendMessage", v.QUARANTINE.arn, v.RECORDER, "used by its state 'Quarantine'"
)
USES_KEY = ("kms:Decrypt", "kms:GenerateDataKey")
NO_KEY = [MISSING.format(each, v.KEY_ARN, v.RECORDER, f"encrypts {v.QUARANTINE}") for each in USES_KEY]
SCAN = EXCESS.format("dynamodb:Scan", v.TABLE.arn, v.RECORDER)
SCAN_BY_ROLE = open_to({"AWS": [v.RECORDER_ROLE.arn]}, "dynamodb:Scan", v.TABLE.arn)
UPDATE_AND_SCAN = ["dynamodb:UpdateItem", "dynamodb:Scan"]
DENY_ALL = open_to("*", "sqs:*", v.QUARANTINE.arn, Effect="Deny")
OTHER_TABLE, COPIES = arn("dynamodb", "table/other"), arn("dynamodb", "table/copies")
NO_COPY = MISSING.format("dynamodb:UpdateItem", COPIES, v.RECORDER, "used by its state 'Copy'")
UPDATE_ITEM = "arn:aws:states:::dynamodb:updateItem"
COPY = {
    "Type": "Task",
    "Resource": UPDATE_ITEM,
    "Arguments": {"TableName": "copies", "UpdateExpression": "SET copied = copied"},
    "End": True,
}
OLDER_MAP = {"Type": "Map", "Iterator": {"StartAt": "Copy", "States": {"Copy": COPY}}, "End": True}
OTHER_QUEUE = v.QUARANTINE.arn.replace("ap-northeast-1:111111111111", "us-west-2:222222222222")
OTHER_QUEUE_URL = f"https://sqs.us-west-2.amazonaws.com/222222222222/{v.QUARANTINE}-0000000"
QUEUE_URL = f"{EACH_CONTACT}.Quarantine.Arguments.QueueUrl"
TWO_SERVICES = {"Service": ["states.amazonaws.com", "lambda.amazonaws.com"]}
OTHER_MACHINE = {"ArnLike": {"aws:SourceArn": arn("states", "stateMachine:other")}}
KEY_OF_DEFINITION = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": v.KEY_ARN}
BOUNDARY = {"arn": "arn:aws:iam::111111111111:policy/boundary"}
LOG_ACTIONS = ["CreateLogDelivery", "DeleteLogDelivery", "DescribeLogGroups", "DescribeResourcePolicies"]
LOG_ACTIONS += ["GetLogDelivery", "ListLogDeliveries", "PutResourcePolicy", "UpdateLogDelivery"]
BOUNDARY_POLICY = document(
    [
        {"Effect": "Allow", "Action": [f"logs:{each}" for each in LOG_ACTIONS], "Resource": "*"},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": v.QUARANTINE.arn},
    ]
)
_deny = partial(add_statement, v.RECORDER_POLICY, Effect="Deny")
_store = partial(statement, v.RECORDER_POLICY, "Store")


def _at(role: str, rows: list[tuple[Any, ...]]) -> dict[str, Case]:
    """Returns cases whose messages are about a role, whatever they change."""
    return table("{}", *((title, texts, named(role, first), *rest) for title, texts, first, *rest in rows))


def _store_if(operator: str, key: str, value: str) -> Edit:
    return _store(Condition={operator: {key: value}})


def _state(path: str, value: Any) -> Edit:
    return put(v.RECORDER, f"definition.States.{path}", value)


DISTRIBUTED = {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
READER = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Arguments": {"Bucket": "calls"}}
WRITER = {"Resource": "arn:aws:states:::s3:putObject", "Arguments": {"Bucket": "calls"}}
WRITER_ROLE = {"RoleArn": "arn:aws:iam::111111111111:role/writer"}
PUBLISH = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Arguments": {}, "End": True}
CREDENTIALS = f"{EACH_CONTACT}.Store.Credentials".removeprefix("definition.States.")
INTEGRATION = "'arn:aws:states:::sns:publish'; add it to _INTEGRATIONS"

# Pipes

NO_DEAD_LETTERS = MISSING.format("sqs:SendMessage", v.DEAD_LETTERS.arn, v.PIPE, "used to send dead letters")
DENY_ASSUME = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
BUT_QUEUES = ["kinesis:*", "states:*", "logs:*"]
OTHER_KEY = add_statement(v.PIPE_POLICY, Action="kms:Decrypt", Resource=v.OTHER_KEY_ARN)
WRITE_STREAM = add_statement(v.PIPE_POLICY, Action="kinesis:PutRecord", Resource=v.STREAM.arn)
WRITE_LOG = add_statement(v.PIPE_POLICY, Action="logs:PutLogEvents", Resource=f"{v.PIPE_LOGS.arn}:*")
DENY_OTHERS = add_statement(v.PIPE_POLICY, Effect="Deny", NotAction=BUT_QUEUES, Resource="*")
OTHER_PIPE = trust(v.PIPE_ROLE, Condition={"StringEquals": {"aws:SourceArn": f"{v.PIPE.arn}-2"}})

# fmt: off
CASES: Cases = {
    "state-machine-role-matches-definition": {
        **_at(
            v.RECORDER_ROLE,
            [
                ("no permission", NO_QUARANTINE, remove(v.RECORDER_POLICY, "policy.Statement[Quarantine]")),
                ("a permission to read", SCAN, _store(Action=UPDATE_AND_SCAN)),
                ("the permission for another table",
                 [NO_STORE, EXCESS.format("dynamodb:UpdateItem", OTHER_TABLE, v.RECORDER)],
                 _store(Resource=OTHER_TABLE)),
                ("a state that writes to another table", NO_COPY, _state("Copy", COPY)),
                ("the older field Iterator", NO_COPY, _state("Old", OLDER_MAP)),
                (
                    "a queue of the same name in another account and region",
                    [
                        NO_QUARANTINE.replace(v.QUARANTINE.arn, OTHER_QUEUE),
                        EXCESS.format("sqs:SendMessage", v.QUARANTINE.arn, v.RECORDER),
                    ],
                    put(v.RECORDER, QUEUE_URL, OTHER_QUEUE_URL),
                ),
                ("a Deny", NO_STORE, _deny(Action="dynamodb:*", Resource=v.TABLE.arn)),
                ("another region", NO_STORE, _store_if("StringEquals", "aws:RequestedRegion", "us-east-1")),
                ("another account", NO_STORE,
                 _store_if("StringEquals", "aws:ResourceAccount", "222222222222")),
                ("a network", NO_STORE, _store_if("StringEquals", "aws:SourceVpce", "vpce-1a2b3c4d")),
                ("a past date", NO_STORE,
                 _store_if("DateLessThan", "aws:CurrentTime", "2020-01-01T00:00:00Z")),
                (
                    "a Deny under a condition that is always true",
                    NO_STORE,
                    _deny(
                        Action="dynamodb:*",
                        Resource="*",
                        Condition={"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}},
                    ),
                ),
                ("a boundary of the stack that does not allow it", NO_STORE,
                 put(v.RECORDER_ROLE, "permissionsBoundary", BOUNDARY["arn"]),
                 add("iam.Policy", policy=BOUNDARY_POLICY, outputs=BOUNDARY)),
                ("a Deny with NotAction", NO_QUARANTINE,
                 _deny(NotAction=["dynamodb:*", "logs:*"], Resource="*")),
                ("a Deny with NotResource", NO_QUARANTINE, _deny(Action="sqs:*", NotResource=v.TABLE.arn)),
                ("the policy of the table", SCAN,
                 add("dynamodb.ResourcePolicy", resourceArn=v.TABLE.arn, policy=SCAN_BY_ROLE)),
                ("the policy of the queue", NO_QUARANTINE,
                 add("sqs.QueuePolicy", queueUrl="quarantine", policy=DENY_ALL)),
                ("a customer managed key", NO_KEY, put(v.QUARANTINE, "kmsMasterKeyId", v.KEY_ARN)),
                ("a managed policy of another stack",
                 f"must use only policies from this stack: the permissions of {OTHER_POLICY} are not known",
                 put(v.RECORDER_ROLE, "managedPolicyArns", [OTHER_POLICY])),
                ("another service",
                 f"must not trust lambda.amazonaws.com, which is not the service of {v.RECORDER}",
                 trust(v.RECORDER_ROLE, Principal=TWO_SERVICES)),
                ("another state machine", UNTRUSTED.format(v.RECORDER.arn),
                 trust(v.RECORDER_ROLE, Condition=OTHER_MACHINE)),
            ],
        ),
        **table(
            "must have a definition with known permissions: state '{}': no permission is known for {}",
            ("ItemReader", ("EachContact", "ItemReader"), _state("EachContact.ItemReader", READER)),
            ("ResultWriter", ("EachContact", "ResultWriter"), _state("EachContact.ResultWriter", WRITER)),
            ("a distributed Map", ("EachContact", "the ProcessorConfig.Mode 'DISTRIBUTED'"),
             _state("EachContact.ItemProcessor.ProcessorConfig", DISTRIBUTED)),
            ("another role", ("Store", "Credentials"), _state(CREDENTIALS, WRITER_ROLE)),
            ("a service integration", ("Tell", INTEGRATION), _state("Tell", PUBLISH)),
        ),
        **table(
            UNKNOWN,
            ("a customer managed key for the definition", "encryptionConfiguration.kmsKeyId",
             put(v.RECORDER, "encryptionConfiguration", KEY_OF_DEFINITION)),
        ),
    },
    "pipe-role-matches-pipe": {
        **_at(
            v.PIPE_ROLE,
            [
                ("no permission", NO_DEAD_LETTERS,
                 remove(v.PIPE_POLICY, "policy.Statement[KeepDeadLetters]")),
                ("a permission to write", EXCESS.format("kinesis:PutRecord", v.STREAM.arn, v.PIPE),
                 WRITE_STREAM),
                (
                    "another dead-letter queue",
                    [
                        NO_DEAD_LETTERS.replace(v.DEAD_LETTERS.arn, v.QUARANTINE.arn),
                        EXCESS.format("sqs:SendMessage", v.DEAD_LETTERS.arn, v.PIPE),
                    ],
                    put(v.PIPE, f"{STREAM_SOURCE}.deadLetterConfig.arn", v.QUARANTINE.arn),
                ),
                ("the log", EXCESS.format("logs:PutLogEvents", f"{v.PIPE_LOGS.arn}:*", v.PIPE), WRITE_LOG),
                (
                    "another key",
                    [
                        MISSING.format("kms:Decrypt", v.KEY_ARN, v.PIPE, f"encrypts {v.STREAM}"),
                        EXCESS.format("kms:Decrypt", v.OTHER_KEY_ARN, v.PIPE),
                    ],
                    put(v.STREAM, "kmsKeyId", v.KEY_ARN),
                    OTHER_KEY,
                ),
                ("a Deny with NotAction", NO_DEAD_LETTERS, DENY_OTHERS),
                (
                    "another service",
                    [
                        f"must trust the service of {v.PIPE}",
                        f"must not trust states.amazonaws.com, which is not the service of {v.PIPE}",
                    ],
                    trust(v.PIPE_ROLE, Principal={"Service": "states.amazonaws.com"}),
                ),
                ("another pipe", UNTRUSTED.format(v.PIPE.arn), OTHER_PIPE),
                ("a Deny for every principal", UNTRUSTED.format(v.PIPE.arn),
                 append(v.PIPE_ROLE, "assumeRolePolicy.Statement", DENY_ASSUME)),
            ],
        ),
        **table(
            UNKNOWN,
            ("a log in a bucket", "logConfiguration.s3LogDestination",
             put(v.PIPE, "logConfiguration.s3LogDestination", {"bucketName": "logs"})),
            ("a key for the pipe", "kmsKeyIdentifier", put(v.PIPE, "kmsKeyIdentifier", v.KEY_ARN)),
        ),
        **table(
            'must use a role from this stack: the permissions of "{}" are not known',
            ("a role of another stack", OTHER_ROLE, put(v.PIPE, "roleArn", OTHER_ROLE)),
        ),
    },
}
