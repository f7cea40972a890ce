"""Configuration and state of a deployed pipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callroute.aws.pipe_delivery import PipeDelivery


@dataclass(frozen=True)
class DeployedPipe:
    """A pipe as EventBridge describes it."""

    name: str
    state: str
    """Current state, for example `RUNNING`."""
    state_reason: str
    role_arn: str
    state_machine_arn: str
    delivery: PipeDelivery

    @classmethod
    def describe(cls, pipes: Any, name: str, registered: Mapping[str, Any] | None = None) -> DeployedPipe:
        """Describes a pipe.

        Args:
            pipes: a boto3 client for EventBridge Pipes.
            name: name of the pipe.
            registered: arguments of the pipe in the local cloud, because the emulator omits a pipe's parameters.
        """
        described = pipes.describe_pipe(Name=name)
        arguments = {**_argument_names(described), **(registered or {})}
        return cls(
            name=name,
            state=described["CurrentState"],
            state_reason=described.get("StateReason", ""),
            role_arn=described["RoleArn"],
            state_machine_arn=arguments["target"],
            delivery=PipeDelivery.read(arguments),
        )


def _argument_names(value: Any) -> Any:
    """Converts AWS's PascalCase keys to the camelCase of Pulumi's arguments, including nested keys."""
    if isinstance(value, Mapping):
        return {key[0].lower() + key[1:]: _argument_names(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_argument_names(item) for item in value]
    return value
