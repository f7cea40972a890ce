"""Runs all measurements and prints the table for docs/benchmarks.md (`make bench`)."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence

from rich.console import Console

from benchmarks import costs, flows, pipeline, policy, reports, start_up
from benchmarks.measurement import Measurement

SUITES: tuple[tuple[str, Callable[[], list[Measurement]]], ...] = (
    ("start-up", start_up.measure),
    ("flows", flows.measure),
    ("pipeline", pipeline.measure),
    ("policy pack", policy.measure),
    ("reports", reports.measure),
    ("costs", costs.measure),
)


HEADINGS = ("measurement", "ratio", "result", "goal", "method")


def main() -> None:
    """Runs all suites. Prints the table for docs/benchmarks.md and the goals that are not met."""
    progress = Console(stderr=True)
    results: list[Measurement] = []
    for name, measure in SUITES:
        with progress.status(f"{name} …"):
            results += measure()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n")
    print(row(HEADINGS))
    print(row(["---"] * len(HEADINGS)))
    for each in results:
        print(row([each.name, each.ratio, each.value, each.goal, each.method]))
    for each in results:
        if each.met is False:
            progress.print(f"[red]goal not met:[/] {each.name}: {each.value}, goal {each.goal}")


def row(cells: Sequence[str]) -> str:
    """Returns a row of a Markdown table."""
    return f"| {' | '.join(cell or '–' for cell in cells)} |"


if __name__ == "__main__":
    main()
