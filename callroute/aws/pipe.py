"""Builds the pipe's filter and input template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BATCH_BYTES = 262_144
"""Maximum size of a batch as the target receives it, in UTF-8 bytes (docs/fidelity.md)."""

INITIATION_METHODS = (
    "INBOUND",
    "WEBRTC_API",
    "OUTBOUND",
    "EXTERNAL_OUTBOUND",
    "CALLBACK",
    "API",
    "FLOW",
    "AGENT_REPLY",
)
"""Initiation methods of contacts that can be tracked. Source: DescribeContact, Amazon Connect API Reference."""

CONTINUED_CALLS = ("TRANSFER", "QUEUE_TRANSFER", "DISCONNECT")
"""Initiation methods of contacts that continue another contact. They inherit its attributes and would count a call twice."""

TRACKED_METHODS = ("INBOUND", "WEBRTC_API")
"""Initiation methods that are tracked by default: telephone calls, and calls from apps and websites."""


def filter_pattern(initiation_methods: Sequence[str] = TRACKED_METHODS) -> dict[str, Any]:
    """Returns a pattern that selects voice contacts with a route.

    It excludes other channels, other flows, agent events, contacts that continue another contact, and simulated
    contacts from Connect's flow tests.

    Args:
        initiation_methods: the tracked initiation methods.
    """
    return {
        "data": {
            "Channel": ["VOICE"],
            "InitiationMethod": list(initiation_methods),
            "Attributes": {"call_route": [{"exists": True}]},
            # `exists` inspects scalars only (docs/fidelity.md).
            "SegmentAttributes": {"connect:ValidationTestType": {"ValueString": [{"exists": False}]}},
        }
    }


INPUT_TEMPLATE = '{"event_id": "<$.eventID>", "sequence_number": "<$.sequenceNumber>", "contact": <$.data>}'
"""The state machine's input for each record.

Placeholders for text are quoted; placeholders for JSON are not (docs/fidelity.md). `<$.data>` passes the whole contact
record, so the template does not depend on fields that can be null or missing.
"""
