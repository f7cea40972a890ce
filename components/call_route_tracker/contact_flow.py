"""Resources in an Amazon Connect instance: flows, their phone numbers, and contact record streaming."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from callroute.flows.block_types import MODULE

from .options import ContactFlowArgs


class ContactFlow(pulumi.ComponentResource):
    """A contact flow or flow module and, optionally, the phone number whose calls start in the flow.

    Args:
        name: name of the resource.
        args: options of the flow.
        instance_id: ID of the Connect instance.
        tags: tags of the flow, unless its options contain other tags.
        modules: modules of the same stack, which are deployed before the flow.
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
        modules: Sequence["ContactFlow"] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # The provider can create, but not update, flows that contain an UpdateContactData or a Lex block (pulumi-aws
        # issue 6222). Replace such a flow with `pulumi up --replace`.
        arguments: dict[str, Any] = {
            "instance_id": instance_id,
            "name": args.name,
            "description": args.description or None,
            "content": args.deployed_content,
            "tags": tags if args.tags is None else args.tags or None,
        }
        # `pulumi import` adds flows to the root of the stack. The alias moves them into this component.
        adopted = pulumi.ResourceOptions(
            parent=self, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]
        )
        self.flow: aws.connect.ContactFlow | aws.connect.ContactFlowModule
        if args.type == MODULE:
            # If the instance changes, the provider replaces flows, but it updates modules in the old instance.
            replaced = pulumi.ResourceOptions(replace_on_changes=["instanceId"])
            opts = pulumi.ResourceOptions.merge(adopted, replaced)
            self.flow = aws.connect.ContactFlowModule(name, **arguments, opts=opts)
            self.flow_id = self.flow.contact_flow_module_id
        else:
            after = pulumi.ResourceOptions(depends_on=[each.flow for each in modules])
            opts = pulumi.ResourceOptions.merge(adopted, after)
            self.flow = aws.connect.ContactFlow(name, **arguments, type=args.type, opts=opts)
            self.flow_id = self.flow.contact_flow_id
        self.phone_number: aws.connect.PhoneNumberContactFlowAssociation | None = None
        if args.phone_number_id:
            self.phone_number = aws.connect.PhoneNumberContactFlowAssociation(
                f"{name}-number",
                instance_id=instance_id,
                phone_number_id=args.phone_number_id,
                contact_flow_id=self.flow_id,
                opts=child,
            )
        self.register_outputs({"contactFlowId": self.flow_id})


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
