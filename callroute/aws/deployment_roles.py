"""The two roles that GitHub Actions assumes in AWS: one deploys a stack, one only reads it for previews.

What a role may do is listed by the type of the resource, in the order of calls of the AWS provider that Pulumi bridges
(terraform-provider-aws, `internal/service/*`): create, read, update as far as the program's arguments can change, delete,
tags. Where the service asks for more on the caller's behalf, the second source is the handlers' permissions in the
resource's CloudFormation schema. docs/fidelity.md tells how well each is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from callroute.aws.permissions import Document, Statement, pipe_policy, state_machine_policy
from callroute.aws.state_machine import RecordFormat, definition

_ISSUER = "token.actions.githubusercontent.com"


@dataclass(frozen=True)
class Place:
    """Where one stack is deployed, and from where."""

    account_id: str
    """AWS account of the stack."""
    region: str
    """Its region, as `ap-northeast-1`."""
    stack: str
    """The stack's name, which is also its environment's in GitHub."""
    connect_instance_id: str
    """Id of the Amazon Connect instance."""
    table_name: str
    """The setting `tableName`."""
    repository: str
    """The repository as GitHub's token names it: `OWNER/NAME`, or `OWNER@ID/NAME@ID` with immutable subject claims."""
    state_bucket: str
    """S3 bucket of the stack's Pulumi state."""
    state_key_arn: str
    """KMS key of the stack's secrets provider."""
    phone_number_ids: tuple[str, ...] = ()
    """The settings `phoneNumberId` of the flows."""
    stream_arn: str | None = None
    """The setting `streamArn`."""
    kms_key_arn: str | None = None
    """The setting `kmsKeyArn`."""
    stream_kms_key_arn: str | None = None
    """The setting `streamKmsKeyArn`."""
    permissions_boundary_arn: str | None = None
    """The setting `permissionsBoundaryArn`. With it, the stack's roles can only be made, and given policies, within it."""
    project: str = "call-route-tracker"
    """Name of the Pulumi project, with which the names of all resources but the table begin."""
    partition: str = "aws"
    """`aws`, `aws-cn` or `aws-us-gov`."""

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def role_arn(self, name: str) -> str:
        """The ARN of a role of this account."""
        return f"arn:{self.partition}:iam::{self.account_id}:role/{name}"


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


def grants(place: Place) -> dict[str, list[Grant]]:
    """What each type of resource needs, by Pulumi's type token. A type that is not here cannot be deployed."""
    return {
        "aws:dynamodb/table:Table": _table(place),
        "aws:kinesis/stream:Stream": _stream(place),
        "aws:sqs/queue:Queue": _queue(place),
        "aws:iam/role:Role": _role(place),
        "aws:iam/rolePolicy:RolePolicy": _role_policy(place),
        "aws:cloudwatch/logGroup:LogGroup": _log_group(place),
        "aws:sfn/stateMachine:StateMachine": _state_machine(place),
        "aws:pipes/pipe:Pipe": _pipe(place),
        "aws:connect/contactFlow:ContactFlow": _contact_flow(place),
        "aws:connect/instanceStorageConfig:InstanceStorageConfig": _contact_record_streaming(place),
        "aws:connect/phoneNumberContactFlowAssociation:PhoneNumberContactFlowAssociation": _number(place),
    }


def deploy_policy(place: Place) -> Document:
    """What the role that runs `pulumi up` may do. Too long for a managed policy: put it into the role."""
    return _document(grant.statement(grant.reads + grant.writes) for grant in _all(place))


def preview_policy(place: Place) -> Document:
    """What the role that runs `pulumi preview --refresh` may do: the reads of the deploying role."""
    return _document(grant.statement(grant.reads) for grant in _all(place) if grant.reads)


def boundary_policy(place: Place) -> Document:
    """All that the stack's two roles can ever need, by the prefixes of names: a permissions boundary for both.

    A managed policy of the account. It allows nothing by itself: a role may do what both its own policy and this allow.
    """
    table, quarantine = place.table_name, f"{place.project}-quarantine-*"
    recorder = state_machine_policy(
        definition(table_name=table, quarantine_queue_url=quarantine, record=RecordFormat()),
        table_arn=place.arn("dynamodb", f"table/{table}"),
        quarantine_queue_arn=place.arn("sqs", quarantine),
        kms_key_arn=place.kms_key_arn,
    )
    pipe = pipe_policy(
        stream_arn=_stream_arn(place),
        state_machine_arn=place.arn("states", f"stateMachine:{place.project}-{place.stack}"),
        dead_letter_queue_arn=place.arn("sqs", f"{place.project}-pipe-dead-letters-*"),
        kms_key_arn=place.kms_key_arn,
        stream_kms_key_arn=place.stream_kms_key_arn if place.stream_arn else place.kms_key_arn,
    )
    return _document(
        {**statement, "Sid": f"{role}{statement['Sid']}"}
        for role, policy in (("Recorder", recorder), ("Pipe", pipe))
        for statement in policy["Statement"]
    )


def github_trust_policy(place: Place, environment: str, *, ref: str | None = None) -> Document:
    """Lets the jobs of one environment of one repository assume the role, and nobody else.

    Args:
        place: the account and the repository.
        environment: the environment's name in GitHub.
        ref: the only branch from which they may, as `refs/heads/main`; any where it is None.
    """
    of_branch = {f"{_ISSUER}:ref": ref} if ref else {}
    provider = f"arn:{place.partition}:iam::{place.account_id}:oidc-provider/{_ISSUER}"
    return _document(
        [
            {
                "Sid": "AssumeRoleFromGitHub",
                "Effect": "Allow",
                "Principal": {"Federated": provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{_ISSUER}:aud": "sts.amazonaws.com",
                        f"{_ISSUER}:sub": f"repo:{place.repository}:environment:{environment}",
                        **of_branch,
                    }
                },
            }
        ]
    )


def documents(place: Place) -> dict[str, Document]:
    """All documents, by the name of the file that docs/operations.md writes them to; the boundary only where it is set."""
    return {
        **({"boundary-policy.json": boundary_policy(place)} if place.permissions_boundary_arn else {}),
        "deploy-policy.json": deploy_policy(place),
        "deploy-trust.json": github_trust_policy(place, place.stack, ref="refs/heads/main"),
        "preview-policy.json": preview_policy(place),
        "preview-trust.json": github_trust_policy(place, f"{place.stack}-preview"),
    }


def _all(place: Place) -> list[Grant]:
    return [grant for each in grants(place).values() for grant in each] + _state(place)


def _table(place: Place) -> list[Grant]:
    found = [
        Grant(
            "Table",
            (place.arn("dynamodb", f"table/{place.table_name}"),),
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
            (place.arn("kms", "key/*"),),
            reads=("kms:DescribeKey",),
            condition={"StringEquals": {"kms:RequestAlias": "alias/aws/dynamodb"}},
        ),
    ]
    if place.kms_key_arn:
        found += [
            # DynamoDB uses the key on behalf of who chooses it, until it has its own grant.
            # Source: Authorizing use of your customer managed key, Amazon DynamoDB Developer Guide.
            Grant(
                "KeyOfTable",
                (place.kms_key_arn,),
                writes=(
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:GenerateDataKeyWithoutPlaintext",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ),
                condition={"StringEquals": {"kms:ViaService": f"dynamodb.{place.region}.amazonaws.com"}},
            ),
            Grant(
                "GrantKeyOfTable",
                (place.kms_key_arn,),
                writes=("kms:CreateGrant",),
                condition={
                    "Bool": {"kms:GrantIsForAWSResource": "true"},
                    "StringEquals": {"kms:ViaService": f"dynamodb.{place.region}.amazonaws.com"},
                },
            ),
        ]
    return found


def _stream(place: Place) -> list[Grant]:
    stream = place.arn("kinesis", f"stream/{place.project}-stream-*")
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
            (stream, place.kms_key_arn or place.arn("kms", "key/*")),
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


def _queue(place: Place) -> list[Grant]:
    return [
        Grant(
            "Queues",
            (
                place.arn("sqs", f"{place.project}-pipe-dead-letters-*"),
                place.arn("sqs", f"{place.project}-quarantine-*"),
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


def _role(place: Place) -> list[Grant]:
    return [
        Grant(
            "Roles",
            _role_arns(place),
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
            _role_arns(place),
            # Nobody who deploys can take a boundary away (iam:DeleteRolePermissionsBoundary), nor change what it says.
            writes=(
                "iam:CreateRole",
                *(["iam:PutRolePermissionsBoundary"] if place.permissions_boundary_arn else []),
            ),
            condition=_within_boundary(place),
        ),
    ]


def _role_policy(place: Place) -> list[Grant]:
    return [
        Grant(
            "PoliciesOfRoles",
            _role_arns(place),
            reads=("iam:GetRolePolicy",),
            writes=("iam:DeleteRolePolicy",),
        ),
        Grant(
            "WritePoliciesOfRoles",
            _role_arns(place),
            writes=("iam:PutRolePolicy",),
            condition=_within_boundary(place),
        ),
    ]


def _within_boundary(place: Place) -> dict[str, dict[str, str]]:
    """For roles with the boundary only: the one that a request names, else the one that the role has.

    Source: Delegating responsibility to others using permissions boundaries, IAM User Guide.
    """
    arn = place.permissions_boundary_arn
    return {"ArnEquals": {"iam:PermissionsBoundary": arn}} if arn else {}


def _log_group(place: Place) -> list[Grant]:
    names = [f"/aws/vendedlogs/{kind}/{place.project}-{place.stack}" for kind in ("pipes", "states")]
    return [
        Grant(
            "LogGroups",
            # Some calls are checked against the ARN with `:*`, tags against the one without.
            tuple(place.arn("logs", f"log-group:{name}{end}") for name in names for end in ("", ":*")),
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


def _state_machine(place: Place) -> list[Grant]:
    return [
        Grant(
            "StateMachine",
            (place.arn("states", f"stateMachine:{place.project}-{place.stack}"),),
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
        _pass(place, "recorder", "states.amazonaws.com"),
    ]


def _pipe(place: Place) -> list[Grant]:
    return [
        Grant(
            "Pipe",
            (place.arn("pipes", f"pipe/{place.project}-{place.stack}"),),
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
        _pass(place, "pipe", "pipes.amazonaws.com"),
    ]


def _contact_flow(place: Place) -> list[Grant]:
    return [
        Grant(
            "Flows",
            (_flow_arns(place),),
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


def _contact_record_streaming(place: Place) -> list[Grant]:
    return [
        Grant(
            "ContactRecordStreaming",
            (_instance_arn(place),),
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
            (_stream_arn(place),),
            writes=("kinesis:DescribeStream",),
        ),
        Grant(
            "RoleOfConnect",
            (
                place.role_arn(
                    "aws-service-role/connect.amazonaws.com/AWSServiceRoleForAmazonConnect_*",
                ),
            ),
            writes=("iam:PutRolePolicy",),
        ),
        # It knows no resource.
        Grant("DirectoriesOfConnect", ("*",), writes=("ds:DescribeDirectories",)),
    ]


def _number(place: Place) -> list[Grant]:
    if not place.phone_number_ids:
        return []
    numbers = tuple(place.arn("connect", f"phone-number/{each}") for each in place.phone_number_ids)
    return [
        Grant(
            "Numbers",
            numbers,
            reads=("connect:DescribePhoneNumber",),
            writes=("connect:DisassociatePhoneNumberContactFlow",),
        ),
        Grant(
            "FlowsOfNumbers",
            (*numbers, _flow_arns(place)),
            writes=("connect:AssociatePhoneNumberContactFlow",),
        ),
        Grant("FindFlowsOfNumbers", (_instance_arn(place),), reads=("connect:ListFlowAssociations",)),
    ]


def _state(place: Place) -> list[Grant]:
    """What Pulumi itself calls: its state in a bucket, and the key of the secrets in it."""
    bucket = f"arn:{place.partition}:s3:::{place.state_bucket}"
    return [
        Grant("FindState", (bucket,), reads=("s3:ListBucket",)),
        # A preview neither locks nor writes the state.
        Grant("State", (f"{bucket}/*",), reads=("s3:GetObject",), writes=("s3:DeleteObject", "s3:PutObject")),
        # It opens the data key that the secrets are encrypted with. Only `pulumi stack init` makes one (kms:Encrypt).
        Grant("Secrets", (place.state_key_arn,), reads=("kms:Decrypt",)),
    ]


def _pass(place: Place, role: str, service: str) -> Grant:
    return Grant(
        f"Pass{role.capitalize()}Role",
        (place.role_arn(f"{place.project}-{role}-role-*"),),
        writes=("iam:PassRole",),
        condition={"StringEquals": {"iam:PassedToService": service}},
    )


def _role_arns(place: Place) -> tuple[str, ...]:
    return tuple(place.role_arn(f"{place.project}-{role}-role-*") for role in ("pipe", "recorder"))


def _stream_arn(place: Place) -> str:
    return place.stream_arn or place.arn("kinesis", f"stream/{place.project}-stream-*")


def _instance_arn(place: Place) -> str:
    return place.arn("connect", f"instance/{place.connect_instance_id}")


def _flow_arns(place: Place) -> str:
    return f"{_instance_arn(place)}/contact-flow/*"


def _document(statements: Iterable[Statement]) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}
