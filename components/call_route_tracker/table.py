"""Table of call records, with an index by day."""

import pulumi
import pulumi_aws as aws

from .constraints import ConfigError, Problem, shown
from .options import CallRouteTrackerArgs
from .shared import data_options
from .stack_state import deployed_outputs

INDEX_NAME = "by-day"


class RecordTable(pulumi.ComponentResource):
    """An on-demand DynamoDB table with one item per call and point-in-time recovery.

    Args:
        name: name of the resource.
        args: options of the tracker.
        opts: options of this component.

    Raises:
        ConfigError: the deployed table is protected and has another name.
    """

    TOKEN = "call-route-tracker:index:RecordTable"  # noqa: S105 - a Pulumi type token, not a secret

    def __init__(
        self, name: str, args: CallRouteTrackerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        if args.protect_data:
            self._keep_name(name, args.table_name)
        super().__init__(self.TOKEN, name, None, opts)
        self.table = aws.dynamodb.Table(
            name,
            name=args.table_name,
            billing_mode="PAY_PER_REQUEST",
            hash_key="contact_id",
            attributes=[
                aws.dynamodb.TableAttributeArgs(name=attribute, type="S")
                for attribute in ("contact_id", "call_date", "start_time")
            ],
            global_secondary_indexes=[
                aws.dynamodb.TableGlobalSecondaryIndexArgs(
                    name=INDEX_NAME,
                    # The provider deprecates hash_key and range_key. Versions built on terraform-provider-aws up to
                    # 6.31 replaced an index with key_schemas in every plan (issue 46335).
                    key_schemas=[
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name="call_date", key_type="HASH"
                        ),
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name="start_time", key_type="RANGE"
                        ),
                    ],
                    projection_type="ALL",
                )
            ],
            # Set explicitly, so that turning retention off also turns TTL off. The provider rejects an attribute name
            # when TTL is off.
            ttl=aws.dynamodb.TableTtlArgs(attribute_name="expires_at", enabled=True)
            if args.retention_days
            else aws.dynamodb.TableTtlArgs(enabled=False),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(
                enabled=True, kms_key_arn=args.kms_key_arn
            ),
            deletion_protection_enabled=args.protect_data,
            tags=args.tags,
            opts=data_options(args, self),
        )
        self.register_outputs({"tableArn": self.table.arn})

    @classmethod
    def _keep_name(cls, name: str, table_name: str) -> None:
        """Rejects another name than that of the deployed table.

        Pulumi would refuse to replace the protected table too, but would recommend to remove the protection.
        """
        deployed = deployed_outputs(f"{cls.TOKEN}$aws:dynamodb/table:Table::{name}").get("name", table_name)
        if deployed != table_name:
            allowed = f"{shown(deployed)}, the name of the deployed table, because protectData is true"
            fix = "To use another name, migrate the table: docs/updates.md#change-the-name-of-the-table"
            raise ConfigError([Problem("tableName", shown(table_name), allowed, fix)])
