"""The project's program with some mutations of tests/policies/mutations.

They change the requests with which the program registers its resources, so that Pulumi's engine and the policy pack get
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

from tests.policies.edits import Edit, sequence
from tests.policies.mutations import CASES
from tests.policies.mutations.case import Case
from tests.policies.stacks import Recorded, Stack, recorded

MUTATIONS = "CALLROUTE_ENGINE_MUTATIONS"
"""Environment variable with the rule and the title of each mutation, as JSON."""
PROVIDER_VERSION = "7.51.1"


def case_of(rule: str, title: str) -> Case:
    """Returns a mutation."""
    found: Case
    (found,) = (case for name, each, case in CASES if (name, each) == (rule, title))
    return found


def mutated(edit: Edit, stack: str, name: str = "", inputs: dict[str, Any] | None = None) -> Stack:
    """Returns the recorded resources of a stack after an edit.

    Args:
        edit: the change.
        stack: name of the stack.
        name: logical name of a resource whose inputs are replaced before the edit.
        inputs: these inputs.
    """
    resources = recorded(stack)
    if inputs is not None:
        _find(resources, name).inputs = inputs
    edit(resources)
    return resources


def _find(stack: Stack, name: str) -> Recorded:
    (found,) = (each for each in stack if each.name == name and each.type.startswith("aws:"))
    return found


class Monitor:
    """Pulumi's resource monitor, with an edit of the registered resources.

    Args:
        monitor: the engine's monitor.
        edit: the change.
    """

    def __init__(self, monitor: Any, edit: Edit) -> None:
        self._monitor = monitor
        self._edit = edit
        self._names = {each.name for each in recorded(pulumi.get_stack()) if each.type.startswith("aws:")}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._monitor, name)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - a remote procedure
        """Registers a resource."""
        if request.custom and request.name in self._names:
            inputs = json_format.MessageToDict(request.object)
            after = _find(mutated(self._edit, pulumi.get_stack(), request.name, inputs), request.name)
            request.object.CopyFrom(json_format.ParseDict(after.inputs, struct_pb2.Struct()))
            request.protect = after.protect
        return self._monitor.RegisterResource(request)


def run() -> None:
    """Runs the program in the current folder with the mutations that the environment names."""
    stack, organization = pulumi.get_stack(), pulumi.get_organization()
    cases = [case_of(rule, title) for rule, title in json.loads(os.environ[MUTATIONS])]
    edit = sequence(*(case.edit for case in cases))
    settings.SETTINGS.monitor = Monitor(settings.get_monitor(), edit)
    settings.SETTINGS.organization = organization  # The recording has set another one.
    runpy.run_path("program.py")
    for added in mutated(edit, stack)[len(recorded(stack)) :]:
        options = pulumi.ResourceOptions(protect=added.protect, version=PROVIDER_VERSION)
        pulumi.CustomResource(added.type, added.name, added.inputs, options)
