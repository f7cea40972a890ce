"""Folders of the repository that tests read from."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = next(folder for folder in Path(__file__).resolve().parents if (folder / "Pulumi.yaml").is_file())
FLOW_DEFINITIONS = REPOSITORY / "flow_definitions"
