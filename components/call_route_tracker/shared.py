"""Resources that more than one component creates."""

import json
from typing import Literal

import pulumi
import pulumi_aws as aws

from callroute.aws.permissions import trust_policy

from .options import CallRouteTrackerArgs

_FOURTEEN_DAYS = 14 * 86_400
"""Maximum retention period of SQS, in seconds."""


def service_role(
    name: str,
    args: CallRouteTrackerArgs,
    *,
    service: Literal["states.amazonaws.com", "pipes.amazonaws.com"],
    account_id: pulumi.Input[str],
    source_arn: pulumi.Input[str],
    policy: pulumi.Input[str],
    parent: pulumi.Resource,
) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
    """Creates a role that one service can assume on behalf of one resource.

    Args:
        name: prefix of the resources' names.
        args: options of the tracker.
        service: the service.
        account_id: the AWS account.
        source_arn: ARN of the resource that uses the role.
        policy: the role's permissions, as a JSON document.
        parent: parent of the resources.
    """
    child = pulumi.ResourceOptions(parent=parent)
    role = aws.iam.Role(
        f"{name}-role",
        assume_role_policy=pulumi.Output.all(account_id=account_id, source_arn=source_arn).apply(
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
    """Returns the options of a resource whose data exists nowhere else."""
    return pulumi.ResourceOptions(
        parent=parent, protect=args.protect_data, retain_on_delete=args.protect_data
    )
