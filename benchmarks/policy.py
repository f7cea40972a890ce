"""How long the policy pack makes a preview wait."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.measurement import Measurement, seconds
from tests.policies.pack import Pack
from tests.policies.stacks import recorded

RUNS = 5
STACK = "prod"


def measure() -> list[Measurement]:
    """The pack's process as Pulumi's engine runs it: until it answers, and from the first resource to the last word."""
    stack = recorded(STACK)
    starting, first, judging = [], [], []
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
            judging.append(time.perf_counter() - begin)
    how = f"median of {RUNS}, stack {STACK}, {len(stack)} resources"
    return [
        Measurement("policy pack started", f"{median(starting):.2f} s", how=f"median of {RUNS}"),
        seconds("policy pack: a stack analysed after start-up", median(first), at_most=2, how=how),
        seconds(
            "policy pack: the same stack again (preview, then update)", median(judging), at_most=2, how=how
        ),
    ]
