"""Reads this package's data files."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml


def data(name: str) -> Any:
    """Returns the content of a YAML file."""
    return yaml.safe_load((files(__package__ or "") / name).read_text("utf-8"))
