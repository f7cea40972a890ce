"""Checks that the pipeline neither loses contact records nor writes callers' numbers to a log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callroute.aws.pipe import INPUT_TEMPLATE, filter_pattern

from .contact_records import (
    STORED_STREAM,
    invoked_machines,
    is_part_of_component,
    of_record_pipes,
    record_pipes,
    record_storages,
    stream_parameter,
)
from .iam_patterns import arn_of
from .json_values import parse
from .lost_records import check_kept_records
from .property_rules import is_number, property_check, property_rule
from .resource import Resource, Unknown, of_type, referred, shown
from .resource_types import PIPE, STREAM
from .rule import Finding, Rule, RuleConfig, StackFindings, require, stack_rule

_SECONDS_PER_HOUR = 3_600


def _pipe_property(name: str) -> Rule:
    """Returns a rule that checks pipes that read contact records against property_rules.yaml."""
    return stack_rule(name, of_record_pipes(property_check(name)))


_check_type = property_check("pipe-target-is-express")


def _check_target_type(resources: Sequence[Resource], _: RuleConfig) -> StackFindings:
    for pipe in record_pipes(resources):
        target = pipe.get("target")
        if not isinstance(target, Unknown) and arn_of(target).service != "states":
            continue  # Reported by no-lambda or pipe-role-matches-pipe.
        machines = invoked_machines(pipe, resources)
        if isinstance(target, Unknown) and not machines:
            yield pipe, target
        elif not machines:
            yield (
                pipe,
                f"must invoke a state machine in this stack: the type of {shown(target)} is not known",
            )
        for machine in machines:
            for finding in _check_type(machine, {"pipe": pipe.name}):
                yield machine, finding


def _check_record_age(resources: Sequence[Resource], config: RuleConfig) -> StackFindings:
    for pipe in record_pipes(resources):
        source, age = pipe.get("source"), stream_parameter(pipe, "maximumRecordAgeInSeconds")
        found = referred(resources, STREAM, source, pipe.dependencies.get("source", ()))
        if not found and isinstance(source, Unknown):
            yield pipe, source
            continue
        hours = found[0].get("retentionPeriod") if found else config["existingStreamRetentionHours"]
        hours = 24 if hours is None else hours  # Default in Kinesis.
        for value in (age, hours):
            if isinstance(value, Unknown):
                yield pipe, value
        if not isinstance(hours, Unknown) and not is_number(hours):
            yield pipe, f"must read a stream with a numeric retentionPeriod, not {shown(hours)}"
        elif is_number(age) and is_number(hours) and age >= hours * _SECONDS_PER_HOUR:
            yield (
                pipe,
                f"must have a maximumRecordAgeInSeconds below the {hours} hours that its stream retains records,"
                f" not {age}, or a failed record cannot be replayed",
            )


def _check_filter(pipe: Resource, config: RuleConfig) -> Iterator[Finding]:
    """Checks that a pipe's filters pass all tracked calls. A pipe without filters passes every record."""
    filters = pipe.get("sourceParameters", "filterCriteria", "filters")
    listed = filters if isinstance(filters, list) else [filters]
    patterns = [each.get("pattern") if isinstance(each, Mapping) else each for each in listed]
    tracked = filter_pattern(config["initiationMethods"])
    if filters in (None, []) or any(_is_superset(_parsed(pattern), tracked) for pattern in patterns):
        return
    unknown = [each for each in patterns if isinstance(each, Unknown)]
    yield unknown[0] if unknown else f"must let all tracked calls pass its filter, not only {shown(patterns)}"


def _parsed(pattern: Any) -> Any:
    try:
        return parse(pattern) if isinstance(pattern, str) else None
    except ValueError:
        return None


def _is_superset(pattern: Any, tracked: Any) -> bool:
    """Returns whether a filter passes everything that another one passes, without testing additional fields."""
    if isinstance(pattern, Mapping) and isinstance(tracked, Mapping):
        return all(name in tracked and _is_superset(part, tracked[name]) for name, part in pattern.items())
    return (
        isinstance(pattern, list) and isinstance(tracked, list) and all(each in pattern for each in tracked)
    )


def _check_input_template(pipe: Resource, _: RuleConfig) -> Iterator[Finding]:
    template = pipe.get("targetParameters", "inputTemplate")
    if not is_part_of_component(pipe) and (template is None or _WHOLE_DATA.search(str(template))):
        return  # The state machine of another team reads the record in its own way.
    needed = _template_fields(INPUT_TEMPLATE)
    yield from require(
        template,
        lambda value: needed.items() <= _template_fields(value).items(),
        f"must pass all fields of {INPUT_TEMPLATE}, not only {shown(template)}",
    )


def _template_fields(template: Any) -> dict[str, str]:
    """Returns the fields in an input template. First quotes any unquoted paths, which makes the template valid JSON."""
    text = _UNQUOTED_PATH.sub(r'"\1, not quoted"', template) if isinstance(template, str) else ""
    fields = _parsed(text)
    return {name: str(value) for name, value in fields.items()} if isinstance(fields, Mapping) else {}


_WHOLE_DATA = re.compile(r"<\$(\.data)?>")
_UNQUOTED_PATH = re.compile(r'(?<!")(<[^<>"]+>)(?!")')
"""A path in an input template that inserts JSON. A quoted path inserts a string."""


def _check_contact_records(resources: Sequence[Resource], _: RuleConfig) -> StackFindings:
    pipes = list(of_type(resources, PIPE))
    for storage in record_storages(resources):
        stream = storage.get(*STORED_STREAM)
        # The ARNs may be unknown in a preview, but the resources that they depend on are known.
        dependencies = set(storage.dependencies.get("storageConfig", ()))
        if isinstance(stream, Unknown):
            if not any(dependencies & set(pipe.dependencies.get("source", ())) for pipe in pipes):
                yield storage, stream
        elif stream not in [pipe.get("source") for pipe in pipes]:
            name = stream if isinstance(stream, str) else shown(stream)
            yield (
                storage,
                f"must send contact records to a stream that a pipe of this stack reads, not to {name}",
            )


RULES = (
    _pipe_property("pipe-invokes-synchronously"),
    stack_rule("pipe-target-is-express", _check_target_type),
    _pipe_property("pipe-has-dead-letter-queue"),
    _pipe_property("pipe-retries-are-limited"),
    stack_rule("pipe-age-below-stream-retention", _check_record_age),
    _pipe_property("pipe-bisects-failing-batches"),
    _pipe_property("pipe-starts-at-trim-horizon"),
    _pipe_property("pipe-is-running"),
    stack_rule("pipe-filter-passes-tracked-calls", of_record_pipes(_check_filter)),
    stack_rule("pipe-passes-whole-record", of_record_pipes(_check_input_template)),
    stack_rule("contact-records-reach-a-pipe", _check_contact_records),
    stack_rule("state-machine-keeps-every-record", check_kept_records),
    property_rule("queues-retain-messages"),
    property_rule("no-execution-data-in-logs"),
    property_rule("log-groups-have-retention"),
)
