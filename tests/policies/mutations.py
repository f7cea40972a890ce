"""Ways to break the program's resources, each of which exactly one rule must tell.

A mutation is made on the recorded resources of the stack `prod`. Where a change would leave a role with a permission too
many or too few, which another rule would tell as well, it changes the role along with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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


@breaks(
    "state-machine-role-fits-its-definition",
    "the permission to quarantine taken away",
    f"{RECORDER}-role",
    MISSING.format("sqs:SendMessage", QUARANTINE, RECORDER, "its state 'Quarantine' does that"),
)
def _(stack: Stack) -> None:
    without_statement(stack, "recorder", "Quarantine")


@breaks(
    "state-machine-role-fits-its-definition",
    "a permission to read the table",
    f"{RECORDER}-role",
    EXCESS.format("dynamodb:Scan", TABLE, RECORDER),
)
def _(stack: Stack) -> None:
    statement(stack, "recorder", "Store", Action=["dynamodb:UpdateItem", "dynamodb:Scan"])


@breaks(
    "state-machine-role-fits-its-definition",
    "the permission for another table",
    f"{RECORDER}-role",
    MISSING.format("dynamodb:UpdateItem", TABLE, RECORDER, "its state 'Store' does that"),
    EXCESS.format("dynamodb:UpdateItem", ACCOUNT.format("dynamodb", "table/other"), RECORDER),
)
def _(stack: Stack) -> None:
    statement(stack, "recorder", "Store", Resource=ACCOUNT.format("dynamodb", "table/other"))


@breaks(
    "state-machine-role-fits-its-definition",
    "a state that writes to another table",
    f"{RECORDER}-role",
    MISSING.format(
        "dynamodb:UpdateItem",
        ACCOUNT.format("dynamodb", "table/copies"),
        RECORDER,
        "its state 'Copy' does that",
    ),
)
def _(stack: Stack) -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:updateItem",
        "Arguments": {"TableName": "copies"},
        "End": True,
    }
    edit(stack.one("StateMachine"), lambda parsed: parsed["States"].update(Copy=task), "definition")


@breaks(
    "state-machine-role-fits-its-definition",
    "a state that writes to another table, in a Map by its older name",
    f"{RECORDER}-role",
    MISSING.format(
        "dynamodb:UpdateItem",
        ACCOUNT.format("dynamodb", "table/copies"),
        RECORDER,
        "its state 'Copy' does that",
    ),
)
def _(stack: Stack) -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:updateItem",
        "Arguments": {"TableName": "copies"},
        "End": True,
    }
    each = {"Type": "Map", "Iterator": {"StartAt": "Copy", "States": {"Copy": task}}, "End": True}
    edit(stack.one("StateMachine"), lambda parsed: parsed["States"].update(Old=each), "definition")


UNTOLD = "must have a definition that tells what it needs: state '{}': no permission is known for {}"


@breaks(
    "state-machine-role-fits-its-definition",
    "a queue of the same name in another account and region",
    f"{RECORDER}-role",
    MISSING.format(
        "sqs:SendMessage",
        QUARANTINE.replace("ap-northeast-1:111111111111", "us-west-2:222222222222"),
        RECORDER,
        "its state 'Quarantine' does that",
    ),
    EXCESS.format("sqs:SendMessage", QUARANTINE, RECORDER),
)
def _(stack: Stack) -> None:
    name = QUARANTINE.rpartition(":")[2]
    url = f"https://sqs.us-west-2.amazonaws.com/222222222222/{name}"
    each_contact(stack, lambda states: states["Quarantine"]["Arguments"].update(QueueUrl=url))


@breaks(
    "state-machine-role-fits-its-definition",
    "another service that may assume the role as well",
    f"{RECORDER}-role",
    f"must not be assumable by lambda.amazonaws.com: {RECORDER} is not of that service",
)
def _(stack: Stack) -> None:
    trust(stack, "recorder", Principal={"Service": ["states.amazonaws.com", "lambda.amazonaws.com"]})


@breaks(
    "state-machine-role-fits-its-definition",
    "a Map that reads its items from a bucket",
    RECORDER,
    UNTOLD.format("EachContact", "ItemReader"),
)
def _(stack: Stack) -> None:
    reader = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Arguments": {"Bucket": "calls"}}
    edit(
        stack.one("StateMachine"),
        lambda parsed: parsed["States"]["EachContact"].update(ItemReader=reader),
        "definition",
    )


@breaks(
    "state-machine-role-fits-its-definition",
    "a Map that writes its results to a bucket",
    RECORDER,
    UNTOLD.format("EachContact", "ResultWriter"),
)
def _(stack: Stack) -> None:
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Arguments": {"Bucket": "calls"}}
    edit(
        stack.one("StateMachine"),
        lambda parsed: parsed["States"]["EachContact"].update(ResultWriter=writer),
        "definition",
    )


@breaks(
    "state-machine-role-fits-its-definition",
    "a distributed Map",
    RECORDER,
    UNTOLD.format("EachContact", "the ProcessorConfig.Mode 'DISTRIBUTED'"),
)
def _(stack: Stack) -> None:
    mode = {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
    edit(
        stack.one("StateMachine"),
        lambda parsed: parsed["States"]["EachContact"]["ItemProcessor"].update(ProcessorConfig=mode),
        "definition",
    )


@breaks(
    "state-machine-role-fits-its-definition",
    "a state that takes on another role",
    RECORDER,
    UNTOLD.format("Store", "Credentials"),
)
def _(stack: Stack) -> None:
    def change(parsed: dict[str, Any]) -> None:
        store = parsed["States"]["EachContact"]["ItemProcessor"]["States"]["Store"]
        store["Credentials"] = {"RoleArn": "arn:aws:iam::222222222222:role/writer"}

    edit(stack.one("StateMachine"), change, "definition")


@breaks(
    "state-machine-role-fits-its-definition",
    "a state of a kind whose permissions nobody knows",
    RECORDER,
    "must have a definition that tells what it needs: state 'Tell': no permission is known for"
    " 'arn:aws:states:::sns:publish'; add it to _INTEGRATIONS",
)
def _(stack: Stack) -> None:
    task = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Arguments": {}, "End": True}
    edit(stack.one("StateMachine"), lambda parsed: parsed["States"].update(Tell=task), "definition")


@breaks(
    "state-machine-role-fits-its-definition",
    "a Deny on what the definition does",
    f"{RECORDER}-role",
    MISSING.format("dynamodb:UpdateItem", TABLE, RECORDER, "its state 'Store' does that"),
)
def _(stack: Stack) -> None:
    with_statement(stack, "recorder", Effect="Deny", Action="dynamodb:*", Resource=TABLE)


@breaks(
    "state-machine-role-fits-its-definition",
    "a Deny on all actions but some",
    f"{RECORDER}-role",
    MISSING.format("sqs:SendMessage", QUARANTINE, RECORDER, "its state 'Quarantine' does that"),
)
def _(stack: Stack) -> None:
    with_statement(stack, "recorder", Effect="Deny", NotAction=["dynamodb:*", "logs:*"], Resource="*")


@breaks(
    "state-machine-role-fits-its-definition",
    "a Deny on all resources but one",
    f"{RECORDER}-role",
    MISSING.format("sqs:SendMessage", QUARANTINE, RECORDER, "its state 'Quarantine' does that"),
)
def _(stack: Stack) -> None:
    with_statement(stack, "recorder", Effect="Deny", Action="sqs:*", NotResource=TABLE)


@breaks(
    "state-machine-role-fits-its-definition",
    "a permission to read the table, given by the table's own policy",
    f"{RECORDER}-role",
    EXCESS.format("dynamodb:Scan", TABLE, RECORDER),
)
def _(stack: Stack) -> None:
    role = {"AWS": [stack.one("Role", "recorder-role").outputs["arn"]]}
    stack.add(
        "aws:dynamodb/resourcePolicy:ResourcePolicy",
        "added",
        {"resourceArn": TABLE, "policy": open_to(role, "dynamodb:Scan", TABLE)},
    )


@breaks(
    "state-machine-role-fits-its-definition",
    "a Deny for everybody in the policy of the quarantine queue",
    f"{RECORDER}-role",
    MISSING.format("sqs:SendMessage", QUARANTINE, RECORDER, "its state 'Quarantine' does that"),
)
def _(stack: Stack) -> None:
    closed = open_to("*", "sqs:*", QUARANTINE, Effect="Deny")
    stack.add("aws:sqs/queuePolicy:QueuePolicy", "added", {"queueUrl": "quarantine", "policy": closed})


@breaks(
    "state-machine-role-fits-its-definition",
    "a managed policy that this stack does not hold",
    f"{RECORDER}-role",
    "must carry policies of this stack only, since it is not known what arn:aws:iam::111111111111:policy/other allows",
)
def _(stack: Stack) -> None:
    stack.one("Role", "recorder-role").inputs["managedPolicyArns"] = [
        "arn:aws:iam::111111111111:policy/other"
    ]


@breaks(
    "state-machine-role-fits-its-definition",
    "a customer key for the quarantine queue, and no permission to use it",
    f"{RECORDER}-role",
    *(
        MISSING.format(action, KEY, RECORDER, f"{TRACKER}-quarantine is encrypted with it")
        for action in ("kms:Decrypt", "kms:GenerateDataKey")
    ),
)
def _(stack: Stack) -> None:
    stack.one("Queue", "quarantine").inputs["kmsMasterKeyId"] = KEY


@breaks(
    "pipe-role-fits-its-pipe",
    "the permission to keep dead letters taken away",
    f"{PIPE}-role",
    MISSING.format("sqs:SendMessage", DEAD_LETTERS, PIPE, "it keeps there what fails"),
)
def _(stack: Stack) -> None:
    without_statement(stack, "pipe", "KeepDeadLetters")


@breaks(
    "pipe-role-fits-its-pipe",
    "a permission to write to the stream",
    f"{PIPE}-role",
    EXCESS.format("kinesis:PutRecord", STREAM, PIPE),
)
def _(stack: Stack) -> None:
    with_statement(stack, "pipe", Action="kinesis:PutRecord", Resource=STREAM)


@breaks(
    "pipe-role-fits-its-pipe",
    "another dead-letter queue than the role's",
    f"{PIPE}-role",
    MISSING.format("sqs:SendMessage", QUARANTINE, PIPE, "it keeps there what fails"),
    EXCESS.format("sqs:SendMessage", DEAD_LETTERS, PIPE),
)
def _(stack: Stack) -> None:
    source(stack)["deadLetterConfig"]["arn"] = QUARANTINE


@breaks(
    "pipe-role-fits-its-pipe",
    "a permission to write the log, which EventBridge delivers without",
    f"{PIPE}-role",
    EXCESS.format("logs:PutLogEvents", PIPE_LOGS, PIPE),
)
def _(stack: Stack) -> None:
    with_statement(stack, "pipe", Action="logs:PutLogEvents", Resource=PIPE_LOGS)


@breaks(
    "pipe-role-fits-its-pipe",
    "a customer key for the stream, and the permission for another one",
    f"{PIPE}-role",
    MISSING.format("kms:Decrypt", KEY, PIPE, f"{TRACKER}-stream is encrypted with it"),
    EXCESS.format("kms:Decrypt", OTHER_KEY, PIPE),
)
def _(stack: Stack) -> None:
    stack.one("Stream").inputs["kmsKeyId"] = KEY
    with_statement(stack, "pipe", Action="kms:Decrypt", Resource=OTHER_KEY)


@breaks(
    "pipe-role-fits-its-pipe",
    "a log in a bucket, for which nobody knows the permissions",
    PIPE,
    "must have no logConfiguration.s3LogDestination, since it is not known what that needs",
)
def _(stack: Stack) -> None:
    stack.one("Pipe").inputs["logConfiguration"]["s3LogDestination"] = {"bucketName": "logs"}


@breaks(
    "pipe-role-fits-its-pipe",
    "a Deny on all actions but some",
    f"{PIPE}-role",
    MISSING.format("sqs:SendMessage", DEAD_LETTERS, PIPE, "it keeps there what fails"),
)
def _(stack: Stack) -> None:
    kept = ["kinesis:*", "states:*", "logs:*"]
    with_statement(stack, "pipe", Effect="Deny", NotAction=kept, Resource="*")


@breaks(
    "pipe-role-fits-its-pipe",
    "another service that may assume the role instead",
    f"{PIPE}-role",
    f"must be assumable by the service of {PIPE}",
    f"must not be assumable by states.amazonaws.com: {PIPE} is not of that service",
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Principal={"Service": "states.amazonaws.com"})


NOT_TRUSTED = "must be assumable on behalf of {}"


@breaks(
    "pipe-role-fits-its-pipe",
    "another pipe that may assume the role instead",
    f"{PIPE}-role",
    NOT_TRUSTED.format(OWN_PIPE),
)
def _(stack: Stack) -> None:
    trust(stack, "pipe", Condition={"StringEquals": {"aws:SourceArn": f"{OWN_PIPE}-2"}})


@breaks(
    "pipe-role-fits-its-pipe",
    "a Deny for everybody who would assume the role",
    f"{PIPE}-role",
    NOT_TRUSTED.format(OWN_PIPE),
)
def _(stack: Stack) -> None:
    denied = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
    role = stack.one("Role", "pipe-role")
    edit(role, lambda parsed: parsed["Statement"].append(denied), "assumeRolePolicy")


@breaks(
    "pipe-role-fits-its-pipe",
    "a customer key for the pipe itself, for which nobody knows the permissions",
    PIPE,
    "must have no kmsKeyIdentifier, since it is not known what that needs",
)
def _(stack: Stack) -> None:
    stack.one("Pipe").inputs["kmsKeyIdentifier"] = KEY


@breaks(
    "pipe-role-fits-its-pipe",
    "a role that is not of this stack",
    PIPE,
    'must have a role of this stack, since it is not known what "arn:aws:iam::111111111111:role/other" allows',
)
def _(stack: Stack) -> None:
    stack.one("Pipe").inputs["roleArn"] = "arn:aws:iam::111111111111:role/other"


@breaks(
    "state-machine-role-fits-its-definition",
    "another state machine that may assume the role instead",
    f"{RECORDER}-role",
    NOT_TRUSTED.format(ACCOUNT.format("states", "stateMachine:call-route-tracker-prod")),
)
def _(stack: Stack) -> None:
    other = ACCOUNT.format("states", "stateMachine:other")
    trust(stack, "recorder", Condition={"ArnLike": {"aws:SourceArn": other}})


@breaks(
    "state-machine-role-fits-its-definition",
    "a customer key for the definition, for which nobody knows the permissions",
    RECORDER,
    "must have no encryptionConfiguration.kmsKeyId, since it is not known what that needs",
)
def _(stack: Stack) -> None:
    key = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": KEY}
    stack.one("StateMachine").inputs["encryptionConfiguration"] = key


# The pipeline

FUNCTION = ACCOUNT.format("lambda", "function:enrich")


@breaks("no-lambda", "a function", "added", "must not be part of this stack, which does without Lambda")
def _(stack: Stack) -> None:
    stack.add("aws:lambda/function:Function", "added", {"runtime": "python3.13", "handler": "main.handler"})


@breaks(
    "no-lambda",
    "a state that calls a function",
    RECORDER,
    "must not call Lambda in definition.States.EachContact.ItemProcessor.States.Enrich.Resource:"
    " arn:aws:states:::lambda:invoke",
)
def _(stack: Stack) -> None:
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {}, "End": True}

    def change(parsed: dict[str, Any]) -> None:
        parsed["States"]["EachContact"]["ItemProcessor"]["States"]["Enrich"] = task

    edit(stack.one("StateMachine"), change, "definition")


@breaks("no-lambda", "a function as enrichment", PIPE, f"must not call Lambda in enrichment: {FUNCTION}")
def _(stack: Stack) -> None:
    stack.one("Pipe").inputs["enrichment"] = FUNCTION


@breaks("no-lambda", "a function as the pipe's target", PIPE, f"must not call Lambda in target: {FUNCTION}")
def _(stack: Stack) -> None:
    stack.one("Pipe").inputs["target"] = FUNCTION


@breaks(
    "no-lambda",
    "a function that flows may call",
    "added",
    "must not be part of this stack, which does without Lambda",
)
def _(stack: Stack) -> None:
    stack.add(
        "aws:connect/lambdaFunctionAssociation:LambdaFunctionAssociation",
        "added",
        {"instanceId": "00000000-0000-0000-0000-000000000000", "functionArn": FUNCTION},
    )


@breaks("no-lambda", "a rule that calls a function", "added", f"must not call Lambda in arn: {FUNCTION}")
def _(stack: Stack) -> None:
    stack.add("aws:cloudwatch/eventTarget:EventTarget", "added", {"rule": "nightly", "arn": FUNCTION})


@breaks(
    "no-lambda",
    "a function that changes what is delivered to a bucket",
    "added",
    "must not call Lambda in extendedS3Configuration.processingConfiguration.processors[0].parameters[0]"
    f".parameterValue: {FUNCTION}:$LATEST",
)
def _(stack: Stack) -> None:
    parameter = {"parameterName": "LambdaArn", "parameterValue": f"{FUNCTION}:$LATEST"}
    processing = {"enabled": True, "processors": [{"type": "Lambda", "parameters": [parameter]}]}
    stack.add(
        "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream",
        "added",
        {
            "serverSideEncryption": {"enabled": True},
            "extendedS3Configuration": {"processingConfiguration": processing},
        },
    )


LOOKUP = {
    "Identifier": "lookup",
    "Type": "InvokeLambdaFunction",
    "Parameters": {"LambdaFunctionARN": "$.Attributes.lookup", "InvocationTimeLimitSeconds": "3"},
    "Transitions": {
        "NextAction": "route-start",
        "Errors": [{"NextAction": "route-start", "ErrorType": "NoMatchingError"}],
    },
}


@breaks(
    "no-lambda", "a block of a flow that calls a function", FLOW, "must not call Lambda in block 'lookup'"
)
def _(stack: Stack) -> None:
    def change(parsed: dict[str, Any]) -> None:
        parsed["Actions"].append(LOOKUP)
        parsed["StartAction"] = "lookup"

    edit(stack.one("ContactFlow"), change, "content")


@breaks(
    "no-lambda",
    "a block of a module that calls a function",
    "added",
    "must not call Lambda in block 'lookup'",
)
def _(stack: Stack) -> None:
    back = {"NextAction": "end", "ErrorType": "NoMatchingError"}
    module(stack, {**LOOKUP, "Transitions": {"NextAction": "end", "Errors": [back]}})


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


@breaks("pipe-calls-synchronously", "FIRE_AND_FORGET", PIPE, SYNCHRONOUS.format('"FIRE_AND_FORGET"'))
def _(stack: Stack) -> None:
    call(stack, "FIRE_AND_FORGET")
    statement(stack, "pipe", "RecordRoutes", Action=["states:StartExecution"])


@breaks("pipe-calls-synchronously", "a misspelt type of call", PIPE, SYNCHRONOUS.format('"request_response"'))
def _(stack: Stack) -> None:
    call(stack, "request_response")


@breaks("pipe-calls-synchronously", "an empty type of call", PIPE, SYNCHRONOUS.format('""'))
def _(stack: Stack) -> None:
    call(stack, "")


def call(stack: Stack, type_: str) -> None:
    """Sets how the pipe calls its state machine."""
    stack.one("Pipe").inputs["targetParameters"]["stepFunctionStateMachineParameters"]["invocationType"] = (
        type_
    )


EXPRESS = f"must be EXPRESS, since {PIPE} waits for its executions, and not {{}}"


@breaks("pipe-target-is-express", "a Standard state machine", RECORDER, EXPRESS.format('"STANDARD"'))
def _(stack: Stack) -> None:
    stack.one("StateMachine").inputs["type"] = "STANDARD"


@breaks("pipe-target-is-express", "no type, which is Standard", RECORDER, EXPRESS.format('"STANDARD"'))
def _(stack: Stack) -> None:
    del stack.one("StateMachine").inputs["type"]


@breaks("pipe-target-is-express", "a misspelt type", RECORDER, EXPRESS.format('"Express"'))
def _(stack: Stack) -> None:
    stack.one("StateMachine").inputs["type"] = "Express"


def target(stack: Stack, arn: str) -> None:
    """Lets the pipe call another state machine, or the same by another ARN, and its role with it."""
    pipe = stack.one("Pipe")
    pipe.inputs["target"] = arn
    del pipe.dependencies["target"]
    statement(stack, "pipe", "RecordRoutes", Resource=arn)


@breaks(
    "pipe-target-is-express",
    "a Standard state machine behind an alias",
    RECORDER,
    EXPRESS.format('"STANDARD"'),
)
def _(stack: Stack) -> None:
    machine = stack.one("StateMachine")
    machine.inputs["type"] = "STANDARD"
    target(stack, f"{machine.outputs['arn']}:live")


@breaks(
    "pipe-target-is-express",
    "a version of a Standard state machine",
    RECORDER,
    EXPRESS.format('"STANDARD"'),
)
def _(stack: Stack) -> None:
    machine = stack.one("StateMachine")
    machine.inputs["type"] = "STANDARD"
    target(stack, f"{machine.outputs['arn']}:1")


ELSEWHERE = ACCOUNT.format("states", "stateMachine:other")


@breaks(
    "pipe-target-is-express",
    "a state machine that is not of this stack",
    PIPE,
    f'must call a state machine of this stack, since it is not known whether "{ELSEWHERE}" is EXPRESS',
)
def _(stack: Stack) -> None:
    target(stack, ELSEWHERE)


NO_DEAD_LETTERS = "must have a standard SQS queue as dead-letter queue, or what keeps failing is lost"


@breaks("pipe-has-dead-letter-queue", "no dead-letter queue", PIPE, NO_DEAD_LETTERS)
def _(stack: Stack) -> None:
    del source(stack)["deadLetterConfig"]
    without_statement(stack, "pipe", "KeepDeadLetters")


@breaks("pipe-has-dead-letter-queue", "a dead-letter queue without a name", PIPE, NO_DEAD_LETTERS)
def _(stack: Stack) -> None:
    source(stack)["deadLetterConfig"] = {}
    without_statement(stack, "pipe", "KeepDeadLetters")


@breaks("pipe-has-dead-letter-queue", "a FIFO queue, which pipes do not take", PIPE, NO_DEAD_LETTERS)
def _(stack: Stack) -> None:
    dead_letters(stack, f"{DEAD_LETTERS}.fifo", "sqs:SendMessage")


@breaks("pipe-has-dead-letter-queue", "a topic, which keeps nothing", PIPE, NO_DEAD_LETTERS)
def _(stack: Stack) -> None:
    dead_letters(stack, ACCOUNT.format("sns", "dead-letters"), "sns:Publish")


def dead_letters(stack: Stack, arn: str, action: str) -> None:
    """Lets pipe and role use something else for dead letters."""
    source(stack)["deadLetterConfig"]["arn"] = arn
    statement(stack, "pipe", "KeepDeadLetters", Action=action, Resource=arn)


FINITE = "must have a finite {}, or one failing record blocks its shard; {}"


@breaks(
    "pipe-retries-are-finite",
    "no limit to retries",
    PIPE,
    FINITE.format("maximumRetryAttempts", "retries: null"),
)
def _(stack: Stack) -> None:
    del source(stack)["maximumRetryAttempts"]


@breaks(
    "pipe-retries-are-finite", "endless retries", PIPE, FINITE.format("maximumRetryAttempts", "retries: -1")
)
def _(stack: Stack) -> None:
    source(stack)["maximumRetryAttempts"] = -1


@breaks(
    "pipe-retries-are-finite",
    "records of any age",
    PIPE,
    FINITE.format("maximumRecordAgeInSeconds", "record age: -1"),
)
def _(stack: Stack) -> None:
    source(stack)["maximumRecordAgeInSeconds"] = -1


@breaks(
    "pipe-retries-are-finite",
    "an age that is a text",
    PIPE,
    FINITE.format("maximumRecordAgeInSeconds", 'record age: "a day"'),
)
def _(stack: Stack) -> None:
    source(stack)["maximumRecordAgeInSeconds"] = "a day"


TOO_OLD = (
    "must have a maximumRecordAgeInSeconds below the {} hours that its stream keeps records, and not {}:"
    " what it gives up could not be replayed"
)


@breaks(
    "pipe-age-below-stream-retention", "an age that equals the retention", PIPE, TOO_OLD.format(168, 604800)
)
def _(stack: Stack) -> None:
    source(stack)["maximumRecordAgeInSeconds"] = 604_800


@breaks("pipe-age-below-stream-retention", "a shorter retention", PIPE, TOO_OLD.format(24, 86400))
def _(stack: Stack) -> None:
    stack.one("Stream").inputs["retentionPeriod"] = 24


@breaks("pipe-age-below-stream-retention", "no retention, which is a day", PIPE, TOO_OLD.format(24, 86400))
def _(stack: Stack) -> None:
    del stack.one("Stream").inputs["retentionPeriod"]


@breaks(
    "pipe-age-below-stream-retention",
    "a stream of another stack, whose retention nobody told",
    PIPE,
    TOO_OLD.format(24, 86400),
)
def _(stack: Stack) -> None:
    elsewhere = ACCOUNT.format("kinesis", "stream/elsewhere")
    pipe = stack.one("Pipe")
    pipe.inputs["source"] = elsewhere
    del pipe.dependencies["source"]
    storage(stack)["kinesisStreamConfig"]["streamArn"] = elsewhere
    statement(stack, "pipe", "ReadStream", Resource=elsewhere)


@breaks(
    "pipe-age-below-stream-retention",
    "a retention that is not a number",
    PIPE,
    'must read a stream whose retentionPeriod is a number of hours, and not "a week"',
)
def _(stack: Stack) -> None:
    stack.one("Stream").inputs["retentionPeriod"] = "a week"


@breaks(
    "pipe-age-below-stream-retention",
    "a shorter retention, and another stream that is kept for longer",
    PIPE,
    TOO_OLD.format(24, 86400),
)
def _(stack: Stack) -> None:
    stream, pipe = stack.one("Stream"), stack.one("Pipe")
    longer = stack.add(stream.type, "longer", {**stream.inputs, "retentionPeriod": 8_760}, arn=f"{STREAM}-2")
    longer.protect = True
    stream.inputs["retentionPeriod"] = 24
    # It comes first, and the pipe's source is said to come from both.
    stack.insert(1, stack.pop())
    pipe.dependencies["source"] = [longer.urn, stream.urn]


BISECTS = "must have onPartialBatchItemFailure AUTOMATIC_BISECT, or a bad record takes its batch along"


@breaks("pipe-bisects-failing-batches", "no bisection", PIPE, BISECTS)
def _(stack: Stack) -> None:
    del source(stack)["onPartialBatchItemFailure"]


@breaks("pipe-bisects-failing-batches", "an empty value", PIPE, BISECTS)
def _(stack: Stack) -> None:
    source(stack)["onPartialBatchItemFailure"] = ""


@breaks("pipe-bisects-failing-batches", "a value that is not a text", PIPE, BISECTS)
def _(stack: Stack) -> None:
    source(stack)["onPartialBatchItemFailure"] = True


POSITION = "must have the startingPosition TRIM_HORIZON, and not {}, which misses records"


@breaks("pipe-starts-at-trim-horizon", "LATEST", PIPE, POSITION.format('"LATEST"'))
def _(stack: Stack) -> None:
    source(stack)["startingPosition"] = "LATEST"


@breaks("pipe-starts-at-trim-horizon", "a point in time", PIPE, POSITION.format('"AT_TIMESTAMP"'))
def _(stack: Stack) -> None:
    source(stack)["startingPosition"] = "AT_TIMESTAMP"


@breaks("pipe-starts-at-trim-horizon", "no position", PIPE, POSITION.format("null"))
def _(stack: Stack) -> None:
    del source(stack)["startingPosition"]


STOPPED = "must have the desiredState RUNNING, and not {}: what its stream drops meanwhile is lost"


@breaks("pipe-is-running", "a pipe that is stopped", PIPE, STOPPED.format('"STOPPED"'))
def _(stack: Stack) -> None:
    stack.one("Pipe").inputs["desiredState"] = "STOPPED"


@breaks("pipe-is-running", "a misspelt state", PIPE, STOPPED.format('"Running"'))
def _(stack: Stack) -> None:
    stack.one("Pipe").inputs["desiredState"] = "Running"


@breaks("pipe-is-running", "a state that is not a text", PIPE, STOPPED.format("false"))
def _(stack: Stack) -> None:
    stack.one("Pipe").inputs["desiredState"] = False


NARROW = "must let all tracked calls pass, and not only {}"


def filtered(stack: Stack, *patterns: str) -> None:
    """Gives the pipe other filters."""
    filters = [{"pattern": pattern} for pattern in patterns]
    stack.one("Pipe").inputs["sourceParameters"]["filterCriteria"]["filters"] = filters


@breaks(
    "pipe-passes-tracked-calls",
    "calls of one route only",
    PIPE,
    NARROW.format('["{\\"data\\": {\\"Attributes\\": {\\"call_route\\": [\\"sales\\"]}}}"]'),
)
def _(stack: Stack) -> None:
    filtered(stack, '{"data": {"Attributes": {"call_route": ["sales"]}}}')


@breaks(
    "pipe-passes-tracked-calls",
    "two filters, neither of which lets all calls pass",
    PIPE,
    NARROW.format('["{\\"data\\": {\\"Channel\\": [\\"CHAT\\"]}}", "{\\"data\\": {\\"Queue\\": [null]}}"]'),
)
def _(stack: Stack) -> None:
    filtered(stack, '{"data": {"Channel": ["CHAT"]}}', '{"data": {"Queue": [null]}}')


@breaks("pipe-passes-tracked-calls", "a filter that is not JSON", PIPE, NARROW.format('["call_route"]'))
def _(stack: Stack) -> None:
    filtered(stack, "call_route")


PARTIAL = (
    'must hand over what {{"event_id": "<$.eventID>", "sequence_number": "<$.sequenceNumber>", "contact": <$.data>}}'
    " does, and not only {}"
)


def template(what: str, value: str | None, shown: str) -> None:
    """Makes a mutation of another input template."""

    def change(stack: Stack) -> None:
        stack.one("Pipe").inputs["targetParameters"]["inputTemplate"] = value

    breaks("pipe-hands-over-the-record", what, PIPE, PARTIAL.format(shown))(change)


template("no input template", None, "null")
template("records without their place", '{"contact": <$.data>}', r'"{\"contact\": <$.data>}"')
template(
    "parts of the record",
    '{"contact": {"ContactId": "<$.data.ContactId>"}}',
    r'"{\"contact\": {\"ContactId\": \"<$.data.ContactId>\"}}"',
)
template("a template that is not JSON", "<$.data>", '"<$.data>"')


UNREAD = "must send contact records to a stream that a pipe of this stack reads, and not to {}"


@breaks(
    "contact-records-reach-a-pipe",
    "another stream",
    f"{TRACKER}-contact-records",
    UNREAD.format(ACCOUNT.format("kinesis", "stream/other")),
)
def _(stack: Stack) -> None:
    storage(stack)["kinesisStreamConfig"]["streamArn"] = ACCOUNT.format("kinesis", "stream/other")


@breaks("contact-records-reach-a-pipe", "no stream", f"{TRACKER}-contact-records", UNREAD.format("null"))
def _(stack: Stack) -> None:
    stream = {"firehoseArn": ACCOUNT.format("firehose", "deliverystream/calls")}
    parameters = {"storageType": "KINESIS_FIREHOSE", "kinesisFirehoseConfig": stream}
    stack.one("InstanceStorageConfig").inputs["storageConfig"] = parameters


@breaks("contact-records-reach-a-pipe", "no pipe", f"{TRACKER}-contact-records", UNREAD.format(STREAM))
def _(stack: Stack) -> None:
    stack.remove(stack.one("Pipe"))


DROPPED = "must keep or fail what its state {!r} catches, and not end in {!r}: {}"


def each_contact(stack: Stack, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the states that each contact runs through."""
    edit(
        stack.one("StateMachine"),
        lambda parsed: change(parsed["States"]["EachContact"]["ItemProcessor"]["States"]),
        "definition",
    )


@breaks(
    "state-machine-drops-no-record",
    "every error passed over",
    RECORDER,
    DROPPED.format("Store", "OlderVersion", '["States.ALL"]'),
)
def _(stack: Stack) -> None:
    catch = {"ErrorEquals": ["States.ALL"], "Next": "OlderVersion"}
    each_contact(stack, lambda states: states["Store"]["Catch"].append(catch))


@breaks(
    "state-machine-drops-no-record",
    "throttling taken for an older version",
    RECORDER,
    DROPPED.format(
        "Store",
        "OlderVersion",
        '["DynamoDB.ConditionalCheckFailedException", "DynamoDB.ThrottlingException"]',
    ),
)
def _(stack: Stack) -> None:
    each_contact(
        stack,
        lambda states: states["Store"]["Catch"][0]["ErrorEquals"].append("DynamoDB.ThrottlingException"),
    )


@breaks(
    "state-machine-drops-no-record",
    "some other refusals dropped, behind a choice",
    RECORDER,
    DROPPED.format(
        "Store", "OlderVersion", '["DynamoDB.AmazonDynamoDBException", "DynamoDB.ValidationException"]'
    ),
)
def _(stack: Stack) -> None:
    each_contact(stack, lambda states: states["WhyRefused"].update(Default="OlderVersion"))


@breaks(
    "state-machine-drops-no-record",
    "a record that could not be quarantined",
    RECORDER,
    DROPPED.format("Quarantine", "Gone", '["States.TaskFailed"]'),
)
def _(stack: Stack) -> None:
    def change(states: dict[str, Any]) -> None:
        states["Quarantine"]["Catch"] = [{"ErrorEquals": ["States.TaskFailed"], "Next": "Gone"}]
        states["Gone"] = {"Type": "Succeed"}

    each_contact(stack, change)


IDLE = "must keep or fail what comes in at its state {!r}, and not end in {!r}"


@breaks("state-machine-drops-no-record", "a start behind the work", RECORDER, IDLE.format("Done", "Done"))
def _(stack: Stack) -> None:
    def change(parsed: dict[str, Any]) -> None:
        parsed["States"]["Done"] = {"Type": "Succeed"}
        parsed["StartAt"] = "Done"

    edit(stack.one("StateMachine"), change, "definition")


@breaks(
    "state-machine-drops-no-record",
    "a choice that drops what cannot be stored",
    RECORDER,
    IDLE.format("Read", "OlderVersion"),
)
def _(stack: Stack) -> None:
    each_contact(stack, lambda states: states["CanBeStored"]["Choices"][0].update(Next="OlderVersion"))


KEPT = "must have messageRetentionSeconds of 4 days or more, and not {}"


@breaks("queues-keep-messages", "dead letters for a minute", f"{PIPE}-dead-letters", KEPT.format("60"))
def _(stack: Stack) -> None:
    stack.one("Queue", "dead-letters").inputs["messageRetentionSeconds"] = 60


@breaks(
    "queues-keep-messages",
    "quarantined records for not quite four days",
    f"{TRACKER}-quarantine",
    KEPT.format("345599"),
)
def _(stack: Stack) -> None:
    stack.one("Queue", "quarantine").inputs["messageRetentionSeconds"] = 345_599


@breaks(
    "queues-keep-messages",
    "a time that is not a number",
    f"{TRACKER}-quarantine",
    KEPT.format('"14 days"'),
)
def _(stack: Stack) -> None:
    stack.one("Queue", "quarantine").inputs["messageRetentionSeconds"] = "14 days"


DATA_IN_LOG = "must not set {}: execution data puts callers' numbers into the log"


@breaks(
    "no-execution-data-in-logs",
    "the state machine logs its data",
    RECORDER,
    DATA_IN_LOG.format("includeExecutionData"),
)
def _(stack: Stack) -> None:
    stack.one("StateMachine").inputs["loggingConfiguration"]["includeExecutionData"] = True


@breaks(
    "no-execution-data-in-logs", "the pipe logs its data", PIPE, DATA_IN_LOG.format("includeExecutionDatas")
)
def _(stack: Stack) -> None:
    stack.one("Pipe").inputs["logConfiguration"]["includeExecutionDatas"] = ["ALL"]


@breaks(
    "no-execution-data-in-logs",
    "the same by a text that the provider takes for true",
    RECORDER,
    DATA_IN_LOG.format("includeExecutionData"),
)
def _(stack: Stack) -> None:
    stack.one("StateMachine").inputs["loggingConfiguration"]["includeExecutionData"] = "true"


DAYS = "must have a retentionInDays of 1 days or more, and not {}"


@breaks("log-groups-have-retention", "no retention", f"{RECORDER}-logs", DAYS.format("null"))
def _(stack: Stack) -> None:
    del stack.one("LogGroup", "recorder-logs").inputs["retentionInDays"]


@breaks("log-groups-have-retention", "zero days, which is for ever", f"{PIPE}-logs", DAYS.format("0"))
def _(stack: Stack) -> None:
    stack.one("LogGroup", "pipe-logs").inputs["retentionInDays"] = 0


@breaks("log-groups-have-retention", "another log group without retention", "added", DAYS.format("null"))
def _(stack: Stack) -> None:
    stack.add("aws:cloudwatch/logGroup:LogGroup", "added", {"name": "/added", "tags": TAGS})


# Data


@breaks(
    "data-is-encrypted-at-rest",
    "a table without its encryption",
    f"{TRACKER}-table",
    "must have serverSideEncryption enabled, so that a KMS key encrypts it",
)
def _(stack: Stack) -> None:
    del stack.one("Table").inputs["serverSideEncryption"]


@breaks(
    "data-is-encrypted-at-rest",
    "a stream that is not encrypted",
    f"{TRACKER}-stream",
    'must have the encryptionType KMS, and not "NONE"',
)
def _(stack: Stack) -> None:
    stack.one("Stream").inputs["encryptionType"] = "NONE"


@breaks("data-is-encrypted-at-rest", "a stream without a key", f"{TRACKER}-stream", "must have a kmsKeyId")
def _(stack: Stack) -> None:
    del stack.one("Stream").inputs["kmsKeyId"]


@breaks(
    "data-is-encrypted-at-rest",
    "a queue whose encryption is switched off",
    f"{TRACKER}-quarantine",
    "must have sqsManagedSseEnabled or a kmsMasterKeyId",
)
def _(stack: Stack) -> None:
    stack.one("Queue", "quarantine").inputs["sqsManagedSseEnabled"] = False


@breaks(
    "data-is-encrypted-at-rest",
    "a delivery stream that is not encrypted",
    "added",
    "must have serverSideEncryption enabled, so that a KMS key encrypts it",
)
def _(stack: Stack) -> None:
    stack.add("aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream", "added", {"name": "calls"})


@breaks(
    "tables-are-recoverable",
    "point-in-time recovery switched off",
    f"{TRACKER}-table",
    "must have pointInTimeRecovery on the protected stack prod",
)
def _(stack: Stack) -> None:
    stack.one("Table").inputs["pointInTimeRecovery"]["enabled"] = False


@breaks(
    "tables-are-recoverable",
    "no point-in-time recovery",
    f"{TRACKER}-table",
    "must have pointInTimeRecovery on the protected stack prod",
)
def _(stack: Stack) -> None:
    del stack.one("Table").inputs["pointInTimeRecovery"]


@breaks(
    "tables-are-recoverable",
    "no deletion protection",
    f"{TRACKER}-table",
    "must have deletionProtectionEnabled on the protected stack prod",
)
def _(stack: Stack) -> None:
    stack.one("Table").inputs["deletionProtectionEnabled"] = False


@breaks(
    "tables-are-recoverable",
    "a replica of which nothing can be recovered",
    f"{TRACKER}-table",
    "must have replicas[0].pointInTimeRecovery on the protected stack prod",
)
def _(stack: Stack) -> None:
    stack.one("Table").inputs["replicas"] = [{"regionName": "us-west-2", "deletionProtectionEnabled": True}]


def replica(stack: Stack, *, protect: bool = True, **inputs: Any) -> None:
    """Adds a replica of the table as a resource of its own."""
    added = stack.add(
        "aws:dynamodb/tableReplica:TableReplica",
        "added",
        {"globalTableArn": TABLE, "pointInTimeRecovery": True, "deletionProtectionEnabled": True, **inputs},
    )
    added.protect = protect


@breaks(
    "tables-are-recoverable",
    "a replica, as a resource of its own, that anybody may delete",
    "added",
    "must have deletionProtectionEnabled on the protected stack prod",
)
def _(stack: Stack) -> None:
    replica(stack, deletionProtectionEnabled=False)


UNPROTECTED = "must have Pulumi's option protect on the protected stack prod"


@breaks("data-is-protected", "the table unprotected", f"{TRACKER}-table", UNPROTECTED)
def _(stack: Stack) -> None:
    stack.one("Table").protect = False


@breaks("data-is-protected", "the stream unprotected", f"{TRACKER}-stream", UNPROTECTED)
def _(stack: Stack) -> None:
    stack.one("Stream").protect = False


@breaks("data-is-protected", "the dead-letter queue unprotected", f"{PIPE}-dead-letters", UNPROTECTED)
def _(stack: Stack) -> None:
    stack.one("Queue", "dead-letters").protect = False


@breaks("data-is-protected", "a replica of the table unprotected", "added", UNPROTECTED)
def _(stack: Stack) -> None:
    replica(stack, protect=False)


@breaks(
    "tables-say-whether-items-expire",
    "no word about expiry",
    f"{TRACKER}-table",
    "must say in ttl whether its items expire, and not null",
)
def _(stack: Stack) -> None:
    del stack.one("Table").inputs["ttl"]


@breaks(
    "tables-say-whether-items-expire",
    "expiry by no attribute",
    f"{TRACKER}-table",
    "must let its items expire by expires_at, and not by null",
)
def _(stack: Stack) -> None:
    stack.one("Table").inputs["ttl"] = {"enabled": True}


@breaks(
    "tables-say-whether-items-expire",
    "expiry by an attribute that no record has",
    f"{TRACKER}-table",
    'must let its items expire by expires_at, and not by "ttl"',
)
def _(stack: Stack) -> None:
    stack.one("Table").inputs["ttl"] = {"enabled": True, "attributeName": "ttl"}


@breaks(
    "tables-say-whether-items-expire",
    "expiry that is neither on nor off",
    f"{TRACKER}-table",
    'must say in ttl whether its items expire, and not {"enabled": "perhaps"}',
)
def _(stack: Stack) -> None:
    stack.one("Table").inputs["ttl"] = {"enabled": "perhaps"}


PLAIN = "must not hold {} in plain text in {}"


@breaks(
    "no-secrets-in-plain-text",
    "the salt of hashed phone numbers",
    RECORDER,
    PLAIN.format("what its name calls a secret", "definition.States.Settings.Assign.settings.salt"),
)
def _(stack: Stack) -> None:
    def change(parsed: dict[str, Any]) -> None:
        parsed["States"]["Settings"]["Assign"]["settings"]["salt"] = "a-salt-for-tests-only"

    edit(stack.one("StateMachine"), change, "definition")


@breaks(
    "no-secrets-in-plain-text",
    "an access key in a tag",
    f"{TRACKER}-quarantine",
    PLAIN.format("an AWS access key", "tags.note"),
)
def _(stack: Stack) -> None:
    # Put together here, so that no scanner takes this file for a leak. It is AWS's own example.
    stack.one("Queue", "quarantine").inputs["tags"]["note"] = "key AKIA" + "IOSFODNN7EXAMPLE"


@breaks(
    "no-secrets-in-plain-text",
    "a password in a URL in a role's description",
    f"{PIPE}-role",
    PLAIN.format("a password in a URL", "description"),
)
def _(stack: Stack) -> None:
    stack.one("Role", "pipe-role").inputs["description"] = "see https://user:" + "hunter2@example.com/"


@breaks(
    "no-secrets-in-plain-text",
    "a password argument",
    "added",
    PLAIN.format("what its name calls a secret", "masterPassword"),
)
def _(stack: Stack) -> None:
    stack.add("aws:rds/cluster:Cluster", "added", {"masterPassword": "correct horse"})


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


for _what, (_value, _where) in SECRETS.items():
    tell_secret(_what, _value, "what its name calls a secret", _where)

# Put together here as well.
CREDENTIALS: dict[str, tuple[str, str]] = {
    "a token in a header": ("an authorization header", "Authorization: Bearer " + "c2VjcmV0LXNlY3JldA"),
    "a password in a connection string": ("a password behind its name", "Server=db;Password=" + "hunter2;"),
    "a key among variables": ("a password behind its name", "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMI/K7"),
    "a private key": ("a private key", "-----BEGIN PGP PRIVATE KEY " + "BLOCK-----"),
}
for _what, (_kind, _text) in CREDENTIALS.items():
    tell_secret(_what, _text, _kind, "content")


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


@breaks(
    "flow-content-is-flow-language",
    "content that is not JSON",
    FLOW,
    LANGUAGE.format("line 1 column 1: is not JSON (expecting value). Give a flow in JSON"),
)
def _(stack: Stack) -> None:
    stack.one("ContactFlow").inputs["content"] = "Press 1"


@breaks(
    "flow-content-is-flow-language",
    "the console's export",
    FLOW,
    LANGUAGE.format(
        "modules: this is an export of the Connect console, which is not in the flow language. Get the content with"
        " `aws connect describe-contact-flow`, which returns flow language 2019-10-30"
    ),
)
def _(stack: Stack) -> None:
    stack.one("ContactFlow").inputs["content"] = json.dumps({"modules": [], "version": "1"})


@breaks(
    "flow-content-is-flow-language",
    "another version of the language",
    FLOW,
    LANGUAGE.format(
        "Version: Version must be '2019-10-30', not the text '2020-01-01'. Give a flow in flow language 2019-10-30"
    ),
)
def _(stack: Stack) -> None:
    edit(stack.one("ContactFlow"), lambda parsed: parsed.update(Version="2020-01-01"), "content")


TAKES = "must have a content that Connect takes: block 'closed': {}"


@breaks(
    "flow-content-is-flow-language",
    "a branch that leads nowhere",
    FLOW,
    TAKES.format(
        "The branch 'next' leads to 'nowhere', which does not exist. Use the identifier of a block in this flow"
    ),
)
def _(stack: Stack) -> None:
    blocks(stack, closed=lambda block: block["Transitions"].update(NextAction="nowhere"))


@breaks(
    "flow-content-is-flow-language",
    "an empty text",
    FLOW,
    TAKES.format("The string is empty, and Connect rejects empty strings. Set a value, or remove the field"),
)
def _(stack: Stack) -> None:
    blocks(stack, closed=lambda block: block["Parameters"].update(Text=""))


@breaks(
    "flow-content-is-flow-language",
    "a block of a module, in a flow that says it is one",
    FLOW,
    TAKES.format(
        "EndFlowModuleExecution is allowed in module flows; this is a contact flow."
        " Move it to such a flow, or use another block"
    ),
)
def _(stack: Stack) -> None:
    edit(stack.one("ContactFlow"), lambda parsed: parsed.update(Settings={}), "content")
    blocks(stack, closed=lambda block: block.update({**END, "Identifier": "closed"}))


@breaks(
    "flow-content-is-flow-language",
    "a module whose start does not exist",
    "added",
    "must have a content that Connect takes: $.StartAction: There is no block 'nowhere'."
    " Set StartAction to the identifier of the first block",
)
def _(stack: Stack) -> None:
    module(stack, StartAction="nowhere")


@breaks(
    "flow-content-is-flow-language",
    "a module without Settings",
    "added",
    "must have Settings in its content, which every module has",
)
def _(stack: Stack) -> None:
    module(stack, Settings=None)


ROUTE = "must set call_route on every path to block {!r}"


@breaks(
    "flow-stops-are-tracked",
    "a first menu without a route",
    FLOW,
    ROUTE.format("menu-start"),
    ROUTE.format("notice-start"),
)
def _(stack: Stack) -> None:
    blocks(stack, route_start=without_attribute("call_route"))


@breaks("flow-stops-are-tracked", "a prompt before the first route", FLOW, ROUTE.format("welcome"))
def _(stack: Stack) -> None:
    welcome = {
        "Identifier": "welcome",
        "Type": "MessageParticipant",
        "Parameters": {"Text": "お電話ありがとうございます。"},
        "Transitions": {"NextAction": "route-start", "Errors": []},
    }

    def change(parsed: dict[str, Any]) -> None:
        parsed["Actions"].append(welcome)
        parsed["StartAction"] = "welcome"

    edit(stack.one("ContactFlow"), change, "content")


@breaks(
    "flow-stops-are-tracked",
    "a route under a misspelt name",
    FLOW,
    ROUTE.format("menu-start"),
    ROUTE.format("notice-start"),
)
def _(stack: Stack) -> None:
    def misspell(block: dict[str, Any]) -> None:
        attributes = block["Parameters"]["Attributes"]
        attributes["call_rout"] = attributes.pop("call_route")

    blocks(stack, route_start=misspell)


@breaks(
    "flow-stops-are-tracked",
    "no route in a flow that says it is a module",
    FLOW,
    ROUTE.format("menu-start"),
    ROUTE.format("notice-start"),
)
def _(stack: Stack) -> None:
    blocks(stack, route_start=without_attribute("call_route"))
    edit(stack.one("ContactFlow"), lambda parsed: parsed.update(Settings={}), "content")


@breaks(
    "flow-stops-are-tracked",
    "no route in a flow that says it is for callers in a queue",
    FLOW,
    ROUTE.format("menu-start"),
    ROUTE.format("notice-start"),
)
def _(stack: Stack) -> None:
    blocks(stack, route_start=without_attribute("call_route"))
    told = {"type": "customerQueue"}
    edit(stack.one("ContactFlow"), lambda parsed: parsed.update(Metadata=told), "content")


@breaks(
    "flow-stops-are-tracked",
    "no route in a flow of a type that is misspelt",
    FLOW,
    ROUTE.format("menu-start"),
    ROUTE.format("notice-start"),
)
def _(stack: Stack) -> None:
    blocks(stack, route_start=without_attribute("call_route"))
    stack.one("ContactFlow").inputs["type"] = "contact_flow"


COMPLETED = 'must set call_completed to "false" before block {!r}'
TOO_EARLY = 'must not set call_completed to "true" before block {!r}'


@breaks(
    "flow-completion-is-told",
    "no call_completed at the start",
    FLOW,
    COMPLETED.format("goodbye-start"),
    COMPLETED.format("menu-start"),
)
def _(stack: Stack) -> None:
    blocks(stack, route_start=without_attribute("call_completed"))


@breaks(
    "flow-completion-is-told",
    "calls that are completed from the start",
    FLOW,
    *(TOO_EARLY.format(f"menu-{menu}") for menu in ("balance", "open-account", "start")),
)
def _(stack: Stack) -> None:
    blocks(stack, route_start=lambda block: block["Parameters"]["Attributes"].update(call_completed="true"))


@breaks(
    "flow-completion-is-told",
    "a choice that completes a call before the menus are done",
    FLOW,
    TOO_EARLY.format("menu-balance"),
)
def _(stack: Stack) -> None:
    blocks(stack, route_balance=lambda block: block["Parameters"]["Attributes"].update(call_completed="true"))


# Tags


@breaks(
    "resources-have-required-tags",
    "no tags",
    f"{TRACKER}-quarantine",
    "must have the tag project",
    "must have the tag stack",
)
def _(stack: Stack) -> None:
    del stack.one("Queue", "quarantine").inputs["tags"]


@breaks("resources-have-required-tags", "one tag missing", f"{PIPE}-role", "must have the tag stack")
def _(stack: Stack) -> None:
    del stack.one("Role", "pipe-role").inputs["tags"]["stack"]


@breaks("resources-have-required-tags", "an empty tag", f"{TRACKER}-table", "must have the tag project")
def _(stack: Stack) -> None:
    stack.one("Table").inputs["tags"]["project"] = ""
