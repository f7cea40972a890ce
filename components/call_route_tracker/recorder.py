"""The state machine that turns a batch of contact records into items, with its role and its log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pulumi
import pulumi_aws as aws

from callroute.aws.permissions import state_machine_policy, trust_policy
from callroute.aws.state_machine import RecordFormat, definition


class RouteRecorder(pulumi.ComponentResource):
    """An Express state machine, and a role that may do what its states do and nothing else.

    Args:
        name: the resource's name.
        state_machine_name: the state machine's name in AWS.
        state_machine_arn: its ARN, known beforehand, since the role trusts no other state machine.
        account_id: the AWS account.
        record: how an item is written; its salt is left aside for `salt`.
        salt: the secret for hashed phone numbers. The definition, which then holds it, is a secret too.
        table: the table of call records.
        quarantine_queue: where records go that can never be stored.
        kms_key_arn: customer key of table and queue.
        permissions_boundary_arn: managed policy that bounds what the role can be allowed.
        log_retention_days: how long the log is kept.
        tags: tags of whatever can have tags.
        opts: options of this component.
    """

    TOKEN = "call-route-tracker:index:RouteRecorder"  # noqa: S105 - a Pulumi type token, not a secret

    role: aws.iam.Role
    policy: aws.iam.RolePolicy
    logs: aws.cloudwatch.LogGroup
    state_machine: aws.sfn.StateMachine

    def __init__(
        self,
        name: str,
        *,
        state_machine_name: str,
        state_machine_arn: pulumi.Input[str],
        account_id: pulumi.Input[str],
        record: RecordFormat,
        salt: pulumi.Input[str] | None,
        table: aws.dynamodb.Table,
        quarantine_queue: aws.sqs.Queue,
        kms_key_arn: pulumi.Input[str] | None,
        permissions_boundary_arn: pulumi.Input[str] | None,
        log_retention_days: int,
        tags: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        places = {"table_name": table.name, "quarantine_queue_url": quarantine_queue.url}
        self.role = aws.iam.Role(
            f"{name}-role",
            assume_role_policy=pulumi.Output.all(account_id=account_id, source_arn=state_machine_arn).apply(
                lambda known: json.dumps(trust_policy("states.amazonaws.com", **known))
            ),
            permissions_boundary=permissions_boundary_arn,
            tags=tags,
            opts=child,
        )
        self.policy = aws.iam.RolePolicy(
            f"{name}-policy",
            role=self.role.name,
            # Read off the definition without its salt: permissions are no secret, and a preview should show them.
            policy=pulumi.Output.all(
                places=places,
                arns={
                    "table_arn": table.arn,
                    "quarantine_queue_arn": quarantine_queue.arn,
                    "kms_key_arn": kms_key_arn,
                },
            ).apply(
                lambda known: json.dumps(
                    state_machine_policy(
                        definition(record=replace(record, salt=""), **known["places"]), **known["arns"]
                    )
                )
            ),
            opts=child,
        )
        self.logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            # This prefix keeps the account's resource policy for log deliveries within its size (docs/fidelity.md).
            name=f"/aws/vendedlogs/states/{state_machine_name}",
            retention_in_days=log_retention_days,
            tags=tags,
            opts=child,
        )
        self.state_machine = aws.sfn.StateMachine(
            name,
            name=state_machine_name,
            type="EXPRESS",
            role_arn=self.role.arn,
            definition=pulumi.Output.all(places=places, salt=salt).apply(
                lambda known: json.dumps(
                    definition(record=replace(record, salt=known["salt"] or ""), **known["places"]),
                    ensure_ascii=False,
                )
            ),
            logging_configuration=aws.sfn.StateMachineLoggingConfigurationArgs(
                # Step Functions wants the log group's streams, which its ARN comes without.
                log_destination=self.logs.arn.apply(lambda arn: f"{arn}:*"),
                level="ERROR",
                # Execution data would put phone numbers into the log.
                include_execution_data=False,
            ),
            tags=tags,
            # Step Functions tries the role's log permissions when the state machine is made.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.policy]),
        )
        self.register_outputs({"stateMachineArn": self.state_machine.arn})
