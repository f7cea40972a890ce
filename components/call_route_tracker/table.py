"""The table of call records and its index by day."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

INDEX_NAME = "by-day"


class RecordTable(pulumi.ComponentResource):
    """A DynamoDB table with one item per call, on demand, recoverable to any second of the last 35 days.

    Args:
        name: the resource's name.
        table_name: the table's name in AWS.
        expires: whether DynamoDB deletes items when their `expires_at` has come.
        kms_key_arn: customer key; without it the AWS managed key `aws/dynamodb` encrypts.
        protect_data: guards the table against deletion by Pulumi and by AWS.
        tags: tags of the table.
        opts: options of this component.
    """

    TOKEN = "call-route-tracker:index:RecordTable"  # noqa: S105 - a Pulumi type token, not a secret

    table: aws.dynamodb.Table

    def __init__(
        self,
        name: str,
        *,
        table_name: str,
        expires: bool,
        kms_key_arn: pulumi.Input[str] | None,
        protect_data: bool,
        tags: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self.table = aws.dynamodb.Table(
            name,
            name=table_name,
            billing_mode="PAY_PER_REQUEST",
            hash_key="contact_id",
            attributes=[
                aws.dynamodb.TableAttributeArgs(name=attribute, type="S")
                for attribute in ("contact_id", "call_date", "start_time")
            ],
            global_secondary_indexes=[
                aws.dynamodb.TableGlobalSecondaryIndexArgs(
                    name=INDEX_NAME,
                    # Not hash_key and range_key, which the provider deprecates. With key_schemas, providers built on
                    # terraform-provider-aws up to 6.31 planned the index anew each time (its issue 46335, since fixed).
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
            # Said even when disabled, so that a table which once expired its items stops doing so. The provider
            # refuses an attribute's name then.
            ttl=aws.dynamodb.TableTtlArgs(attribute_name="expires_at", enabled=True)
            if expires
            else aws.dynamodb.TableTtlArgs(enabled=False),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(
                enabled=True, kms_key_arn=kms_key_arn
            ),
            deletion_protection_enabled=protect_data,
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, protect=protect_data, retain_on_delete=protect_data),
        )
        self.register_outputs({"tableArn": self.table.arn})
