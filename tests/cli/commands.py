"""Runs commands as a user types them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.paths import REPOSITORY

FLOWS = REPOSITORY / "flow_definitions"


def callroute(*arguments: str | Path, typed: str | bytes = "") -> subprocess.CompletedProcess[str]:
    """`python -m callroute …` in the repository, with this on its standard input."""
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "callroute", *map(str, arguments)],
        cwd=REPOSITORY,
        input=typed.decode() if isinstance(typed, bytes) else typed,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
