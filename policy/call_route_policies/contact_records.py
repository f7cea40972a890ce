"""Finds the pipes and state machines that process contact records. Rules about call records apply only to these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .resource import Resource, of_type, referred
from .resource_types import MACHINE, PIPE, STORAGE
from .rule import ResourceCheck, RuleConfig, StackCheck, StackFindings

_COMPONENT = "::call-route-tracker:index:"
STORED_STREAM = ("storageConfig", "kinesisStreamConfig", "streamArn")
"""Path of the ARN of the stream in a storage configuration."""


def is_part_of_component(resource: Resource) -> bool:
    """Returns whether the component CallRouteTracker created a resource."""
    return _COMPONENT in resource.urn


def record_storages(resources: Sequence[Resource]) -> Iterator[Resource]:
    """Returns the storage configurations that make Connect send contact records to a stream."""
    return (
        each for each in of_type(resources, STORAGE) if each.get("resourceType") == "CONTACT_TRACE_RECORDS"
    )


def stream_parameter(pipe: Resource, *path: str) -> Any:
    """Returns a parameter that controls how a pipe reads its stream."""
    return pipe.get("sourceParameters", "kinesisStreamParameters", *path)


def record_pipes(resources: Sequence[Resource]) -> list[Resource]:
    """Returns the component's pipes and any others that read the stream where Connect sends contact records."""
    storages = list(record_storages(resources))
    streams = [each.get(*STORED_STREAM) for each in storages]
    sources = {urn for each in storages for urn in each.dependencies.get("storageConfig", ())}
    return [
        pipe
        for pipe in of_type(resources, PIPE)
        if is_part_of_component(pipe)
        or (isinstance(pipe.get("source"), str) and pipe.get("source") in streams)
        or sources & set(pipe.dependencies.get("source", ()))
    ]


def invoked_machines(pipe: Resource, resources: Sequence[Resource]) -> list[Resource]:
    """Returns the state machines in the stack that a pipe invokes, directly or through an alias or version."""
    target = pipe.get("target")
    arn = ":".join(target.split(":")[:7]) if isinstance(target, str) else target
    return referred(resources, MACHINE, arn, pipe.dependencies.get("target", ()))


def processes_records(resource: Resource, resources: Sequence[Resource]) -> bool:
    """Returns whether a resource is a pipe that reads contact records, or a state machine that such a pipe invokes."""
    pipes = record_pipes(resources)
    return (
        is_part_of_component(resource)
        or resource in pipes
        or any(resource in invoked_machines(pipe, resources) for pipe in pipes)
    )


def of_record_pipes(check: ResourceCheck) -> StackCheck:
    """Converts a check of a pipe into a check of all pipes that read contact records."""

    def check_stack(resources: Sequence[Resource], config: RuleConfig) -> StackFindings:
        for pipe in record_pipes(resources):
            for finding in check(pipe, config):
                yield pipe, finding

    return check_stack
