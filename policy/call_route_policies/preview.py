"""Uses resource names and property dependencies to derive values that are unknown in a preview.

A preview knows the name of a new resource, but not its ARN. The ARN follows from the name and from the
stack's location: the partition, region and account in other ARNs that name the stack's resources, for example
in policy documents.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from callroute.arn import Arn

from .data import data
from .resource import Resource, Unknown, nested

_TABLES = data("preview.yaml")
_ARN_FORMATS: Mapping[str, str] = _TABLES["arns"]
_REFERENCES: Mapping[str, Mapping[str, Any]] = _TABLES["references"]
_ARN = re.compile(r"arn:(aws[a-z-]*):([a-z0-9-]+):([a-z0-9-]*):(\d{12}):([^\s\"'\\,*?]+)")


def resolve(resources: Sequence[Resource]) -> list[Resource]:
    """Returns the resources, with unknown ARNs and references replaced by values where possible."""
    if _LAST[:1] != [resources]:  # Cached, because every stack rule receives the same resources.
        _LAST[:] = [resources, _resolve(resources)]
    return list(_LAST[1])


_LAST: list[Sequence[Resource]] = []
"""The last resources to be resolved, and the result."""


def _resolve(resources: Sequence[Resource]) -> list[Resource]:
    location = _location(resources)
    found = [_with_arn(resource, location) if location else resource for resource in resources]
    by_urn = {resource.urn: resource for resource in found}
    return [
        replace(
            resource,
            props={
                name: _resolved(value, name, [by_urn[urn] for urn in dependencies if urn in by_urn])
                if (dependencies := resource.dependencies.get(name))
                else value
                for name, value in resource.props.items()
            },
        )
        for resource in found
    ]


def _location(resources: Sequence[Resource]) -> Arn | None:
    """Returns an ARN with the most common partition, region and account in the stack's ARNs, or None if ambiguous."""
    own = {arn for resource in resources if (arn := _service_and_resource(resource))}
    found = Counter(
        Arn(partition, "", region, account, "")
        for resource in resources
        for text in nested(resource.props)
        if isinstance(text, str) and ":" in text
        for partition, service, region, account, name in _ARN.findall(text)
        if region and not own.isdisjoint({(service, name), (service, name.partition(":")[0])})
    )
    ranked = found.most_common(2)
    is_clear = len(ranked) == 1 or (len(ranked) == 2 and ranked[0][1] > ranked[1][1])
    return ranked[0][0] if is_clear else None


def _service_and_resource(resource: Resource) -> tuple[str, str] | None:
    name, path = resource.get("name"), resource.get("path")
    if resource.type not in _ARN_FORMATS or not isinstance(name, str) or isinstance(path, Unknown):
        return None
    service, _, format_ = _ARN_FORMATS[resource.type].partition(":")
    return service, format_.format(name=name, path=path or "/")


def _with_arn(resource: Resource, location: Arn) -> Resource:
    if isinstance(resource.get("arn"), str) or not (parts := _service_and_resource(resource)):
        return resource
    service, name = parts
    region = "" if service == "iam" else location.region
    arn = location._replace(service=service, region=region, resource=name)
    return replace(resource, props={**resource.props, "arn": str(arn)})


def _resolved(value: Any, key: str, dependencies: Sequence[Resource]) -> Any:
    """Replaces unknown references inside a value if it is clear which dependency each reference points to."""
    if isinstance(value, Mapping):
        return {name: _resolved(part, name, dependencies) for name, part in value.items()}
    reference = _REFERENCES.get(key, {"attribute": "", "types": ()})
    values = [each.get(reference["attribute"]) for each in dependencies if each.type in reference["types"]]
    values = [each for each in values if isinstance(each, str)]
    if isinstance(value, list):
        unknown = [part for part in value if isinstance(part, Unknown)]
        if unknown and len(unknown) == len(values):
            return [part for part in value if not isinstance(part, Unknown)] + values
        return [_resolved(part, key, dependencies) for part in value]
    return values[0] if isinstance(value, Unknown) and len(values) == 1 else value
