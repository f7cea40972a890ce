"""The stream to which Amazon Connect sends contact records."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws


class RecordStream(pulumi.ComponentResource):
    """An encrypted Kinesis data stream.

    Args:
        name: the resource's name.
        mode: `PROVISIONED` or `ON_DEMAND`.
        shard_count: shards of a provisioned stream.
        retention_hours: how long records stay readable.
        kms_key_arn: customer key; without it the AWS managed key `aws/kinesis` encrypts.
        protect_data: guards the stream against deletion by Pulumi.
        tags: tags of the stream.
        opts: options of this component.
    """

    TOKEN = "call-route-tracker:index:RecordStream"  # noqa: S105 - a Pulumi type token, not a secret

    stream: aws.kinesis.Stream

    def __init__(
        self,
        name: str,
        *,
        mode: str,
        shard_count: int,
        retention_hours: int,
        kms_key_arn: pulumi.Input[str] | None,
        protect_data: bool,
        tags: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self.stream = aws.kinesis.Stream(
            name,
            stream_mode_details=aws.kinesis.StreamStreamModeDetailsArgs(stream_mode=mode),
            # AWS counts the shards of an on-demand stream itself and refuses a number.
            shard_count=shard_count if mode == "PROVISIONED" else None,
            retention_period=retention_hours,
            # Without this the provider leaves the stream unencrypted.
            encryption_type="KMS",
            kms_key_id=kms_key_arn or "alias/aws/kinesis",
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, protect=protect_data, retain_on_delete=protect_data),
        )
        self.register_outputs({"streamArn": self.stream.arn})
