"""Implements `callroute roles`, which prints the IAM documents for deployments, readers and operators."""

from __future__ import annotations

from pathlib import Path

import click

from callroute.aws.deployment_roles import DeploymentTarget, documents
from callroute.aws.operator_policies import operator_documents
from callroute.cli import output
from callroute.cli.parameters import FILE, general_options, project_option
from callroute.errors import InputError
from callroute.formats.files import write_text
from callroute.local.stack_config import Secret, StackConfig, tracker_options

PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
"""Partition by the beginning of the region's name. All other regions are in `aws`."""
ENCRYPTED = Secret("encrypted value, which no document contains" * 2)
"""Replaces encrypted values, which only Pulumi can decrypt."""


@click.command
@click.option(
    "--stack", metavar="NAME", required=True, help="Name of the stack and of its GitHub environment."
)
@click.option("--account-id", metavar="ID", required=True, help="AWS account of the stack.")
@click.option(
    "--repository",
    metavar="OWNER/NAME",
    required=True,
    help="Repository as GitHub's tokens name it: OWNER@ID/NAME@ID with immutable subject claims.",
)
@click.option("--state-bucket", metavar="NAME", required=True, help="S3 bucket of the stack's Pulumi state.")
@click.option(
    "--state-key-arn", metavar="ARN", required=True, help="KMS key of the stack's secrets provider."
)
@project_option
@click.option(
    "--output",
    "-o",
    "out",
    metavar="DIR",
    type=FILE,
    help="Write one file per document to this folder, and list the files.",
)
@general_options
def roles(
    stack: str,
    account_id: str,
    repository: str,
    state_bucket: str,
    state_key_arn: str,
    project: Path | None,
    out: Path | None,
) -> None:
    """Print the IAM documents for deployments, readers and operators.

    GitHub Actions assumes one role to deploy the stack, one to preview changes, and one to run `callroute report`. The
    documents are the trust policies and the permissions of these roles, and the permissions boundary if the stack uses one.
    Three more policies allow an operator to run `callroute redrive`, `callroute doctor` and `callroute pull`. All documents depend on the
    options in Pulumi.NAME.yaml. Without --output, they are printed as one JSON object with the file names as keys. See
    docs/operations.md.
    """
    if not (account_id.isascii() and account_id.isdigit() and len(account_id) == 12):
        raise InputError("--account-id", "", f"{account_id!r} is not an AWS account ID", "Use the 12 digits")
    if repository.count("/") != 1 or repository.startswith("/") or repository.endswith("/"):
        raise InputError("--repository", "", f"{repository!r} is not OWNER/NAME", "Use OWNER/NAME")
    config = StackConfig.read(stack, project=project, encrypted=ENCRYPTED)
    if "aws:region" not in config.config:
        fix = f"Set it: pulumi config set aws:region REGION --stack {stack}"
        raise InputError(str(config.file), "aws:region", "not set", fix)
    target = DeploymentTarget(
        args=tracker_options(config),
        account_id=account_id,
        region=config.region,
        stack=stack,
        repository=repository,
        state_bucket=state_bucket,
        state_key_arn=state_key_arn,
        project=config.project,
        partition=next(
            (name for start, name in PARTITIONS.items() if config.region.startswith(start)), "aws"
        ),
    )
    found = dict(sorted({**documents(target), **operator_documents(target)}.items()))
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
