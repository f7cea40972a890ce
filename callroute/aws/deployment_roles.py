"""IAM documents for the roles that GitHub Actions assumes: one deploys a stack, one previews changes, one reads the table.

Permissions are listed by resource type. They come from the AWS provider's source code (terraform-provider-aws,
`internal/service/*`): the calls that create, read, update, delete and tag a resource. If a service requires further
permissions from the caller, they come from the handler permissions in the resource's CloudFormation schema.
docs/fidelity.md describes the evidence for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from callroute.arn import Arn
from callroute.aws.options import TrackerOptions
from callroute.aws.permissions import Document, Statement, pipe_policy, state_machine_policy, use_key
from callroute.aws.state_machine import definition

INDEX = "by-day"
"""Index of the table that `callroute report` queries."""

_ISSUER = "token.actions.githubusercontent.com"


@dataclass(frozen=True, kw_only=True)
class DeploymentTarget:
    """A stack, the account it is deployed to, and the repository that deploys it."""

    args: TrackerOptions
    """The stack's options: a CallRouteTrackerArgs."""
    account_id: str
    """AWS account of the stack."""
    region: str
    """AWS region of the stack, for example `ap-northeast-1`."""
    stack: str
    """Name of the stack, and of its environment in GitHub."""
    repository: str
    """Repository as GitHub's token names it: `OWNER/NAME`, or `OWNER@ID/NAME@ID` with immutable subject claims."""
    state_bucket: str
    """S3 bucket that stores the stack's Pulumi state."""
    state_key_arn: str
    """KMS key used by the stack's secrets provider."""
    project: str = "call-route-tracker"
    """Name of the Pulumi project. The names of all resources except the table start with it."""
    partition: str = "aws"
    """`aws`, `aws-cn` or `aws-us-gov`."""

    def arn(self, service: str, resource: str) -> str:
        """Returns the ARN of a resource in this account and region."""
        return str(Arn(self.partition, service, self.region, self.account_id, resource))

    def iam_arn(self, resource: str) -> str:
        """Returns the ARN of an IAM resource in this account."""
        return str(Arn(self.partition, "iam", "", self.account_id, resource))


@dataclass(frozen=True)
class Grant:
    """Actions that Pulumi's AWS provider needs for one purpose."""

    sid: str
    """Name of the statement."""
    resources: tuple[str, ...]
    """ARNs, or `*` for actions without resource types."""
    reads: tuple[str, ...] = ()
    """Read-only actions, which previews also need."""
    writes: tuple[str, ...] = ()
    """Actions that create, change, tag or delete resources."""
    condition: Mapping[str, Mapping[str, str | list[str]]] = field(default_factory=dict)
    """Condition on the statement."""

    def statement(self, actions: Iterable[str]) -> Statement:
        """Returns a statement that allows the given actions."""
        resource = self.resources[0] if len(self.resources) == 1 else list(self.resources)
        statement = {"Sid": self.sid, "Effect": "Allow", "Action": sorted(actions), "Resource": resource}
        return {**statement, "Condition": self.condition} if self.condition else statement


def grants(target: DeploymentTarget) -> dict[str, list[Grant]]:
    """Returns the grants for each resource type, keyed by Pulumi type token. Other types cannot be deployed."""
    return {
        "aws:dynamodb/table:Table": _table(target),
        "aws:kinesis/stream:Stream": _stream(target),
        "aws:sqs/queue:Queue": _queue(target),
        "aws:iam/role:Role": _role(target),
        "aws:iam/rolePolicy:RolePolicy": _role_policy(target),
        "aws:cloudwatch/logGroup:LogGroup": _log_group(target),
        "aws:sfn/stateMachine:StateMachine": _state_machine(target),
        "aws:pipes/pipe:Pipe": _pipe(target),
        "aws:connect/contactFlow:ContactFlow": _contact_flow(target),
        "aws:connect/contactFlowModule:ContactFlowModule": _module(target),
        "aws:connect/instanceStorageConfig:InstanceStorageConfig": _contact_record_streaming(target),
        "aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation": _number(target),
        "aws:cloudwatch/metricAlarm:MetricAlarm": _metric_alarm(target),
        "aws:cloudwatch/dashboard:Dashboard": _dashboard(target),
        "aws:sns/topic:Topic": _topic(target),
        "aws:sns/topicPolicy:TopicPolicy": _topic_policy(target),
        "aws:sns/topicSubscription:TopicSubscription": _topic_subscription(target),
    }


def deploy_policy(target: DeploymentTarget) -> Document:
    """Returns the policy for the role that runs `pulumi up`. It is too long for a managed policy, so attach it inline."""
    return _document(grant.statement(grant.reads + grant.writes) for grant in _all(target))


def preview_policy(target: DeploymentTarget) -> Document:
    """Returns the policy for the role that runs `pulumi preview --refresh`: the deployment role's read actions."""
    return _document(grant.statement(grant.reads) for grant in _all(target) if grant.reads)


def reader_policy(target: DeploymentTarget) -> Document:
    """Returns the policy for the role that runs `callroute report` and `whatif`: it only queries the table's index by day."""
    table = target.arn("dynamodb", f"table/{target.args.table_name}")
    query = Grant("QueryCallRecords", (f"{table}/index/{INDEX}",), reads=("dynamodb:Query",))
    key = target.args.kms_key_arn
    return _document(
        [query.statement(query.reads), *([use_key("UseKeyOfTable", key, table, "dynamodb")] if key else [])]
    )


def boundary_policy(target: DeploymentTarget) -> Document:
    """Returns the permissions boundary for the stack's two roles.

    It allows everything that the roles might need, on resources identified by name prefix. Save it as a managed policy. A
    boundary grants nothing by itself: a role only has the permissions that both its own policy and the boundary allow.
    """
    table, quarantine = target.args.table_name, f"{target.project}-quarantine-*"
    recorder = state_machine_policy(
        definition(target.args, table_name=table, quarantine_queue_url=quarantine),
        table_arn=target.arn("dynamodb", f"table/{table}"),
        quarantine_queue_arn=target.arn("sqs", quarantine),
        kms_key_arn=target.args.kms_key_arn,
    )
    pipe = pipe_policy(
        stream_arn=stream_arn(target),
        state_machine_arn=target.arn("states", f"stateMachine:{target.project}-{target.stack}"),
        dead_letter_queue_arn=target.arn("sqs", f"{target.project}-pipe-dead-letters-*"),
        kms_key_arn=target.args.kms_key_arn,
        stream_kms_key_arn=target.args.stream_kms_key_arn
        if target.args.stream_arn
        else target.args.kms_key_arn,
    )
    return _document(
        {**statement, "Sid": f"{role}{statement['Sid']}"}
        for role, policy in (("Recorder", recorder), ("Pipe", pipe))
        for statement in policy["Statement"]
    )


def github_trust_policy(target: DeploymentTarget, environment: str, *, ref: str | None = None) -> Document:
    """Returns a trust policy for jobs that run in one environment of one repository.

    Args:
        target: the account and the repository.
        environment: name of the environment in GitHub.
        ref: the only trusted branch, for example `refs/heads/main`. By default, all branches are trusted.
    """
    condition = {f"{_ISSUER}:ref": ref} if ref else {}
    return _document(
        [
            {
                "Sid": "AssumeRoleFromGitHub",
                "Effect": "Allow",
                "Principal": {"Federated": target.iam_arn(f"oidc-provider/{_ISSUER}")},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{_ISSUER}:aud": "sts.amazonaws.com",
                        f"{_ISSUER}:sub": f"repo:{target.repository}:environment:{environment}",
                        **condition,
                    }
                },
            }
        ]
    )


def documents(target: DeploymentTarget) -> dict[str, Document]:
    """Returns all documents, keyed by file name. The boundary is included if the stack uses one."""
    return {
        **({"boundary-policy.json": boundary_policy(target)} if target.args.permissions_boundary_arn else {}),
        "deploy-policy.json": deploy_policy(target),
        "deploy-trust.json": github_trust_policy(target, target.stack, ref="refs/heads/main"),
        "preview-policy.json": preview_policy(target),
        "preview-trust.json": github_trust_policy(target, f"{target.stack}-preview"),
        "reader-policy.json": reader_policy(target),
        "reader-trust.json": github_trust_policy(target, f"{target.stack}-report", ref="refs/heads/main"),
    }


def _all(target: DeploymentTarget) -> list[Grant]:
    return [grant for each in grants(target).values() for grant in each] + state_grants(target)


def _table(target: DeploymentTarget) -> list[Grant]:
    found = [
        Grant(
            "Table",
            (target.arn("dynamodb", f"table/{target.args.table_name}"),),
            reads=(
                "dynamodb:DescribeContinuousBackups",
                "dynamodb:DescribeTable",
                "dynamodb:DescribeTimeToLive",
                "dynamodb:ListTagsOfResource",
            ),
            writes=(
                "dynamodb:CreateTable",
                "dynamodb:DeleteTable",
                "dynamodb:TagResource",
                "dynamodb:UntagResource",
                "dynamodb:UpdateContinuousBackups",
                "dynamodb:UpdateTable",
                "dynamodb:UpdateTimeToLive",
            ),
        ),
        # The provider compares the key with the account's default key. Without this permission, every plan shows a change.
        Grant(
            "DefaultKeyOfTable",
            (target.arn("kms", "key/*"),),
            reads=("kms:DescribeKey",),
            condition={"StringEquals": {"kms:RequestAlias": "alias/aws/dynamodb"}},
        ),
    ]
    if target.args.kms_key_arn:
        found += [
            # DynamoDB uses the key on behalf of the caller until it has its own grant.
            # Source: Authorizing use of your customer managed key, Amazon DynamoDB Developer Guide.
            Grant(
                "KeyOfTable",
                (target.args.kms_key_arn,),
                writes=(
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:GenerateDataKeyWithoutPlaintext",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ),
                condition={"StringEquals": {"kms:ViaService": f"dynamodb.{target.region}.amazonaws.com"}},
            ),
            Grant(
                "GrantKeyOfTable",
                (target.args.kms_key_arn,),
                writes=("kms:CreateGrant",),
                condition={
                    "Bool": {"kms:GrantIsForAWSResource": "true"},
                    "StringEquals": {"kms:ViaService": f"dynamodb.{target.region}.amazonaws.com"},
                },
            ),
        ]
    return found


def _stream(target: DeploymentTarget) -> list[Grant]:
    stream = target.arn("kinesis", f"stream/{target.project}-stream-*")
    return [
        Grant(
            "Stream",
            (stream,),
            reads=("kinesis:DescribeStreamSummary", "kinesis:ListTagsForStream"),
            writes=(
                "kinesis:AddTagsToStream",
                "kinesis:CreateStream",
                "kinesis:DecreaseStreamRetentionPeriod",
                "kinesis:DeleteStream",
                "kinesis:IncreaseStreamRetentionPeriod",
                "kinesis:RemoveTagsFromStream",
            ),
        ),
        # AWS checks this action against the stream and the key. The ID of the default key is not known in advance.
        Grant(
            "EncryptStream",
            (stream, target.args.kms_key_arn or target.arn("kms", "key/*")),
            writes=("kinesis:StartStreamEncryption",),
        ),
        # These actions have no resource types.
        Grant(
            "CapacityOfStreams",
            ("*",),
            reads=("kinesis:DescribeLimits",),
            writes=("kinesis:UpdateShardCount", "kinesis:UpdateStreamMode"),
        ),
    ]


def _queue(target: DeploymentTarget) -> list[Grant]:
    return [
        Grant(
            "Queues",
            (
                target.arn("sqs", f"{target.project}-pipe-dead-letters-*"),
                target.arn("sqs", f"{target.project}-quarantine-*"),
            ),
            reads=("sqs:GetQueueAttributes", "sqs:ListQueueTags"),
            writes=(
                "sqs:CreateQueue",
                "sqs:DeleteQueue",
                "sqs:SetQueueAttributes",
                "sqs:TagQueue",
                "sqs:UntagQueue",
            ),
        )
    ]


def _role(target: DeploymentTarget) -> list[Grant]:
    return [
        Grant(
            "Roles",
            role_arns(target),
            reads=("iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"),
            writes=(
                "iam:DeleteRole",
                # The provider calls this before it deletes a role.
                "iam:ListInstanceProfilesForRole",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
            ),
        ),
        Grant(
            "MakeRoles",
            role_arns(target),
            # The role can neither remove a boundary (iam:DeleteRolePermissionsBoundary) nor edit its policy.
            writes=(
                "iam:CreateRole",
                *(["iam:PutRolePermissionsBoundary"] if target.args.permissions_boundary_arn else []),
            ),
            condition=_within_boundary(target),
        ),
    ]


def _role_policy(target: DeploymentTarget) -> list[Grant]:
    return [
        Grant(
            "PoliciesOfRoles",
            role_arns(target),
            reads=("iam:GetRolePolicy",),
            writes=("iam:DeleteRolePolicy",),
        ),
        Grant(
            "WritePoliciesOfRoles",
            role_arns(target),
            writes=("iam:PutRolePolicy",),
            condition=_within_boundary(target),
        ),
    ]


def _within_boundary(target: DeploymentTarget) -> dict[str, dict[str, str]]:
    """Returns a condition that requires the boundary, either in the request or on the role.

    Source: Delegating responsibility to others using permissions boundaries, IAM User Guide.
    """
    arn = target.args.permissions_boundary_arn
    return {"ArnEquals": {"iam:PermissionsBoundary": arn}} if arn else {}


def _log_group(target: DeploymentTarget) -> list[Grant]:
    names = [f"/aws/vendedlogs/{kind}/{target.project}-{target.stack}" for kind in ("pipes", "states")]
    return [
        Grant(
            "LogGroups",
            # AWS checks some calls against the ARN with `:*`, and tagging against the ARN without it.
            tuple(target.arn("logs", f"log-group:{name}{end}") for name in names for end in ("", ":*")),
            reads=("logs:ListTagsForResource",),
            writes=(
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
                "logs:UntagResource",
            ),
        ),
        # This action has no resource types.
        Grant("FindLogGroups", ("*",), reads=("logs:DescribeLogGroups",)),
    ]


def _state_machine(target: DeploymentTarget) -> list[Grant]:
    return [
        Grant(
            "StateMachine",
            (target.arn("states", f"stateMachine:{target.project}-{target.stack}"),),
            reads=(
                "states:DescribeStateMachine",
                "states:ListStateMachineVersions",
                "states:ListTagsForResource",
            ),
            writes=(
                "states:CreateStateMachine",
                "states:DeleteStateMachine",
                "states:TagResource",
                "states:UntagResource",
                "states:UpdateStateMachine",
            ),
        ),
        # The provider validates the definition during planning. This action has no resource types.
        Grant("ValidateStateMachine", ("*",), reads=("states:ValidateStateMachineDefinition",)),
        _pass(target, "recorder", "states.amazonaws.com"),
    ]


def _pipe(target: DeploymentTarget) -> list[Grant]:
    return [
        Grant(
            "Pipe",
            (target.arn("pipes", f"pipe/{target.project}-{target.stack}"),),
            reads=("pipes:DescribePipe", "pipes:ListTagsForResource"),
            writes=(
                "pipes:CreatePipe",
                "pipes:DeletePipe",
                "pipes:TagResource",
                "pipes:UntagResource",
                "pipes:UpdatePipe",
            ),
        ),
        # EventBridge sets up logging for the pipe on behalf of the caller. These actions have no resource types.
        Grant(
            "DeliverLogsOfPipe",
            ("*",),
            writes=(
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:DescribeResourcePolicies",
                "logs:GetLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:UpdateLogDelivery",
            ),
        ),
        _pass(target, "pipe", "pipes.amazonaws.com"),
    ]


def _contact_flow(target: DeploymentTarget) -> list[Grant]:
    # Associating a number needs permission on both the number and the flow.
    associate = ["connect:AssociatePhoneNumberContactFlow"] if target.args.phone_number_ids else []
    return [
        Grant(
            "Flows",
            (_flow_arns(target),),
            reads=("connect:DescribeContactFlow", "connect:ListTagsForResource"),
            writes=(
                *associate,
                "connect:CreateContactFlow",
                "connect:DeleteContactFlow",
                "connect:TagResource",
                "connect:UntagResource",
                "connect:UpdateContactFlowContent",
                "connect:UpdateContactFlowName",
            ),
        )
    ]


def _module(target: DeploymentTarget) -> list[Grant]:
    if not target.args.has_modules:
        return []
    return [
        Grant(
            "Modules",
            (f"{instance_arn(target)}/flow-module/*",),
            reads=("connect:DescribeContactFlowModule", "connect:ListTagsForResource"),
            writes=(
                "connect:CreateContactFlowModule",
                "connect:DeleteContactFlowModule",
                "connect:TagResource",
                "connect:UntagResource",
                "connect:UpdateContactFlowModuleContent",
                "connect:UpdateContactFlowModuleMetadata",
            ),
        )
    ]


def _contact_record_streaming(target: DeploymentTarget) -> list[Grant]:
    return [
        Grant(
            "ContactRecordStreaming",
            (instance_arn(target),),
            reads=("connect:DescribeInstanceStorageConfig",),
            writes=(
                "connect:AssociateInstanceStorageConfig",
                "connect:DisassociateInstanceStorageConfig",
                "connect:UpdateInstanceStorageConfig",
            ),
            condition={"StringEquals": {"connect:StorageResourceType": "CONTACT_TRACE_RECORDS"}},
        ),
        # Connect describes the stream, and allows its own role to write to it, on behalf of the caller.
        Grant(
            "StreamOfContactRecords",
            (stream_arn(target),),
            writes=("kinesis:DescribeStream",),
        ),
        Grant(
            "RoleOfConnect",
            (
                target.iam_arn(
                    "role/aws-service-role/connect.amazonaws.com/AWSServiceRoleForAmazonConnect_*",
                ),
            ),
            writes=("iam:PutRolePolicy",),
        ),
        # This action has no resource types.
        Grant("DirectoriesOfConnect", ("*",), writes=("ds:DescribeDirectories",)),
    ]


def _number(target: DeploymentTarget) -> list[Grant]:
    if not target.args.phone_number_ids:
        return []
    numbers = tuple(target.arn("connect", f"phone-number/{each}") for each in target.args.phone_number_ids)
    return [
        Grant(
            "Numbers",
            numbers,
            reads=("connect:DescribePhoneNumber",),
            writes=(
                "connect:AssociatePhoneNumberContactFlow",
                "connect:DisassociatePhoneNumberContactFlow",
            ),
        ),
        Grant("FindFlowsOfNumbers", (instance_arn(target),), reads=("connect:ListFlowAssociations",)),
    ]


def _metric_alarm(target: DeploymentTarget) -> list[Grant]:
    if not target.args.alarms:
        return []
    return [
        Grant(
            "Alarms",
            (target.arn("cloudwatch", f"alarm:{target.project}-{target.stack}-*"),),
            reads=("cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"),
            writes=(
                "cloudwatch:DeleteAlarms",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
            ),
        )
    ]


def _dashboard(target: DeploymentTarget) -> list[Grant]:
    if not target.args.dashboard:
        return []
    name = f"{target.project}-{target.stack}-{target.region}"
    return [
        Grant(
            "Dashboard",
            # Dashboards have no region.
            (str(Arn(target.partition, "cloudwatch", "", target.account_id, f"dashboard/{name}")),),
            reads=("cloudwatch:GetDashboard",),
            writes=("cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"),
        )
    ]


def _topic(target: DeploymentTarget) -> list[Grant]:
    if not _has_topic(target):
        return []
    return [
        Grant(
            "Topic",
            (_topic_arns(target),),
            reads=("sns:GetTopicAttributes", "sns:ListTagsForResource"),
            writes=("sns:CreateTopic", "sns:DeleteTopic", "sns:TagResource", "sns:UntagResource"),
        )
    ]


def _topic_policy(target: DeploymentTarget) -> list[Grant]:
    if not _has_topic(target):
        return []
    # The policy and the key are attributes of the topic.
    subscribe = ["sns:Subscribe"] if target.args.alarm_email else []
    return [Grant("TopicSettings", (_topic_arns(target),), writes=("sns:SetTopicAttributes", *subscribe))]


def _topic_subscription(target: DeploymentTarget) -> list[Grant]:
    if not (_has_topic(target) and target.args.alarm_email):
        return []
    # These actions have no resource types.
    return [
        Grant("Subscriptions", ("*",), reads=("sns:GetSubscriptionAttributes",), writes=("sns:Unsubscribe",))
    ]


def _has_topic(target: DeploymentTarget) -> bool:
    return target.args.alarms and not target.args.alarm_topic_arn


def _topic_arns(target: DeploymentTarget) -> str:
    return target.arn("sns", f"{target.project}-alarms-*")


def state_grants(target: DeploymentTarget) -> list[Grant]:
    """Returns the grants that Pulumi itself needs for its state and for its secrets provider's key."""
    bucket = str(Arn(target.partition, "s3", "", "", target.state_bucket))
    return [
        Grant("FindState", (bucket,), reads=("s3:ListBucket",)),
        # A preview does not lock or write the state.
        Grant("State", (f"{bucket}/*",), reads=("s3:GetObject",), writes=("s3:DeleteObject", "s3:PutObject")),
        # Decrypts the data key that protects the secrets. Only `pulumi stack init` creates one (kms:Encrypt).
        Grant("Secrets", (target.state_key_arn,), reads=("kms:Decrypt",)),
    ]


def _pass(target: DeploymentTarget, role: str, service: str) -> Grant:
    return Grant(
        f"Pass{role.capitalize()}Role",
        (target.iam_arn(f"role/{target.project}-{role}-role-*"),),
        writes=("iam:PassRole",),
        condition={"StringEquals": {"iam:PassedToService": service}},
    )


def role_arns(target: DeploymentTarget) -> tuple[str, ...]:
    """Returns the ARNs of the roles of the state machine and the pipe, as patterns."""
    return tuple(target.iam_arn(f"role/{target.project}-{role}-role-*") for role in ("pipe", "recorder"))


def stream_arn(target: DeploymentTarget) -> str:
    """Returns the ARN of the stream, or an ARN pattern if the stack creates the stream."""
    return target.args.stream_arn or target.arn("kinesis", f"stream/{target.project}-stream-*")


def instance_arn(target: DeploymentTarget) -> str:
    """Returns the ARN of the Connect instance."""
    return target.arn("connect", f"instance/{target.args.connect_instance_id}")


def _flow_arns(target: DeploymentTarget) -> str:
    return f"{instance_arn(target)}/contact-flow/*"


def _document(statements: Iterable[Statement]) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}
