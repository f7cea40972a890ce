"""What is set up inside an Amazon Connect instance: flows, their phone numbers, and the streaming of contact records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from callroute.flows.flow import CONTENT_CHARACTERS

from .limits import ArgumentError, check

# Limits of CreateContactFlow (docs/fidelity.md).
NAME_CHARACTERS = 127
DESCRIPTION_CHARACTERS = 500


@dataclass(frozen=True)
class ContactFlowArgs:
    """One flow that tells where its callers are."""

    key: str
    """Names the flow's resources, as `call-route`; keep it when the flow's name in Connect changes."""
    name: str
    """Name in Connect, unique in the instance."""
    content: str
    """The flow in the Amazon Connect flow language, its placeholders filled."""
    description: str = ""
    """Description in Connect."""
    phone_number_id: str | None = None
    """Id of a claimed phone number whose calls start with this flow."""

    def __post_init__(self) -> None:
        """Checks the plain values."""
        for field, value, least, most in (
            ("name", self.name, 1, NAME_CHARACTERS),
            ("description", self.description, 0, DESCRIPTION_CHARACTERS),
            ("content", self.content, 1, CONTENT_CHARACTERS),
        ):
            if not least <= len(value) <= most:
                raise ArgumentError(
                    f"{field} of flow {self.key!r} has {len(value)} characters; allowed: {least} to {most}."
                    f" Amazon Connect refuses it otherwise: {'write' if len(value) < least else 'shorten'} it."
                )
        check(self)


class ContactFlow(pulumi.ComponentResource):
    """An inbound flow, and the phone number whose calls start with it.

    Args:
        name: the resource's name.
        instance_id: the Connect instance.
        args: the flow.
        tags: tags of the flow.
        opts: options of this component.
    """

    TOKEN = "call-route-tracker:index:ContactFlow"  # noqa: S105 - a Pulumi type token, not a secret

    flow: aws.connect.ContactFlow
    phone_number: aws.connect.PhoneNumberContactFlowAssociation | None

    def __init__(
        self,
        name: str,
        *,
        instance_id: str,
        args: ContactFlowArgs,
        tags: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # Updating a flow that has an UpdateContactData or a Lex block fails in the provider, creating it does not
        # (pulumi-aws issue 6222): such a flow has to be replaced (`pulumi up --replace`) instead.
        self.flow = aws.connect.ContactFlow(
            name,
            instance_id=instance_id,
            name=args.name,
            description=args.description or None,
            type="CONTACT_FLOW",
            content=args.content,
            tags=tags,
            opts=child,
        )
        self.phone_number = None
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
    """Makes a Connect instance send its contact records to a Kinesis data stream. An instance has one such stream.

    Where the stream is encrypted with a customer key, that key's policy must let Connect's service-linked role call
    `kms:GenerateDataKey` before this is made: Connect checks it then (docs/fidelity.md).
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
