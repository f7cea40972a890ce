"""Resources and property values as rules receive them."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy.proxy import UnknownValueError

SHOWN_CHARACTERS = 80
"""Maximum length of a value in a message."""


@dataclass(frozen=True)
class Unknown:
    """A value that a preview does not know yet, because it comes from a resource that does not exist yet."""

    path: str
    """Path of the value in the resource, for example `sourceParameters.filterCriteria`."""


@dataclass(frozen=True)
class Resource:
    """A resource that a rule checks."""

    type: str
    """Type token, for example `aws:sqs/queue:Queue`."""
    name: str
    """Logical name."""
    urn: str
    props: Mapping[str, Any]
    """Inputs in a resource rule, inputs and outputs in a stack rule: dicts, lists, scalars and `Unknown`."""
    protect: bool = False
    """True if the resource has Pulumi's `protect` option."""
    dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """URNs of the resources that each property depends on. Empty in resource rules."""

    @property
    def stack(self) -> str:
        """Name of the stack, taken from the URN."""
        return self.urn.removeprefix("urn:pulumi:").partition("::")[0]

    def get(self, *path: str) -> Any:
        """Returns the value at a path, the first `Unknown` on the path, or None."""
        value: Any = self.props
        for name in path:
            if isinstance(value, Unknown):
                return value
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def values(self, path: str) -> Iterator[tuple[str, Any]]:
        """Yields (path, value) for each value at a path. In the path, `*` represents every element of a list."""
        return _values(self.props, path.split("."), "")


def _values(value: Any, keys: Sequence[str], path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Unknown) or not keys:
        yield path, value
    elif keys[0] == "*":
        for index, each in enumerate(value if isinstance(value, list) else ()):
            yield from _values(each, keys[1:], f"{path}[{index}]")
    else:
        part = value.get(keys[0]) if isinstance(value, Mapping) else None
        yield from _values(part, keys[1:], f"{path}.{keys[0]}".lstrip("."))


def plain(value: Any, path: str = "") -> Any:
    """Converts the SDK's proxies to dicts, lists and scalars; integral floats to int; unknown values to `Unknown`."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {key: _part(value, key, path) for key in value}
    if isinstance(value, Sequence):
        return [_part(value, index, path) for index in range(len(value))]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _part(container: Any, key: Any, path: str) -> Any:
    part_path = f"{path}.{key}" if path else str(key)
    try:
        part = container[key]
    except UnknownValueError:
        return Unknown(part_path)
    return plain(part, part_path)


def nested(value: Any) -> Iterator[Any]:
    """Yields a value and every value nested in it. Iterative, because JSON text may be deeply nested."""
    pending = [value]
    while pending:
        part = pending.pop()
        yield part
        if isinstance(part, (dict, list)):
            pending += list(part.values() if isinstance(part, dict) else part)[::-1]


def shown(value: Any) -> str:
    """Formats a value for a message as JSON of limited length."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=lambda other: f"<{type(other).__name__}>")
    except RecursionError:
        text = "a deeply nested value"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def matches_any(text: str, patterns: Iterable[str]) -> bool:
    """Returns whether a string matches one of the glob patterns."""
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def of_type(resources: Iterable[Resource], type_: str) -> Iterator[Resource]:
    """Returns the resources of a type."""
    return (resource for resource in resources if resource.type == type_)


def by_arn(resources: Iterable[Resource], type_: str) -> dict[str, Resource]:
    """Returns the resources of a type whose ARN is known, by ARN."""
    return {arn: each for each in of_type(resources, type_) if isinstance(arn := each.get("arn"), str)}


def referred(
    resources: Iterable[Resource], type_: str, arn: Any, dependencies: Sequence[str]
) -> list[Resource]:
    """Returns the resources of a type that an ARN refers to. If the ARN is unknown, uses the URNs of its dependencies."""
    return [
        each
        for each in of_type(resources, type_)
        if (each.get("arn") == arn if isinstance(arn, str) else each.urn in dependencies)
        or (each.urn in dependencies and not isinstance(each.get("arn"), str))
    ]
