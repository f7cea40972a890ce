"""Implements `callroute roles`, which prints the IAM documents of the deployment roles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from callroute.aws.deployment_roles import DeploymentTarget, documents
from callroute.cli import output
from callroute.errors import InputError
from callroute.formats.files import write_text

PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
"""Partition by the beginning of the region's name. All other regions are in `aws`."""


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """Options of the stack. Replaces CallRouteTrackerArgs, which cannot be imported without Pulumi."""

    connect_instance_id: str
    table_name: str
    phone_number_ids: list[str]
    stream_arn: str | None
    kms_key_arn: str | None
    stream_kms_key_arn: str | None
    permissions_boundary_arn: str | None
    # The documents do not depend on the format of the items.
    time_zone: str = "UTC"
    phone_number: str = "e164"
    country_code: str = ""
    trunk_prefix: str = ""
    retention_days: int = 0


def roles(
    account_id: Annotated[str, typer.Option(metavar="ID", help="AWS account of the stack.")],
    region: Annotated[str, typer.Option(metavar="REGION", help="AWS region of the stack.")],
    stack: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the stack, and of its environment in GitHub.")
    ],
    repository: Annotated[
        str,
        typer.Option(
            metavar="OWNER/NAME",
            help="Repository as GitHub's tokens name it: OWNER@ID/NAME@ID with immutable subject claims.",
        ),
    ],
    connect_instance: Annotated[
        str, typer.Option(metavar="ID", help="ID or ARN of the Amazon Connect instance.")
    ],
    state_bucket: Annotated[str, typer.Option(metavar="NAME", help="S3 bucket of the stack's Pulumi state.")],
    state_key_arn: Annotated[
        str, typer.Option(metavar="ARN", help="KMS key of the stack's secrets provider.")
    ],
    table_name: Annotated[str, typer.Option(metavar="NAME", help="tableName of the stack.")] = "call-records",
    phone_number_id: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="phoneNumberId of a flow. Can be repeated.")
    ] = None,
    stream_arn: Annotated[
        str | None, typer.Option(metavar="ARN", help="streamArn of the stack, if it is set.")
    ] = None,
    kms_key_arn: Annotated[
        str | None, typer.Option(metavar="ARN", help="kmsKeyArn of the stack, if it is set.")
    ] = None,
    stream_kms_key_arn: Annotated[
        str | None, typer.Option(metavar="ARN", help="streamKmsKeyArn of the stack, if it is set.")
    ] = None,
    permissions_boundary_arn: Annotated[
        str | None, typer.Option(metavar="ARN", help="permissionsBoundaryArn of the stack, if it is set.")
    ] = None,
    project: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the Pulumi project.")
    ] = "call-route-tracker",
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Write one file per document to this folder, and list the files.",
        ),
    ] = None,
) -> None:
    """Print the IAM documents of the deployment roles.

    GitHub Actions assumes one role to deploy the stack and another one to preview changes. The documents are the trust
    policies and the permissions of both roles, and the permissions boundary if the stack uses one. Without --output,
    they are printed as one JSON object with the file names as keys. See docs/operations.md.
    """
    if not (account_id.isascii() and account_id.isdigit() and len(account_id) == 12):
        raise InputError("--account-id", "", f"{account_id!r} is not an AWS account ID", "Give the 12 digits")
    if repository.count("/") != 1 or repository.startswith("/") or repository.endswith("/"):
        raise InputError("--repository", "", f"{repository!r} is not OWNER/NAME", "Write OWNER/NAME")
    target = DeploymentTarget(
        args=StackOptions(
            connect_instance_id=connect_instance.rpartition("/")[2],
            table_name=table_name,
            phone_number_ids=phone_number_id or [],
            stream_arn=stream_arn,
            kms_key_arn=kms_key_arn,
            stream_kms_key_arn=stream_kms_key_arn,
            permissions_boundary_arn=permissions_boundary_arn,
        ),
        account_id=account_id,
        region=region,
        stack=stack,
        repository=repository,
        state_bucket=state_bucket,
        state_key_arn=state_key_arn,
        project=project,
        partition=next((name for start, name in PARTITIONS.items() if region.startswith(start)), "aws"),
    )
    found = documents(target)
    if out is None:
        output.write_json(found)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            str(out), "", f"the folder cannot be created ({error.strerror})", "Choose another folder"
        ) from error
    for name, document in found.items():
        write_text(out / name, output.json_text(document) + "\n")
        output.note(f"{out / name}")
