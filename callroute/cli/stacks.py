"""Finds the stack that a command uses: a deployed stack, or the stack of a running `callroute serve`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from callroute.arn import Arn
from callroute.errors import InputError

ATTEMPTS = 6
"""Attempts of an AWS call before it fails."""
EXECUTION_SECONDS = 310
"""Seconds to wait for an AWS response. A synchronous execution can take 5 minutes."""


class ClientFactory(Protocol):
    """Creates boto3 clients."""

    def __call__(self, service: str) -> Any:
        """Returns a client for a service, for example `dynamodb`."""


@dataclass(frozen=True)
class Stack:
    """A stack whose resources exist."""

    name: str
    region: str
    outputs: Mapping[str, Any]
    """Outputs of the stack (see CallRouteTracker)."""
    client: ClientFactory
    """Creates boto3 clients for the stack's account and region."""
    pipe: Mapping[str, Any] | None = None
    """Arguments of the pipe in the local cloud, which cannot describe its pipe; None for a deployed stack."""

    def output(self, name: str) -> Any:
        """Returns the value of a stack output.

        Raises:
            InputError: the stack has no such output.
        """
        if name not in self.outputs:
            raise InputError(
                f"stack {self.name}",
                "",
                f"has no output {name}",
                "Choose one of this project's stacks, and deploy it with the current version",
            )
        return self.outputs[name]


def deployed_stack(name: str, project: Path | None = None) -> Stack:
    """Returns a stack that Pulumi has deployed. Uses the AWS credentials in the environment.

    Args:
        name: name of the stack.
        project: folder of the Pulumi project. Default: the current directory.

    Raises:
        InputError: Pulumi is not installed or cannot read the outputs of the stack.
    """
    import boto3  # noqa: F401 - a missing package is reported before Pulumi starts

    source = f"stack {name}"
    command = ["pulumi", "stack", "output", "--json", "--non-interactive", "--stack", name]
    if project is not None:
        command += ["--cwd", str(project)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise InputError(
            source, "", "the Pulumi CLI is not on PATH", "Install Pulumi (pulumi.com/docs/install)"
        ) from error
    if done.returncode:
        lines = [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.strip()]
        problem = lines[-1].rstrip(".") if lines else f"pulumi exited with code {done.returncode}"
        fix = "List the stacks with `pulumi stack ls`, and choose the project with --project"
        raise InputError(source, "", f"its outputs cannot be read ({problem})", fix)
    outputs = json.loads(done.stdout)
    if "tableArn" not in outputs:
        fix = "Deploy it with `pulumi up`, or choose one of this project's stacks"
        raise InputError(source, "", "has no output tableArn", fix)
    region = Arn.parse(outputs["tableArn"]).region
    return Stack(name, region, outputs, aws_clients(region))


def aws_clients(region: str | None) -> ClientFactory:
    """Returns a function that creates clients with the AWS credentials in the environment.

    The clients retry throttled and failed calls with exponential backoff.

    Args:
        region: AWS region, by default that of the environment. boto3 itself ignores AWS_REGION.

    Raises:
        InputError: the AWS configuration is invalid.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.session.Session(region_name=region or os.environ.get("AWS_REGION"))
    except BotoCoreError as error:
        raise InputError("AWS configuration", "", str(error).rstrip("."), "Set AWS_PROFILE") from error
    config = Config(
        read_timeout=EXECUTION_SECONDS, retries={"mode": "standard", "total_max_attempts": ATTEMPTS}
    )
    return lambda service: session.client(service, config=config)


def local_stack() -> Stack:
    """Returns the stack in the local cloud of a running `callroute serve`.

    Raises:
        InputError: no local cloud is running.
    """
    from callroute.local.shared_cloud import shared_cloud

    found = shared_cloud()
    if found is None:
        raise InputError("--local", "", "no local cloud is running", "Start one with `callroute serve`")
    return Stack(found.stack, found.region, found.outputs, found.client, found.pipe)


def choose_stack(name: str | None, local: bool, project: Path | None = None) -> Stack:
    """Returns the stack selected by --stack or --local.

    Raises:
        InputError: not exactly one of them is given, or the stack is not available.
    """
    if (name is None) is (not local):
        raise InputError("--stack", "", "either --stack NAME or --local is required", "Pass one of them")
    return deployed_stack(name, project) if name is not None else local_stack()


@contextmanager
def aws_errors(source: str, fix: str = "Check it with `callroute doctor`") -> Iterator[None]:
    """Reports AWS errors, such as missing credentials or permissions, as input errors.

    Args:
        source: what the command works on, for example `stack dev`.
        fix: how to fix a request that AWS rejected for a reason other than permissions.

    Raises:
        InputError: AWS cannot be called or has rejected a request.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        details = error.response["Error"]
        if "AccessDenied" in details["Code"]:
            fix = "Grant the permissions that `callroute roles` prints"
        problem = f"{details['Code']}: {details.get('Message', '').rstrip('.')}"
        raise InputError(source, error.operation_name, problem, fix) from error
    except BotoCoreError as error:
        raise InputError(
            source, "", str(error).rstrip("."), "Check your AWS credentials and the network connection"
        ) from error
