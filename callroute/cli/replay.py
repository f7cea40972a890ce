"""`callroute replay`: contact records from files through the whole local chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from callroute.cli import output
from callroute.cli.contact_record_files import read_all_files


def replay(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…",
            help="Contact records as JSON, JSON arrays or JSON Lines, or Kinesis or Pipes events; - is standard input.",
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
) -> None:
    """Put contact records on the stream of the local cloud, and print the items that they become.

    Nothing is put on the stream unless every file can be used.
    """
    records = read_all_files(files)
    with output.local_cloud() as cloud:
        with output.err.status(f"{len(records):,} records through stream, pipe and state machine …"):
            cloud.put(records)
            tally = cloud.settle()
        items = output.items_of(cloud)
        quarantined = cloud.quarantined()
    if as_json:
        output.print_json(
            {
                "items": items,
                "stored": tally.stored,
                "not_ours": tally.filtered,
                "quarantined": tally.quarantined,
                "dead_lettered": tally.dead_lettered,
            }
        )
    else:
        output.print_items(items)
    output.report(tally, quarantined)
    if not tally.clean:
        raise typer.Exit(output.FINDINGS)
