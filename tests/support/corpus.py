"""Flows and contact records of an external corpus, for example a team's own exports.

The environment variable CALLROUTE_CORPUS names a folder of flows, or a folder with `flows/` and `contact_records/`.
"""

from __future__ import annotations

import os
from pathlib import Path

from callroute.errors import InputError
from callroute.flows.flow import Flow

CORPUS = os.environ.get("CALLROUTE_CORPUS")
MISSING = "CALLROUTE_CORPUS is not set to a folder of flows"


def flows() -> list[Path]:
    """Returns all flow files of the corpus, including invalid ones."""
    if CORPUS is None:
        return []
    folder = Path(CORPUS, "flows")
    return sorted((folder if folder.is_dir() else Path(CORPUS)).glob("*.json"))


def readable_flows() -> list[Path]:
    """Returns the flow files that can be parsed."""
    readable = []
    for path in flows():
        try:
            Flow.load(path)
        except InputError:
            continue
        readable.append(path)
    return readable


_RECORDS = Path(CORPUS or "", "contact_records")
CONTACT_RECORDS = _RECORDS if CORPUS and _RECORDS.is_dir() else None
"""Folder of the corpus's contact records, or None."""
NO_RECORDS = "CALLROUTE_CORPUS is not set to a folder with contact_records/"
