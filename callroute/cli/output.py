"""What the commands share in talking to people: progress, tables, words for what became of records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from callroute.local.cloud import DeliveryCounts, LocalCloud
from callroute.reports.call_records import read_all

FINDINGS = 1
"""Exit code where records were quarantined or dead-lettered."""

PIPED_WIDTH = 120
"""Columns where the output goes into a file or another program, which wrap nothing."""

out = Console(highlight=False, markup=False)
if not out.is_terminal:
    out = Console(highlight=False, markup=False, width=PIPED_WIDTH)
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def local_cloud(overrides: Mapping[str, Any] | None = None) -> Iterator[LocalCloud]:
    """The local cloud, with a sign of life while it starts."""
    with err.status("Starting the local cloud …") as status, LocalCloud(overrides) as cloud:
        status.stop()
        yield cloud


def items_of(cloud: LocalCloud) -> list[dict[str, Any]]:
    """Every call record of the local cloud, sorted by contact_id."""
    return read_all(cloud.emulator.client("dynamodb"), cloud.table_name)


def counted(number: int, name: str) -> str:
    """A number of things: `1 stop`, `2 stops`."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def print_json(document: Any) -> None:
    """The one JSON document of a command with --json."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def print_item(item: Mapping[str, Any]) -> None:
    """One call record, an attribute a line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in item.items():
        table.add_row(name, str(value))
    out.print(table)


def print_items(items: Sequence[Mapping[str, Any]], at_most: int | None = None) -> None:
    """Call records, a line each, with what a screen has room for; `--json` gives them whole."""
    table = Table(box=None, pad_edge=False)
    for name in ("start", "seconds", "call_route", "outcome", "phone number", "contact"):
        table.add_column(name, justify="right" if name == "seconds" else "left", no_wrap=True)
    for item in sorted(items, key=lambda item: str(item["start_time"]))[:at_most]:
        table.add_row(
            item["start_time"][:19].replace("T", " "),
            str(item.get("duration_seconds", "")),
            item["call_route"],
            item["outcome"],
            item.get("phone_number", ""),
            item["contact_id"].partition("-")[0],
        )
    out.print(table)
    if at_most is not None and len(items) > at_most:
        out.print(f"… and {len(items) - at_most:,} more", style="dim")


def report(tally: DeliveryCounts, quarantined: Sequence[Mapping[str, Any]] = ()) -> None:
    """On standard error: what became of the records, and why some were quarantined (without what they held)."""
    err.print(
        f"stored {tally.stored} · not ours {tally.filtered} · "
        f"quarantined {tally.quarantined} · dead-lettered {tally.dead_lettered}"
    )
    for message in quarantined:
        err.print(f"quarantined: record {message['event_id']}: {message['reason']}", markup=False)
