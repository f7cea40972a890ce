"""Defines rules: metadata and a check function, converted to a policy of the Pulumi SDK.

A check yields findings. A finding is either the rest of a sentence that starts with the resource's name, for example
"must encrypt its items", or an `Unknown`: a value that the rule needs and that a preview does not know yet. The preview
reports the latter as a note, and the update that follows checks the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
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

from . import exemptions, preview
from .data import data
from .resource import Resource, Unknown, matches_any, plain, shown

Finding = str | Unknown
RuleConfig = Mapping[str, Any]
"""Values of a rule's settings, including defaults."""
ResourceCheck = Callable[[Resource, RuleConfig], Iterable[Finding]]
StackFindings = Iterator[tuple[Resource, Finding]]
"""Findings from a stack rule, each with the resource it concerns."""
StackCheck = Callable[[Sequence[Resource], RuleConfig], Iterable[tuple[Resource, Finding]]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule. It has either `check`, for single resources, or `check_stack`, for all resources in a stack.

    rules.yaml describes the other fields.
    """

    name: str
    description: str
    severity: Severity
    level: EnforcementLevel
    reason: str
    remediation: str
    url: str
    types: Sequence[str] = ()
    settings: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    check: ResourceCheck | None = None
    check_stack: StackCheck | None = None

    def configured(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Returns the values of all settings, and a list of problems with the given values."""
        values = {name: schema["default"] for name, schema in self.settings.items()}
        problems = []
        for name, value in plain(given).items():
            if name == exemptions.SETTING:
                problems += exemptions.problems(value)
                values[name] = value
            elif name not in values:
                problems.append(
                    f"has no setting {name!r}. Its settings: {', '.join(self.settings) or 'none'}"
                )
            elif expected := _mismatch(value, self.settings[name]):
                problems.append(f"has an invalid setting {name}: {shown(value)} is not {expected}")
            else:
                values[name] = value
        return values, problems

    def policy(self) -> Policy:
        """Converts the rule to a policy of the Pulumi SDK."""
        metadata: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "severity": self.severity,
            "enforcement_level": self.level,
            "remediation_steps": self.remediation,
            "url": self.url,
            "config_schema": PolicyConfigSchema({**self.settings, exemptions.SETTING: exemptions.SCHEMA}),
        }
        if self.check_stack:
            return StackValidationPolicy(**metadata, validate=partial(self._validate_stack, self.check_stack))
        if self.check:
            return ResourceValidationPolicy(**metadata, validate=partial(self._validate, self.check))
        raise TypeError(f"rule {self.name} has neither check nor check_stack")

    def _applies(self, types: Iterable[str]) -> bool:
        return not self.types or any(matches_any(type_, self.types) for type_ in types)

    def _validate(self, check: ResourceCheck, args: ResourceValidationArgs, report: ReportViolation) -> None:
        if self._applies([args.resource_type]):
            resource = _resource(args, {})
            config, problems = self.configured(args.get_config())
            findings = [f"cannot be checked: the rule {each}" for each in problems] or check(resource, config)
            self._report(((resource, each) for each in findings), report, {} if problems else config)

    def _validate_stack(self, check: StackCheck, args: StackValidationArgs, report: ReportViolation) -> None:
        config, problems = self.configured(args.get_config())
        for problem in problems:
            report(f"The stack cannot be checked: the rule {problem}.", None)
        if not problems and self._applies(each.resource_type for each in args.resources):
            found = [_resource(each, each.property_dependencies) for each in args.resources]
            self._report(check(preview.resolve(found), config), report, config)

    def _report(
        self, findings: Iterable[tuple[Resource, Finding]], report: ReportViolation, config: RuleConfig
    ) -> None:
        exempt = exemptions.register(self.name, config.get(exemptions.SETTING, ()))
        unknown: UnknownValueError | None = None
        for resource, finding in findings:
            if isinstance(finding, Unknown):
                unknown = unknown or UnknownValueError(
                    UNKNOWN_STRING_VALUE, [resource.name, *finding.path.split(".")]
                )
            elif violation := exemptions.applied(exempt, resource.urn, finding):
                # JSON can contain a lone surrogate, but a gRPC message cannot.
                text = f"{resource.name} {violation}.".encode("utf-8", "replace").decode("utf-8")
                report(text, resource.urn)
        if unknown:
            # The SDK turns this into an advisory note. The violations have already been reported above.
            raise unknown


def _resource(
    source: PolicyResource | ResourceValidationArgs, dependencies: Mapping[str, Sequence[PolicyResource]]
) -> Resource:
    urns = {name: [each.urn for each in sources] for name, sources in dependencies.items()}
    protect = bool(source.opts.protect)
    return Resource(source.resource_type, source.name, source.urn, plain(source.props), protect, urns)


def require(value: Any, is_valid: Callable[[Any], bool], violation: str) -> Iterator[Finding]:
    """Yields a violation if a value is invalid, or the value itself if it is unknown."""
    if isinstance(value, Unknown):
        yield value
    elif not is_valid(value):
        yield violation


def _mismatch(value: Any, schema: Mapping[str, Any]) -> str:
    """Returns a description of the values that a setting accepts, or an empty string if the given value is valid."""
    if schema["type"] == "integer":
        is_valid = type(value) is int and value >= schema["minimum"]
        return "" if is_valid else f"an integer of at least {schema['minimum']}"
    choices = schema["items"].get("enum")
    is_valid = isinstance(value, list) and all(
        isinstance(each, str) and each in (choices or value) for each in value
    )
    return "" if is_valid else f"a list of {', '.join(choices or ['strings'])}"


def rule(name: str, check: ResourceCheck) -> Rule:
    """Returns a rule for single resources, with its text and settings from rules.yaml."""
    return Rule(**_text(name), check=check)


def stack_rule(name: str, check: StackCheck) -> Rule:
    """Returns a rule for all resources in a stack, with its text and settings from rules.yaml."""
    return Rule(**_text(name), check_stack=check)


def _text(name: str) -> dict[str, Any]:
    entry = data("rules.yaml")[name]
    level = EnforcementLevel(entry.get("level", "mandatory"))
    return {**entry, "name": name, "severity": Severity(entry["severity"]), "level": level}
