"""Guards against a permission that nothing needs, and against a need that no permission covers.

The stack is one with customer keys, which has every statement that there is. Its chain runs in the local cloud, where IAM
is enforced, with the roles' own policies and with one action taken away. Without it the chain itself fails, naming it: the
state machine cannot be made, the pipe ends, or the state machine's execution fails, so that the record is dead-lettered.
"""

from __future__ import annotations

import copy
import json
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callroute.local.emulator import Credentials, Emulator
from callroute.local.pipe import Pipe, PipeError, PipeSettings
from callroute.local.resource_creators import CREATORS
from callroute.local.stack_runner import Deployment, Registered, deploy
from tests.support.contact_records import contact_record
from tests.support.iam import allows

Document = dict[str, Any]
Use = Callable[["Stack", Document], object]

DENIED = {"AccessDenied", "AccessDeniedException"}
NEXT_YEAR = 365 * 86_400
KEY, KEY_OF_STREAM, OTHER_KEY = (
    f"arn:aws:kms:ap-northeast-1:111111111111:key/00000000-0000-0000-0000-00000000000{number}"
    for number in (1, 2, 3)
)


@dataclass
class Stack:
    """The local stack, and principals with policies of its roles.

    Its stream holds two records: one that can be stored, and after it one that never can.
    """

    deployment: Deployment
    _principals: dict[str, Credentials] = field(default_factory=dict)

    @property
    def emulator(self) -> Emulator:
        """Where it stands."""
        return self.deployment.emulator

    def output(self, type_: str, ending: str, name: str) -> str:
        """An output of the one resource of a type whose name ends so."""
        return str(self.deployment.one(type_, ending).outputs[name])

    @property
    def stream(self) -> str:
        """ARN of the stream."""
        return str(self.deployment.one("aws:pipes/pipe:Pipe").inputs["source"])

    @property
    def table(self) -> str:
        """Name of the table."""
        return self.output("aws:dynamodb/table:Table", "table", "name")

    @property
    def machine(self) -> Any:
        """The registered state machine."""
        return self.deployment.one("aws:sfn/stateMachine:StateMachine")

    def queue(self, ending: str) -> str:
        """URL of a queue."""
        return self.output("aws:sqs/queue:Queue", ending, "url")

    def policy(self, role: str) -> Document:
        """The policy of a role, as registered."""
        document: Document = json.loads(self._role_policy(role).inputs["policy"])
        return document

    def _role_policy(self, role: str) -> Registered:
        return self.deployment.one("aws:iam/rolePolicy:RolePolicy", f"{role}-policy")

    def principal(self, document: Document) -> Credentials:
        """Somebody who carries just this policy."""
        text = json.dumps(document)
        if text not in self._principals:
            iam, name = self.emulator.client("iam"), f"needs-{len(self._principals)}"
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=text)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            self._principals[text] = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        return self._principals[text]

    @contextmanager
    def recorder_may(self, document: Document) -> Iterator[None]:
        """Gives the state machine's role this policy for as long as the block lasts."""
        registered, iam = self._role_policy("recorder"), self.emulator.client("iam")
        names = {"RoleName": registered.inputs["role"], "PolicyName": registered.outputs["name"]}
        iam.put_role_policy(**names, PolicyDocument=json.dumps(document))
        try:
            yield
        finally:
            iam.put_role_policy(**names, PolicyDocument=registered.inputs["policy"])

    def pipe(self, credentials: Credentials, now: Callable[[], float] = time.time) -> Pipe:
        """The registered pipe, acting as somebody; it begins with the oldest record."""
        registered = self.deployment.one("aws:pipes/pipe:Pipe")
        return Pipe(
            PipeSettings.read(registered.outputs["arn"], registered.inputs),
            lambda service: self.emulator.client(service, credentials),
            now=now,
            pause=lambda _seconds: None,
        )


@pytest.fixture(scope="module")
def stack(emulator: Emulator) -> Iterator[Stack]:
    """A stack with customer keys, on a stream with a key of its own."""
    emulator.reset()
    kinesis = emulator.client("kinesis")
    kinesis.create_stream(StreamName="calls", ShardCount=1)
    there, soon = kinesis.get_waiter("stream_exists"), {"Delay": 0.02, "MaxAttempts": 500}
    there.wait(StreamName="calls", WaiterConfig=soon)
    kinesis.start_stream_encryption(StreamName="calls", EncryptionType="KMS", KeyId=KEY_OF_STREAM)
    there.wait(StreamName="calls", WaiterConfig=soon)
    arn = kinesis.describe_stream_summary(StreamName="calls")["StreamDescriptionSummary"]["StreamARN"]
    stack = Stack(
        deploy(emulator, overrides={"streamArn": arn, "streamKmsKeyArn": KEY_OF_STREAM, "kmsKeyArn": KEY})
    )
    for record in (contact_record(), contact_record(ContactId=None)):
        kinesis.put_record(StreamARN=arn, PartitionKey="a", Data=json.dumps(record).encode())
    with state_machines_do_not_wait(emulator):
        yield stack
    emulator.reset()


@contextmanager
def state_machines_do_not_wait(emulator: Emulator) -> Iterator[None]:
    """A Task that the queue refused is tried again by itself, 15 s long: a missing permission looks like an overload."""

    def scale(factor: int) -> None:
        body = json.dumps({"stepfunctions._SFN_WAIT_SCALE": factor}).encode()
        request = urllib.request.Request(f"{emulator.endpoint}/_ministack/config", data=body)  # noqa: S310 (own http endpoint)
        with urllib.request.urlopen(request) as answer:  # noqa: S310 (likewise)
            assert json.load(answer)["applied"]

    scale(0)
    try:
        yield
    finally:
        scale(1)


def without(document: Document, sid: str, action: str) -> Document:
    """A policy with one action taken away from one statement."""
    statements = []
    for each in document["Statement"]:
        left = [name for name in each["Action"] if (each["Sid"], name) != (sid, action)]
        if left:
            statements.append({**each, "Action": left})
    return {**document, "Statement": statements}


# What the actions are needed for.


def hand_over(stack: Stack, document: Document) -> None:
    """Reads the records and hands them to the state machine."""
    assert all(each.outcome == "delivered" for each in stack.pipe(stack.principal(document)).drain())


def give_up(stack: Stack, document: Document) -> None:
    """Reads the records when they have become too old, and keeps their position on the dead-letter queue."""
    handled = stack.pipe(stack.principal(document), lambda: time.time() + NEXT_YEAR).drain()
    assert [each.outcome for each in handled] == ["dead_lettered"] * 2


def record(stack: Stack, document: Document) -> tuple[str, str]:
    """Has the state machine, with this policy, store the one record and quarantine the other; tells what became of them."""
    with stack.recorder_may(document):
        stored, quarantined = stack.pipe(stack.principal(stack.policy("pipe"))).drain()
    return stored.output or stored.outcome, quarantined.output or quarantined.outcome


def make_state_machine(stack: Stack, document: Document) -> None:
    """Makes the registered state machine once more, with this policy for its role."""
    given = copy.deepcopy(stack.machine.inputs)
    del given["name"]
    with stack.recorder_may(document):
        CREATORS[stack.machine.type](stack.emulator, f"again-{uuid.uuid4().hex}", given)


@dataclass(frozen=True)
class Need:
    """Why an action is there."""

    role: str
    sid: str
    action: str
    use: Use


NEEDS = [
    *(
        Need("pipe", "ReadStream", f"kinesis:{name}", hand_over)
        for name in (
            "DescribeStream",
            "DescribeStreamSummary",
            "GetRecords",
            "GetShardIterator",
            "ListShards",
        )
    ),
    Need("pipe", "UseKeyOfStream", "kms:Decrypt", hand_over),
    Need("pipe", "RecordRoutes", "states:StartSyncExecution", hand_over),
    Need("pipe", "KeepDeadLetters", "sqs:SendMessage", give_up),
    Need("pipe", "UseKeyOfQueue", "kms:Decrypt", give_up),
    Need("pipe", "UseKeyOfQueue", "kms:GenerateDataKey", give_up),
    Need("recorder", "Store", "dynamodb:UpdateItem", record),
    Need("recorder", "UseKeyOfTable", "kms:Decrypt", record),
    Need("recorder", "UseKeyOfTable", "kms:DescribeKey", record),
    Need("recorder", "Quarantine", "sqs:SendMessage", record),
    Need("recorder", "UseKeyOfQueue", "kms:Decrypt", record),
    Need("recorder", "UseKeyOfQueue", "kms:GenerateDataKey", record),
    *(
        Need("recorder", "DeliverLogs", f"logs:{name}", make_state_machine)
        for name in (
            "CreateLogDelivery",
            "DeleteLogDelivery",
            "DescribeLogGroups",
            "DescribeResourcePolicies",
            "GetLogDelivery",
            "ListLogDeliveries",
            "PutResourcePolicy",
            "UpdateLogDelivery",
        )
    ),
]
by_need = pytest.mark.parametrize("need", NEEDS, ids=lambda need: f"{need.role} {need.sid} {need.action}")


def test_every_granted_action_is_needed(stack: Stack) -> None:
    granted = {
        (role, statement["Sid"], action)
        for role in ("pipe", "recorder")
        for statement in stack.policy(role)["Statement"]
        for action in statement["Action"]
    }

    assert granted == {(need.role, need.sid, need.action) for need in NEEDS}


@by_need
def test_the_roles_policy_is_sufficient(stack: Stack, need: Need) -> None:
    document = stack.policy(need.role)

    if need.use is record:
        assert record(stack, document) == ("stored", "quarantined")
    else:
        need.use(stack, document)
    assert allowed(stack, document, need)


@by_need
def test_each_action_is_necessary(stack: Stack, need: Need, caplog: pytest.LogCaptureFixture) -> None:
    document, refusal = (
        without(stack.policy(need.role), need.sid, need.action),
        f"not authorized to perform: {need.action} ",
    )

    if need.use is record:
        of_the_table = need.sid in ("Store", "UseKeyOfTable")
        lost = ("dead_lettered", "quarantined") if of_the_table else ("stored", "dead_lettered")
        assert record(stack, document) == lost
        assert refusal in caplog.text
    else:
        with pytest.raises(PipeError if need.role == "pipe" else ClientError, match=refusal):
            need.use(stack, document)
    assert not allowed(stack, document, need)


def allowed(stack: Stack, document: Document, need: Need) -> bool:
    """IAM's judgement of the action on the resource that the role's statement is for, in the way that it is for."""
    (statement,) = [each for each in stack.policy(need.role)["Statement"] if each["Sid"] == need.sid]
    context = statement.get("Condition", {}).get("StringEquals", {})
    return allows(document, need.action, statement["Resource"], context=context)


KEYS = [
    ("pipe", KEY_OF_STREAM, "kms:Decrypt", {"kinesis"}),
    ("pipe", KEY, "kms:Decrypt", {"sqs"}),
    ("pipe", KEY, "kms:GenerateDataKey", {"sqs"}),
    ("recorder", KEY, "kms:Decrypt", {"dynamodb", "sqs"}),
    ("recorder", KEY, "kms:DescribeKey", {"dynamodb"}),
    ("recorder", KEY, "kms:GenerateDataKey", {"sqs"}),
]


@pytest.mark.parametrize(("role", "key", "action", "through"), KEYS)
def test_a_key_can_only_be_used_through_the_services_that_encrypt_with_it(
    stack: Stack, role: str, key: str, action: str, through: set[str]
) -> None:
    document = stack.policy(role)
    ways = {
        service: {"kms:ViaService": f"{service}.ap-northeast-1.amazonaws.com"}
        for service in ("dynamodb", "kinesis", "sqs", "s3")
    }

    assert {service for service, way in ways.items() if allows(document, action, key, context=way)} == through
    assert not allows(document, action, key), "by a call of its own"
    assert not any(allows(document, action, OTHER_KEY, context=way) for way in ways.values()), (
        "somebody else's key"
    )
    elsewhere = {"kms:ViaService": "sqs.us-east-1.amazonaws.com"}
    assert not allows(document, action, key, context=elsewhere), "in another region"


@pytest.mark.parametrize(
    "action", ["kms:Encrypt", "kms:CreateGrant", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"]
)
@pytest.mark.parametrize("role", ["pipe", "recorder"])
def test_no_other_action_on_a_key_is_allowed(stack: Stack, role: str, action: str) -> None:
    for key in (KEY, KEY_OF_STREAM):
        for service in ("dynamodb", "kinesis", "sqs"):
            way = {"kms:ViaService": f"{service}.ap-northeast-1.amazonaws.com"}
            assert not allows(stack.policy(role), action, key, context=way)


# What neither of the two may do.

ITEM = {"contact_id": {"S": "a"}}


def on(service: str, operation: str, **arguments: Any) -> Callable[[Stack, Credentials | None], object]:
    """A call of an API whose arguments may be worked out from the stack; None is the root principal."""

    def call(stack: Stack, credentials: Credentials | None) -> object:
        client = (
            stack.emulator.client(service, credentials) if credentials else stack.emulator.client(service)
        )
        given = {name: value(stack) if callable(value) else value for name, value in arguments.items()}
        return getattr(client, operation)(**given)

    return call


def table(stack: Stack) -> str:
    """Name of the stack's table."""
    return stack.table


def stream(stack: Stack) -> str:
    """ARN of the stack's stream."""
    return stack.stream


def machine(stack: Stack) -> str:
    """ARN of the stack's state machine."""
    return str(stack.machine.outputs["arn"])


def log_group(stack: Stack) -> str:
    """Name of the state machine's log group, to which the pipe does not log."""
    return stack.output("aws:cloudwatch/logGroup:LogGroup", "recorder-logs", "name")


def role(stack: Stack) -> str:
    """Name of the state machine's role."""
    return stack.output("aws:iam/role:Role", "recorder-role", "name")


def others(stack: Stack) -> None:
    """A table, a stream, a queue and a state machine of somebody else."""
    client = stack.emulator.client
    client("dynamodb").create_table(
        TableName="other",
        KeySchema=[{"AttributeName": "contact_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "contact_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client("kinesis").create_stream(StreamName="other", ShardCount=1)
    client("sqs").create_queue(QueueName="other")
    client("stepfunctions").create_state_machine(
        name="other",
        type="EXPRESS",
        roleArn=stack.output("aws:iam/role:Role", "recorder-role", "arn"),
        definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}),
    )


OTHER = "arn:aws:{}:ap-northeast-1:111111111111:{}"


def other_queue(stack: Stack) -> str:
    """URL of the queue of somebody else."""
    return stack.queue("quarantine").rpartition("/")[0] + "/other"


FORBIDDEN = {
    "read all items": on("dynamodb", "scan", TableName=table),
    "read an item": on("dynamodb", "get_item", TableName=table, Key=ITEM),
    "query the items of a day": on(
        "dynamodb",
        "query",
        TableName=table,
        KeyConditionExpression="contact_id = :id",
        ExpressionAttributeValues={":id": {"S": "a"}},
    ),
    "replace an item": on("dynamodb", "put_item", TableName=table, Item=ITEM),
    "delete an item": on("dynamodb", "delete_item", TableName=table, Key=ITEM),
    "write many items": on(
        "dynamodb",
        "batch_write_item",
        RequestItems=lambda stack: {stack.table: [{"PutRequest": {"Item": ITEM}}]},
    ),
    "change the table": on("dynamodb", "update_table", TableName=table, BillingMode="PAY_PER_REQUEST"),
    "write to another table": on("dynamodb", "update_item", TableName="other", Key=ITEM),
    "put a record on the stream": on("kinesis", "put_record", StreamARN=stream, Data=b"a", PartitionKey="a"),
    "put records on the stream": on(
        "kinesis", "put_records", StreamARN=stream, Records=[{"Data": b"a", "PartitionKey": "a"}]
    ),
    "change what the stream keeps": on(
        "kinesis", "increase_stream_retention_period", StreamARN=stream, RetentionPeriodHours=48
    ),
    "list all streams": on("kinesis", "list_streams"),
    "read another stream": on(
        "kinesis",
        "get_shard_iterator",
        StreamARN=OTHER.format("kinesis", "stream/other"),
        ShardId="shardId-000000000000",
        ShardIteratorType="TRIM_HORIZON",
    ),
    "list the shards of another stream": on(
        "kinesis", "list_shards", StreamARN=OTHER.format("kinesis", "stream/other")
    ),
    "start an execution without waiting": on("stepfunctions", "start_execution", stateMachineArn=machine),
    "run another state machine": on(
        "stepfunctions", "start_sync_execution", stateMachineArn=OTHER.format("states", "stateMachine:other")
    ),
    "read the definition": on("stepfunctions", "describe_state_machine", stateMachineArn=machine),
    "take what is quarantined": on(
        "sqs", "receive_message", QueueUrl=lambda stack: stack.queue("quarantine")
    ),
    "take dead letters": on("sqs", "receive_message", QueueUrl=lambda stack: stack.queue("dead-letters")),
    "send to another queue": on("sqs", "send_message", QueueUrl=other_queue, MessageBody="{}"),
    "empty the dead letters": on("sqs", "purge_queue", QueueUrl=lambda stack: stack.queue("dead-letters")),
    "log in another group": on("logs", "create_log_stream", logGroupName=log_group, logStreamName="other"),
    "read a log": on("logs", "filter_log_events", logGroupName=log_group),
    "read a role's policies": on("iam", "list_role_policies", RoleName=role),
}
ONE_ANOTHERS = {
    ("pipe", "quarantine"): on(
        "sqs", "send_message", QueueUrl=lambda stack: stack.queue("quarantine"), MessageBody="{}"
    ),
    ("pipe", "store"): on("dynamodb", "update_item", TableName=table, Key=ITEM),
    ("recorder", "keep dead letters"): on(
        "sqs", "send_message", QueueUrl=lambda stack: stack.queue("dead-letters"), MessageBody="{}"
    ),
    ("recorder", "read the stream"): on("kinesis", "list_shards", StreamARN=stream),
    ("recorder", "run itself"): on(
        "stepfunctions", "start_sync_execution", stateMachineArn=machine, input="[]"
    ),
}
DENIALS = {
    **{(role, what): call for role in ("pipe", "recorder") for what, call in FORBIDDEN.items()},
    **ONE_ANOTHERS,
}


@pytest.fixture(scope="module")
def with_others(stack: Stack) -> Stack:
    """The stack, and what is somebody else's beside it."""
    others(stack)
    return stack


@pytest.mark.parametrize(("role", "what"), DENIALS)
def test_no_other_action_is_allowed(with_others: Stack, role: str, what: str) -> None:
    call = DENIALS[role, what]

    with pytest.raises(ClientError) as caught:
        call(with_others, with_others.principal(with_others.policy(role)))

    assert caught.value.response["Error"]["Code"] in DENIED


@pytest.mark.parametrize("what", [*FORBIDDEN, *ONE_ANOTHERS], ids=str)
def test_the_denied_calls_succeed_with_permission(with_others: Stack, what: str | tuple[str, str]) -> None:
    call = ONE_ANOTHERS[what] if isinstance(what, tuple) else FORBIDDEN[what]

    call(
        with_others, None
    )  # by the root principal: the denial above came from IAM, and not from a slip in the call
