"""The pipe's filter and input template."""

from __future__ import annotations

from typing import Any

BATCH_BYTES = 262_144
"""Maximum size of a batch as the target receives it, in UTF-8 bytes (docs/fidelity.md)."""

FILTER_PATTERN: dict[str, Any] = {
    "data": {
        "Channel": ["VOICE"],
        "InitiationMethod": ["INBOUND"],
        "Attributes": {"call_route": [{"exists": True}]},
    }
}
"""Selects inbound calls that have a route. Excludes other channels, other flows, agent events, and transfer legs, which
inherit the attributes and would be counted as a second call."""


INPUT_TEMPLATE = '{"event_id": "<$.eventID>", "sequence_number": "<$.sequenceNumber>", "contact": <$.data>}'
"""The state machine's input for each record.

Placeholders for text are quoted; placeholders for JSON are not (docs/fidelity.md). `<$.data>` passes the whole contact
record, so the template does not depend on fields that can be null or missing.
"""
