"""The project's program with one mutation of tests/policies/mutations.

The mutation changes the requests with which the program registers its resources, so that Pulumi's engine and the policy pack get
them with the values that a preview does not know.
"""

from __future__ import annotations

import json
import os
import runpy
from typing import Any

import pulumi
from google.protobuf import json_format, struct_pb2  # type: ignore[import-untyped]  # comes without types
from pulumi.runtime import settings

from tests.policies.mutations import CASES
from tests.policies.mutations.case import Case
from tests.policies.stacks import Recorded, Stack, recorded

MUTATION = "CALLROUTE_ENGINE_MUTATION"
"""Environment variable with the rule and the title of the mutation, as a JSON list."""
PROVIDER_VERSION = "7.51.1"


def case_of(rule: str, title: str) -> Case:
    """Returns a mutation."""
    found: Case
    (found,) = (case for name, each, case in CASES if (name, each) == (rule, title))
    return found


def is_applicable(case: Case, stack: str) -> bool:
    """Returns whether a mutation keeps all resources of a stack, and adds only resources of the AWS provider."""
    before = recorded(stack)
    after = mutated(case, stack)
    kept = {each.urn for each in after}
    return {each.urn for each in before} <= kept and all(
        each.type.startswith("aws:") for each in after[len(before) :]
    )


def mutated(case: Case, stack: str, name: str = "", inputs: dict[str, Any] | None = None) -> Stack:
    """Returns the recorded resources of a stack after a mutation.

    Args:
        case: the mutation.
        stack: name of the stack.
        name: logical name of a resource whose inputs are replaced before the mutation.
        inputs: these inputs.
    """
    resources = recorded(stack)
    if inputs is not None:
        _find(resources, name).inputs = inputs
    case.edit(resources)
    return resources


def _find(stack: Stack, name: str) -> Recorded:
    (found,) = (each for each in stack if each.name == name and each.type.startswith("aws:"))
    return found


class Monitor:
    """Pulumi's resource monitor, with a mutation of the registered resources.

    Args:
        monitor: the engine's monitor.
        case: the mutation.
    """

    def __init__(self, monitor: Any, case: Case) -> None:
        self._monitor = monitor
        self._case = case
        self._names = {each.name for each in recorded(pulumi.get_stack()) if each.type.startswith("aws:")}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._monitor, name)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - a remote procedure
        """Registers a resource."""
        if request.custom and request.name in self._names:
            inputs = json_format.MessageToDict(request.object)
            after = _find(mutated(self._case, pulumi.get_stack(), request.name, inputs), request.name)
            request.object.CopyFrom(json_format.ParseDict(after.inputs, struct_pb2.Struct()))
            request.protect = after.protect
        return self._monitor.RegisterResource(request)


def run() -> None:
    """Runs the program in the current folder with the mutation that the environment names."""
    stack = pulumi.get_stack()
    case = case_of(*json.loads(os.environ[MUTATION]))
    settings.SETTINGS.monitor = Monitor(settings.get_monitor(), case)
    runpy.run_path("program.py")
    for added in mutated(case, stack)[len(recorded(stack)) :]:
        options = pulumi.ResourceOptions(protect=added.protect, version=PROVIDER_VERSION)
        pulumi.CustomResource(added.type, added.name, added.inputs, options)
