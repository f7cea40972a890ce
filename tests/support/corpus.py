"""Flows of a folder that the environment names: published ones in CI, a team's own exports wherever they like.

CALLROUTE_CORPUS is a folder of flows, or one that holds `flows/` (and `contact_records/`).
"""

from __future__ import annotations

import os
from pathlib import Path

from callroute.errors import InputError
from callroute.flows.flow import Flow

CORPUS = os.environ.get("CALLROUTE_CORPUS")
MISSING = "CALLROUTE_CORPUS names no folder of flows"


def flows() -> list[Path]:
    """The files of the corpus, broken ones included; none where no corpus is named."""
    if CORPUS is None:
        return []
    folder = Path(CORPUS, "flows")
    return sorted((folder if folder.is_dir() else Path(CORPUS)).glob("*.json"))


def readable_flows() -> list[Path]:
    """The files that are flows of the flow language; what is refused, and how, is for the tests of reading to say."""
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
"""Where the corpus has contact records; None where it has none."""
NO_RECORDS = "CALLROUTE_CORPUS names no folder that holds contact_records/"
