"""Stream that receives contact records from Amazon Connect."""

import pulumi
import pulumi_aws as aws

from .options import CallRouteTrackerArgs
from .shared import data_options


class RecordStream(pulumi.ComponentResource):
    """An encrypted Kinesis data stream.

    Args:
        name: name of the resource.
        args: options of the tracker.
        opts: options of this component.
    """

    TOKEN = "call-route-tracker:index:RecordStream"  # noqa: S105 - a Pulumi type token, not a secret

    def __init__(
        self, name: str, args: CallRouteTrackerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self.stream = aws.kinesis.Stream(
            name,
            stream_mode_details=aws.kinesis.StreamStreamModeDetailsArgs(stream_mode=args.stream_mode),
            # AWS manages the shards of an on-demand stream and rejects a shard count.
            shard_count=args.shard_count if args.stream_mode == "PROVISIONED" else None,
            retention_period=args.stream_retention_hours,
            # The provider does not encrypt streams by default.
            encryption_type="KMS",
            kms_key_id=args.kms_key_arn or "alias/aws/kinesis",
            tags=args.tags,
            opts=data_options(args, self),
        )
        self.register_outputs({"streamArn": self.stream.arn})
