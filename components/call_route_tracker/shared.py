"""The AWS account, and resources that more than one component uses."""

import json
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from callroute.aws.permissions import trust_policy

from .options import CallRouteTrackerArgs

_FOURTEEN_DAYS = 14 * 86_400
"""Maximum retention period in SQS, in seconds."""


@dataclass(frozen=True)
class Account:
    """The AWS account and region of a stack. Builds ARNs and URLs from resource names.

    A preview knows the name of a new resource, but not the ARN or URL that AWS will return. Because ARNs are built from
    names, even the first preview can show the documents that contain them, and policies can check them.
    """

    partition: pulumi.Output[str]
    """`aws`, `aws-cn` or `aws-us-gov`."""
    dns_suffix: pulumi.Output[str]
    """`amazonaws.com`, or `amazonaws.com.cn` in China."""
    region: pulumi.Output[str]
    account_id: pulumi.Output[str]

    @classmethod
    def look_up(cls, parent: pulumi.Resource) -> "Account":
        """Reads the provider's account and region from AWS."""
        opts = pulumi.InvokeOutputOptions(parent=parent)
        partition = aws.get_partition_output(opts=opts)
        return cls(
            partition=partition.apply(lambda found: found.partition),
            dns_suffix=partition.apply(lambda found: found.dns_suffix),
            region=aws.get_region_output(opts=opts).apply(lambda found: found.region),
            account_id=aws.get_caller_identity_output(opts=opts).apply(lambda found: found.account_id),
        )

    def arn(self, service: str, resource: pulumi.Input[str]) -> pulumi.Output[str]:
        """Returns the ARN of a regional resource, for example `stream/NAME` in `kinesis`."""
        parts = self.partition, service, self.region, self.account_id, resource
        return pulumi.Output.format("arn:{}:{}:{}:{}:{}", *parts)

    def table_arn(self, table: aws.dynamodb.Table) -> pulumi.Output[str]:
        """Returns the ARN of a table."""
        return self.arn("dynamodb", pulumi.Output.format("table/{}", table.name))

    def stream_arn(self, stream: aws.kinesis.Stream) -> pulumi.Output[str]:
        """Returns the ARN of a stream."""
        return self.arn("kinesis", pulumi.Output.format("stream/{}", stream.name))

    def queue_arn(self, queue: aws.sqs.Queue) -> pulumi.Output[str]:
        """Returns the ARN of a queue."""
        return self.arn("sqs", queue.name)

    def queue_url(self, queue: aws.sqs.Queue) -> pulumi.Output[str]:
        """Returns the URL of a queue."""
        parts = self.region, self.dns_suffix, self.account_id, queue.name
        return pulumi.Output.format("https://sqs.{}.{}/{}/{}", *parts)

    def log_group_arn(self, group: aws.cloudwatch.LogGroup) -> pulumi.Output[str]:
        """Returns the ARN of a log group, without `:*`."""
        return self.arn("logs", pulumi.Output.format("log-group:{}", group.name))

    def state_machine_arn(self, name: pulumi.Input[str]) -> pulumi.Output[str]:
        """Returns the ARN of a state machine."""
        return self.arn("states", pulumi.Output.format("stateMachine:{}", name))

    def pipe_arn(self, name: pulumi.Input[str]) -> pulumi.Output[str]:
        """Returns the ARN of a pipe."""
        return self.arn("pipes", pulumi.Output.format("pipe/{}", name))

    def topic_arn(self, topic: aws.sns.Topic) -> pulumi.Output[str]:
        """Returns the ARN of a topic."""
        return self.arn("sns", topic.name)

    def role_arn(self, role: aws.iam.Role) -> pulumi.Output[str]:
        """Returns the ARN of a role with the path `/`."""
        return pulumi.Output.format("arn:{}:iam::{}:role/{}", self.partition, self.account_id, role.name)


def service_role(
    name: str,
    args: CallRouteTrackerArgs,
    *,
    service: Literal["states.amazonaws.com", "pipes.amazonaws.com"],
    account: Account,
    source_arn: pulumi.Input[str],
    policy: pulumi.Input[str],
    parent: pulumi.Resource,
) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
    """Creates a role that one service can assume on behalf of one resource.

    Args:
        name: prefix of the resources' names.
        args: options of the tracker.
        service: the service.
        account: the AWS account.
        source_arn: ARN of the resource that uses the role.
        policy: the role's permissions, as a JSON document.
        parent: parent of the resources.
    """
    child = pulumi.ResourceOptions(parent=parent)
    role = aws.iam.Role(
        f"{name}-role",
        assume_role_policy=pulumi.Output.all(account_id=account.account_id, source_arn=source_arn).apply(
            lambda known: json.dumps(trust_policy(service, **known))
        ),
        permissions_boundary=args.permissions_boundary_arn,
        tags=args.tags,
        opts=child,
    )
    return role, aws.iam.RolePolicy(f"{name}-policy", role=role.name, policy=policy, opts=child)


def message_queue(name: str, args: CallRouteTrackerArgs, *, parent: pulumi.Resource) -> aws.sqs.Queue:
    """Creates an encrypted standard queue that keeps messages for 14 days.

    Args:
        name: name of the resource.
        args: options of the tracker.
        parent: parent of the queue.
    """
    return aws.sqs.Queue(
        name,
        message_retention_seconds=_FOURTEEN_DAYS,
        sqs_managed_sse_enabled=True if args.kms_key_arn is None else None,
        kms_master_key_id=args.kms_key_arn,
        tags=args.tags,
        opts=data_options(args, parent),
    )


def data_options(args: CallRouteTrackerArgs, parent: pulumi.Resource) -> pulumi.ResourceOptions:
    """Returns the options for a resource whose data exists nowhere else: `protect_data` protects it."""
    return pulumi.ResourceOptions(
        parent=parent, protect=args.protect_data, retain_on_delete=args.protect_data
    )
