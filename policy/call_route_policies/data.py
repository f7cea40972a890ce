"""Reads this package's data files."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

# The C loader is ten times as fast, but not every build of PyYAML includes it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def data(name: str) -> Any:
    """Returns the content of a YAML file, which callers must not change."""
    return yaml.load((files(__package__ or "") / name).read_text("utf-8"), _LOADER)  # noqa: S506 - both are safe
