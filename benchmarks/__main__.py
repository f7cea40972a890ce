"""`make bench`: measures each number that the project holds itself to, and prints it beside its goal."""

from __future__ import annotations

import platform
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from benchmarks import costs, flows, pipeline, policy, start_up
from benchmarks.measurement import Measurement

SUITES: tuple[tuple[str, Callable[[], list[Measurement]]], ...] = (
    ("start-up", start_up.measure),
    ("flows", flows.measure),
    ("pipeline", pipeline.measure),
    ("policy pack", policy.measure),
    ("costs", costs.measure),
)


def main() -> None:
    """Runs every suite."""
    console = Console(width=150)
    table = Table(
        "what", "measured", "goal", "how", title=f"Python {platform.python_version()}", title_justify="left"
    )
    for name, measure in SUITES:
        with console.status(f"{name} …"):
            for measurement in measure():
                style = "" if measurement.holds is None else "green" if measurement.holds else "red"
                table.add_row(
                    measurement.what, measurement.value, measurement.goal, measurement.how, style=style
                )
    console.print(table)


main()
