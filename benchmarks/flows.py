"""Measures how long it takes to check and simulate a flow of 250 blocks."""

from __future__ import annotations

import json
import time
from datetime import datetime
from statistics import median
from typing import Any

from benchmarks.measurement import Measurement, ratio, seconds
from callroute.flows.flow import Flow
from callroute.flows.lint import check
from callroute.flows.simulation import KeyedCaller, SimulatedClock, run_simulation

BLOCKS = 250
CALLS = 10_000
RUNS = 10
START = datetime.fromisoformat("2026-04-01T10:00:00+09:00")


def measure() -> list[Measurement]:
    """Measures checking the flow, and simulating calls through part of it and through all of it."""
    text = json.dumps(_menus(BLOCKS))
    flow = Flow.parse(text, "250 blocks")
    menus = sum(block.type == "GetParticipantInput" for block in flow.blocks.values())
    return [_checking(text), _simulating(flow, 10), _simulating(flow, menus)]


def _checking(text: str) -> Measurement:
    checking, parsing = [], []
    for _ in range(RUNS):
        start = time.perf_counter()
        json.loads(text)
        middle = time.perf_counter()
        check(Flow.parse_lenient(text, "250 blocks"))
        parsing.append(middle - start)
        checking.append(time.perf_counter() - middle)
    return Measurement(
        f"parse and check a flow of {BLOCKS} blocks",
        f"{median(checking) * 1000:.0f} ms",
        "at most 50 ms",
        median(checking) <= 0.05,
        f"median of {RUNS}, all rules; json.loads takes {median(parsing) * 1000:.1f} ms",
        ratio(median(checking), median(parsing), "json.loads"),
    )


def _simulating(flow: Flow, menus: int) -> Measurement:
    keys = ["1"] * menus
    start = time.perf_counter()
    for _ in range(CALLS):
        events, _ = run_simulation(flow, KeyedCaller(keys), clock=SimulatedClock(START))
    elapsed = time.perf_counter() - start
    name = f"simulate {CALLS:,} calls of this flow, {menus} menus each"
    return seconds(name, elapsed, at_most=5, method=f"{len(events)} events per call")


def _menus(blocks: int) -> dict[str, Any]:
    """Returns a flow that is a chain of menus, each followed by a block that sets the route."""
    actions: list[dict[str, Any]] = []
    count = (blocks - 2) // 2
    for number in range(count):
        menu, route, after = (
            f"menu-{number}",
            f"route-{number}",
            f"menu-{number + 1}" if number + 1 < count else "closing",
        )
        errors = ("InputTimeLimitExceeded", "NoMatchingCondition", "NoMatchingError")
        actions += [
            {
                "Identifier": menu,
                "Type": "GetParticipantInput",
                "Parameters": {"Text": "Press 1.", "StoreInput": "False", "InputTimeLimitSeconds": "5"},
                "Transitions": {
                    "NextAction": menu,
                    "Conditions": [
                        {"NextAction": route, "Condition": {"Operator": "Equals", "Operands": ["1"]}}
                    ],
                    "Errors": [{"NextAction": "end", "ErrorType": error} for error in errors],
                },
            },
            {
                "Identifier": route,
                "Type": "UpdateContactAttributes",
                "Parameters": {"Attributes": {"call_route": str(number)}, "TargetContact": "Current"},
                "Transitions": {
                    "NextAction": after,
                    "Errors": [{"NextAction": after, "ErrorType": "NoMatchingError"}],
                },
            },
        ]
    actions += [
        {
            "Identifier": "closing",
            "Type": "MessageParticipant",
            "Parameters": {"Text": "Goodbye."},
            "Transitions": {
                "NextAction": "end",
                "Errors": [{"NextAction": "end", "ErrorType": "NoMatchingError"}],
            },
        },
        {"Identifier": "end", "Type": "DisconnectParticipant", "Parameters": {}, "Transitions": {}},
    ]
    return {"Version": "2019-10-30", "StartAction": "menu-0", "Actions": actions}
