"""Express state machine that writes contact records to the table, with its role and log."""

import json

import pulumi
import pulumi_aws as aws

from callroute.aws.permissions import state_machine_policy
from callroute.aws.state_machine import definition

from .options import CallRouteTrackerArgs
from .shared import Account, service_role


class RouteRecorder(pulumi.ComponentResource):
    """An Express state machine and its role, which has exactly the permissions that the states need.

    Args:
        name: name of the resource.
        args: options of the tracker.
        state_machine_name: name of the state machine in AWS.
        account: the AWS account.
        table: the table of call records.
        quarantine_queue: the queue for records that cannot be stored.
        opts: options of this component.
    """

    TOKEN = "call-route-tracker:index:RouteRecorder"  # noqa: S105 - a Pulumi type token, not a secret

    def __init__(
        self,
        name: str,
        args: CallRouteTrackerArgs,
        *,
        state_machine_name: str,
        account: Account,
        table: aws.dynamodb.Table,
        quarantine_queue: aws.sqs.Queue,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        targets = {
            "table_name": table.name,
            "quarantine_queue_url": account.queue_url(quarantine_queue),
            "partition": account.partition,
        }
        # The definition contains the salt and has to be a secret, even if the caller passed the salt as plain text.
        salt = None if args.phone_number_salt is None else pulumi.Output.secret(args.phone_number_salt)
        self.role, self.policy = service_role(
            name,
            args,
            service="states.amazonaws.com",
            account=account,
            source_arn=account.state_machine_arn(state_machine_name),
            # Derived from a definition without the salt, so that a preview can show the permissions in plain text.
            policy=pulumi.Output.all(
                targets=targets,
                arns={
                    "table_arn": account.table_arn(table),
                    "quarantine_queue_arn": account.queue_arn(quarantine_queue),
                    "kms_key_arn": args.kms_key_arn,
                },
            ).apply(
                lambda known: json.dumps(
                    state_machine_policy(definition(args, **known["targets"]), **known["arns"])
                )
            ),
            parent=self,
        )
        self.logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            # With this prefix, the account's resource policy for log delivery stays below its size limit (docs/fidelity.md).
            name=f"/aws/vendedlogs/states/{state_machine_name}",
            retention_in_days=args.log_retention_days,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.state_machine = aws.sfn.StateMachine(
            name,
            name=state_machine_name,
            type="EXPRESS",
            role_arn=account.role_arn(self.role),
            definition=pulumi.Output.all(targets=targets, salt=salt).apply(
                lambda known: json.dumps(
                    definition(args, salt=known["salt"] or "", **known["targets"]), ensure_ascii=False
                )
            ),
            logging_configuration=aws.sfn.StateMachineLoggingConfigurationArgs(
                # Step Functions expects an ARN that covers all streams of the log group.
                log_destination=pulumi.Output.format("{}:*", account.log_group_arn(self.logs)),
                level="ERROR",
                # Execution data contains phone numbers.
                include_execution_data=False,
            ),
            tags=args.tags,
            # Step Functions checks the role's log permissions when the state machine is created.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.policy]),
        )
        self.register_outputs({"stateMachineArn": self.state_machine.arn})
