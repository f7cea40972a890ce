"""Replaces the ARNs and resource IDs in a flow with placeholders so that it can be deployed to other instances."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from callroute.errors import InputError
from callroute.formats.json_document import JsonDocument

_ARN = re.compile(
    r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[a-z0-9]*:[\w/:.*+@=-]*[\w*](?::\$[A-Z]+\b)?", re.ASCII
)
"""An ARN. It can end with the version of a flow or function, for example `:$LATEST`."""
_DYNAMIC = re.compile(r"arn:[^\s\"']*?(?:\$\.|\$\[|\{\{)")
"""An ARN that contains a reference, such as `$.Attributes.name`, that Connect resolves during the call."""


class Resource(NamedTuple):
    """A resource that a flow refers to.

    Attributes:
        kind: kind of the resource, for example `Queue`.
        name: name of the resource; empty if it is not known.
    """

    kind: str
    name: str


@dataclass(frozen=True)
class Template:
    """A flow with placeholders.

    Attributes:
        text: the flow's JSON.
        values: value of each placeholder.
        meanings: description of each placeholder.
        dynamic: ARNs that contain a reference and therefore were not replaced.
    """

    text: str
    values: Mapping[str, str]
    meanings: Mapping[str, str]
    dynamic: tuple[str, ...]


def extract(
    content: str,
    source: str,
    resource: Callable[[str], Resource | None],
    known_names: Mapping[str, str] | None = None,
) -> Template:
    """Replaces the ARNs and resource IDs in a flow with placeholders.

    Filling in the values gives the original content, apart from whitespace.

    Args:
        content: content of the flow, as Connect returns it.
        source: name of the flow for messages.
        resource: returns the resource that an ARN or ID belongs to. None for a string that is not a resource
            ID.
        known_names: placeholder names to use, by value.

    Raises:
        InputError: the content is not JSON, or contains `${`, which would be read as a placeholder.
    """
    document = JsonDocument.parse(content, source)
    if "${" in content:
        problem = "contains the text ${, which would be read as the start of a placeholder"
        raise InputError(source, "", problem, "Change the text in Connect")
    extraction = _Extraction(resource, dict(known_names or {}))
    text = json.dumps(extraction.replaced(document.value), ensure_ascii=False, indent=2) + "\n"
    values = {name: value for value, name in extraction.names.items()}
    return Template(text, values, extraction.meanings, tuple(dict.fromkeys(extraction.dynamic)))


@dataclass
class _Extraction:
    resource: Callable[[str], Resource | None]
    known_names: dict[str, str]
    names: dict[str, str] = field(default_factory=dict)
    """Placeholder names by value."""
    meanings: dict[str, str] = field(default_factory=dict)
    dynamic: list[str] = field(default_factory=list)

    def replaced(self, value: Any) -> Any:
        """Replaces the ARNs and IDs in a JSON value's strings with placeholders."""
        if isinstance(value, dict):
            return {key: self.replaced(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.replaced(inner) for inner in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        if _DYNAMIC.search(text):
            self.dynamic.append(text)
            return text
        if "arn:" in text:
            return _ARN.sub(lambda match: self._placeholder(match[0], "Arn"), text)
        return self._placeholder(text, "Id") if self.resource(text) else text

    def _placeholder(self, value: str, ending: str) -> str:
        if value not in self.names:
            resource = self.resource(value) or Resource("Resource", "")
            name = self.known_names.get(value) or self._unused(_camel_case(resource, ending))
            self.names[value] = name
            noun = "ARN" if ending == "Arn" else "ID"
            called = f" {resource.name}" if resource.name else ""
            self.meanings[name] = f"{noun} of the {_words(resource.kind)}{called}"
        return f"${{{self.names[value]}}}"

    def _unused(self, name: str) -> str:
        taken = {*self.names.values(), *self.known_names.values()}
        number, candidate = 1, name
        while candidate in taken:
            number += 1
            candidate = f"{name}{number}"
        return candidate


def _camel_case(resource: Resource, ending: str) -> str:
    """Returns a placeholder name, for example `SalesQueueArn` for a queue named `sales` or `Sales queue`."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", resource.name).replace("_", " "))
    name = "".join(word[:1].upper() + word[1:] for word in words)
    kind = "" if name.lower().endswith(resource.kind.lower()) else resource.kind
    return f"{name}{kind}{ending}"


def _words(kind: str) -> str:
    """Returns `hours of operation` for the kind `HoursOfOperation`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()
