"""Resources in an Amazon Connect instance: flows, their phone numbers, and contact record streaming."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from .options import ContactFlowArgs


class ContactFlow(pulumi.ComponentResource):
    """A contact flow and, optionally, the phone number whose calls start in it.

    Args:
        name: name of the resource.
        args: options of the flow.
        instance_id: ID of the Connect instance.
        tags: tags of the flow, unless its options contain other tags.
        opts: options of this component.
    """

    TOKEN = "call-route-tracker:index:ContactFlow"  # noqa: S105 - a Pulumi type token, not a secret

    def __init__(
        self,
        name: str,
        args: ContactFlowArgs,
        *,
        instance_id: str,
        tags: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # The provider can create, but not update, flows that contain an UpdateContactData or a Lex block (pulumi-aws
        # issue 6222). Replace such a flow with `pulumi up --replace`.
        self.flow = aws.connect.ContactFlow(
            name,
            instance_id=instance_id,
            name=args.name,
            description=args.description or None,
            type=args.type,
            content=args.deployed_content,
            tags=tags if args.tags is None else args.tags or None,
            # `pulumi import` adds flows to the root of the stack. The alias moves them into this component.
            opts=pulumi.ResourceOptions(
                parent=self, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]
            ),
        )
        self.phone_number: aws.connect.PhoneNumberContactFlowAssociation | None = None
        if args.phone_number_id:
            self.phone_number = aws.connect.PhoneNumberContactFlowAssociation(
                f"{name}-number",
                instance_id=instance_id,
                phone_number_id=args.phone_number_id,
                contact_flow_id=self.flow.contact_flow_id,
                opts=child,
            )
        self.register_outputs({"contactFlowId": self.flow.contact_flow_id})


def stream_contact_records(
    name: str, *, instance_id: str, stream_arn: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> aws.connect.InstanceStorageConfig:
    """Makes a Connect instance send its contact records to a Kinesis data stream.

    An instance can have only one such stream. If a customer managed key encrypts the stream, the key policy must already
    allow Connect's service-linked role to call `kms:GenerateDataKey`. Connect checks this permission immediately
    (docs/fidelity.md).
    """
    return aws.connect.InstanceStorageConfig(
        name,
        instance_id=instance_id,
        resource_type="CONTACT_TRACE_RECORDS",
        storage_config=aws.connect.InstanceStorageConfigStorageConfigArgs(
            storage_type="KINESIS_STREAM",
            kinesis_stream_config=aws.connect.InstanceStorageConfigStorageConfigKinesisStreamConfigArgs(
                stream_arn=stream_arn
            ),
        ),
        opts=opts,
    )
