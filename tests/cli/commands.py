"""Runs commands as users type them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.paths import REPOSITORY

FLOWS = REPOSITORY / "flow_definitions"


def callroute(
    *arguments: str | Path,
    stdin: str | bytes = "",
    cwd: Path = REPOSITORY,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m callroute`.

    Args:
        arguments: arguments of the command line.
        stdin: content of standard input.
        cwd: current folder, by default the repository.
        env: additional environment variables.
    """
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "callroute", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(env or {})},
        input=stdin.decode() if isinstance(stdin, bytes) else stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
