"""What the pipe lets through, and in which shape it hands a record over."""

from __future__ import annotations

from typing import Any

BATCH_BYTES = 262_144
"""A whole batch, as the target receives it, may hold this many bytes of UTF-8 (docs/fidelity.md)."""

FILTER_PATTERN: dict[str, Any] = {
    "data": {
        "Channel": ["VOICE"],
        "InitiationMethod": ["INBOUND"],
        "Attributes": {"call_route": [{"exists": True}]},
    }
}
"""Inbound calls that carry a route. Everything else on the stream is not ours: transfer legs (which inherit the
attributes and would count a call twice), other channels, other flows, agent events."""


INPUT_TEMPLATE = '{"event_id": "<$.eventID>", "sequence_number": "<$.sequenceNumber>", "contact": <$.data>}'
"""What the target gets for each record.

Text stands in quotes, JSON does not (docs/fidelity.md). `<$.data>` is taken whole, since a path to a single field
would make a field that is null or missing a matter of the template.
"""
