"""Guards against unnecessary and missing permissions.

The stack uses customer managed keys and publishes metrics, so its policies contain every possible statement. The pipeline runs in the local
cloud, where IAM is enforced, with the roles' own policies and with one action removed at a time. Without the action, the
pipeline must fail and name it: the state machine is not created, the pipe stops, or the execution fails and the record is
dead-lettered. Only metrics may be missing without a failure.
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
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from callroute.local.emulator import Credentials, Emulator
from callroute.local.pipe import Pipe, PipeError, PipeSettings
from callroute.local.resource_creators import CREATORS
from callroute.local.stack_runner import Deployment, Registered, deploy
from tests.support.contact_records import contact_record
from tests.support.iam import allows
from tests.support.paths import REPOSITORY

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
    """The local stack, and principals with the policies of its roles.

    Its stream contains two records: one that can be stored, then one that must be quarantined.
    """

    deployment: Deployment
    _principals: dict[str, Credentials] = field(default_factory=dict)

    @property
    def emulator(self) -> Emulator:
        """The emulator that the stack is deployed to."""
        return self.deployment.emulator

    def output(self, type_: str, ending: str, name: str) -> str:
        """Returns an output of the only resource of a type whose name ends with this suffix."""
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
        """Returns the URL of a queue."""
        return self.output("aws:sqs/queue:Queue", ending, "url")

    def policy(self, role: str) -> Document:
        """Returns the registered policy of a role."""
        document: Document = json.loads(self._role_policy(role).inputs["policy"])
        return document

    def _role_policy(self, role: str) -> Registered:
        return self.deployment.one("aws:iam/rolePolicy:RolePolicy", f"{role}-policy")

    def principal(self, document: Document) -> Credentials:
        """Returns credentials for a user with only this policy."""
        text = json.dumps(document)
        if text not in self._principals:
            iam, name = self.emulator.client("iam"), f"needs-{len(self._principals)}"
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=text)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            self._principals[text] = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        return self._principals[text]

    @contextmanager
    def recorder_policy(self, document: Document) -> Iterator[None]:
        """Replaces the policy of the state machine's role within the context."""
        registered, iam = self._role_policy("recorder"), self.emulator.client("iam")
        names = {"RoleName": registered.inputs["role"], "PolicyName": registered.outputs["name"]}
        iam.put_role_policy(**names, PolicyDocument=json.dumps(document))
        try:
            yield
        finally:
            iam.put_role_policy(**names, PolicyDocument=registered.inputs["policy"])

    def pipe(self, credentials: Credentials, now: Callable[[], float] = time.time) -> Pipe:
        """Creates the registered pipe with other credentials. It starts with the oldest record."""
        registered = self.deployment.one("aws:pipes/pipe:Pipe")
        return Pipe(
            PipeSettings.read(registered.outputs["arn"], registered.inputs),
            lambda service: self.emulator.client(service, credentials),
            now=now,
            pause=lambda _seconds: None,
        )


@pytest.fixture(scope="module")
def stack(emulator: Emulator) -> Iterator[Stack]:
    """Deploys a stack with customer managed keys that reads an existing stream with another key."""
    emulator.reset()
    kinesis = emulator.client("kinesis")
    kinesis.create_stream(StreamName="calls", ShardCount=1)
    waiter, config = kinesis.get_waiter("stream_exists"), {"Delay": 0.02, "MaxAttempts": 500}
    waiter.wait(StreamName="calls", WaiterConfig=config)
    kinesis.start_stream_encryption(StreamName="calls", EncryptionType="KMS", KeyId=KEY_OF_STREAM)
    waiter.wait(StreamName="calls", WaiterConfig=config)
    arn = kinesis.describe_stream_summary(StreamName="calls")["StreamDescriptionSummary"]["StreamARN"]
    stack = Stack(
        deploy(
            emulator,
            overrides={
                "streamArn": arn,
                "streamKmsKeyArn": KEY_OF_STREAM,
                "kmsKeyArn": KEY,
                "metrics": True,
            },
            project=REPOSITORY,
        )
    )
    for record in (contact_record(), contact_record(ContactId=None)):
        kinesis.put_record(StreamARN=arn, PartitionKey="a", Data=json.dumps(record).encode())
    with no_state_machine_waits(emulator):
        yield stack
    emulator.reset()


@contextmanager
def no_state_machine_waits(emulator: Emulator) -> Iterator[None]:
    """Skips waits in executions: a Task that the queue denies is retried for 15 s, as if the queue were throttling."""

    def scale(factor: int) -> None:
        body = json.dumps({"stepfunctions._SFN_WAIT_SCALE": factor}).encode()
        request = urllib.request.Request(f"{emulator.endpoint}/_ministack/config", data=body)  # noqa: S310 (local endpoint)
        with urllib.request.urlopen(request) as answer:  # noqa: S310 (local endpoint)
            assert json.load(answer)["applied"]

    scale(0)
    try:
        yield
    finally:
        scale(1)


def without(document: Document, sid: str, action: str) -> Document:
    """Returns a policy with one action removed from one statement."""
    statements = []
    for each in document["Statement"]:
        actions = [name for name in each["Action"] if (each["Sid"], name) != (sid, action)]
        if actions:
            statements.append({**each, "Action": actions})
    return {**document, "Statement": statements}


# Operations that use the granted actions.


def deliver(stack: Stack, document: Document) -> None:
    """Runs the pipe with this policy until both records are delivered."""
    assert all(each.outcome == "delivered" for each in stack.pipe(stack.principal(document)).drain())


def dead_letter(stack: Stack, document: Document) -> None:
    """Runs the pipe with this policy when both records are too old, so that they are dead-lettered."""
    handled = stack.pipe(stack.principal(document), lambda: time.time() + NEXT_YEAR).drain()
    assert [each.outcome for each in handled] == ["dead_lettered"] * 2


def record(stack: Stack, document: Document) -> tuple[str, str]:
    """Runs the state machine with this policy. Returns the outcome of both records."""
    with stack.recorder_policy(document):
        stored, quarantined = stack.pipe(stack.principal(stack.policy("pipe"))).drain()
    # After the first test, the table already contains the version. The conditional write needs the same permission.
    outcome = "stored" if stored.output == "older" else stored.output or stored.outcome
    return outcome, quarantined.output or quarantined.outcome


def create_state_machine(stack: Stack, document: Document) -> None:
    """Creates the registered state machine again, with this policy for its role."""
    arguments = copy.deepcopy(stack.machine.inputs)
    del arguments["name"]
    with stack.recorder_policy(document):
        CREATORS[stack.machine.type](stack.emulator, f"copy-{uuid.uuid4().hex}", arguments)


def count(stack: Stack, document: Document) -> int:
    """Runs the state machine on a new call with this policy. Returns how many calls its metrics gained."""
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    times = {"InitiationTimestamp": started, "DisconnectTimestamp": None, "LastUpdateTimestamp": started}
    batch = [{"event_id": "e", "sequence_number": "1", "contact": contact_record(uuid.uuid4().hex, **times)}]
    before = counted(stack)
    with stack.recorder_policy(document):
        answer = stack.emulator.client("stepfunctions").start_sync_execution(
            stateMachineArn=stack.machine.outputs["arn"], input=json.dumps(batch)
        )
    assert json.loads(answer["output"]) == ["stored"], "a failed metric does not affect the item"
    return counted(stack) - before


def counted(stack: Stack) -> int:
    """Returns the number of calls in the metrics."""
    name = stack.machine.inputs["name"]
    points = stack.emulator.client("cloudwatch").get_metric_statistics(
        Namespace="CallRoute",
        MetricName="Abandoned",
        Dimensions=[{"Name": "Tracker", "Value": name}],
        StartTime=datetime.now(UTC) - timedelta(days=1),
        EndTime=datetime.now(UTC) + timedelta(days=1),
        Period=86_400,
        Statistics=["SampleCount"],
    )["Datapoints"]
    return sum(int(point["SampleCount"]) for point in points)


@dataclass(frozen=True)
class Need:
    """A granted action, and the operation that needs it."""

    role: str
    sid: str
    action: str
    use: Use


NEEDS = [
    *(
        Need("pipe", "ReadStream", f"kinesis:{name}", deliver)
        for name in (
            "DescribeStream",
            "DescribeStreamSummary",
            "GetRecords",
            "GetShardIterator",
            "ListShards",
        )
    ),
    Need("pipe", "UseKeyOfStream", "kms:Decrypt", deliver),
    Need("pipe", "RecordRoutes", "states:StartSyncExecution", deliver),
    Need("pipe", "KeepDeadLetters", "sqs:SendMessage", dead_letter),
    Need("pipe", "UseKeyOfQueue", "kms:Decrypt", dead_letter),
    Need("pipe", "UseKeyOfQueue", "kms:GenerateDataKey", dead_letter),
    Need("recorder", "Store", "dynamodb:UpdateItem", record),
    Need("recorder", "CountCalls", "cloudwatch:PutMetricData", count),
    Need("recorder", "UseKeyOfTable", "kms:Decrypt", record),
    Need("recorder", "UseKeyOfTable", "kms:DescribeKey", record),
    Need("recorder", "Quarantine", "sqs:SendMessage", record),
    Need("recorder", "UseKeyOfQueue", "kms:Decrypt", record),
    Need("recorder", "UseKeyOfQueue", "kms:GenerateDataKey", record),
    *(
        Need("recorder", "DeliverLogs", f"logs:{name}", create_state_machine)
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
    elif need.use is count:
        assert count(stack, document) == 1
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
        needs_table = need.sid in ("Store", "UseKeyOfTable")
        outcomes = ("dead_lettered", "quarantined") if needs_table else ("stored", "dead_lettered")
        assert record(stack, document) == outcomes
        assert refusal in caplog.text
    elif need.use is count:
        assert count(stack, document) == 0
    else:
        with pytest.raises(PipeError if need.role == "pipe" else ClientError, match=refusal):
            need.use(stack, document)
    assert not allowed(stack, document, need)


def allowed(stack: Stack, document: Document, need: Need) -> bool:
    """Returns True if IAM allows the action on the resource of the role's statement, under its conditions."""
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


@pytest.mark.parametrize(("role", "key", "action", "services"), KEYS)
def test_a_key_can_only_be_used_through_the_services_that_encrypt_with_it(
    stack: Stack, role: str, key: str, action: str, services: set[str]
) -> None:
    document = stack.policy(role)
    contexts = {
        service: {"kms:ViaService": f"{service}.ap-northeast-1.amazonaws.com"}
        for service in ("dynamodb", "kinesis", "sqs", "s3")
    }

    allowed_services = {
        service for service, context in contexts.items() if allows(document, action, key, context=context)
    }
    assert allowed_services == services
    assert not allows(document, action, key), "in a direct call"
    assert not any(allows(document, action, OTHER_KEY, context=context) for context in contexts.values()), (
        "with another key"
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
            context = {"kms:ViaService": f"{service}.ap-northeast-1.amazonaws.com"}
            assert not allows(stack.policy(role), action, key, context=context)


# Actions that must be denied.

ITEM = {"contact_id": {"S": "a"}}


def on(service: str, operation: str, **arguments: Any) -> Callable[[Stack, Credentials | None], object]:
    """Returns an API call. Arguments can be functions of the stack. The default caller is the root principal."""

    def call(stack: Stack, credentials: Credentials | None) -> object:
        client = (
            stack.emulator.client(service, credentials) if credentials else stack.emulator.client(service)
        )
        request = {name: value(stack) if callable(value) else value for name, value in arguments.items()}
        return getattr(client, operation)(**request)

    return call


def table(stack: Stack) -> str:
    """Returns the name of the stack's table."""
    return stack.table


def stream(stack: Stack) -> str:
    """Returns the ARN of the stack's stream."""
    return stack.stream


def machine(stack: Stack) -> str:
    """Returns the ARN of the stack's state machine."""
    return str(stack.machine.outputs["arn"])


def log_group(stack: Stack) -> str:
    """Returns the name of the state machine's log group."""
    return stack.output("aws:cloudwatch/logGroup:LogGroup", "recorder-logs", "name")


def role(stack: Stack) -> str:
    """Returns the name of the state machine's role."""
    return stack.output("aws:iam/role:Role", "recorder-role", "name")


def create_unrelated_resources(stack: Stack) -> None:
    """Creates a table, stream, queue and state machine that do not belong to the stack."""
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
    """Returns the URL of a queue that does not belong to the stack."""
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
    "change the retention of the stream": on(
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
    "receive quarantined messages": on(
        "sqs", "receive_message", QueueUrl=lambda stack: stack.queue("quarantine")
    ),
    "receive dead letters": on("sqs", "receive_message", QueueUrl=lambda stack: stack.queue("dead-letters")),
    "send to another queue": on("sqs", "send_message", QueueUrl=other_queue, MessageBody="{}"),
    "purge the dead letters": on("sqs", "purge_queue", QueueUrl=lambda stack: stack.queue("dead-letters")),
    "write to another log group": on(
        "logs", "create_log_stream", logGroupName=log_group, logStreamName="other"
    ),
    "read a log": on("logs", "filter_log_events", logGroupName=log_group),
    "publish metrics in another namespace": on(
        "cloudwatch",
        "put_metric_data",
        Namespace="Elsewhere",
        MetricData=[{"MetricName": "Calls", "Value": 1}],
    ),
    "read metrics": on("cloudwatch", "list_metrics"),
    "read a role's policies": on("iam", "list_role_policies", RoleName=role),
}
ALLOWED_FOR_OTHER_ROLE = {
    ("pipe", "quarantine"): on(
        "sqs", "send_message", QueueUrl=lambda stack: stack.queue("quarantine"), MessageBody="{}"
    ),
    ("pipe", "store"): on("dynamodb", "update_item", TableName=table, Key=ITEM),
    ("recorder", "send dead letters"): on(
        "sqs", "send_message", QueueUrl=lambda stack: stack.queue("dead-letters"), MessageBody="{}"
    ),
    ("recorder", "read the stream"): on("kinesis", "list_shards", StreamARN=stream),
    ("recorder", "run itself"): on(
        "stepfunctions", "start_sync_execution", stateMachineArn=machine, input="[]"
    ),
}
DENIALS = {
    **{(role, title): call for role in ("pipe", "recorder") for title, call in FORBIDDEN.items()},
    **ALLOWED_FOR_OTHER_ROLE,
}


@pytest.fixture(scope="module")
def account(stack: Stack) -> Stack:
    """The stack, in an account with unrelated resources."""
    create_unrelated_resources(stack)
    return stack


@pytest.mark.parametrize(("role", "title"), DENIALS)
def test_no_other_action_is_allowed(account: Stack, role: str, title: str) -> None:
    call = DENIALS[role, title]

    with pytest.raises(ClientError) as caught:
        call(account, account.principal(account.policy(role)))

    assert caught.value.response["Error"]["Code"] in DENIED


@pytest.mark.parametrize("key", [*FORBIDDEN, *ALLOWED_FOR_OTHER_ROLE], ids=str)
def test_the_denied_calls_succeed_with_permission(account: Stack, key: str | tuple[str, str]) -> None:
    call = ALLOWED_FOR_OTHER_ROLE[key] if isinstance(key, tuple) else FORBIDDEN[key]

    call(account, None)  # proves that IAM denied the call above, and that it was not invalid
