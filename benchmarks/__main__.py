"""Runs all measurements and prints each result next to its goal (`make bench`)."""

from __future__ import annotations

import platform
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

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


def main() -> None:
    """Runs all suites."""
    console = Console(width=150)
    table = Table(
        "measurement",
        "result",
        "goal",
        "method",
        title=f"Python {platform.python_version()}",
        title_justify="left",
    )
    for name, measure in SUITES:
        with console.status(f"{name} …"):
            for each in measure():
                style = "" if each.met is None else "green" if each.met else "red"
                table.add_row(each.name, each.value, each.goal, each.method, style=style)
    console.print(table)


main()
