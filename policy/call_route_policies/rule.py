"""What a rule is: data and a plain function over plain values. And how it becomes a policy of Pulumi's.

A rule's function yields findings. A finding is a text that completes a sentence about the resource, "… must encrypt its
items", or an `Unknown`: a value that cannot be judged before Pulumi has made what it comes from. A preview reports the
latter as such; an update judges it, since by then the value is known.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

SHOWN_CHARACTERS = 80
"""Values in messages are cut to this length."""


@dataclass(frozen=True)
class Unknown:
    """A value that is known only once Pulumi has made what it comes from."""

    path: str
    """Where it stands in the resource, as `sourceParameters.filterCriteria`."""


@dataclass(frozen=True)
class Resource:
    """A resource as a rule sees it."""

    type: str
    """Type token, as `aws:sqs/queue:Queue`."""
    name: str
    """Logical name."""
    urn: str
    props: Mapping[str, Any]
    """Inputs in a resource rule, the whole state in a stack rule: plain dicts, lists and scalars, Unknowns among them."""
    protect: bool = False
    """Whether Pulumi refuses to delete it."""
    dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """URNs that a property's value comes from; only in stack rules."""

    @property
    def stack(self) -> str:
        """Name of the stack, the first part of every URN."""
        return self.urn.removeprefix("urn:pulumi:").partition("::")[0]

    def get(self, *path: str) -> Any:
        """The value at a path; None where there is none, the Unknown where the path runs into one."""
        value: Any = self.props
        for name in path:
            if isinstance(value, Unknown):
                return value
            value = value.get(name) if isinstance(value, Mapping) else None
        return value


Finding = str | Unknown
Settings = Mapping[str, Any]
"""A rule's configuration, its defaults filled in."""
ResourceCheck = Callable[[Resource, Settings], Iterable[Finding]]
StackCheck = Callable[[Sequence[Resource], Settings], Iterable[tuple[Resource, Finding]]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule; `check` judges a resource at a time, or `check_stack` all of a stack's resources together."""

    name: str
    """In kebab-case."""
    description: str
    """What must hold, in a whole sentence."""
    severity: Severity
    level: EnforcementLevel = EnforcementLevel.MANDATORY
    reason: str
    """Why it is mandatory, or why it is only advisory."""
    remediation: str
    """What to do about a violation."""
    url: str
    """Where AWS or Pulumi explains the matter."""
    check: ResourceCheck | None = None
    types: Sequence[str] = ()
    """Type tokens that `check` is about, wildcards allowed; all types where empty."""
    check_stack: StackCheck | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """JSON schema of each setting, with a description and a default."""

    def configured(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The settings with their defaults filled in, and what is wrong with those that were given."""
        values = {name: schema["default"] for name, schema in self.settings.items()}
        problems = []
        for name, value in plain(given).items():
            if name not in values:
                problems.append(f"has no setting {name!r}; it has {', '.join(values) or 'none'}")
            elif not _fits(value, self.settings[name]):
                problems.append(f"takes {_kind(self.settings[name])} as {name}, and not {shown(value)}")
            else:
                values[name] = value
        return values, problems

    def policy(self) -> Policy:
        """The rule as Pulumi runs it."""
        described: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "severity": self.severity,
            "enforcement_level": self.level,
            "remediation_steps": self.remediation,
            "url": self.url,
            "config_schema": PolicyConfigSchema(
                {name: dict(schema) for name, schema in self.settings.items()}
            )
            if self.settings
            else None,
        }
        if self.check_stack:
            return StackValidationPolicy(**described, validate=self._validate_stack)
        return ResourceValidationPolicy(**described, validate=self._validate)

    def _validate(self, args: ResourceValidationArgs, report: ReportViolation) -> None:
        if self.types and not matches_any(args.resource_type, self.types):
            return
        if self.check is None:
            raise TypeError(f"rule {self.name} has neither check nor check_stack")
        resource = Resource(
            args.resource_type, args.name, args.urn, plain(args.props), bool(args.opts.protect)
        )
        settings, problems = self.configured(args.get_config())
        findings = [f"cannot be judged: the rule {problem}" for problem in problems] or self.check(
            resource, settings
        )
        self._report(((resource, finding) for finding in findings), report)

    def _validate_stack(self, args: StackValidationArgs, report: ReportViolation) -> None:
        if self.check_stack is None:
            raise TypeError(f"rule {self.name} has neither check nor check_stack")
        settings, problems = self.configured(args.get_config())
        for problem in problems:
            report(f"The stack cannot be judged: the rule {problem}.", None)
        if not problems:
            resources = [_stack_resource(resource) for resource in args.resources]
            self._report(self.check_stack(resources, settings), report)

    @staticmethod
    def _report(findings: Iterable[tuple[Resource, Finding]], report: ReportViolation) -> None:
        unknown: UnknownValueError | None = None
        for resource, finding in findings:
            if isinstance(finding, Unknown):
                unknown = unknown or UnknownValueError(
                    UNKNOWN_STRING_VALUE, [resource.name, *finding.path.split(".")]
                )
            else:
                # Half of a surrogate pair can stand in JSON but not in a message.
                text = f"{resource.name} {finding}.".encode("utf-8", "replace").decode("utf-8")
                report(text, resource.urn)
        if unknown:
            # The SDK tells of it in an advisory note. What is already known has been reported above.
            raise unknown


def _stack_resource(resource: PolicyResource) -> Resource:
    return Resource(
        resource.resource_type,
        resource.name,
        resource.urn,
        plain(resource.props),
        bool(resource.opts.protect),
        {
            name: [source.urn for source in sources]
            for name, sources in resource.property_dependencies.items()
        },
    )


def plain(value: Any, path: str = "") -> Any:
    """A value without the SDK's proxies: dicts, lists and scalars; whole numbers whole, the unknown as Unknown."""
    if isinstance(value, Mapping):
        return {key: _part(value, key, path) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_part(value, index, path) for index in range(len(value))]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _part(container: Any, key: Any, path: str) -> Any:
    where = f"{path}.{key}" if path else str(key)
    try:
        part = container[key]
    except UnknownValueError:
        return Unknown(where)
    return plain(part, where)


def shown(value: Any) -> str:
    """A value for a message: as JSON, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=lambda other: f"<{type(other).__name__}>")
    except RecursionError:
        text = "something nested very deeply"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def matches_any(text: str, patterns: Iterable[str]) -> bool:
    """Whether a text matches one of the patterns, in which `*` stands for anything."""
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def of_type(resources: Iterable[Resource], type_: str) -> Iterator[Resource]:
    """The resources of a type."""
    return (resource for resource in resources if resource.type == type_)


def must(value: Any, holds: Callable[[Any], bool], otherwise: str) -> Iterator[Finding]:
    """One finding where a value does not hold, or cannot be known yet; none where it does."""
    if isinstance(value, Unknown):
        yield value
    elif not holds(value):
        yield otherwise


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    kind = schema["type"]
    if kind == "array":
        choices = schema["items"].get("enum")
        return isinstance(value, list) and all(
            isinstance(each, str) and (choices is None or each in choices) for each in value
        )
    if kind == "integer":
        return (
            isinstance(value, int) and not isinstance(value, bool) and value >= schema.get("minimum", value)
        )
    return isinstance(value, bool)


def _kind(schema: Mapping[str, Any]) -> str:
    if schema["type"] == "array":
        choices = schema["items"].get("enum")
        return f"a list of any of {', '.join(choices)}" if choices else "a list of texts"
    return (
        f"a whole number from {schema.get('minimum', 0)}" if schema["type"] == "integer" else "true or false"
    )


def texts(description: str, default: Sequence[str], *, choices: Sequence[str] = ()) -> dict[str, Any]:
    """Schema of a setting that is a list of texts; of these only, where there are choices."""
    return {
        "type": "array",
        "items": {"type": "string", **({"enum": list(choices)} if choices else {})},
        "description": description,
        "default": list(default),
    }


def number(description: str, default: int, minimum: int) -> dict[str, Any]:
    """Schema of a setting that is a whole number."""
    return {"type": "integer", "minimum": minimum, "description": description, "default": default}
