"""The resources that the program registers for a stack, as Pulumi's engine hands them to a policy pack."""

from __future__ import annotations

import runpy
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pulumi.output import Unknown
from pulumi.runtime.mocks import MockResourceArgs

from tests.components.test_program import config
from tests.support.engine import PROJECT, Engine
from tests.support.paths import REPOSITORY

# How Pulumi writes a secret and a value that is not known yet. Source: sdk/go/common/resource/properties.go.
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - what marks a secret, not a secret
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

STACKS = ("dev", "local", "prod")


@dataclass
class Recorded:
    """One resource; tests change it at will."""

    type: str
    name: str
    urn: str
    parent: str
    inputs: dict[str, Any]
    """As registered, secrets marked and unknowns written as the engine writes them."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """What the provider adds; nothing in a preview."""
    protect: bool = False
    dependencies: dict[str, list[str]] = field(default_factory=dict)
    """URNs that the value of a property comes from."""

    @property
    def state(self) -> dict[str, Any]:
        """What a stack rule sees."""
        return {**self.outputs, **self.inputs}


class Stack(list[Recorded]):
    """All resources of a stack."""

    def one(self, type_: str, ending: str = "") -> Recorded:
        """The only resource of a type whose name ends so; the type by its last part, as `Queue`."""
        found = [
            each
            for each in self
            if each.type.startswith("aws:") and each.type.endswith(f":{type_}") and each.name.endswith(ending)
        ]
        assert len(found) == 1, f"{type_} …{ending}: {[each.name for each in found]}"
        return found[0]

    def add(self, type_: str, name: str, inputs: dict[str, Any], **outputs: Any) -> Recorded:
        """One resource more, a child of the stack itself."""
        stack = self[0].urn.split("::")[0]
        added = Recorded(type_, name, f"{stack}::{PROJECT}::{type_}::{name}", self[0].urn, inputs, outputs)
        self.append(added)
        return added


def recorded(stack: str, changes: Mapping[str, str] | None = None, *, preview: bool = False) -> Stack:
    """What the program registers for one of the committed stacks; a copy, to be changed at will.

    Args:
        stack: `dev`, `local` or `prod`.
        changes: settings that replace the stack's, by key.
        preview: nothing is made, so that what comes from other resources is unknown.
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
    found = Stack([Recorded("pulumi:pulumi:Stack", f"{PROJECT}-{stack}", root, "", {})])
    for resource in engine.resources:
        inputs = {key: _sent(value) for key, value in resource.inputs.items() if value is not None}
        for key in resource.secrets:
            inputs[key] = {SIGNATURE: SECRET, "value": inputs[key]}
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


def _sent(value: Any) -> Any:
    """A value as the engine writes it."""
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _sent(part) for key, part in value.items()}
    return [_sent(part) for part in value] if isinstance(value, list) else value


class _Engine(Engine):
    """Also keeps what the provider adds to a resource."""

    def __init__(self) -> None:
        super().__init__()
        self.computed: dict[tuple[str, str], dict[str, Any]] = {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        id_, state = super().new_resource(args)
        added = {key: value for key, value in state.items() if key not in args.inputs}
        self.computed[args.typ, args.name] = {**added, **({"id": id_} if id_ else {})}
        return id_, state
