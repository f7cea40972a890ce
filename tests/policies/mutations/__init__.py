"""Ways to break the program's resources, each of which exactly one rule must tell.

A mutation is made on the recorded resources of the stack `prod`. Where a change would leave a role with a permission too
many or too few, which another rule would tell as well, it changes the role along with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.policies.mutations import (
    connect_flows,
    data_protection,
    iam,
    inspectable,
    least_privilege,
    no_lambda,
    pipeline,
    tags,
)
from tests.policies.stacks import Recorded, Stack

STACK = "prod"

ACCOUNT = "arn:aws:{}:ap-northeast-1:111111111111:{}"
TABLE = ACCOUNT.format("dynamodb", "table/call-records")
QUARANTINE = ACCOUNT.format("sqs", "call-route-tracker-quarantine-0000000")
DEAD_LETTERS = ACCOUNT.format("sqs", "call-route-tracker-pipe-dead-letters-0000000")
STREAM = ACCOUNT.format("kinesis", "stream/call-route-tracker-stream-0000000")
PIPE_LOGS = ACCOUNT.format("logs", "log-group:/aws/vendedlogs/pipes/call-route-tracker-prod:*")
KEY = ACCOUNT.format("kms", "key/00000000-0000-0000-0000-000000000001")
OTHER_KEY = ACCOUNT.format("kms", "key/00000000-0000-0000-0000-000000000002")
OWN_PIPE = ACCOUNT.format("pipes", "pipe/call-route-tracker-prod")

TRACKER = "call-route-tracker"
RECORDER = f"{TRACKER}-recorder"
PIPE = f"{TRACKER}-pipe"
FLOW = f"{TRACKER}-call-route-with-operator"
TAGS = {"project": TRACKER, "stack": STACK}

Change = Callable[[Stack], object]


@dataclass(frozen=True)
class Mutation:
    """One way to break a stack."""

    rule: str
    what: str
    """What is changed, for people."""
    resource: str
    """Logical name of the resource that must be named."""
    messages: tuple[str, ...]
    """What must be said, without the resource's name in front and the full stop behind."""
    change: Change


MUTATIONS: list[Mutation] = []


def breaks(rule: str, what: str, resource: str, *messages: str) -> Callable[[Change], Change]:
    """Makes a mutation of a function that changes a stack."""

    def keep(change: Change) -> Change:
        MUTATIONS.append(Mutation(rule, what, resource, messages, change))
        return change

    return keep


# What the mutations are made of.


def document(resource: Recorded, name: str = "policy") -> dict[str, Any]:
    """A document that a resource carries, parsed."""
    parsed: dict[str, Any] = json.loads(resource.inputs[name])
    return parsed


def edit(resource: Recorded, change: Callable[[dict[str, Any]], object], name: str = "policy") -> None:
    """Changes a JSON text among a resource's inputs."""
    parsed = document(resource, name)
    change(parsed)
    resource.inputs[name] = json.dumps(parsed)


def statement(stack: Stack, role: str, sid: str, **changes: Any) -> None:
    """Changes elements of one statement of a role's policy; None takes an element away."""

    def change(parsed: dict[str, Any]) -> None:
        (found,) = [each for each in parsed["Statement"] if each["Sid"] == sid]
        found.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            del found[name]

    edit(stack.one("RolePolicy", f"{role}-policy"), change)


def without_statement(stack: Stack, role: str, sid: str) -> None:
    """Takes a statement away from a role's policy."""

    def change(parsed: dict[str, Any]) -> None:
        parsed["Statement"] = [each for each in parsed["Statement"] if each["Sid"] != sid]

    edit(stack.one("RolePolicy", f"{role}-policy"), change)


def with_statement(stack: Stack, role: str, **elements: Any) -> None:
    """Adds a statement that allows something to a role's policy."""
    added = {"Sid": "Added", "Effect": "Allow", **elements}
    edit(stack.one("RolePolicy", f"{role}-policy"), lambda parsed: parsed["Statement"].append(added))


def trust(stack: Stack, role: str, **changes: Any) -> None:
    """Changes elements of the one statement of a role's trust policy; None takes an element away."""

    def change(parsed: dict[str, Any]) -> None:
        (found,) = parsed["Statement"]
        found.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            del found[name]

    edit(stack.one("Role", f"{role}-role"), change, "assumeRolePolicy")


def policy(*actions: str, resource: str = "arn:aws:iam::111111111111:user/operator") -> str:
    """A document with one statement."""
    allowed = {"Sid": "Added", "Effect": "Allow", "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


def source(stack: Stack) -> dict[str, Any]:
    """The pipe's parameters of its stream."""
    found: dict[str, Any] = stack.one("Pipe").inputs["sourceParameters"]["kinesisStreamParameters"]
    return found


def storage(stack: Stack) -> dict[str, Any]:
    """Where Amazon Connect sends contact records."""
    found: dict[str, Any] = stack.one("InstanceStorageConfig").inputs["storageConfig"]
    return found


# What can be judged

SIGHT = "must be a resource that these rules can judge, and not {}"
ELSEWHERE_MADE: dict[str, tuple[str, dict[str, Any]]] = {
    "a role by another provider": ("aws-native:iam:Role", {"managedPolicyArns": []}),
    "a resource by AWS's general interface": (
        "aws:cloudcontrol/resource:Resource",
        {"typeName": "AWS::IAM::Role", "desiredState": "{}"},
    ),
    "a role by Terraform's provider": ("aws:index/iamRole:IamRole", {"managedPolicyArns": []}),
    "a resource of a Terraform module": ("calls:tf:aws_iam_role", {"name": "calls"}),
    "a stack of CloudFormation": (
        "aws:cloudformation/stack:Stack",
        {"templateUrl": "https://templates.example.com/roles.yaml"},
    ),
    "a resource that runs code": ("pulumi-python:dynamic:Resource", {}),
}


def make_elsewhere(what: str, type_: str, inputs: dict[str, Any]) -> None:
    """Makes a mutation of a resource that no rule can look into."""
    breaks("resources-can-be-judged", what, "added", SIGHT.format(type_))(
        lambda stack: stack.add(type_, "added", inputs)
    )


# Documents


# Managed policies

MANAGED = "arn:aws:iam::aws:policy/{}"
NEARLY_EVERYTHING = "must not carry the AWS managed policy {}, which allows nearly everything"
NOT_LISTED = "must not carry the AWS managed policy {}, which the rule's setting allowed does not list"


# Wildcards

SINGLE = "must name single actions in statement {!r}, and not {}"


OWN_ACCOUNT = {"AWS": "arn:aws:iam::111111111111:root"}
TOPIC = ACCOUNT.format("sns", "calls")


EXCLUSION = "must say what statement {!r} allows, and not by {} what it does not"


NOT_ALL = "must name the resources of {} in statement {!r}, and not *"


# Escalation

OPENS = "must not allow {}, which opens more permissions ({})"
TOGETHER = "must not be allowed {} by its policies together, which opens more permissions ({})"


GROUPS_TOGETHER = TOGETHER.replace("its policies", "its policies and those of its groups")


def group_policy(stack: Stack, group: str, action: str) -> None:
    """Lets a group do something."""
    stack.add(
        "aws:iam/groupPolicy:GroupPolicy", f"{group}-policy", {"group": group, "policy": policy(action)}
    )


# Everybody


def open_to(principal: Any, action: str, resource: str, **elements: Any) -> str:
    """The policy of a resource, with one statement."""
    allowed = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource, **elements}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


EVERYBODY = "must say whom statement 1 allows, and not everybody"


def opened_queue(stack: Stack, condition: dict[str, Any], principal: Any = "*") -> None:
    """Gives the quarantine queue a policy with a condition."""
    opened = open_to(principal, "sqs:SendMessage", QUARANTINE, Condition=condition)
    stack.one("Queue", "quarantine").inputs["policy"] = opened


# Trust


GIVEN = "must not give statement 1 to another account: 222222222222"


UNBOUND = "must bind {} to aws:SourceAccount or aws:SourceArn in statement 'AssumeRole'"


FOREIGN = "must not be bound by {} to another account than its own, 111111111111: 222222222222"
OTHER_PIPE = "arn:aws:pipes:ap-northeast-1:222222222222:pipe/*"


# Roles that fit

MISSING = "must be allowed {} on {} for {}: {}"
EXCESS = "must not be allowed {} on {}: nothing in {} does that"


UNTOLD = "must have a definition that tells what it needs: state '{}': no permission is known for {}"


NOT_TRUSTED = "must be assumable on behalf of {}"


# The pipeline

FUNCTION = ACCOUNT.format("lambda", "function:enrich")


LOOKUP = {
    "Identifier": "lookup",
    "Type": "InvokeLambdaFunction",
    "Parameters": {"LambdaFunctionARN": "$.Attributes.lookup", "InvocationTimeLimitSeconds": "3"},
    "Transitions": {
        "NextAction": "route-start",
        "Errors": [{"NextAction": "route-start", "ErrorType": "NoMatchingError"}],
    },
}


END = {"Identifier": "end", "Type": "EndFlowModuleExecution", "Parameters": {}, "Transitions": {}}


def module(stack: Stack, *blocks: dict[str, Any], **top: Any) -> None:
    """Adds a flow module that does some blocks and ends."""
    content = {
        "Version": "2019-10-30",
        "StartAction": [*blocks, END][0]["Identifier"],
        "Actions": [*blocks, END],
        "Settings": {},
        **top,
    }
    stack.add(
        "aws:connect/contactFlowModule:ContactFlowModule",
        "added",
        {"content": json.dumps({key: value for key, value in content.items() if value is not None})}
        | {"tags": TAGS},
    )


SYNCHRONOUS = "must call its state machine by REQUEST_RESPONSE, so that it sees what fails, and not {}"


def call(stack: Stack, type_: str) -> None:
    """Sets how the pipe calls its state machine."""
    stack.one("Pipe").inputs["targetParameters"]["stepFunctionStateMachineParameters"]["invocationType"] = (
        type_
    )


EXPRESS = f"must be EXPRESS, since {PIPE} waits for its executions, and not {{}}"


def target(stack: Stack, arn: str) -> None:
    """Lets the pipe call another state machine, or the same by another ARN, and its role with it."""
    pipe = stack.one("Pipe")
    pipe.inputs["target"] = arn
    del pipe.dependencies["target"]
    statement(stack, "pipe", "RecordRoutes", Resource=arn)


ELSEWHERE = ACCOUNT.format("states", "stateMachine:other")


NO_DEAD_LETTERS = "must have a standard SQS queue as dead-letter queue, or what keeps failing is lost"


def dead_letters(stack: Stack, arn: str, action: str) -> None:
    """Lets pipe and role use something else for dead letters."""
    source(stack)["deadLetterConfig"]["arn"] = arn
    statement(stack, "pipe", "KeepDeadLetters", Action=action, Resource=arn)


FINITE = "must have a finite {}, or one failing record blocks its shard; {}"


TOO_OLD = (
    "must have a maximumRecordAgeInSeconds below the {} hours that its stream keeps records, and not {}:"
    " what it gives up could not be replayed"
)


BISECTS = "must have onPartialBatchItemFailure AUTOMATIC_BISECT, or a bad record takes its batch along"


POSITION = "must have the startingPosition TRIM_HORIZON, and not {}, which misses records"


STOPPED = "must have the desiredState RUNNING, and not {}: what its stream drops meanwhile is lost"


NARROW = "must let all tracked calls pass, and not only {}"


def filtered(stack: Stack, *patterns: str) -> None:
    """Gives the pipe other filters."""
    filters = [{"pattern": pattern} for pattern in patterns]
    stack.one("Pipe").inputs["sourceParameters"]["filterCriteria"]["filters"] = filters


PARTIAL = (
    'must hand over what {{"event_id": "<$.eventID>", "sequence_number": "<$.sequenceNumber>", "contact": <$.data>}}'
    " does, and not only {}"
)


def template(what: str, value: str | None, shown: str) -> None:
    """Makes a mutation of another input template."""

    def change(stack: Stack) -> None:
        stack.one("Pipe").inputs["targetParameters"]["inputTemplate"] = value

    breaks("pipe-hands-over-the-record", what, PIPE, PARTIAL.format(shown))(change)


UNREAD = "must send contact records to a stream that a pipe of this stack reads, and not to {}"


DROPPED = "must keep or fail what its state {!r} catches, and not end in {!r}: {}"


def each_contact(stack: Stack, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the states that each contact runs through."""
    edit(
        stack.one("StateMachine"),
        lambda parsed: change(parsed["States"]["EachContact"]["ItemProcessor"]["States"]),
        "definition",
    )


IDLE = "must keep or fail what comes in at its state {!r}, and not end in {!r}"


KEPT = "must have messageRetentionSeconds of 4 days or more, and not {}"


DATA_IN_LOG = "must not set {}: execution data puts callers' numbers into the log"


DAYS = "must have a retentionInDays of 1 days or more, and not {}"


# Data


def replica(stack: Stack, *, protect: bool = True, **inputs: Any) -> None:
    """Adds a replica of the table as a resource of its own."""
    added = stack.add(
        "aws:dynamodb/tableReplica:TableReplica",
        "added",
        {"globalTableArn": TABLE, "pointInTimeRecovery": True, "deletionProtectionEnabled": True, **inputs},
    )
    added.protect = protect


UNPROTECTED = "must have Pulumi's option protect on the protected stack prod"


PLAIN = "must not hold {} in plain text in {}"


def note(stack: Stack, value: Any) -> None:
    """Adds a resource that no other rule is about, with one property."""
    stack.add("aws:ssm/document:Document", "added", {"tags": TAGS, "content": value})


SECRETS: dict[str, tuple[Any, str]] = {
    "an access key by its name": ({"accessKey": "abc"}, "content.accessKey"),
    "a secret access key by its name": ({"aws_secret_access_key": "abc"}, "content.aws_secret_access_key"),
    "a token by its name": ({"token": "abc"}, "content.token"),
    "passwords in a list": ({"passwords": ["abc"]}, "content.passwords[0]"),
    "secrets in a list of lists": ({"secret": [["abc"]]}, "content.secret[0][0]"),
    "a second password": ({"password2": "abc"}, "content.password2"),
    "a number as a password": ({"password": 12345678}, "content.password"),
    "a secret key": ({"SecretKey": "abc"}, "content.SecretKey"),
    "a password by the name that stands beside it": (
        {"environment": [{"name": "DB_PASSWORD", "value": "abc"}]},
        "content.environment[0].value",
    ),
    "a password by a key that is a path": ({"/calls/db/password": "abc"}, "content./calls/db/password"),
    "a secret in JSON text with white space in front": ('\n {"salt": "abc"}', "content.salt"),
    "a secret in JSON text that is then said anew": ('{"salt": "abc", "salt": ""}', "content.salt[0]"),
}


def tell_secret(what: str, value: Any, kind: str, where: str) -> None:
    """Makes a mutation of a value that holds a secret."""
    message = PLAIN.format(kind, where)
    breaks("no-secrets-in-plain-text", what, "added", message)(lambda stack: note(stack, value))


# Put together here as well.
CREDENTIALS: dict[str, tuple[str, str]] = {
    "a token in a header": ("an authorization header", "Authorization: Bearer " + "c2VjcmV0LXNlY3JldA"),
    "a password in a connection string": ("a password behind its name", "Server=db;Password=" + "hunter2;"),
    "a key among variables": ("a password behind its name", "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMI/K7"),
    "a private key": ("a private key", "-----BEGIN PGP PRIVATE KEY " + "BLOCK-----"),
}


# Flows


def blocks(stack: Stack, **changes: Callable[[dict[str, Any]], object]) -> None:
    """Changes blocks of the stack's flow, by identifier with `_` for `-`."""

    def change(parsed: dict[str, Any]) -> None:
        for block in parsed["Actions"]:
            if identified := changes.get(block["Identifier"].replace("-", "_")):
                identified(block)

    edit(stack.one("ContactFlow", "with-operator"), change, "content")


def without_attribute(name: str) -> Callable[[dict[str, Any]], object]:
    """A change that takes a contact attribute out of the block that sets it."""
    return lambda block: block["Parameters"]["Attributes"].pop(name)


LANGUAGE = "must have a content in the Connect flow language: content: {}"


TAKES = "must have a content that Connect takes: block 'closed': {}"


ROUTE = "must set call_route on every path to block {!r}"


COMPLETED = 'must set call_completed to "false" before block {!r}'
TOO_EARLY = 'must not set call_completed to "true" before block {!r}'


# Tags

# Cases that are tables.

for _module in (
    connect_flows,
    data_protection,
    iam,
    inspectable,
    least_privilege,
    no_lambda,
    pipeline,
    tags,
):
    for _rule, _cases in _module.CASES.items():
        for _what, _case in _cases.items():
            MUTATIONS.append(Mutation(_rule, _what, _case.resource, tuple(_case.messages), _case.edit))
