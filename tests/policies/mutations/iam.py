"""Policy documents that cannot be read, that allow too much, or that trust too many."""

from __future__ import annotations

import json
from typing import Any

from tests.policies.edits import (
    ASSUME_ROLE,
    Edit,
    add,
    add_statement,
    append,
    put,
    remove,
    replace,
    statement,
    trust,
)
from tests.policies.mutations.case import Case, Cases
from tests.policies.values import (
    DEAD_LETTERS,
    OTHER_ACCOUNT,
    OTHER_KEY_ARN,
    OWN_ACCOUNT,
    PIPE,
    PIPE_POLICY,
    PIPE_ROLE,
    QUARANTINE,
    RECORDER_POLICY,
    RECORDER_ROLE,
    STREAM,
    TABLE,
    TAGS,
    TOPIC_ARN,
    USER_ARN,
    arn,
    document,
    managed,
    open_to,
    policy,
)

CASES: Cases = {}


def _user_policy(name: str, *actions: str, resource: str | None = None) -> Edit:
    return add("iam.UserPolicy", name, user="operator", policy=policy(*actions, resource=resource))


def _group_policy(name: str, *actions: str, group: str = "operators", resource: str | None = None) -> Edit:
    return add("iam.GroupPolicy", name, group=group, policy=policy(*actions, resource=resource))


def _queue_policy(principal: Any, action: str = "sqs:SendMessage", **elements: Any) -> Edit:
    return put(QUARANTINE, "policy", open_to(principal, action, QUARANTINE.arn, **elements))


# Documents

NOT_JSON = "must have a valid policy document in policy: not JSON (Expecting value: line 1 column 1 (char 0))"
TWICE = "must have a valid policy document in {}: not JSON (duplicate key {!r})"
SEND = {"Effect": "Allow", "Principal": "*", "Actions": "sqs:SendMessage", "Resource": QUARANTINE.arn}
TWO_STATEMENTS = policy("mediastore:GetObject").replace("{", '{"Statement": "none", ', 1)
CASES["iam-documents-are-valid"] = {
    "a policy that is not JSON": Case(NOT_JSON, put(PIPE_POLICY, "policy", "Allow everything")),
    "a statement without Effect": Case(
        "must have a valid statement 'Store' in policy: Effect must be Allow or Deny, not null",
        remove(RECORDER_POLICY, "policy.Statement[Store].Effect"),
    ),
    "a principal that is a number": Case(
        "must have a valid statement 'AssumeRole' in assumeRolePolicy:"
        " Principal must be an object such as {'Service': NAME}, not 42",
        trust(PIPE_ROLE, Principal=42),
    ),
    "a document with a duplicate Version": Case(
        TWICE.format("policy", "Version"),
        replace(RECORDER_POLICY, "policy", "{", '{"Version": "2008-10-17", '),
    ),
    "a queue policy, given as an object, with a misspelt element": Case(
        "must have a valid statement 1 in policy: unknown element 'Actions'",
        put(QUARANTINE, "policy", {"Version": "2012-10-17", "Statement": SEND}),
    ),
    "the policy of a topic that is not JSON": Case(NOT_JSON, add("sns.Topic", policy="Allow everything")),
    "a document with a duplicate Statement, on a type that is not listed": Case(
        TWICE.format("containerPolicy", "Statement"),
        add("mediastore.ContainerPolicy", containerPolicy=TWO_STATEMENTS),
    ),
}

EXISTING = "must use existing {} in statement 'Added', not {}"
BUCKET = "arn:aws:s3:::recordings"
HOME_FOLDER = {
    "Statement": {
        "Sid": "Added",
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": f"{BUCKET}/${{aws:username}}/*",
    }
}


def _deny(operator: str, key: str) -> Edit:
    condition = {operator: {key: "111111111111"}}
    return add_statement(
        PIPE_POLICY, Effect="Deny", Action="sqs:ReceiveMessage", Resource="*", Condition=condition
    )


LIST_OBJECTS = policy("s3:ListBucket", "s3:GetObject", resource=BUCKET)
CASES["iam-documents-match-reference"] = {
    "a misspelled action": Case(
        EXISTING.format("actions", "sqs:SendMesage"),
        add_statement(PIPE_POLICY, Effect="Deny", Action="sqs:SendMesage", Resource="*"),
    ),
    "a misspelled operator": Case(
        EXISTING.format("condition operators", "StringEqual"), _deny("StringEqual", "aws:ResourceAccount")
    ),
    "a misspelled condition key": Case(
        EXISTING.format("condition keys", "aws:SourceVcp"), _deny("StringEquals", "aws:SourceVcp")
    ),
    "a Sid that is used twice": Case(
        "must not repeat the Sid 'Quarantine' in policy",
        put(RECORDER_POLICY, "policy.Statement[Store].Sid", "Quarantine"),
    ),
    "a Sid with a space": Case(
        "must use only letters and digits in the Sid 'Store the record'",
        put(RECORDER_POLICY, "policy.Statement[Store].Sid", "Store the record"),
    ),
    "a name instead of an ARN": Case(
        "must use ARNs as resources in statement 'Added', not call-records",
        _user_policy("added", "dynamodb:GetItem", resource="call-records"),
    ),
    "an action on objects that is allowed on the bucket": Case(
        f"must not use s3:GetObject in statement 'Added': it does not apply to {BUCKET}",
        add("iam.UserPolicy", user="operator", policy=LIST_OBJECTS),
    ),
    "a variable without Version": Case(
        "must have the Version 2012-10-17 in policy, which the variables in statement 'Added' require",
        add("iam.UserPolicy", user="operator", policy=HOME_FOLDER),
    ),
}

# Managed policies

BROAD = "must not use the AWS managed policy {}, which grants broad access"
NOT_LISTED = "must not use the AWS managed policy {}, which is not listed in the setting allowed"
ADMINISTRATOR, BASIC = "AdministratorAccess", "service-role/AWSLambdaBasicExecutionRole"


def _attached(policy_name: str, type_: str, **inputs: Any) -> Case:
    return Case(BROAD.format(policy_name), add(type_, **inputs, policyArn=managed(policy_name)))


CASES["iam-no-broad-managed-policies"] = {
    "AmazonDynamoDBFullAccess in the arguments of a role": Case(
        BROAD.format("AmazonDynamoDBFullAccess"),
        put(RECORDER_ROLE, "managedPolicyArns", [managed("AmazonDynamoDBFullAccess")]),
    ),
    "AdministratorAccess attached to a role": _attached(
        ADMINISTRATOR, "iam.RolePolicyAttachment", role=f"{PIPE_ROLE}-0000000"
    ),
    "PowerUserAccess attached to a user": _attached(
        "PowerUserAccess", "iam.UserPolicyAttachment", user="operator"
    ),
    "AWSStepFunctionsFullAccess attached to a group": _attached(
        "AWSStepFunctionsFullAccess", "iam.GroupPolicyAttachment", group="operators"
    ),
    "IAMFullAccess in an attachment to several identities": _attached(
        "IAMFullAccess", "iam.PolicyAttachment", name="many", users=["operator"]
    ),
    "a narrower AWS managed policy that is not listed, in an exclusive attachment": Case(
        NOT_LISTED.format(BASIC),
        add("iam.UserPolicyAttachmentsExclusive", userName="operator", policyArns=[managed(BASIC)]),
    ),
    "AdministratorAccess in the exclusive list of a permission set": Case(
        BROAD.format(ADMINISTRATOR),
        add("ssoadmin.ManagedPolicyAttachmentsExclusive", managedPolicyArns=[managed(ADMINISTRATOR)]),
    ),
    "AmazonS3FullAccess on a type that is not listed": _attached(
        "AmazonS3FullAccess", "quicksight.IamPolicyAssignment"
    ),
}

# Wildcards

SINGLE = "must list individual actions in statement {!r}, not {}"
RECORDINGS = policy("s3:*", resource="arn:aws:s3:::recordings/*")
ESCAPED = json.dumps({"text": RECORDINGS.replace("Statement", "\\u0053tatement")})
CASES["iam-no-wildcard-actions"] = {
    "all actions of DynamoDB": Case(
        SINGLE.format("Store", "dynamodb:*"), statement(RECORDER_POLICY, "Store", Action="dynamodb:*")
    ),
    "all actions of all services": Case(
        SINGLE.format("RecordRoutes", "*"), statement(PIPE_POLICY, "RecordRoutes", Action=["*"])
    ),
    "a wildcard inside an action's name": Case(
        SINGLE.format("KeepDeadLetters", "sqs:Send*"),
        statement(PIPE_POLICY, "KeepDeadLetters", Action="sqs:Send*"),
    ),
    "a wildcard for one character, in the policy of a user": Case(
        SINGLE.format("Added", "dynamodb:?etItem"),
        _user_policy("added", "dynamodb:?etItem", resource=TABLE.arn),
    ),
    "all actions on a topic, in the arguments of the topic": Case(
        "must list individual actions in statement 1, not sns:*",
        add("sns.Topic", policy=open_to(OWN_ACCOUNT, "sns:*", TOPIC_ARN)),
    ),
    "an object deep in the arguments of a type that is not listed": Case(
        SINGLE.format("Added", "s3:*"),
        add("odb.Network", access=[{"s3": {"policyDocument": json.loads(RECORDINGS)}}]),
    ),
    "JSON text inside JSON text, with escaped characters": Case(
        SINGLE.format("Added", "s3:*"), add("ssm.Document", tags=TAGS, content=ESCAPED)
    ),
}

EXCLUSION = "must list what statement {!r} allows instead of using {}"
EVERYONE_ELSE = {
    "Sid": "Everyone else",
    "Effect": "Allow",
    "NotPrincipal": {"AWS": USER_ARN},
    "Action": "sqs:SendMessage",
    "Resource": DEAD_LETTERS.arn,
}
CASES["iam-no-allow-by-exclusion"] = {
    "NotAction with Allow": Case(
        EXCLUSION.format("Added", "NotAction"),
        add_statement(RECORDER_POLICY, NotAction="iam:*", Resource=TABLE.arn),
    ),
    "NotResource with Allow": Case(
        EXCLUSION.format("Added", "NotResource"),
        add_statement(PIPE_POLICY, Action=["sqs:SendMessage"], NotResource=[QUARANTINE.arn]),
    ),
    "NotPrincipal with Allow in the policy of a queue": Case(
        EXCLUSION.format("Everyone else", "NotPrincipal"),
        put(DEAD_LETTERS, "policy", document([EVERYONE_ELSE])),
    ),
}

NOT_ALL = "must name the resources of {} in statement {!r} instead of *"
NAMED = "must name the resources of statement {!r} instead of {}"
ANY_REGION, ANY_CALLS = "arn:aws:dynamodb:*:111111111111:table/call-records", arn("dynamodb", "table/call*s")
ANY_STREAM, ANY_TABLE = arn("kinesis", "stream/*"), arn("dynamodb", "tab*")
CASES["iam-no-wildcard-resources"] = {
    "UpdateItem on every table": Case(
        NOT_ALL.format("dynamodb:UpdateItem", "Store"), statement(RECORDER_POLICY, "Store", Resource="*")
    ),
    "an action that can name resources among those that cannot": Case(
        NOT_ALL.format("sqs:SendMessage", "DeliverLogs"),
        append(RECORDER_POLICY, "policy.Statement[DeliverLogs].Action", "sqs:SendMessage"),
    ),
    "an ARN that matches every stream": Case(
        NAMED.format("ReadStream", ANY_STREAM), statement(PIPE_POLICY, "ReadStream", Resource=[ANY_STREAM])
    ),
    "an ARN that matches every table by the first letters of its type": Case(
        NAMED.format("Store", ANY_TABLE), statement(RECORDER_POLICY, "Store", Resource=ANY_TABLE)
    ),
    "a table in every region": Case(
        NAMED.format("Store", ANY_REGION), statement(RECORDER_POLICY, "Store", Resource=ANY_REGION)
    ),
    "a wildcard inside a name": Case(
        NAMED.format("Store", ANY_CALLS), statement(RECORDER_POLICY, "Store", Resource=ANY_CALLS)
    ),
    "a part of a bucket's name": Case(
        NAMED.format("Added", f"{BUCKET}-*/*"),
        _user_policy("added", "s3:GetObject", resource=f"{BUCKET}-*/*"),
    ),
    "an ARN that matches every resource, in the policy of a group": Case(
        NAMED.format("Added", "arn:aws:*"), _group_policy("added", "sqs:ReceiveMessage", resource="arn:aws:*")
    ),
}

# Escalation

OPENS = "must not allow {}, which permits privilege escalation ({})"


def _opens(*actions: str) -> Case:
    """Case of a policy whose actions together are an escalation method that this project adds to cloudsplaining's."""
    lower = [action.lower() for action in actions]
    name = "With".join(action.partition(":")[2] for action in lower)
    return Case(OPENS.format(" with ".join(lower), name), _user_policy("added", *actions))


CASES["iam-no-privilege-escalation"] = {
    "access keys for other users, in the policy of a user": Case(
        OPENS.format("iam:createaccesskey", "CreateAccessKey"), _user_policy("added", "iam:CreateAccessKey")
    ),
    "PassRole with RunInstances, in the policy of a group": Case(
        OPENS.format("iam:passrole with ec2:runinstances", "CreateEC2WithExistingIP"),
        _group_policy("added", "iam:PassRole", "ec2:RunInstances"),
    ),
    "PassRole with CreatePipe": _opens("iam:PassRole", "pipes:CreatePipe"),
    "PassRole with PutTargets of EventBridge": _opens("iam:PassRole", "events:PutTargets"),
    "an updated state machine, which runs with its role": _opens("states:UpdateStateMachine"),
    "removal of a permissions boundary": _opens("iam:DeleteRolePermissionsBoundary"),
    "a new key policy": _opens("kms:PutKeyPolicy"),
    "a service-specific credential for another user": _opens("iam:CreateServiceSpecificCredential"),
    "PutRolePolicy, in a customer managed policy": Case(
        OPENS.format("iam:putrolepolicy", "PutRolePolicy"),
        add(
            "iam.Policy",
            policy=policy("iam:GetRole", "IAM:PutRolePolicy"),
            tags=TAGS,
            outputs={"arn": "arn:aws:iam::111111111111:policy/added"},
        ),
    ),
}

TOGETHER = "must not be allowed iam:passrole with {} by its policies{} together, which permits privilege escalation ({})"
RUN_INSTANCES = TOGETHER.format("ec2:runinstances", "", "CreateEC2WithExistingIP")
RUN_WITH_GROUPS = TOGETHER.format("ec2:runinstances", " and those of its groups", "CreateEC2WithExistingIP")
CREATE_STACK = TOGETHER.format("cloudformation:createstack", "", "PassExistingRoleToCloudFormation")
CREATE_ENDPOINT = TOGETHER.format("glue:createdevendpoint", "", "PassExistingRoleToNewGlueDevEndpoint")
ATTACHED = {"arn": "arn:aws:iam::111111111111:policy/attached"}
DEPLOYER = {"arn": "arn:aws:iam::111111111111:role/deployer"}
DEPLOYER_TRUST = {
    "Sid": "AssumeRole",
    "Effect": "Allow",
    "Principal": {"Service": "pipes.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111", "aws:SourceArn": PIPE.arn}},
}
DEPLOYER_INPUTS: dict[str, Any] = {
    "name": "deployer",
    "assumeRolePolicy": document([DEPLOYER_TRUST]),
    "inlinePolicies": [{"name": "pass", "policy": policy("iam:PassRole")}],
    "tags": TAGS,
}
CASES["iam-no-combined-privilege-escalation"] = {
    "PassRole and RunInstances in two policies of a user": Case(
        RUN_INSTANCES, _user_policy("one", "iam:PassRole"), _user_policy("two", "ec2:RunInstances")
    ),
    "PassRole and CreateStack in an inline and an attached policy of a group": Case(
        CREATE_STACK,
        _group_policy("inline", "iam:PassRole"),
        add(
            "iam.Policy", "attached", policy=policy("cloudformation:CreateStack"), tags=TAGS, outputs=ATTACHED
        ),
        add("iam.GroupPolicyAttachment", "attachment", group="operators", policyArn=ATTACHED["arn"]),
    ),
    "PassRole and CreateDevEndpoint in the arguments of a role and in a RolePolicy": Case(
        CREATE_ENDPOINT,
        add("iam.Role", "deployer", **DEPLOYER_INPUTS, outputs=DEPLOYER),
        add("iam.RolePolicy", "glue", role="deployer", policy=policy("glue:CreateDevEndpoint")),
    ),
    "PassRole of a user and RunInstances of its group": Case(
        RUN_WITH_GROUPS,
        _group_policy("operators-policy", "ec2:RunInstances"),
        _user_policy("added", "iam:PassRole"),
        add("iam.UserGroupMembership", "membership", user="operator", groups=["operators"]),
        at="added",
    ),
    "PassRole and RunInstances in two groups of a user": Case(
        RUN_WITH_GROUPS,
        _group_policy("operators-policy", "iam:PassRole"),
        add("iam.GroupMembership", "one", group="operators", users=["operator", "one"]),
        _group_policy("builders-policy", "ec2:RunInstances", group="builders"),
        add("iam.GroupMembership", "two", group="builders", users=["operator", "two"]),
        at="one",
    ),
}

# Resource policies

EVERYBODY = "must name the principals that statement 1 allows instead of allowing every principal"
FILES_ARN = arn("elasticfilesystem", "file-system/fs-1")
TOPICS = [TOPIC_ARN, "arn:aws:sns:ap-northeast-1:*:calls"]
VIA_SERVICE = {"StringLike": {"kms:ViaService": "sqs.*.amazonaws.com"}}


def _public_queue(principal: Any, **elements: Any) -> Case:
    return Case(EVERYBODY, _queue_policy(principal, **elements))


def _public(type_: str, resource_policy: str, **inputs: Any) -> Case:
    return Case(EVERYBODY, add(type_, **inputs, policy=resource_policy))


CASES["iam-no-public-resources"] = {
    "a queue that accepts messages from every principal": _public_queue("*"),
    "a stream that every account may read": _public(
        "kinesis.ResourcePolicy",
        open_to({"AWS": ["*"]}, "kinesis:GetRecords", STREAM.arn),
        resourceArn=STREAM.arn,
    ),
    "a key for every principal that calls through a service": _public(
        "kms.Key",
        open_to({"AWS": "*"}, "kms:Decrypt", "*", Condition=VIA_SERVICE),
        tags=TAGS,
        outputs={"arn": OTHER_KEY_ARN},
    ),
    "a condition that is always true, because it compares a policy variable with itself": _public_queue(
        "*", Condition={"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}}
    ),
    "a condition with wildcards that match every account": _public_queue(
        "*", Condition={"StringLike": {"aws:SourceAccount": "????????????"}}
    ),
    "a condition with one value that matches the topics of all accounts": _public_queue(
        "*", Condition={"ArnLike": {"aws:SourceArn": TOPICS}}
    ),
    "a secret that every principal may read": _public(
        "secretsmanager.Secret", open_to("*", "secretsmanager:GetSecretValue", "*")
    ),
    "a topic to which every principal may publish": _public(
        "sns.Topic", open_to({"AWS": "*"}, "sns:Publish", TOPIC_ARN)
    ),
    "a file system that every principal may mount, on a type that is not listed": _public(
        "efs.FileSystemPolicy", open_to("*", "elasticfilesystem:ClientMount", FILES_ARN)
    ),
    "every identity provider": _public_queue({"Federated": "*"}, Condition={}),
    "every service": _public_queue({"Service": "*"}, Condition={}),
}

GIVEN = "must not grant access to account 222222222222 in statement 1"
SCAN_BY_ROLE = open_to({"AWS": "arn:aws:iam::222222222222:role/theirs"}, "dynamodb:Scan", TABLE.arn)
OTHER_TOPICS = {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:222222222222:*"}}
TWO_ACCOUNTS = ["111111111111", "222222222222"]
CASES["iam-resources-stay-in-account"] = {
    "quarantined records for another account": Case(
        GIVEN, _queue_policy(OTHER_ACCOUNT, "sqs:ReceiveMessage")
    ),
    "the table for a role of another account": Case(
        GIVEN, add("dynamodb.ResourcePolicy", resourceArn=TABLE.arn, policy=SCAN_BY_ROLE)
    ),
    "every principal in another account": Case(
        GIVEN, _queue_policy("*", Condition={"StringEquals": {"aws:PrincipalAccount": TWO_ACCOUNTS}})
    ),
    "everyone in an organization": Case(
        GIVEN.replace("account 222222222222", "organization o-a1b2c3d4e5"),
        _queue_policy("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
    ),
    "a canonical user": Case(
        GIVEN.replace("account 222222222222", "the canonical user 79a59df900b949e5"),
        _queue_policy({"CanonicalUser": "79a59df900b949e5"}),
    ),
    "the topics of another account": Case(
        GIVEN, _queue_policy({"Service": "sns.amazonaws.com"}, Condition=OTHER_TOPICS)
    ),
}

# Trust

GITHUB = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
SOURCE = {"StringEquals": {"aws:SourceAccount": "111111111111"}}
NOT_A_SERVICE = "must trust only named services in statement 'AssumeRole', not {}"
OTHER_ROOT = "arn:aws:iam::222222222222:root"
CASES["iam-trust-only-allowed-principals"] = {
    "another account as principal": Case(
        NOT_A_SERVICE.format(f"AWS {OTHER_ROOT}"), trust(RECORDER_ROLE, Principal={"AWS": OTHER_ROOT})
    ),
    "every principal": Case(NOT_A_SERVICE.format("every principal"), trust(PIPE_ROLE, Principal="*")),
    "any service as principal": Case(
        "must name the services that it trusts in statement 'AssumeRole', not *.amazonaws.com",
        trust(PIPE_ROLE, Principal={"Service": ["*.amazonaws.com"]}),
    ),
    "an action that assumes no role": Case(
        "must allow only sts:AssumeRole in statement 'AssumeRole', not sts:GetFederationToken",
        trust(PIPE_ROLE, Action=["sts:AssumeRole", "sts:GetFederationToken"]),
    ),
    "GitHub workflows of every repository": Case(
        NOT_A_SERVICE.format(f"Federated {GITHUB}"),
        trust(
            PIPE_ROLE,
            Principal={"Service": "pipes.amazonaws.com", "Federated": GITHUB},
            Condition={**SOURCE, "StringLike": {"token.actions.githubusercontent.com:sub": "*"}},
        ),
    ),
}

UNBOUND = "must restrict {}.amazonaws.com with aws:SourceAccount or aws:SourceArn in statement 'AssumeRole'"
IF_EXISTS = {"StringEqualsIfExists": {"aws:SourceAccount": "111111111111"}}
ALL_PIPES = "arn:aws:pipes:ap-northeast-1:*:pipe/*"


def _unbound(operator: str, key: str, value: str) -> Case:
    return Case(UNBOUND.format("pipes"), trust(PIPE_ROLE, Condition={operator: {key: value}}))


CASES["iam-services-have-source-condition"] = {
    "no condition": Case(UNBOUND.format("pipes"), remove(PIPE_ROLE, f"{ASSUME_ROLE}.Condition")),
    "a condition that also holds if the key is missing": Case(
        UNBOUND.format("states"), trust(RECORDER_ROLE, Condition=IF_EXISTS)
    ),
    "a condition that matches any account": _unbound("StringLike", "aws:SourceAccount", "*"),
    "a condition that matches the pipes of all accounts": _unbound("ArnLike", "aws:SourceArn", ALL_PIPES),
    "a condition on the region only": _unbound("StringEquals", "aws:RequestedRegion", "ap-northeast-1"),
    "a queue that takes messages of a service from any account": Case(
        "must restrict s3.amazonaws.com with aws:SourceAccount or aws:SourceArn in statement 1",
        _queue_policy({"Service": "s3.amazonaws.com"}),
    ),
    "a policy variable that is compared with itself": _unbound(
        "StringEquals", "aws:SourceAccount", "${aws:SourceAccount}"
    ),
}

OTHER_PIPES = "arn:aws:pipes:ap-northeast-1:222222222222:pipe/*"


def _foreign(role: str, operator: str, key: str, value: str | list[str]) -> Case:
    message = f"must restrict {key} to its own account 111111111111, not 222222222222"
    return Case(message, trust(role, Condition={operator: {key: value}}))


CASES["iam-trust-stays-in-account"] = {
    "another account's id": _foreign(RECORDER_ROLE, "StringEquals", "aws:SourceAccount", "222222222222"),
    "the pipes of another account": _foreign(PIPE_ROLE, "ArnLike", "aws:SourceArn", OTHER_PIPES),
    "another account beside the stack's own, under a lowercase condition key": _foreign(
        PIPE_ROLE, "StringEquals", "aws:sourceaccount", TWO_ACCOUNTS
    ),
}
