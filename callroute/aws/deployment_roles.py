"""The two roles that GitHub Actions assumes in AWS: one deploys a stack, one only reads it for previews.

What a role may do is listed by the type of the resource, in the order of calls of the AWS provider that Pulumi bridges
(terraform-provider-aws, `internal/service/*`): create, read, update as far as the program's arguments can change, delete,
tags. Where the service asks for more on the caller's behalf, the second source is the handlers' permissions in the
resource's CloudFormation schema. docs/fidelity.md tells how well each is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from callroute.arn import Arn
from callroute.aws.options import TrackerOptions
from callroute.aws.permissions import Document, Statement, pipe_policy, state_machine_policy
from callroute.aws.state_machine import definition

_ISSUER = "token.actions.githubusercontent.com"


@dataclass(frozen=True, kw_only=True)
class DeploymentTarget:
    """A stack, the account that it is deployed to, and the repository that deploys it."""

    args: TrackerOptions
    """Options of the stack: a CallRouteTrackerArgs."""
    account_id: str
    """AWS account of the stack."""
    region: str
    """AWS region of the stack, for example `ap-northeast-1`."""
    stack: str
    """Name of the stack, and of its environment in GitHub."""
    repository: str
    """Repository as GitHub's token names it: `OWNER/NAME`, or `OWNER@ID/NAME@ID` with immutable subject claims."""
    state_bucket: str
    """S3 bucket of the stack's Pulumi state."""
    state_key_arn: str
    """KMS key of the stack's secrets provider."""
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
    """What the provider calls for one purpose."""

    sid: str
    """Name of the statement."""
    resources: tuple[str, ...]
    """ARNs; `*` only for actions that know no resource."""
    reads: tuple[str, ...] = ()
    """Actions that change nothing: all that a preview needs."""
    writes: tuple[str, ...] = ()
    """Actions that create, change, tag and delete."""
    condition: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Condition of the statement."""

    def statement(self, actions: Iterable[str]) -> Statement:
        """The statement that allows some of the actions."""
        resource = self.resources[0] if len(self.resources) == 1 else list(self.resources)
        statement = {"Sid": self.sid, "Effect": "Allow", "Action": sorted(actions), "Resource": resource}
        return {**statement, "Condition": self.condition} if self.condition else statement


def grants(target: DeploymentTarget) -> dict[str, list[Grant]]:
    """What each type of resource needs, by Pulumi's type token. A type that is not here cannot be deployed."""
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
        "aws:connect/instanceStorageConfig:InstanceStorageConfig": _contact_record_streaming(target),
        "aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation": _number(target),
    }


def deploy_policy(target: DeploymentTarget) -> Document:
    """What the role that runs `pulumi up` may do. Too long for a managed policy: put it into the role."""
    return _document(grant.statement(grant.reads + grant.writes) for grant in _all(target))


def preview_policy(target: DeploymentTarget) -> Document:
    """What the role that runs `pulumi preview --refresh` may do: the reads of the deploying role."""
    return _document(grant.statement(grant.reads) for grant in _all(target) if grant.reads)


def boundary_policy(target: DeploymentTarget) -> Document:
    """All that the stack's two roles can ever need, by the prefixes of names: a permissions boundary for both.

    A managed policy of the account. It allows nothing by itself: a role may do what both its own policy and this allow.
    """
    table, quarantine = target.args.table_name, f"{target.project}-quarantine-*"
    recorder = state_machine_policy(
        definition(target.args, table_name=table, quarantine_queue_url=quarantine),
        table_arn=target.arn("dynamodb", f"table/{table}"),
        quarantine_queue_arn=target.arn("sqs", quarantine),
        kms_key_arn=target.args.kms_key_arn,
    )
    pipe = pipe_policy(
        stream_arn=_stream_arn(target),
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
    """Lets the jobs of one environment of one repository assume the role, and nobody else.

    Args:
        target: the account and the repository.
        environment: the environment's name in GitHub.
        ref: the only branch from which they may, as `refs/heads/main`; any where it is None.
    """
    of_branch = {f"{_ISSUER}:ref": ref} if ref else {}
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
                        **of_branch,
                    }
                },
            }
        ]
    )


def documents(target: DeploymentTarget) -> dict[str, Document]:
    """All documents, by the name of the file that docs/operations.md writes them to; the boundary only where it is set."""
    return {
        **({"boundary-policy.json": boundary_policy(target)} if target.args.permissions_boundary_arn else {}),
        "deploy-policy.json": deploy_policy(target),
        "deploy-trust.json": github_trust_policy(target, target.stack, ref="refs/heads/main"),
        "preview-policy.json": preview_policy(target),
        "preview-trust.json": github_trust_policy(target, f"{target.stack}-preview"),
    }


def _all(target: DeploymentTarget) -> list[Grant]:
    return [grant for each in grants(target).values() for grant in each] + _state(target)


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
        # The provider compares the table's key with the account's default; refused, it would plan a change each time.
        Grant(
            "DefaultKeyOfTable",
            (target.arn("kms", "key/*"),),
            reads=("kms:DescribeKey",),
            condition={"StringEquals": {"kms:RequestAlias": "alias/aws/dynamodb"}},
        ),
    ]
    if target.args.kms_key_arn:
        found += [
            # DynamoDB uses the key on behalf of who chooses it, until it has its own grant.
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
        # This action is checked against the key as well as the stream; the default key has no id known beforehand.
        Grant(
            "EncryptStream",
            (stream, target.args.kms_key_arn or target.arn("kms", "key/*")),
            writes=("kinesis:StartStreamEncryption",),
        ),
        # These know no resource.
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
            _role_arns(target),
            reads=("iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"),
            writes=(
                "iam:DeleteRole",
                # Before the role is deleted.
                "iam:ListInstanceProfilesForRole",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
            ),
        ),
        Grant(
            "MakeRoles",
            _role_arns(target),
            # Nobody who deploys can take a boundary away (iam:DeleteRolePermissionsBoundary), nor change what it says.
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
            _role_arns(target),
            reads=("iam:GetRolePolicy",),
            writes=("iam:DeleteRolePolicy",),
        ),
        Grant(
            "WritePoliciesOfRoles",
            _role_arns(target),
            writes=("iam:PutRolePolicy",),
            condition=_within_boundary(target),
        ),
    ]


def _within_boundary(target: DeploymentTarget) -> dict[str, dict[str, str]]:
    """For roles with the boundary only: the one that a request names, else the one that the role has.

    Source: Delegating responsibility to others using permissions boundaries, IAM User Guide.
    """
    arn = target.args.permissions_boundary_arn
    return {"ArnEquals": {"iam:PermissionsBoundary": arn}} if arn else {}


def _log_group(target: DeploymentTarget) -> list[Grant]:
    names = [f"/aws/vendedlogs/{kind}/{target.project}-{target.stack}" for kind in ("pipes", "states")]
    return [
        Grant(
            "LogGroups",
            # Some calls are checked against the ARN with `:*`, tags against the one without.
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
        # It knows no resource.
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
        # The provider has the definition validated when it plans. The action knows no resource.
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
        # EventBridge sets up the pipe's log on behalf of who deploys it. These know no resource.
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
    return [
        Grant(
            "Flows",
            (_flow_arns(target),),
            reads=("connect:DescribeContactFlow", "connect:ListTagsForResource"),
            writes=(
                "connect:CreateContactFlow",
                "connect:DeleteContactFlow",
                "connect:TagResource",
                "connect:UntagResource",
                "connect:UpdateContactFlowContent",
                "connect:UpdateContactFlowName",
            ),
        )
    ]


def _contact_record_streaming(target: DeploymentTarget) -> list[Grant]:
    return [
        Grant(
            "ContactRecordStreaming",
            (_instance_arn(target),),
            reads=("connect:DescribeInstanceStorageConfig",),
            writes=(
                "connect:AssociateInstanceStorageConfig",
                "connect:DisassociateInstanceStorageConfig",
                "connect:UpdateInstanceStorageConfig",
            ),
            condition={"StringEquals": {"connect:StorageResourceType": "CONTACT_TRACE_RECORDS"}},
        ),
        # Connect looks at the stream, and lets its own role write to it, on behalf of who associates them.
        Grant(
            "StreamOfContactRecords",
            (_stream_arn(target),),
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
        # It knows no resource.
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
            writes=("connect:DisassociatePhoneNumberContactFlow",),
        ),
        Grant(
            "FlowsOfNumbers",
            (*numbers, _flow_arns(target)),
            writes=("connect:AssociatePhoneNumberContactFlow",),
        ),
        Grant("FindFlowsOfNumbers", (_instance_arn(target),), reads=("connect:ListFlowAssociations",)),
    ]


def _state(target: DeploymentTarget) -> list[Grant]:
    """What Pulumi itself calls: its state in a bucket, and the key of the secrets in it."""
    bucket = str(Arn(target.partition, "s3", "", "", target.state_bucket))
    return [
        Grant("FindState", (bucket,), reads=("s3:ListBucket",)),
        # A preview neither locks nor writes the state.
        Grant("State", (f"{bucket}/*",), reads=("s3:GetObject",), writes=("s3:DeleteObject", "s3:PutObject")),
        # It opens the data key that the secrets are encrypted with. Only `pulumi stack init` makes one (kms:Encrypt).
        Grant("Secrets", (target.state_key_arn,), reads=("kms:Decrypt",)),
    ]


def _pass(target: DeploymentTarget, role: str, service: str) -> Grant:
    return Grant(
        f"Pass{role.capitalize()}Role",
        (target.iam_arn(f"role/{target.project}-{role}-role-*"),),
        writes=("iam:PassRole",),
        condition={"StringEquals": {"iam:PassedToService": service}},
    )


def _role_arns(target: DeploymentTarget) -> tuple[str, ...]:
    return tuple(target.iam_arn(f"role/{target.project}-{role}-role-*") for role in ("pipe", "recorder"))


def _stream_arn(target: DeploymentTarget) -> str:
    return target.args.stream_arn or target.arn("kinesis", f"stream/{target.project}-stream-*")


def _instance_arn(target: DeploymentTarget) -> str:
    return target.arn("connect", f"instance/{target.args.connect_instance_id}")


def _flow_arns(target: DeploymentTarget) -> str:
    return f"{_instance_arn(target)}/contact-flow/*"


def _document(statements: Iterable[Statement]) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}
