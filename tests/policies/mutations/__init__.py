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


for _what, (_type, _inputs) in ELSEWHERE_MADE.items():
    make_elsewhere(_what, _type, _inputs)


# Documents


@breaks(
    "iam-documents-are-readable",
    "a policy that is not JSON",
    f"{PIPE}-policy",
    "must have a policy document in policy that is JSON: Expecting value: line 1 column 1 (char 0)",
)
def _(stack: Stack) -> None:
    stack.one("RolePolicy", "pipe-policy").inputs["policy"] = "Allow everything"


@breaks(
    "iam-documents-are-readable",
    "a statement without Effect",
    f"{RECORDER}-policy",
    "must have a statement 'Store' in policy that has the Effect Allow or Deny, and not null",
)
def _(stack: Stack) -> None:
    statement(stack, "recorder", "Store", Effect=None)


@breaks(
    "iam-documents-are-readable",
    "a principal that is a number",
    f"{PIPE}-role",
    "must have a statement 'AssumeRole' in assumeRolePolicy that has an object such as {'Service': NAME} as Principal,"
    " and not 42",
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Principal=42)


@breaks(
    "iam-documents-are-readable",
    "a document that names an element twice",
    f"{RECORDER}-policy",
    "must have a policy document in policy that is JSON: it says Version twice",
)
def _(stack: Stack) -> None:
    found = stack.one("RolePolicy", "recorder-policy")
    found.inputs["policy"] = found.inputs["policy"].replace("{", '{"Version": "2008-10-17", ', 1)


@breaks(
    "iam-documents-are-readable",
    "a queue policy, given as an object, with a misspelt element",
    f"{TRACKER}-quarantine",
    "must have a statement 1 in policy that has no element 'Actions'",
)
def _(stack: Stack) -> None:
    stack.one("Queue", "quarantine").inputs["policy"] = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": "*",
            "Actions": "sqs:SendMessage",
            "Resource": QUARANTINE,
        },
    }


@breaks(
    "iam-documents-are-readable",
    "the policy of a topic that is not JSON",
    "added",
    "must have a policy document in policy that is JSON: Expecting value: line 1 column 1 (char 0)",
)
def _(stack: Stack) -> None:
    stack.add("aws:sns/topic:Topic", "added", {"policy": "Allow everything"})


@breaks(
    "iam-documents-are-readable",
    "a document that says Statement twice, in a resource of a type that no rule lists",
    "added",
    "must have a policy document in containerPolicy that is JSON: it says Statement twice",
)
def _(stack: Stack) -> None:
    text = policy("mediastore:GetObject").replace("{", '{"Statement": "none", ', 1)
    stack.add("aws:mediastore/containerPolicy:ContainerPolicy", "added", {"containerPolicy": text})


# Managed policies

MANAGED = "arn:aws:iam::aws:policy/{}"
NEARLY_EVERYTHING = "must not carry the AWS managed policy {}, which allows nearly everything"
NOT_LISTED = "must not carry the AWS managed policy {}, which the rule's setting allowed does not list"


@breaks(
    "iam-no-broad-managed-policies",
    "AmazonDynamoDBFullAccess in a role's arguments",
    f"{RECORDER}-role",
    NEARLY_EVERYTHING.format("AmazonDynamoDBFullAccess"),
)
def _(stack: Stack) -> None:
    stack.one("Role", "recorder-role").inputs["managedPolicyArns"] = [
        MANAGED.format("AmazonDynamoDBFullAccess")
    ]


@breaks(
    "iam-no-broad-managed-policies",
    "AdministratorAccess attached to a role",
    "added",
    NEARLY_EVERYTHING.format("AdministratorAccess"),
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "added",
        {
            "role": stack.one("Role", "pipe-role").outputs["name"],
            "policyArn": MANAGED.format("AdministratorAccess"),
        },
    )


@breaks(
    "iam-no-broad-managed-policies",
    "PowerUserAccess attached to a user",
    "added",
    NEARLY_EVERYTHING.format("PowerUserAccess"),
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:iam/userPolicyAttachment:UserPolicyAttachment",
        "added",
        {"user": "operator", "policyArn": MANAGED.format("PowerUserAccess")},
    )


@breaks(
    "iam-no-broad-managed-policies",
    "AWSStepFunctionsFullAccess attached to a group",
    "added",
    NEARLY_EVERYTHING.format("AWSStepFunctionsFullAccess"),
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
        "added",
        {"group": "operators", "policyArn": MANAGED.format("AWSStepFunctionsFullAccess")},
    )


@breaks(
    "iam-no-broad-managed-policies",
    "IAMFullAccess by an attachment for many at once",
    "added",
    NEARLY_EVERYTHING.format("IAMFullAccess"),
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:iam/policyAttachment:PolicyAttachment",
        "added",
        {"name": "many", "users": ["operator"], "policyArn": MANAGED.format("IAMFullAccess")},
    )


@breaks(
    "iam-no-broad-managed-policies",
    "a narrower AWS managed policy that nobody listed, by an exclusive attachment",
    "added",
    NOT_LISTED.format("service-role/AWSLambdaBasicExecutionRole"),
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:iam/userPolicyAttachmentsExclusive:UserPolicyAttachmentsExclusive",
        "added",
        {"userName": "operator", "policyArns": [MANAGED.format("service-role/AWSLambdaBasicExecutionRole")]},
    )


@breaks(
    "iam-no-broad-managed-policies",
    "AdministratorAccess for whoever signs in, as one of all that a permission set has",
    "added",
    NEARLY_EVERYTHING.format("AdministratorAccess"),
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:ssoadmin/managedPolicyAttachmentsExclusive:ManagedPolicyAttachmentsExclusive",
        "added",
        {"managedPolicyArns": [MANAGED.format("AdministratorAccess")]},
    )


@breaks(
    "iam-no-broad-managed-policies",
    "AmazonS3FullAccess by a property of a type that no rule lists",
    "added",
    NEARLY_EVERYTHING.format("AmazonS3FullAccess"),
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:quicksight/iamPolicyAssignment:IamPolicyAssignment",
        "added",
        {"policyArn": MANAGED.format("AmazonS3FullAccess")},
    )


# Wildcards

SINGLE = "must name single actions in statement {!r}, and not {}"


@breaks(
    "iam-no-wildcard-actions",
    "all actions of DynamoDB",
    f"{RECORDER}-policy",
    SINGLE.format("Store", "dynamodb:*"),
)
def _(stack: Stack) -> None:
    statement(stack, "recorder", "Store", Action="dynamodb:*")


@breaks(
    "iam-no-wildcard-actions", "all actions there are", f"{PIPE}-policy", SINGLE.format("RecordRoutes", "*")
)
def _(stack: Stack) -> None:
    statement(stack, "pipe", "RecordRoutes", Action=["*"])


@breaks(
    "iam-no-wildcard-actions",
    "a wildcard inside an action's name",
    f"{PIPE}-policy",
    SINGLE.format("KeepDeadLetters", "sqs:Send*"),
)
def _(stack: Stack) -> None:
    statement(stack, "pipe", "KeepDeadLetters", Action="sqs:Send*")


@breaks(
    "iam-no-wildcard-actions",
    "a wildcard for one letter, in a user's policy",
    "added",
    SINGLE.format("Added", "dynamodb:?etItem"),
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:iam/userPolicy:UserPolicy",
        "added",
        {"user": "operator", "policy": policy("dynamodb:?etItem", resource=TABLE)},
    )


OWN_ACCOUNT = {"AWS": "arn:aws:iam::111111111111:root"}
TOPIC = ACCOUNT.format("sns", "calls")


@breaks(
    "iam-no-wildcard-actions",
    "all actions on a topic, in the topic's own arguments",
    "added",
    "must name single actions in statement 1, and not sns:*",
)
def _(stack: Stack) -> None:
    stack.add("aws:sns/topic:Topic", "added", {"policy": open_to(OWN_ACCOUNT, "sns:*", TOPIC)})


@breaks(
    "iam-no-wildcard-actions",
    "an object deep in the arguments of a type that no rule lists",
    "added",
    SINGLE.format("Added", "s3:*"),
)
def _(stack: Stack) -> None:
    document = json.loads(policy("s3:*", resource="arn:aws:s3:::recordings/*"))
    stack.add("aws:odb/network:Network", "added", {"access": [{"s3": {"policyDocument": document}}]})


@breaks(
    "iam-no-wildcard-actions",
    "JSON text inside of JSON text, its letters escaped",
    "added",
    SINGLE.format("Added", "s3:*"),
)
def _(stack: Stack) -> None:
    hidden = policy("s3:*", resource="arn:aws:s3:::recordings/*").replace("Statement", "\\u0053tatement")
    stack.add("aws:ssm/document:Document", "added", {"tags": TAGS, "content": json.dumps({"text": hidden})})


EXCLUSION = "must say what statement {!r} allows, and not by {} what it does not"


@breaks(
    "iam-no-allow-by-exclusion",
    "NotAction with Allow",
    f"{RECORDER}-policy",
    EXCLUSION.format("Added", "NotAction"),
)
def _(stack: Stack) -> None:
    with_statement(stack, "recorder", NotAction="iam:*", Resource=TABLE)


@breaks(
    "iam-no-allow-by-exclusion",
    "NotResource with Allow",
    f"{PIPE}-policy",
    EXCLUSION.format("Added", "NotResource"),
)
def _(stack: Stack) -> None:
    with_statement(stack, "pipe", Action=["sqs:SendMessage"], NotResource=[QUARANTINE])


@breaks(
    "iam-no-allow-by-exclusion",
    "NotPrincipal with Allow in a queue's policy",
    f"{PIPE}-dead-letters",
    EXCLUSION.format("Everyone else", "NotPrincipal"),
)
def _(stack: Stack) -> None:
    stack.one("Queue", "dead-letters").inputs["policy"] = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Everyone else",
                    "Effect": "Allow",
                    "NotPrincipal": {"AWS": "arn:aws:iam::111111111111:user/operator"},
                    "Action": "sqs:SendMessage",
                    "Resource": DEAD_LETTERS,
                }
            ],
        }
    )


NOT_ALL = "must name the resources of {} in statement {!r}, and not *"


@breaks(
    "iam-no-avoidable-wildcard-resources",
    "an UpdateItem on every table",
    f"{RECORDER}-policy",
    NOT_ALL.format("dynamodb:UpdateItem", "Store"),
)
def _(stack: Stack) -> None:
    statement(stack, "recorder", "Store", Resource="*")


@breaks(
    "iam-no-avoidable-wildcard-resources",
    "an action with a resource level among those without",
    f"{RECORDER}-policy",
    NOT_ALL.format("sqs:SendMessage", "DeliverLogs"),
)
def _(stack: Stack) -> None:
    edit(
        stack.one("RolePolicy", "recorder-policy"),
        lambda parsed: parsed["Statement"][-1]["Action"].append("sqs:SendMessage"),
    )


@breaks(
    "iam-no-avoidable-wildcard-resources",
    "every stream by an ARN",
    f"{PIPE}-policy",
    f"must name the resources of statement 'ReadStream', and not {ACCOUNT.format('kinesis', 'stream/*')}",
)
def _(stack: Stack) -> None:
    statement(stack, "pipe", "ReadStream", Resource=[ACCOUNT.format("kinesis", "stream/*")])


@breaks(
    "iam-no-avoidable-wildcard-resources",
    "every table by the beginning of its type",
    f"{RECORDER}-policy",
    f"must name the resources of statement 'Store', and not {ACCOUNT.format('dynamodb', 'tab*')}",
)
def _(stack: Stack) -> None:
    statement(stack, "recorder", "Store", Resource=ACCOUNT.format("dynamodb", "tab*"))


@breaks(
    "iam-no-avoidable-wildcard-resources",
    "every resource of any service by an ARN, in a group's policy",
    "added",
    "must name the resources of statement 'Added', and not arn:aws:*",
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:iam/groupPolicy:GroupPolicy",
        "added",
        {"group": "operators", "policy": policy("sqs:ReceiveMessage", resource="arn:aws:*")},
    )


# Escalation

OPENS = "must not allow {}, which opens more permissions ({})"
TOGETHER = "must not be allowed {} by its policies together, which opens more permissions ({})"


@breaks(
    "iam-no-privilege-escalation",
    "keys for other users, in a user's policy",
    "added",
    OPENS.format("iam:createaccesskey", "CreateAccessKey"),
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:iam/userPolicy:UserPolicy",
        "added",
        {"user": "operator", "policy": policy("iam:CreateAccessKey")},
    )


@breaks(
    "iam-no-privilege-escalation",
    "PassRole with RunInstances, in a group's policy",
    "added",
    OPENS.format("iam:passrole with ec2:runinstances", "CreateEC2WithExistingIP"),
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:iam/groupPolicy:GroupPolicy",
        "added",
        {"group": "operators", "policy": policy("iam:PassRole", "ec2:RunInstances")},
    )


@breaks(
    "iam-no-privilege-escalation",
    "a role that rewrites policies, in a managed policy of the team's own",
    "added",
    OPENS.format("iam:putrolepolicy", "PutRolePolicy"),
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:iam/policy:Policy",
        "added",
        {"policy": policy("iam:GetRole", "IAM:PutRolePolicy"), "tags": TAGS},
        arn="arn:aws:iam::111111111111:policy/added",
    )


@breaks(
    "iam-no-combined-privilege-escalation",
    "PassRole and RunInstances in two policies of a user",
    "one",
    TOGETHER.format("iam:passrole with ec2:runinstances", "CreateEC2WithExistingIP"),
)
def _(stack: Stack) -> None:
    for name, action in (("one", "iam:PassRole"), ("two", "ec2:RunInstances")):
        stack.add("aws:iam/userPolicy:UserPolicy", name, {"user": "operator", "policy": policy(action)})


@breaks(
    "iam-no-combined-privilege-escalation",
    "the same, one of them attached to a group",
    "inline",
    TOGETHER.format("iam:passrole with cloudformation:createstack", "PassExistingRoleToCloudFormation"),
)
def _(stack: Stack) -> None:
    arn = "arn:aws:iam::111111111111:policy/attached"
    group = {"group": "operators"}
    stack.add("aws:iam/groupPolicy:GroupPolicy", "inline", {**group, "policy": policy("iam:PassRole")})
    stack.add(
        "aws:iam/policy:Policy",
        "attached",
        {"policy": policy("cloudformation:CreateStack"), "tags": TAGS},
        arn=arn,
    )
    stack.add(
        "aws:iam/groupPolicyAttachment:GroupPolicyAttachment", "attachment", {**group, "policyArn": arn}
    )


@breaks(
    "iam-no-combined-privilege-escalation",
    "the same in a role of its own, inline and by a policy resource",
    "deployer",
    TOGETHER.format("iam:passrole with glue:createdevendpoint", "PassExistingRoleToNewGlueDevEndpoint"),
)
def _(stack: Stack) -> None:
    trusted = stack.one("Role", "pipe-role").inputs["assumeRolePolicy"]
    stack.add(
        "aws:iam/role:Role",
        "deployer",
        {
            "name": "deployer",
            "assumeRolePolicy": trusted,
            "inlinePolicies": [{"name": "pass", "policy": policy("iam:PassRole")}],
            "tags": TAGS,
        },
        arn="arn:aws:iam::111111111111:role/deployer",
    )
    stack.add(
        "aws:iam/rolePolicy:RolePolicy",
        "glue",
        {"role": "deployer", "policy": policy("glue:CreateDevEndpoint")},
    )


GROUPS_TOGETHER = TOGETHER.replace("its policies", "its policies and those of its groups")


def group_policy(stack: Stack, group: str, action: str) -> None:
    """Lets a group do something."""
    stack.add(
        "aws:iam/groupPolicy:GroupPolicy", f"{group}-policy", {"group": group, "policy": policy(action)}
    )


@breaks(
    "iam-no-combined-privilege-escalation",
    "PassRole of a user and RunInstances of its group",
    "added",
    GROUPS_TOGETHER.format("iam:passrole with ec2:runinstances", "CreateEC2WithExistingIP"),
)
def _(stack: Stack) -> None:
    group_policy(stack, "operators", "ec2:RunInstances")
    stack.add(
        "aws:iam/userPolicy:UserPolicy", "added", {"user": "operator", "policy": policy("iam:PassRole")}
    )
    stack.add(
        "aws:iam/userGroupMembership:UserGroupMembership",
        "membership",
        {"user": "operator", "groups": ["operators"]},
    )


@breaks(
    "iam-no-combined-privilege-escalation",
    "a user in two groups, each of which allows a part",
    "one",
    GROUPS_TOGETHER.format("iam:passrole with ec2:runinstances", "CreateEC2WithExistingIP"),
)
def _(stack: Stack) -> None:
    for name, group, action in (
        ("one", "operators", "iam:PassRole"),
        ("two", "builders", "ec2:RunInstances"),
    ):
        group_policy(stack, group, action)
        stack.add(
            "aws:iam/groupMembership:GroupMembership", name, {"group": group, "users": ["operator", name]}
        )


# Everybody


def open_to(principal: Any, action: str, resource: str, **elements: Any) -> str:
    """The policy of a resource, with one statement."""
    allowed = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource, **elements}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


EVERYBODY = "must say whom statement 1 allows, and not everybody"


@breaks(
    "iam-no-public-resources",
    "a queue that takes messages from everybody",
    f"{TRACKER}-quarantine",
    EVERYBODY,
)
def _(stack: Stack) -> None:
    stack.one("Queue", "quarantine").inputs["policy"] = open_to("*", "sqs:SendMessage", QUARANTINE)


@breaks("iam-no-public-resources", "a stream that every account may read", "added", EVERYBODY)
def _(stack: Stack) -> None:
    stack.add(
        "aws:kinesis/resourcePolicy:ResourcePolicy",
        "added",
        {"resourceArn": STREAM, "policy": open_to({"AWS": ["*"]}, "kinesis:GetRecords", STREAM)},
    )


@breaks("iam-no-public-resources", "a key for everybody who comes through some service", "added", EVERYBODY)
def _(stack: Stack) -> None:
    condition = {"StringLike": {"kms:ViaService": "sqs.*.amazonaws.com"}}
    opened = open_to({"AWS": "*"}, "kms:Decrypt", "*", Condition=condition)
    stack.add("aws:kms/key:Key", "added", {"policy": opened, "tags": TAGS}, arn=OTHER_KEY)


def opened_queue(stack: Stack, condition: dict[str, Any], principal: Any = "*") -> None:
    """Gives the quarantine queue a policy with a condition."""
    opened = open_to(principal, "sqs:SendMessage", QUARANTINE, Condition=condition)
    stack.one("Queue", "quarantine").inputs["policy"] = opened


@breaks(
    "iam-no-public-resources",
    "a condition that everybody meets by a variable",
    f"{TRACKER}-quarantine",
    EVERYBODY,
)
def _(stack: Stack) -> None:
    opened_queue(stack, {"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}})


@breaks(
    "iam-no-public-resources",
    "a condition of wildcards that every account meets",
    f"{TRACKER}-quarantine",
    EVERYBODY,
)
def _(stack: Stack) -> None:
    opened_queue(stack, {"StringLike": {"aws:SourceAccount": "????????????"}})


@breaks(
    "iam-no-public-resources",
    "a condition that the topics of all accounts meet, as one of its values",
    f"{TRACKER}-quarantine",
    EVERYBODY,
)
def _(stack: Stack) -> None:
    topics = "arn:aws:sns:ap-northeast-1:{}:calls"
    opened_queue(stack, {"ArnLike": {"aws:SourceArn": [topics.format("111111111111"), topics.format("*")]}})


@breaks("iam-no-public-resources", "a secret that everybody may read", "added", EVERYBODY)
def _(stack: Stack) -> None:
    opened = open_to("*", "secretsmanager:GetSecretValue", "*")
    stack.add("aws:secretsmanager/secret:Secret", "added", {"policy": opened})


@breaks("iam-no-public-resources", "a topic to which everybody may publish", "added", EVERYBODY)
def _(stack: Stack) -> None:
    stack.add("aws:sns/topic:Topic", "added", {"policy": open_to({"AWS": "*"}, "sns:Publish", TOPIC)})


@breaks(
    "iam-no-public-resources",
    "a file system that everybody may mount, a type that no rule lists",
    "added",
    EVERYBODY,
)
def _(stack: Stack) -> None:
    files = ACCOUNT.format("elasticfilesystem", "file-system/fs-1")
    opened = open_to("*", "elasticfilesystem:ClientMount", files)
    stack.add("aws:efs/fileSystemPolicy:FileSystemPolicy", "added", {"policy": opened})


@breaks("iam-no-public-resources", "every identity provider", f"{TRACKER}-quarantine", EVERYBODY)
def _(stack: Stack) -> None:
    opened_queue(stack, {}, {"Federated": "*"})


@breaks("iam-no-public-resources", "every service", f"{TRACKER}-quarantine", EVERYBODY)
def _(stack: Stack) -> None:
    opened_queue(stack, {}, {"Service": "*"})


# Trust


GIVEN = "must not give statement 1 to another account: 222222222222"


@breaks(
    "iam-resources-stay-in-their-account",
    "quarantined records for another account",
    f"{TRACKER}-quarantine",
    GIVEN,
)
def _(stack: Stack) -> None:
    opened = open_to({"AWS": "222222222222"}, "sqs:ReceiveMessage", QUARANTINE)
    stack.one("Queue", "quarantine").inputs["policy"] = opened


@breaks("iam-resources-stay-in-their-account", "the table for a role of another account", "added", GIVEN)
def _(stack: Stack) -> None:
    theirs = {"AWS": "arn:aws:iam::222222222222:role/theirs"}
    document = open_to(theirs, "dynamodb:Scan", TABLE)
    stack.add(
        "aws:dynamodb/resourcePolicy:ResourcePolicy", "added", {"resourceArn": TABLE, "policy": document}
    )


@breaks(
    "iam-resources-stay-in-their-account", "everybody, of another account", f"{TRACKER}-quarantine", GIVEN
)
def _(stack: Stack) -> None:
    opened_queue(stack, {"StringEquals": {"aws:PrincipalAccount": ["111111111111", "222222222222"]}})


@breaks(
    "iam-resources-stay-in-their-account", "the topics of another account", f"{TRACKER}-quarantine", GIVEN
)
def _(stack: Stack) -> None:
    topics = {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:222222222222:*"}}
    opened_queue(stack, topics, {"Service": "sns.amazonaws.com"})


@breaks(
    "iam-trust-only-named-services",
    "another account as principal",
    f"{RECORDER}-role",
    "must trust services by name in statement 'AssumeRole', and not AWS arn:aws:iam::222222222222:root",
)
def _(stack: Stack) -> None:
    trust(stack, "recorder", Principal={"AWS": "arn:aws:iam::222222222222:root"})


@breaks(
    "iam-trust-only-named-services",
    "everybody as principal",
    f"{PIPE}-role",
    "must trust services by name in statement 'AssumeRole', and not everybody",
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Principal="*")


@breaks(
    "iam-trust-only-named-services",
    "any service as principal",
    f"{PIPE}-role",
    "must trust one of *.amazonaws.com in statement 'AssumeRole', and not *.amazonaws.com",
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Principal={"Service": ["*.amazonaws.com"]})


@breaks(
    "iam-trust-only-named-services",
    "tags that whoever assumes the role may choose",
    f"{PIPE}-role",
    "must let its services do sts:AssumeRole only in statement 'AssumeRole', and not sts:TagSession",
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Action=["sts:AssumeRole", "sts:TagSession"])


UNBOUND = "must bind {} to aws:SourceAccount or aws:SourceArn in statement 'AssumeRole'"


@breaks(
    "iam-trust-is-bound-to-a-source", "no condition", f"{PIPE}-role", UNBOUND.format("pipes.amazonaws.com")
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Condition=None)


@breaks(
    "iam-trust-is-bound-to-a-source",
    "a condition that holds where the key is missing",
    f"{RECORDER}-role",
    UNBOUND.format("states.amazonaws.com"),
)
def _(stack: Stack) -> None:
    trust(stack, "recorder", Condition={"StringEqualsIfExists": {"aws:SourceAccount": "111111111111"}})


@breaks(
    "iam-trust-is-bound-to-a-source",
    "a condition that any account meets",
    f"{PIPE}-role",
    UNBOUND.format("pipes.amazonaws.com"),
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Condition={"StringLike": {"aws:SourceAccount": "*"}})


@breaks(
    "iam-trust-is-bound-to-a-source",
    "a condition that the pipes of all accounts meet",
    f"{PIPE}-role",
    UNBOUND.format("pipes.amazonaws.com"),
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Condition={"ArnLike": {"aws:SourceArn": "arn:aws:pipes:ap-northeast-1:*:pipe/*"}})


@breaks(
    "iam-trust-is-bound-to-a-source",
    "a condition on something else",
    f"{PIPE}-role",
    UNBOUND.format("pipes.amazonaws.com"),
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Condition={"StringEquals": {"aws:RequestedRegion": "ap-northeast-1"}})


@breaks(
    "iam-trust-is-bound-to-a-source",
    "a variable that the call itself fills",
    f"{PIPE}-role",
    UNBOUND.format("pipes.amazonaws.com"),
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Condition={"StringEquals": {"aws:SourceAccount": "${aws:SourceAccount}"}})


FOREIGN = "must not be bound by {} to another account than its own, 111111111111: 222222222222"
OTHER_PIPE = "arn:aws:pipes:ap-northeast-1:222222222222:pipe/*"


@breaks(
    "iam-trust-stays-in-its-account",
    "another account's id",
    f"{RECORDER}-role",
    FOREIGN.format("aws:SourceAccount"),
)
def _(stack: Stack) -> None:
    trust(stack, "recorder", Condition={"StringEquals": {"aws:SourceAccount": "222222222222"}})


@breaks(
    "iam-trust-stays-in-its-account",
    "the pipes of another account",
    f"{PIPE}-role",
    FOREIGN.format("aws:SourceArn"),
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Condition={"ArnLike": {"aws:SourceArn": OTHER_PIPE}})


@breaks(
    "iam-trust-stays-in-its-account",
    "another account beside the own one, under a key in small letters",
    f"{PIPE}-role",
    FOREIGN.format("aws:sourceaccount"),
)
def _(stack: Stack) -> None:
    both = ["111111111111", "222222222222"]
    trust(stack, "pipe", Condition={"StringEquals": {"aws:sourceaccount": both}})


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
    least_privilege,
    no_lambda,
    pipeline,
    tags,
):
    for _rule, _cases in _module.CASES.items():
        for _what, _case in _cases.items():
            MUTATIONS.append(Mutation(_rule, _what, _case.resource, tuple(_case.messages), _case.edit))
