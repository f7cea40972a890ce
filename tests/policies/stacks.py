"""Records the resources that the program registers for a stack, in the form that Pulumi's engine sends to a policy pack."""

from __future__ import annotations

import json
import os
import re
import runpy
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from pulumi.output import Unknown
from pulumi.runtime.mocks import MockResourceArgs

from call_route_policies import testing
from call_route_policies.tags import TAGGABLE_TYPES
from tests.components.test_program import config
from tests.support.engine import PROJECT, Engine
from tests.support.paths import REPOSITORY

STACKS = ("dev", "local", "prod")

RECORDING = Path(__file__).parent / "first_preview.json"
"""Properties of new resources in the engine's requests, by type. tests/engine/test_first_previews.py checks and writes it.

`inputs` are names that the provider fills in. `outputs` are properties that are unknown unless the program sets them.
"""
COMPONENTS = ("pulumi:pulumi:", f"{PROJECT}:")
"""Start of the types that no provider creates."""
FIRST_PREVIEW: dict[str, dict[str, list[str]]] = json.loads(RECORDING.read_text(encoding="utf-8"))

Recorded = testing.Resource
SECRET, SIGNATURE, UNKNOWN = testing.SECRET, testing.SIGNATURE, testing.UNKNOWN


class Stack(list[Recorded]):
    """The resources of a stack."""

    def one(self, type_: str, ending: str = "") -> Recorded:
        """Returns the only resource of a type, for example `Queue`, whose name has an ending."""
        found = [
            each
            for each in self
            if each.type.startswith("aws:") and each.type.endswith(f":{type_}") and each.name.endswith(ending)
        ]
        assert len(found) == 1, f"{type_} …{ending}: {[each.name for each in found]}"
        return found[0]

    def add(self, type_: str, name: str, inputs: dict[str, Any], **outputs: Any) -> Recorded:
        """Adds a resource whose parent is the stack. It has the required tags if its type supports tags."""
        stack = self[0].urn.split("::")[0]
        if type_ in TAGGABLE_TYPES:
            inputs.setdefault("tags", {"project": PROJECT, "stack": stack.rpartition(":")[2]})
        added = Recorded(type_, name, f"{stack}::{PROJECT}::{type_}::{name}", self[0].urn, inputs, outputs)
        self.append(added)
        return added


def recorded(stack: str, changes: Mapping[str, str] | None = None, *, preview: bool = False) -> Stack:
    """Returns a copy of the resources that the program registers for a committed stack.

    Args:
        stack: `dev`, `local` or `prod`.
        changes: configuration values that replace those of the stack, by key.
        preview: whether outputs of resources are unknown, as in a first preview.
    """
    return deepcopy(_recorded(stack, preview, tuple((changes or {}).items())))


@cache
def _recorded(stack: str, preview: bool, changes: tuple[tuple[str, str], ...]) -> Stack:
    engine = _Engine()
    salt = f"{PROJECT}:phoneNumberSalt"
    engine.run(
        lambda: runpy.run_path(str(REPOSITORY / "__main__.py")),
        stack=stack,
        preview=preview,
        config={**config(stack), **{f"{PROJECT}:{key}": value for key, value in changes}},
        secrets=[salt],
    )
    root = f"urn:pulumi:{stack}::{PROJECT}::pulumi:pulumi:Stack::{PROJECT}-{stack}"
    found = Stack([Recorded("pulumi:pulumi:Stack", f"{PROJECT}-{stack}", root)])
    for resource in engine.resources:
        inputs = {key: _encoded(value) for key, value in resource.inputs.items() if value is not None}
        for key in resource.secrets:
            inputs[key] = testing.secret(inputs[key])
        found.append(
            Recorded(
                resource.type,
                resource.name,
                resource.urn,
                resource.parent,
                inputs,
                engine.computed[resource.type, resource.name],
                resource.protect,
                {name: sorted(urns) for name, urns in resource.comes_from.items()},
            )
        )
    return found


def in_first_preview(type_: str) -> dict[str, list[str]]:
    """Returns what the engine sends about a new resource of a type."""
    if type_ in FIRST_PREVIEW or type_.startswith(COMPONENTS) or "UPDATE_GOLDEN" in os.environ:
        return FIRST_PREVIEW.get(type_, {"inputs": [], "outputs": []})
    raise LookupError(
        f"{type_} is not recorded. Run tests/engine/test_first_previews.py with UPDATE_GOLDEN=1."
    )


def first_preview(stack: Stack) -> Stack:
    """Changes a recorded stack to what the engine sends in its first preview, and returns it.

    The provider has chosen automatic names. Inputs are known, because the program builds ARNs from names.
    """
    for resource in stack:
        sent = in_first_preview(resource.type)
        name = resource.outputs.get("name")
        if name is None and "arn" in resource.outputs:
            name = re.split("[:/]", resource.outputs["arn"])[-1]
        for key in sent["inputs"]:
            resource.inputs.setdefault(key, name or f"{resource.name}-0000000")
        resource.outputs = dict.fromkeys(sent["outputs"], UNKNOWN)
    return stack


def first_preview_of_outputs(stack: Stack) -> Stack:
    """Changes a recorded stack to the first preview of a program that passes outputs instead of building ARNs."""
    computed = {
        value: resource.urn
        for resource in stack
        for name, value in resource.outputs.items()
        if name != "name" and isinstance(value, str)
    }
    for resource in first_preview(stack):
        for name, value in resource.inputs.items():
            used: list[str] = []
            resource.inputs[name] = _hidden(value, computed, used)
            if used:
                resource.dependencies[name] = used
    return stack


def _hidden(value: Any, computed: Mapping[str, str], used: list[str]) -> Any:
    """Replaces computed values, and adds the URNs of the resources that they come from to a list."""
    if isinstance(value, dict):
        return {key: _hidden(part, computed, used) for key, part in value.items()}
    if isinstance(value, list):
        return [_hidden(part, computed, used) for part in value]
    if not isinstance(value, str) or value not in computed:
        return value
    used.append(computed[value])
    return UNKNOWN


def _encoded(value: Any) -> Any:
    """Encodes a value as the engine does."""
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _encoded(part) for key, part in value.items()}
    return [_encoded(part) for part in value] if isinstance(value, list) else value


class _Engine(Engine):
    """Also records the outputs of the provider."""

    def __init__(self) -> None:
        super().__init__()
        self.computed: dict[tuple[str, str], dict[str, Any]] = {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        id_, state = super().new_resource(args)
        added = {key: value for key, value in state.items() if key not in args.inputs}
        self.computed[args.typ, args.name] = {**added, **({"id": id_} if id_ else {})}
        return id_, state
