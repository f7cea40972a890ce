"""Reads this package's data files."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

# The loader written in C is ten times as fast, but PyYAML can be built without it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def data(name: str) -> Any:
    """Returns the content of a YAML file, which callers must not change."""
    return yaml.load((files(__package__ or "") / name).read_text("utf-8"), _LOADER)  # noqa: S506 - both are safe
