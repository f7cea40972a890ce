"""Measures how much time the policy pack adds to a preview."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.measurement import Measurement, seconds
from tests.policies.pack import Pack
from tests.policies.stacks import recorded

RUNS = 5
STACK = "prod"


def measure() -> list[Measurement]:
    """Measures starting the pack's process and analyzing a stack, as Pulumi's engine does."""
    stack = recorded(STACK)
    starting, first, second = [], [], []
    for _ in range(RUNS):
        begin = time.perf_counter()
        with Pack() as pack:
            pack.info()
            starting.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            pack.analyze(stack)
            first.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            pack.analyze(stack)
            second.append(time.perf_counter() - begin)
    method = f"median of {RUNS}, stack {STACK}, {len(stack)} resources"
    return [
        Measurement("policy pack started", f"{median(starting):.2f} s", method=f"median of {RUNS}"),
        seconds("policy pack: first analysis of a stack", median(first), at_most=2, method=method),
        seconds("policy pack: second analysis of the stack", median(second), at_most=2, method=method),
    ]
