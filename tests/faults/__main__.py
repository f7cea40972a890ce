"""Plays the campaign and prints the result of each fault: `make faults`."""

from __future__ import annotations

import argparse
import secrets
import sys

from rich.console import Console
from rich.table import Table

from tests.faults.campaign import Result, run

CONTACTS = 100_000
COLUMNS = ("contacts", "stored", "filtered", "expired", "quarantined", "dead_lettered", "lost", "wrong")
EXTRA_COLUMNS = ("records", "redriven", "restarts")


def main() -> None:
    """Runs the campaign. Exits with 1 if a contact is lost or wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--contacts", type=int, default=CONTACTS, help=f"default: {CONTACTS:,}")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(1_000_000), help="to repeat a campaign; default: random"
    )
    arguments = parser.parse_args()
    console = Console(width=170)
    console.print(f"{arguments.contacts:,} contacts, seed {arguments.seed}")

    def show(result: Result) -> None:
        own, pipe = result.megabytes[-1]
        console.print(_table(result))
        console.print(
            f"{result.total('contacts'):,} contacts in {result.seconds:,.0f} s; "
            f"memory of this process {own:.0f} MB and of the pipe {pipe:.0f} MB"
        )

    result = run(arguments.contacts, arguments.seed, show)
    for row in result.rows:
        for problem in row.problems:
            console.print(f"{row.fault}: {problem}", style="red", markup=False)
    sys.exit(1 if result.total("lost") + result.total("wrong") else 0)


def _table(result: Result) -> Table:
    names = [*COLUMNS, *EXTRA_COLUMNS]
    table = Table("fault", *(name.replace("_", "-") for name in names), title=f"Seed {result.seed}")
    for row in result.rows:
        table.add_row(row.fault, *(f"{row.counts[name]:,}" for name in names))
    table.add_row("all", *(f"{result.total(name):,}" for name in names), style="bold")
    return table


main()
