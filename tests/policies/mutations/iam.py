"""Policy documents that cannot be read, that allow too much, or that trust too many."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from tests.policies import edits
from tests.policies import values as v
from tests.policies.edits import Edit, add, add_statement, append, put, remove, statement, trust
from tests.policies.mutations.case import Cases, named, table
from tests.policies.values import arn, document, managed, open_to, policy

BUCKET = "arn:aws:s3:::recordings"


def _user_policy(*actions: str, name: str = "added", resource: str | None = None) -> Edit:
    return add("iam.UserPolicy", name, user="operator", policy=policy(*actions, resource=resource))


def _group_policy(
    *actions: str, name: str = "added", group: str = "operators", resource: str | None = None
) -> Edit:
    return add("iam.GroupPolicy", name, group=group, policy=policy(*actions, resource=resource))


def _queue_policy(principal: Any, action: str = "sqs:SendMessage", **elements: Any) -> Edit:
    return put(v.QUARANTINE, "policy", open_to(principal, action, v.QUARANTINE.arn, **elements))


def _attached(policy_name: str, type_: str, **inputs: Any) -> tuple[Any, ...]:
    return f"{policy_name}: {type_}", policy_name, add(type_, **inputs, policyArn=managed(policy_name))


def _opens(*actions: str) -> tuple[Any, ...]:
    """Returns a row for actions that together are an escalation method."""
    needed = " with ".join(actions)
    return needed, needed, _user_policy(*actions)


def _when(operator: str, key: str, value: Any) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


# Documents

NOT_JSON = "policy document in policy: not JSON (Expecting value: line 1 column 1 (char 0))"
TWICE = "policy document in {}: not JSON (duplicate key {!r})"
NO_EFFECT = "statement 'Store' in policy: Effect must be Allow or Deny, not null"
NUMBER = "statement 'AssumeRole' in assumeRolePolicy: Principal must be an object such as {'Service': NAME}, not 42"
TWO_VERSIONS = edits.replace(v.RECORDER_POLICY, "policy", "{", '{"Version": "2008-10-17", ')
SEND = {"Effect": "Allow", "Principal": "*", "Actions": "sqs:SendMessage", "Resource": v.QUARANTINE.arn}
TWO_STATEMENTS = policy("mediastore:GetObject").replace("{", '{"Statement": "none", ', 1)

_deny = partial(add_statement, v.PIPE_POLICY, Effect="Deny", Resource="*")
LIST_OBJECTS = policy("s3:ListBucket", "s3:GetObject", resource=BUCKET)
HOME = f"{BUCKET}/${{aws:username}}/*"
HOME_FOLDER = {"Statement": {"Sid": "Added", "Effect": "Allow", "Action": "s3:GetObject", "Resource": HOME}}
SID = "policy.Statement[Store].Sid"

# Permissions

ADMINISTRATOR, BASIC = "AdministratorAccess", "service-role/AWSLambdaBasicExecutionRole"
DYNAMODB = put(v.RECORDER_ROLE, "managedPolicyArns", [managed("AmazonDynamoDBFullAccess")])
PERMISSION_SET = add("ssoadmin.ManagedPolicyAttachmentsExclusive", managedPolicyArns=[managed(ADMINISTRATOR)])
EXCLUSIVE = add("iam.UserPolicyAttachmentsExclusive", userName="operator", policyArns=[managed(BASIC)])

RECORDINGS = policy("s3:*", resource="arn:aws:s3:::recordings/*")
ESCAPED = json.dumps({"text": RECORDINGS.replace("Statement", "\\u0053tatement")})
NETWORK = add("odb.Network", access=[{"s3": {"policyDocument": json.loads(RECORDINGS)}}])
TOPIC = add("sns.Topic", policy=open_to(v.OWN_ACCOUNT, "sns:*", v.TOPIC_ARN))

EVERYONE_ELSE = {
    "Sid": "Everyone else",
    "Effect": "Allow",
    "NotPrincipal": {"AWS": v.USER_ARN},
    "Action": "sqs:SendMessage",
    "Resource": v.DEAD_LETTERS.arn,
}
ANY_REGION, ANY_CALLS = "arn:aws:dynamodb:*:111111111111:table/call-records", arn("dynamodb", "table/call*s")
ANY_STREAM, ANY_TABLE, ANY_FILE = arn("kinesis", "stream/*"), arn("dynamodb", "tab*"), f"{BUCKET}-*/*"
_store = partial(statement, v.RECORDER_POLICY, "Store")
SEND_LOGS = append(v.RECORDER_POLICY, "policy.Statement[DeliverLogs].Action", "sqs:SendMessage")

ADDED = {"arn": "arn:aws:iam::111111111111:policy/added"}
PUT_POLICY = add("iam.Policy", policy=policy("iam:GetRole", "IAM:PutRolePolicy"), tags=v.TAGS, outputs=ADDED)
RUN = ("ec2:RunInstances", "")
RUN_IN_GROUPS = ("ec2:RunInstances", " and those of its groups")
CREATE_STACK = ("cloudformation:CreateStack", "")
CREATE_ENDPOINT = ("glue:CreateDevEndpoint", "")
STACK_POLICY = policy("cloudformation:CreateStack")
ATTACHED = {"arn": "arn:aws:iam::111111111111:policy/attached"}
DEPLOYER = {"arn": "arn:aws:iam::111111111111:role/deployer"}
DEPLOYER_TRUST = {
    "Sid": "AssumeRole",
    "Effect": "Allow",
    "Principal": {"Service": "pipes.amazonaws.com"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111", "aws:SourceArn": v.PIPE.arn}},
}
DEPLOYER_INPUTS: dict[str, Any] = {
    "name": "deployer",
    "assumeRolePolicy": document([DEPLOYER_TRUST]),
    "inlinePolicies": [{"name": "pass", "policy": policy("iam:PassRole")}],
    "tags": v.TAGS,
}
_member = partial(add, "iam.GroupMembership")

# Resource policies

FILES_ARN = arn("elasticfilesystem", "file-system/fs-1")
TOPICS = [v.TOPIC_ARN, "arn:aws:sns:ap-northeast-1:*:calls"]
VIA_SERVICE = _when("StringLike", "kms:ViaService", "sqs.*.amazonaws.com")
READ_RECORDS = open_to({"AWS": ["*"]}, "kinesis:GetRecords", v.STREAM.arn)
KEY_POLICY = open_to({"AWS": "*"}, "kms:Decrypt", "*", **VIA_SERVICE)
KEY = add("kms.Key", policy=KEY_POLICY, tags=v.TAGS, outputs={"arn": v.OTHER_KEY_ARN})
SECRET_POLICY = open_to("*", "secretsmanager:GetSecretValue", "*")
PUBLISH = open_to({"AWS": "*"}, "sns:Publish", v.TOPIC_ARN)
MOUNT = open_to("*", "elasticfilesystem:ClientMount", FILES_ARN)
SELF = "${aws:PrincipalAccount}"

ACCOUNT, TWO_ACCOUNTS = "account 222222222222", ["111111111111", "222222222222"]
SCAN_BY_ROLE = open_to({"AWS": "arn:aws:iam::222222222222:role/theirs"}, "dynamodb:Scan", v.TABLE.arn)
SNS = {"Service": "sns.amazonaws.com"}
USER = "79a59df900b949e5"

# Trust

GITHUB = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
GITHUB_WORKFLOWS = {
    "Principal": {"Service": "pipes.amazonaws.com", "Federated": GITHUB},
    "Condition": {
        "StringEquals": {"aws:SourceAccount": "111111111111"},
        "StringLike": {"token.actions.githubusercontent.com:sub": "*"},
    },
}
OTHER_ROOT = "arn:aws:iam::222222222222:root"
ALL_PIPES, OTHER_PIPES = (f"arn:aws:pipes:ap-northeast-1:{each}:pipe/*" for each in ("*", "222222222222"))


def _trust_if(role: str, operator: str, key: str, value: Any) -> Edit:
    return trust(role, **_when(operator, key, value))


_pipe_if, _recorder_if = partial(_trust_if, v.PIPE_ROLE), partial(_trust_if, v.RECORDER_ROLE)
PIPES, STATES = ("pipes", "'AssumeRole'"), ("states", "'AssumeRole'")

# fmt: off
CASES: Cases = {
    "iam-documents-are-valid": table(
        "must have a valid {}",
        ("not JSON", NOT_JSON, put(v.PIPE_POLICY, "policy", "Allow everything")),
        ("no Effect", NO_EFFECT, remove(v.RECORDER_POLICY, "policy.Statement[Store].Effect")),
        ("a principal that is a number", NUMBER, trust(v.PIPE_ROLE, Principal=42)),
        ("a duplicate Version", TWICE.format("policy", "Version"), TWO_VERSIONS),
        ("a queue policy, given as an object, with a misspelled element",
         "statement 1 in policy: unknown element 'Actions'",
         put(v.QUARANTINE, "policy", {"Version": "2012-10-17", "Statement": SEND})),
        ("the policy of a topic", NOT_JSON, add("sns.Topic", policy="Allow everything")),
        ("a duplicate Statement, on a type that is not listed", TWICE.format("containerPolicy", "Statement"),
         add("mediastore.ContainerPolicy", containerPolicy=TWO_STATEMENTS)),
    ),
    "iam-documents-match-reference": {
        **table(
            "must use existing {} in statement 'Added', not {}",
            ("a misspelled action", ("actions", "sqs:SendMesage"), _deny(Action="sqs:SendMesage")),
            (
                "a misspelled operator",
                ("condition operators", "StringEqual"),
                _deny(
                    Action="sqs:ReceiveMessage", **_when("StringEqual", "aws:ResourceAccount", "111111111111")
                ),
            ),
            ("a misspelled condition key", ("condition keys", "aws:SourceVcp"),
             _deny(Action="sqs:ReceiveMessage", **_when("StringEquals", "aws:SourceVcp", "111111111111"))),
        ),
        **table(
            "must {}",
            ("a Sid used twice", "not repeat the Sid 'Quarantine' in policy",
             put(v.RECORDER_POLICY, SID, "Quarantine")),
            ("a Sid with a space", "use only letters and digits in the Sid 'Store the record'",
             put(v.RECORDER_POLICY, SID, "Store the record")),
            ("a name instead of an ARN", "use ARNs as resources in statement 'Added', not call-records",
             _user_policy("dynamodb:GetItem", resource="call-records")),
            ("an action on objects that is allowed on the bucket",
             f"not use s3:GetObject in statement 'Added': it does not apply to {BUCKET}",
             add("iam.UserPolicy", user="operator", policy=LIST_OBJECTS)),
            ("a variable without Version",
             "have the Version 2012-10-17 in policy, which the variables in statement 'Added' require",
             add("iam.UserPolicy", user="operator", policy=HOME_FOLDER)),
        ),
    },
    "iam-no-broad-managed-policies": {
        **table(
            "must not use the AWS managed policy {}, which grants broad access",
            ("an argument of a role", "AmazonDynamoDBFullAccess", DYNAMODB),
            _attached(ADMINISTRATOR, "iam.RolePolicyAttachment", role=f"{v.PIPE_ROLE}-0000000"),
            _attached("PowerUserAccess", "iam.UserPolicyAttachment", user="operator"),
            _attached("AWSStepFunctionsFullAccess", "iam.GroupPolicyAttachment", group="operators"),
            _attached("IAMFullAccess", "iam.PolicyAttachment", name="many", users=["operator"]),
            ("a permission set", ADMINISTRATOR, PERMISSION_SET),
            _attached("AmazonS3FullAccess", "quicksight.IamPolicyAssignment"),
        ),
        **table(
            "must not use the AWS managed policy {}, which is not listed in the setting allowed",
            ("a narrow policy that is not listed", BASIC, EXCLUSIVE),
        ),
    },
    "iam-no-wildcard-actions": table(
        "must list individual actions in statement {}, not {}",
        ("all actions of DynamoDB", ("'Store'", "dynamodb:*"), _store(Action="dynamodb:*")),
        ("all actions", ("'RecordRoutes'", "*"), statement(v.PIPE_POLICY, "RecordRoutes", Action=["*"])),
        ("a wildcard inside a name", ("'KeepDeadLetters'", "sqs:Send*"),
         statement(v.PIPE_POLICY, "KeepDeadLetters", Action="sqs:Send*")),
        ("a wildcard for one character", ("'Added'", "dynamodb:?etItem"),
         _user_policy("dynamodb:?etItem", resource=v.TABLE.arn)),
        ("a topic", ("1", "sns:*"), TOPIC),
        ("an object deep in the arguments", ("'Added'", "s3:*"), NETWORK),
        ("JSON text inside JSON text", ("'Added'", "s3:*"),
         add("ssm.Document", tags=v.TAGS, content=ESCAPED)),
    ),
    "iam-no-allow-by-exclusion": table(
        "must list what statement {} allows instead of using {}",
        ("NotAction", ("'Added'", "NotAction"),
         add_statement(v.RECORDER_POLICY, NotAction="iam:*", Resource=v.TABLE.arn)),
        ("NotResource", ("'Added'", "NotResource"),
         add_statement(v.PIPE_POLICY, Action=["sqs:SendMessage"], NotResource=[v.QUARANTINE.arn])),
        ("NotPrincipal", ("'Everyone else'", "NotPrincipal"),
         put(v.DEAD_LETTERS, "policy", document([EVERYONE_ELSE]))),
    ),
    "iam-no-wildcard-resources": {
        **table(
            "must name the resources of {} in statement {} instead of *",
            ("every table", ("dynamodb:UpdateItem", "'Store'"), _store(Resource="*")),
            ("one of several actions", ("sqs:SendMessage", "'DeliverLogs'"), SEND_LOGS),
        ),
        **table(
            "must name the resources of statement {} instead of {}",
            ("every stream", ("'ReadStream'", ANY_STREAM),
             statement(v.PIPE_POLICY, "ReadStream", Resource=[ANY_STREAM])),
            ("the first letters of a type", ("'Store'", ANY_TABLE), _store(Resource=ANY_TABLE)),
            ("every region", ("'Store'", ANY_REGION), _store(Resource=ANY_REGION)),
            ("a wildcard inside a name", ("'Store'", ANY_CALLS), _store(Resource=ANY_CALLS)),
            ("a part of a bucket's name", ("'Added'", ANY_FILE),
             _user_policy("s3:GetObject", resource=ANY_FILE)),
            ("every ARN", ("'Added'", "arn:aws:*"),
             _group_policy("sqs:ReceiveMessage", resource="arn:aws:*")),
        ),
    },
    "iam-no-privilege-escalation": table(
        "must not allow {}, which permits privilege escalation",
        ("access keys", "iam:CreateAccessKey", _user_policy("iam:CreateAccessKey")),
        ("a role for an instance", "iam:PassRole with ec2:RunInstances",
         _group_policy("iam:PassRole", "ec2:RunInstances")),
        _opens("iam:PassRole", "pipes:CreatePipe"),
        _opens("iam:PassRole", "events:PutTargets"),
        _opens("states:UpdateStateMachine"),
        _opens("iam:DeleteRolePermissionsBoundary"),
        _opens("kms:PutKeyPolicy"),
        _opens("iam:CreateServiceSpecificCredential"),
        ("a customer managed policy", "IAM:PutRolePolicy", PUT_POLICY),
    ),
    "iam-no-combined-privilege-escalation": table(
        "must not be allowed iam:PassRole with {} by its policies{} together, which permits privilege escalation",
        ("two policies of a user", RUN, _user_policy("iam:PassRole", name="one"),
         _user_policy("ec2:RunInstances", name="two")),
        ("an inline and an attached policy of a group", CREATE_STACK,
         _group_policy("iam:PassRole", name="inline"),
         add("iam.Policy", "attached", policy=STACK_POLICY, tags=v.TAGS, outputs=ATTACHED),
         add("iam.GroupPolicyAttachment", "attachment", group="operators", policyArn=ATTACHED["arn"])),
        ("the arguments of a role and a RolePolicy", CREATE_ENDPOINT,
         add("iam.Role", "deployer", **DEPLOYER_INPUTS, outputs=DEPLOYER),
         add("iam.RolePolicy", "glue", role="deployer", policy=policy("glue:CreateDevEndpoint"))),
        ("a user and its group", RUN_IN_GROUPS,
         named("added", _group_policy("ec2:RunInstances", name="operators-policy")),
         _user_policy("iam:PassRole"),
         add("iam.UserGroupMembership", "membership", user="operator", groups=["operators"])),
        ("two groups of a user", RUN_IN_GROUPS,
         named("one", _group_policy("iam:PassRole", name="operators-policy")),
         _member("one", group="operators", users=["operator", "one"]),
         _group_policy("ec2:RunInstances", name="builders-policy", group="builders"),
         _member("two", group="builders", users=["operator", "two"])),
    ),
    "iam-no-public-resources": table(
        "must name the principals that statement 1 allows instead of allowing every principal",
        ("a queue", (), _queue_policy("*")),
        ("a stream", (), add("kinesis.ResourcePolicy", policy=READ_RECORDS, resourceArn=v.STREAM.arn)),
        ("a key, through a service", (), KEY),
        ("a policy variable that is compared with itself", (),
         _queue_policy("*", **_when("StringEquals", "aws:PrincipalAccount", SELF))),
        ("every account", (), _queue_policy("*", **_when("StringLike", "aws:SourceAccount", "????????????"))),
        ("the topics of all accounts", (), _queue_policy("*", **_when("ArnLike", "aws:SourceArn", TOPICS))),
        ("a secret", (), add("secretsmanager.Secret", policy=SECRET_POLICY)),
        ("a topic", (), add("sns.Topic", policy=PUBLISH)),
        ("a type that is not listed", (), add("efs.FileSystemPolicy", policy=MOUNT)),
        ("every identity provider", (), _queue_policy({"Federated": "*"}, Condition={})),
        ("every service", (), _queue_policy({"Service": "*"}, Condition={})),
    ),
    "iam-resources-stay-in-account": table(
        "must not grant access to {} in statement 1",
        ("a queue", ACCOUNT, _queue_policy(v.OTHER_ACCOUNT, "sqs:ReceiveMessage")),
        ("a table", ACCOUNT, add("dynamodb.ResourcePolicy", resourceArn=v.TABLE.arn, policy=SCAN_BY_ROLE)),
        ("an account", ACCOUNT,
         _queue_policy("*", **_when("StringEquals", "aws:PrincipalAccount", TWO_ACCOUNTS))),
        ("an organization", "organization o-a1b2c3d4e5",
         _queue_policy("*", **_when("StringEquals", "aws:PrincipalOrgID", "o-a1b2c3d4e5"))),
        ("a canonical user", f"the canonical user {USER}", _queue_policy({"CanonicalUser": USER})),
        ("topics", ACCOUNT,
         _queue_policy(SNS, **_when("ArnLike", "aws:SourceArn", "arn:aws:sns:*:222222222222:*"))),
    ),
    "iam-trust-only-allowed-principals": {
        **table(
            "must trust only named services in statement 'AssumeRole', not {}",
            ("another account", f"AWS {OTHER_ROOT}", trust(v.RECORDER_ROLE, Principal={"AWS": OTHER_ROOT})),
            ("every principal", "every principal", trust(v.PIPE_ROLE, Principal="*")),
            ("GitHub workflows of every repository", f"Federated {GITHUB}",
             trust(v.PIPE_ROLE, **GITHUB_WORKFLOWS)),
        ),
        **table(
            "must {} in statement 'AssumeRole', not {}",
            ("any service", ("name the services that it trusts", "*.amazonaws.com"),
             trust(v.PIPE_ROLE, Principal={"Service": ["*.amazonaws.com"]})),
            ("an action that assumes no role", ("allow only sts:AssumeRole", "sts:GetFederationToken"),
             trust(v.PIPE_ROLE, Action=["sts:AssumeRole", "sts:GetFederationToken"])),
        ),
    },
    "iam-services-have-source-condition": table(
        "must restrict {}.amazonaws.com with aws:SourceAccount or aws:SourceArn in statement {}",
        ("no condition", PIPES, remove(v.PIPE_ROLE, f"{edits.ASSUME_ROLE}.Condition")),
        ("a missing key", STATES, _recorder_if("StringEqualsIfExists", "aws:SourceAccount", "111111111111")),
        ("any account", PIPES, _pipe_if("StringLike", "aws:SourceAccount", "*")),
        ("all pipes", PIPES, _pipe_if("ArnLike", "aws:SourceArn", ALL_PIPES)),
        ("only the region", PIPES, _pipe_if("StringEquals", "aws:RequestedRegion", "ap-northeast-1")),
        ("a queue", ("s3", "1"), _queue_policy({"Service": "s3.amazonaws.com"})),
        ("a policy variable that is compared with itself", PIPES,
         _pipe_if("StringEquals", "aws:SourceAccount", "${aws:SourceAccount}")),
    ),
    "iam-trust-stays-in-account": table(
        "must restrict {} to its own account 111111111111, not 222222222222",
        ("its ID", "aws:SourceAccount", _recorder_if("StringEquals", "aws:SourceAccount", "222222222222")),
        ("its pipes", "aws:SourceArn", _pipe_if("ArnLike", "aws:SourceArn", OTHER_PIPES)),
        ("two accounts", "aws:sourceaccount", _pipe_if("StringEquals", "aws:sourceaccount", TWO_ACCOUNTS)),
    ),
}
