"""Implements `callroute replay`, which sends contact records through the local cloud."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from callroute.cli import local_cloud, output
from callroute.cli.exit_codes import FINDINGS
from callroute.cli.input_files import files_in
from callroute.cli.parameters import FILE, general_options, json_option, project_option
from callroute.local.contact_record_files import read_all_files

SUFFIXES = (".json", ".jsonl", ".ndjson")

if TYPE_CHECKING:
    from callroute.local.pipe import HandledRecord


@click.command
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=FILE,
    help="Files with contact records, folders, or - for standard input. A file contains a JSON object, a JSON array, "
    "JSON Lines, or a Kinesis or EventBridge Pipes event.",
)
@project_option
@json_option
@general_options
def replay(files: tuple[Path, ...], project: Path | None, as_json: bool) -> None:
    """Send contact records through the local cloud and print the stored items.

    In folders and their subfolders, all .json, .jsonl and .ndjson files are read. Nothing is sent unless every file can be
    used.

    Exit code: 0 if no record was quarantined or dead-lettered, 1 if one was, 2 if a file cannot be used, 3 if the local
    cloud failed.
    """
    records = read_all_files(file for file, _ in files_in(files, SUFFIXES))
    with local_cloud.started(project) as cloud:
        with output.progress(f"Processing {output.counted(len(records), 'record')} …"):
            cloud.put(records)
            filtered: Counter[str] = Counter()

            def count_filtered(handled: HandledRecord) -> None:
                if handled.outcome == "filtered":
                    filtered[cloud.pipe.filter_reason(handled.record)] += 1

            counts = cloud.settle(count_filtered)
        items = local_cloud.items_of(cloud)
        quarantined = cloud.quarantined()
    if as_json:
        output.write_json(
            {
                "items": items,
                "stored": counts.stored,
                "not_ours": counts.filtered,
                "expired": counts.expired,
                "quarantined": counts.quarantined,
                "dead_lettered": counts.dead_lettered,
            }
        )
    else:
        local_cloud.write_items(items)
    local_cloud.write_deliveries(counts, quarantined)
    for reason, number in filtered.most_common():
        output.note(f"{output.counted(number, 'record')} filtered out: {reason}")
    if not counts.clean:
        raise Exit(FINDINGS)
