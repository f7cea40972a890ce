"""Exempts resources from rules. Every rule accepts exemptions in its configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from .resource import Resource, matches_any, of_type, shown

SETTING = "exemptions"
_KEYS = ("resource", "reason", "until")
SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {"type": "object", "properties": {key: {"type": "string"} for key in _KEYS}},
    "description": "Resources that the rule ignores: URN pattern, reason and last day (YYYY-MM-DD).",
    "default": [],
}


@dataclass(frozen=True)
class Exemption:
    """One exemption from a rule."""

    resource: str
    reason: str
    until: str

    @property
    def is_expired(self) -> bool:
        """Returns whether the last day has passed."""
        return date.fromisoformat(self.until) < datetime.now(UTC).date()


USED: dict[str, dict[Exemption, set[str]]] = {}
"""URNs of exempt resources with violations, by rule and exemption. Reset when the rule's exemptions change."""


def problems(value: Any) -> list[str]:
    """Returns the problems with an `exemptions` setting."""
    for each in value if isinstance(value, list) else [value]:
        try:
            date.fromisoformat(each["until"])
            if set(each) != set(_KEYS) or not all(isinstance(each[key], str) and each[key] for key in _KEYS):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            return [f"has an invalid exemption: {shown(each)} must have {', '.join(_KEYS)}"]
    return []


def register(rule: str, values: Iterable[Mapping[str, str]]) -> dict[Exemption, set[str]]:
    """Stores a rule's exemptions. Returns each one with the URNs of the resources that have used it."""
    configured: dict[Exemption, set[str]] = {Exemption(**each): set() for each in values}
    if list(USED.get(rule, ())) != list(configured):
        USED[rule] = configured
    return USED.setdefault(rule, configured)


def applied(exemptions: Mapping[Exemption, set[str]], urn: str, violation: str) -> str | None:
    """Returns the violation, with a note if an exemption has expired, or None if the resource is exempt."""
    for exemption, urns in exemptions.items():
        if matches_any(urn, [exemption.resource]):
            if exemption.is_expired:
                return f"{violation} (the exemption expired on {exemption.until}: {exemption.reason})"
            urns.add(urn)
            return None
    return violation


def check(resources: Sequence[Resource], _: Mapping[str, Any]) -> Iterator[tuple[Resource, str]]:
    """Reports the exemptions in use, with their reasons, and the unused ones."""
    by_urn = {resource.urn: resource for resource in resources}
    root = next(of_type(resources, "pulumi:pulumi:Stack"), None)
    for rule, exemptions in list(USED.items()):
        for exemption, urns in exemptions.items():
            for urn in sorted(urns & set(by_urn)):
                yield by_urn[urn], f"is exempt from {rule} until {exemption.until}: {exemption.reason}"
            if root and not urns and not exemption.is_expired:
                yield root, f"has an unused exemption from {rule} for {exemption.resource}"
