"""The policy pack of this project, run with the test kit that other packs can use."""

from __future__ import annotations

import os
from collections.abc import Mapping

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
