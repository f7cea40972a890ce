"""A bad and a good example of each rule, as edits of the stack `prod` and as text for docs/policies.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.policies.edits import Edit, add, find, put, remove, sequence
from tests.policies.stacks import recorded
from tests.policies.values import STACK, TRACKER, policy

FILE = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Example:
    """An example of a rule."""

    bad: Edit
    """A change that exactly this rule rejects."""
    good: Edit
    """A change that no rule rejects."""
    text: str
    """Both changes, as Markdown."""


def _example(given: Mapping[str, Any]) -> Example:
    shared, also = (
        [_put(place, value) for place, value in given.get(key, {}).items()] for key in ("with", "also")
    )
    return Example(
        sequence(*shared, _edit(given, given["bad"]), *also),
        sequence(*shared, _edit(given, given["good"])),
        f"Bad: {_shown(given, given['bad'], _place(given))}. Good: {_shown(given, given['good'])}.",
    )


def _edit(given: Mapping[str, Any], value: Any) -> Edit:
    if "at" in given:
        return _put(given["at"], value)
    if isinstance(value, list):
        return sequence(
            *(add("iam.UserPolicy", each, user="operator", policy=policy(each)) for each in value)
        )
    return sequence(*(add(type_, **inputs) for type_, inputs in value.items()))


def _put(place: str, value: Any) -> Edit:
    name, path = _name_and_path(place)
    if path == "protect":
        return Edit(name, lambda stack: setattr(find(stack, name), path, value))
    if value is not None:
        return put(name, path, value)
    return remove(name, path) if path.endswith("]") else sequence(put(name, path, None), remove(name, path))


def _name_and_path(place: str) -> tuple[str, str]:
    name, path = place.split(" ")
    return f"{TRACKER}-{name}", path


def _place(given: Mapping[str, Any]) -> str:
    if "at" not in given:
        return ""
    name, path = _name_and_path(given["at"])
    type_ = find(recorded(STACK), name).type.rpartition(":")[2]
    return f"{type_}.{path}"


def _shown(given: Mapping[str, Any], value: Any, place: str = "") -> str:
    if "at" in given and value is None:
        return f"`{place}` not set" if place else "not set"
    if "at" in given:
        text = value if isinstance(value, str) and '"' in value else json.dumps(value)
        return f"`{place}: {text}`" if place else f"`{text}`"
    if isinstance(value, list):
        return " with ".join(f"`{each}`" for each in value)
    return " with ".join(f"`{type_}({_arguments(inputs)})`" for type_, inputs in value.items())


def _arguments(inputs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in inputs.items())


EXAMPLES = {rule: _example(given) for rule, given in yaml.safe_load(FILE.read_text(encoding="utf-8")).items()}
"""Example of each rule that inspects resources, by the name of the rule."""
