"""Code shared by the commands that use the local cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from callroute.cli import output
from callroute.cli.output import Column
from callroute.local.cloud import DeliveryCounts, LocalCloud
from callroute.local.stack_config import tracker_options
from callroute.reports.call_records import read_all


@contextmanager
def started(project: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Iterator[LocalCloud]:
    """Runs the local cloud with a project's stack.

    Args:
        project: folder of the project; by default, the project that contains the current folder.
        overrides: configuration values that override the stack's.
    """
    if find_spec("ministack") is None:  # imported only in the emulator's process
        raise ModuleNotFoundError(name="ministack")
    with ExitStack() as running:
        with output.progress("Starting the local cloud …"):
            cloud = running.enter_context(LocalCloud(overrides, project=project, validate=tracker_options))
        yield cloud


def items_of(cloud: LocalCloud) -> list[dict[str, Any]]:
    """Returns all items of the table, sorted by contact_id."""
    return read_all(cloud.emulator.client("dynamodb"), cloud.table_name)


def write_item(item: Mapping[str, Any]) -> None:
    """Writes one item, with one attribute per line."""
    output.write_table([Column(style="bold"), Column()], [(name, str(value)) for name, value in item.items()])


def write_items(items: Sequence[Mapping[str, Any]], limit: int | None = None) -> None:
    """Writes the main attributes of items, one item per line. `--json` writes all attributes.

    Args:
        items: the items.
        limit: number of items to write.
    """
    columns = [
        Column("start", narrow=10),
        Column("seconds", right=True, narrow=7),
        Column("call_route"),
        Column("outcome", narrow=10),
        Column("phone_number", narrow=7),
        Column("contact_id", narrow=8),
    ]
    rows = [
        (
            item["start_time"][:19].replace("T", " "),
            str(item.get("duration_seconds", "")),
            item["call_route"],
            item["outcome"],
            item.get("phone_number", ""),
            item["contact_id"].partition("-")[0],
        )
        for item in sorted(items, key=lambda item: str(item["start_time"]))[:limit]
    ]
    output.write_table(columns, rows)
    if limit is not None and len(items) > limit:
        output.write((f"… and {len(items) - limit:,} more", "dim"))


def write_deliveries(counts: DeliveryCounts, quarantined: Sequence[Mapping[str, Any]] = ()) -> None:
    """Writes to standard error how many records were stored, and why others were quarantined.

    Does not write the quarantined records, because they contain personal data.
    """
    text = (
        f"{counts.stored} stored, {counts.filtered} filtered out, {counts.expired} expired, "
        f"{counts.quarantined} quarantined, {counts.dead_lettered} dead-lettered"
    )
    if counts.clean:
        output.note(text)
    else:
        output.error(text)
    for message in quarantined:
        output.error(f"record {message['event_id']} was quarantined: {message['reason']}")
