"""Roles that may do less or more than their state machine or their pipe needs."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.policies.edits import Edit, add, add_statement, append, put, remove, statement, trust
from tests.policies.mutations.case import Case, Cases
from tests.policies.mutations.pipeline import EACH_CONTACT, STREAM_SOURCE
from tests.policies.values import (
    DEAD_LETTERS,
    KEY_ARN,
    OTHER_KEY_ARN,
    PIPE,
    PIPE_LOGS,
    PIPE_POLICY,
    PIPE_ROLE,
    QUARANTINE,
    RECORDER,
    RECORDER_POLICY,
    RECORDER_ROLE,
    STREAM,
    TABLE,
    arn,
    document,
    open_to,
)

CASES: Cases = {}

MISSING = "must allow {} on {} for {}: {}"
EXCESS = "must not allow {} on {}: not used by {}"
UNTRUSTED = "must trust its service on behalf of {}"
UNKNOWN = "must not set {}: its required permissions are not known"
OTHER_POLICY_ARN = "arn:aws:iam::111111111111:policy/other"
OTHER_ROLE_ARN = "arn:aws:iam::111111111111:role/other"

# State machines

NO_STORE = MISSING.format("dynamodb:UpdateItem", TABLE.arn, RECORDER, "used by its state 'Store'")
NO_QUARANTINE = MISSING.format("sqs:SendMessage", QUARANTINE.arn, RECORDER, "used by its state 'Quarantine'")
NO_KEY = [
    MISSING.format(action, KEY_ARN, RECORDER, f"encrypts {QUARANTINE}")
    for action in ("kms:Decrypt", "kms:GenerateDataKey")
]
SCAN = EXCESS.format("dynamodb:Scan", TABLE.arn, RECORDER)
SCAN_BY_ROLE = open_to({"AWS": [RECORDER_ROLE.arn]}, "dynamodb:Scan", TABLE.arn)
UPDATE_AND_SCAN = ["dynamodb:UpdateItem", "dynamodb:Scan"]
DENY_EVERYBODY = open_to("*", "sqs:*", QUARANTINE.arn, Effect="Deny")
OTHER_TABLE_ARN = arn("dynamodb", "table/other")

COPIES_ARN = arn("dynamodb", "table/copies")
NO_COPY = MISSING.format("dynamodb:UpdateItem", COPIES_ARN, RECORDER, "used by its state 'Copy'")
UPDATE_ITEM = "arn:aws:states:::dynamodb:updateItem"
COPY = {"Type": "Task", "Resource": UPDATE_ITEM, "Arguments": {"TableName": "copies"}, "End": True}
OLDER_MAP = {"Type": "Map", "Iterator": {"StartAt": "Copy", "States": {"Copy": COPY}}, "End": True}

OTHER_QUEUE_ARN = QUARANTINE.arn.replace("ap-northeast-1:111111111111", "us-west-2:222222222222")
OTHER_QUEUE_URL = f"https://sqs.us-west-2.amazonaws.com/222222222222/{QUARANTINE}-0000000"

BUCKET = {"Bucket": "calls"}
WRITER_ROLE = {"RoleArn": "arn:aws:iam::111111111111:role/writer"}
PUBLISH = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Arguments": {}, "End": True}

_recorder_role = partial(Case, at=RECORDER_ROLE)


def _unknown(state: str, cause: str, path: str, value: Any) -> Case:
    """Case of a definition that needs permissions which the rule does not know."""
    message = (
        f"must have a definition with known permissions: state {state!r}: no permission is known for {cause}"
    )
    return Case(message, put(RECORDER, f"definition.States.{path}", value))


def _store_if(operator: str, key: str, value: str) -> Edit:
    """Adds a condition to the permission to store records."""
    return statement(RECORDER_POLICY, "Store", Condition={operator: {key: value}})


BOUNDARY = {"arn": "arn:aws:iam::111111111111:policy/boundary"}
LOG_ACTIONS = ["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups"]
LOG_ACTIONS += ["logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries"]
LOG_ACTIONS += ["logs:PutResourcePolicy", "logs:UpdateLogDelivery"]
BOUNDARY_POLICY = document(
    [
        {"Effect": "Allow", "Action": LOG_ACTIONS, "Resource": "*"},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUARANTINE.arn},
    ]
)

CASES["state-machine-role-matches-definition"] = {
    "no permission to quarantine": _recorder_role(
        NO_QUARANTINE, remove(RECORDER_POLICY, "policy.Statement[Quarantine]")
    ),
    "a permission to read the table": _recorder_role(
        SCAN, statement(RECORDER_POLICY, "Store", Action=UPDATE_AND_SCAN)
    ),
    "the permission for another table": _recorder_role(
        [NO_STORE, EXCESS.format("dynamodb:UpdateItem", OTHER_TABLE_ARN, RECORDER)],
        statement(RECORDER_POLICY, "Store", Resource=OTHER_TABLE_ARN),
    ),
    "a state that writes to another table": _recorder_role(
        NO_COPY, put(RECORDER, "definition.States.Copy", COPY)
    ),
    "a state that writes to another table, in a Map with the older field Iterator": _recorder_role(
        NO_COPY, put(RECORDER, "definition.States.Old", OLDER_MAP)
    ),
    "a queue of the same name in another account and region": _recorder_role(
        [
            NO_QUARANTINE.replace(QUARANTINE.arn, OTHER_QUEUE_ARN),
            EXCESS.format("sqs:SendMessage", QUARANTINE.arn, RECORDER),
        ],
        put(RECORDER, f"{EACH_CONTACT}.Quarantine.Arguments.QueueUrl", OTHER_QUEUE_URL),
    ),
    "another service that may also assume the role": Case(
        f"must not trust lambda.amazonaws.com, which is not the service of {RECORDER}",
        trust(RECORDER_ROLE, Principal={"Service": ["states.amazonaws.com", "lambda.amazonaws.com"]}),
    ),
    "a Map that reads its items from a bucket": _unknown(
        "EachContact",
        "ItemReader",
        "EachContact.ItemReader",
        {"Resource": "arn:aws:states:::s3:listObjectsV2", "Arguments": BUCKET},
    ),
    "a Map that writes its results to a bucket": _unknown(
        "EachContact",
        "ResultWriter",
        "EachContact.ResultWriter",
        {"Resource": "arn:aws:states:::s3:putObject", "Arguments": BUCKET},
    ),
    "a distributed Map": _unknown(
        "EachContact",
        "the ProcessorConfig.Mode 'DISTRIBUTED'",
        "EachContact.ItemProcessor.ProcessorConfig",
        {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
    ),
    "a state that assumes another role": _unknown(
        "Store", "Credentials", "EachContact.ItemProcessor.States.Store.Credentials", WRITER_ROLE
    ),
    "a service integration with unknown permissions": _unknown(
        "Tell", "'arn:aws:states:::sns:publish'; add it to _INTEGRATIONS", "Tell", PUBLISH
    ),
    "a Deny on what the definition does": _recorder_role(
        NO_STORE, add_statement(RECORDER_POLICY, Effect="Deny", Action="dynamodb:*", Resource=TABLE.arn)
    ),
    "a permission under a condition on another region": _recorder_role(
        NO_STORE, _store_if("StringEquals", "aws:RequestedRegion", "us-east-1")
    ),
    "a permission under a condition on another account": _recorder_role(
        NO_STORE, _store_if("StringEquals", "aws:ResourceAccount", "222222222222")
    ),
    "a permission for a network": _recorder_role(
        NO_STORE, _store_if("StringEquals", "aws:SourceVpce", "vpce-1a2b3c4d")
    ),
    "a permission that has ended": _recorder_role(
        NO_STORE, _store_if("DateLessThan", "aws:CurrentTime", "2020-01-01T00:00:00Z")
    ),
    "a Deny under a condition that always holds": _recorder_role(
        NO_STORE,
        add_statement(
            RECORDER_POLICY,
            Effect="Deny",
            Action="dynamodb:*",
            Resource="*",
            Condition={"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}},
        ),
    ),
    "a boundary of the stack that does not allow it": _recorder_role(
        NO_STORE,
        put(RECORDER_ROLE, "permissionsBoundary", BOUNDARY["arn"]),
        add("iam.Policy", policy=BOUNDARY_POLICY, outputs=BOUNDARY),
    ),
    "a Deny on all actions but some": _recorder_role(
        NO_QUARANTINE,
        add_statement(RECORDER_POLICY, Effect="Deny", NotAction=["dynamodb:*", "logs:*"], Resource="*"),
    ),
    "a Deny on all resources but one": _recorder_role(
        NO_QUARANTINE, add_statement(RECORDER_POLICY, Effect="Deny", Action="sqs:*", NotResource=TABLE.arn)
    ),
    "a permission to read the table, in the policy of the table": _recorder_role(
        SCAN, add("dynamodb.ResourcePolicy", resourceArn=TABLE.arn, policy=SCAN_BY_ROLE)
    ),
    "a Deny for every principal in the policy of the quarantine queue": _recorder_role(
        NO_QUARANTINE, add("sqs.QueuePolicy", queueUrl="quarantine", policy=DENY_EVERYBODY)
    ),
    "a managed policy that is not part of the stack": Case(
        f"must have only policies of this stack: the permissions of {OTHER_POLICY_ARN} are not known",
        put(RECORDER_ROLE, "managedPolicyArns", [OTHER_POLICY_ARN]),
    ),
    "a customer managed key for the quarantine queue, and no permission to use it": _recorder_role(
        NO_KEY, put(QUARANTINE, "kmsMasterKeyId", KEY_ARN)
    ),
    "another state machine that may assume the role instead": Case(
        UNTRUSTED.format(RECORDER.arn),
        trust(RECORDER_ROLE, Condition={"ArnLike": {"aws:SourceArn": arn("states", "stateMachine:other")}}),
    ),
    "a customer managed key for the definition, with unknown permissions": Case(
        UNKNOWN.format("encryptionConfiguration.kmsKeyId"),
        put(RECORDER, "encryptionConfiguration", {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": KEY_ARN}),
    ),
}

# Pipes

NO_DEAD_LETTERS = MISSING.format("sqs:SendMessage", DEAD_LETTERS.arn, PIPE, "used to send dead letters")
DENY_ASSUME = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
BUT_QUEUES = ["kinesis:*", "states:*", "logs:*"]

_pipe_role = partial(Case, at=PIPE_ROLE)

CASES["pipe-role-matches-pipe"] = {
    "no permission to send dead letters": _pipe_role(
        NO_DEAD_LETTERS, remove(PIPE_POLICY, "policy.Statement[KeepDeadLetters]")
    ),
    "a permission to write to the stream": _pipe_role(
        EXCESS.format("kinesis:PutRecord", STREAM.arn, PIPE),
        add_statement(PIPE_POLICY, Action="kinesis:PutRecord", Resource=STREAM.arn),
    ),
    "a dead-letter queue that the role does not name": _pipe_role(
        [
            NO_DEAD_LETTERS.replace(DEAD_LETTERS.arn, QUARANTINE.arn),
            EXCESS.format("sqs:SendMessage", DEAD_LETTERS.arn, PIPE),
        ],
        put(PIPE, f"{STREAM_SOURCE}.deadLetterConfig.arn", QUARANTINE.arn),
    ),
    "a permission to write the log, which EventBridge does not need": _pipe_role(
        EXCESS.format("logs:PutLogEvents", f"{PIPE_LOGS.arn}:*", PIPE),
        add_statement(PIPE_POLICY, Action="logs:PutLogEvents", Resource=f"{PIPE_LOGS.arn}:*"),
    ),
    "a customer managed key for the stream, and the permission for another key": _pipe_role(
        [
            MISSING.format("kms:Decrypt", KEY_ARN, PIPE, f"encrypts {STREAM}"),
            EXCESS.format("kms:Decrypt", OTHER_KEY_ARN, PIPE),
        ],
        put(STREAM, "kmsKeyId", KEY_ARN),
        add_statement(PIPE_POLICY, Action="kms:Decrypt", Resource=OTHER_KEY_ARN),
    ),
    "a log in a bucket, with unknown permissions": Case(
        UNKNOWN.format("logConfiguration.s3LogDestination"),
        put(PIPE, "logConfiguration.s3LogDestination", {"bucketName": "logs"}),
    ),
    "a Deny on all actions but some": _pipe_role(
        NO_DEAD_LETTERS, add_statement(PIPE_POLICY, Effect="Deny", NotAction=BUT_QUEUES, Resource="*")
    ),
    "another service that may assume the role instead": Case(
        [
            f"must trust the service of {PIPE}",
            f"must not trust states.amazonaws.com, which is not the service of {PIPE}",
        ],
        trust(PIPE_ROLE, Principal={"Service": "states.amazonaws.com"}),
    ),
    "another pipe that may assume the role instead": Case(
        UNTRUSTED.format(PIPE.arn),
        trust(PIPE_ROLE, Condition={"StringEquals": {"aws:SourceArn": f"{PIPE.arn}-2"}}),
    ),
    "a Deny for every principal to assume the role": Case(
        UNTRUSTED.format(PIPE.arn), append(PIPE_ROLE, "assumeRolePolicy.Statement", DENY_ASSUME)
    ),
    "a customer managed key for the pipe itself, with unknown permissions": Case(
        UNKNOWN.format("kmsKeyIdentifier"), put(PIPE, "kmsKeyIdentifier", KEY_ARN)
    ),
    "a role that is not part of the stack": Case(
        f'must have a role of this stack: the permissions of "{OTHER_ROLE_ARN}" are not known',
        put(PIPE, "roleArn", OTHER_ROLE_ARN),
    ),
}
