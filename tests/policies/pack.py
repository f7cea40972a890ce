"""The policy pack of this project, run with the test kit that other packs can use."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from call_route_policies import testing
from tests.support.paths import REPOSITORY

FOLDER = REPOSITORY / "policy"
Violation = testing.Violation


class Pack(testing.Pack):
    """The running pack.

    Args:
        environment: environment variables besides PATH, for example PULUMI_STACK.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(FOLDER, {"PATH": os.environ["PATH"], **(environment or {})})
        self._settings: Mapping[str, Mapping[str, Any]] = {}
        self._answers: dict[str, list[Violation]] = {}
        """Results for resources that have been analyzed with the current settings. Most tests change only one resource."""

    def configure(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Configures rules."""
        if settings != self._settings:
            self._answers.clear()
        self._settings = settings
        super().configure(settings)

    def analyze_resources(self, stack: Iterable[testing.Resource]) -> list[Violation]:
        """Runs the resource rules on the resources that have changed since an earlier call."""
        keys = {_key(resource): resource for resource in stack}
        for key in keys.keys() - self._answers.keys():
            self._answers[key] = super().analyze_resources([keys[key]])
        return [violation for key in keys for violation in self._answers[key]]


def _key(resource: testing.Resource) -> str:
    return json.dumps([resource.urn, resource.parent, resource.protect, resource.inputs], sort_keys=True)
