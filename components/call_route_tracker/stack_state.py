"""Reads the state of the stack that Pulumi is running."""

from typing import Any

import pulumi
from google.protobuf import json_format, struct_pb2  # type: ignore[import-untyped]  # comes without types
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import get_monitor


def deployed_outputs(urn_ending: str) -> dict[str, Any]:
    """Returns the outputs of a resource after the last update. They are empty if it is not deployed.

    Args:
        urn_ending: the end of the resource's URN: its type, preceded by the types of its parents, and its logical name.
    """
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    request = resource_pb2.ResourceInvokeRequest(
        tok="pulumi:pulumi:readStackResourceOutputs",
        args=json_format.ParseDict({"stackName": stack}, struct_pb2.Struct()),
    )
    # pulumi.runtime.invoke would convert references to resources that the program has not registered yet, and fail.
    monitor: Any = get_monitor()
    response = json_format.MessageToDict(monitor.Invoke(request))
    resources: dict[str, Any] = response.get("return", {}).get("outputs", {})
    return next((each["outputs"] for urn, each in resources.items() if urn.endswith(urn_ending)), {})
