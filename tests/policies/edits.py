"""Edits of a recorded stack, written as data: `put(PIPE, "desiredState", "STOPPED")`.

A path leads to a value among the inputs of a resource, as the rules write it in their messages, for example
`sourceParameters.filterCriteria.filters[0].pattern`. It also leads into JSON text, which is rewritten, and in brackets
it takes the `Sid` of a statement or the `Identifier` of a block: `policy.Statement[Store].Action`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from operator import delitem, setitem
from typing import Any

from tests.policies.stacks import Recorded, Stack

ASSUME_ROLE = "assumeRolePolicy.Statement[AssumeRole]"
"""Path of the statement that lets a service assume a role."""


@dataclass(frozen=True)
class Edit:
    """Change of a stack, made by calling it."""

    name: str
    """Logical name of the resource that is changed, the first one if there are several."""
    change: Callable[[Stack], object] = field(repr=False)

    def __call__(self, stack: Stack) -> None:
        self.change(stack)


def sequence(*edits: Edit) -> Edit:
    """Makes several edits one after the other."""
    return Edit(edits[0].name, lambda stack: [edit.change(stack) for edit in edits])


def put(name: str, path: str, value: Any) -> Edit:
    """Sets a value; its key may be new."""
    return _edit(name, path, lambda parent, key: setitem(parent, key, deepcopy(value)))


def remove(name: str, path: str) -> Edit:
    """Removes a value."""
    return _edit(name, path, delitem)


def append(name: str, path: str, value: Any) -> Edit:
    """Adds a value to the end of a list."""
    return _edit(name, path, lambda parent, key: parent[key].append(deepcopy(value)))


def replace(name: str, path: str, old: str, new: str) -> Edit:
    """Replaces the first occurrence of a text."""
    return _edit(name, path, lambda parent, key: setitem(parent, key, parent[key].replace(old, new, 1)))


def statement(policy_name: str, sid: str, **elements: Any) -> Edit:
    """Sets elements of a statement in an inline policy of a role."""
    return sequence(*(put(policy_name, f"policy.Statement[{sid}].{key}", elements[key]) for key in elements))


def add_statement(policy_name: str, **elements: Any) -> Edit:
    """Adds a statement to an inline policy of a role; its effect is Allow unless given."""
    return append(policy_name, "policy.Statement", {"Sid": "Added", "Effect": "Allow", **elements})


def trust(role: str, **elements: Any) -> Edit:
    """Sets elements of the statement that lets a service assume a role."""
    return sequence(*(put(role, f"{ASSUME_ROLE}.{key}", elements[key]) for key in elements))


def add(
    type_: str,
    name: str = "added",
    /,
    *,
    protect: bool = False,
    outputs: dict[str, str] | None = None,
    **inputs: Any,
) -> Edit:
    """Adds a resource.

    Args:
        type_: a class of the AWS provider such as `iam.UserPolicy`, or a whole type token.
        name: its logical name.
        protect: whether it has Pulumi's option protect.
        outputs: what the provider adds, for example `arn`.
        inputs: arguments of the resource.
    """
    module, _, class_ = type_.partition(".")
    token = type_ if ":" in type_ else f"aws:{module}/{class_[0].lower()}{class_[1:]}:{class_}"

    def change(stack: Stack) -> None:
        stack.add(token, name, deepcopy(inputs), **(outputs or {})).protect = protect

    return Edit(name, change)


def delete(name: str) -> Edit:
    """Deletes a resource."""
    return Edit(name, lambda stack: stack.remove(find(stack, name)))


def unprotect(name: str) -> Edit:
    """Takes Pulumi's option protect away from a resource."""
    return Edit(name, lambda stack: setattr(find(stack, name), "protect", False))


def put_foreign(name: str, property_: str, value: Any) -> Edit:
    """Sets a property to a value that comes from no resource of the stack."""
    forget = Edit(name, lambda stack: find(stack, name).dependencies.pop(property_))
    return sequence(put(name, property_, value), forget)


def find(stack: Stack, name: str) -> Recorded:
    """Resource of the AWS provider with a logical name."""
    (found,) = (each for each in stack if each.name == name and each.type.startswith("aws:"))
    return found


def _edit(name: str, path: str, change: Callable[[Any, Any], object]) -> Edit:
    """Edit that calls a function with what holds the value at a path, and the value's key or index there."""
    keys = re.findall(r"[^.\[\]]+", path)
    return Edit(name, lambda stack: _change_at(find(stack, name).inputs, keys, change))


def _change_at(parent: Any, keys: list[str], change: Callable[[Any, Any], object]) -> Any:
    """Makes a change below a value; returns the value, which is a new one if it is JSON text."""
    if isinstance(parent, str):
        return json.dumps(_change_at(json.loads(parent), keys, change))
    key = _index(parent, keys[0]) if isinstance(parent, list) else keys[0]
    if keys[1:]:
        parent[key] = _change_at(parent[key], keys[1:], change)
    else:
        change(parent, key)
    return parent


def _index(items: list[Any], key: str) -> int:
    if key.isdecimal():
        return int(key)
    (found,) = (index for index, each in enumerate(items) if key in (each.get("Sid"), each.get("Identifier")))
    return found
