"""Sources of call records for `callroute report` and `callroute whatif`: tables, the local cloud and files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from callroute.cli import output
from callroute.cli.input_files import files_in
from callroute.errors import InputError
from callroute.flows.load import STANDARD_INPUT
from callroute.reports.report import Span

if TYPE_CHECKING:
    from callroute.reports.call_database import CallDatabase

DEFAULT_DAYS = 7
DEFAULT_TIME_ZONE = "Asia/Tokyo"
YEARS = (2000, 2099)
"""Years of call records (docs/record.md)."""
INPUT_SUFFIXES = (".jsonl", ".gz")
"""Suffixes of the files to read from folders. DynamoDB exports contain .json.gz files; their manifests are .json files."""


class Day(click.ParamType[date]):
    """A date in the form YYYY-MM-DD."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Parses the option's value as a date."""
        try:
            day = datetime.strptime(value, "%Y-%m-%d").date()
        except ValueError:
            self.fail(f"{value!r} is not a date. Use YYYY-MM-DD.", param, ctx)
        if not YEARS[0] < day.year <= YEARS[1]:
            self.fail(
                f"{value!r} is outside the years {YEARS[0] + 1} to {YEARS[1]}. Fix the year.", param, ctx
            )
        return day


SOURCE_OPTIONS = (
    click.option("--stack", metavar="NAME", help="Read the table of a deployed stack."),
    click.option("--table", metavar="NAME", help="Read the table with this name."),
    click.option(
        "--region", metavar="REGION", help="AWS region of --table. By default, the environment's region."
    ),
    click.option("--local", is_flag=True, help="Read the table of a running `callroute serve`."),
    click.option(
        "--from", "first", metavar="DATE", type=Day(), help="First day. By default, 6 days before --to."
    ),
    click.option(
        "--to", "last", metavar="DATE", type=Day(), help="Last day, inclusive. By default, yesterday."
    ),
    click.option(
        "--time-zone",
        metavar="ZONE",
        help="Time zone of the stack. By default, the stack's; for --table and files, Asia/Tokyo.",
    ),
)


@dataclass(frozen=True)
class SourceOptions:
    """Values of the options that select call records.

    Attributes:
        stack: name of a deployed stack.
        table: name of a table.
        region: AWS region of the table.
        local: whether to read the table of a running `callroute serve`.
        first: first day, or None for the default.
        last: last day, or None for the default.
        time_zone: time zone of the stack, or None for the default.
    """

    stack: str | None
    table: str | None
    region: str | None
    local: bool
    first: date | None
    last: date | None
    time_zone: str | None


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that select call records, and passes their values to the command as `options`."""

    @wraps(function)
    def command(**values: Any) -> Any:
        chosen = SourceOptions(**{each.name: values.pop(each.name) for each in fields(SourceOptions)})
        return function(**values, options=chosen)

    for option in reversed(SOURCE_OPTIONS):
        command = option(command)
    return command


def span_of(first: date | None, last: date | None, time_zone: str) -> Span:
    """Returns the days to report on: the given ones, or the last 7 whole days.

    Raises:
        InputError: the first day is after the last one, or the time zone is unknown.
    """
    yesterday = today_in(time_zone) - timedelta(1)
    last = last or max(yesterday, first or yesterday)
    first = first or last - timedelta(DEFAULT_DAYS - 1)
    if first > last:
        raise InputError("--from", "", f"{first} is after --to {last}", "Pass the earlier date as --from")
    return Span(first, last)


def today_in(time_zone: str) -> date:
    """Returns the current date in a time zone.

    Raises:
        InputError: the time zone is unknown.
    """
    try:
        return datetime.now(ZoneInfo(time_zone)).date()
    except (ValueError, LookupError, OSError) as error:
        fix = "Use an IANA time zone, for example Asia/Tokyo"
        raise InputError("--time-zone", "", f"{time_zone!r} is not a time zone", fix) from error


@dataclass(frozen=True)
class Source:
    """A source of call records."""

    name: str
    time_zone: str
    load: Callable[[CallDatabase], None]
    """Loads the records that the database requests."""


def choose_source(
    command: str,
    files: Sequence[Path],
    options: SourceOptions,
    project: Path | None,
) -> Source:
    """Returns the source named by the arguments.

    Args:
        command: name of the command, for messages.
        files: files or folders of call records.
        options: the options.
        project: folder of the project, or None.

    Raises:
        InputError: not exactly one source is given, or it is not available.
    """
    from callroute.cli.stacks import aws_clients, choose_stack

    table, region = options.table, options.region
    if sum((bool(files), options.stack is not None, table is not None, options.local)) != 1:
        files_option = "files" if command == "report" else "--items FILE"
        fix = f"Pass {files_option}, --stack NAME, --table NAME or --local"
        raise InputError(f"callroute {command}", "", "needs exactly one source of call records", fix)
    if region is not None and table is None:
        raise InputError("--region", "", "requires --table", "Remove it, or add --table")
    if files:
        return files_source(files, options.time_zone or DEFAULT_TIME_ZONE)
    if table is not None:
        zone = options.time_zone or DEFAULT_TIME_ZONE
        return table_source(f"table {table}", table, lambda: aws_clients(region)("dynamodb"), zone)
    found = choose_stack(options.stack, options.local, project)
    return table_source(
        f"stack {found.name}",
        found.output("tableName"),
        lambda: found.client("dynamodb"),
        options.time_zone or found.output("timeZone"),
    )


def table_source(name: str, table: str, dynamodb: Callable[[], Any], time_zone: str) -> Source:
    """Returns a table as a source. Only the days of the report are read."""
    from botocore.exceptions import BotoCoreError

    from callroute.reports.call_database import TABLE_ATTRIBUTES
    from callroute.reports.call_records import read_days, unreadable

    def load(calls: CallDatabase) -> None:
        needed = calls.needed
        days = list(Span(needed.first, max(calls.span.last, min(needed.last, today_in(time_zone)))))
        try:
            client = dynamodb()
        except BotoCoreError as error:
            raise unreadable(f"table {table}", error) from error
        with output.progress_bar(f"Reading {table}", len(days)) as day_read:
            skipped = calls.load_items(read_days(client, table, days, TABLE_ATTRIBUTES, day_read))
        if skipped:
            output.note(f"note: table items left out because they are not call records: {skipped:,}")

    return Source(name, time_zone, load)


def files_source(paths: Sequence[Path], time_zone: str) -> Source:
    """Returns files as a source."""
    found = [path for path, _ in files_in(paths, INPUT_SUFFIXES)]

    def load(calls: CallDatabase) -> None:
        names = {path: str(path) for path in found}
        if STANDARD_INPUT in names:
            copy = calls.folder / "standard-input"
            with copy.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            names = {copy if path == STANDARD_INPUT else path: name for path, name in names.items()}
            names[copy] = "standard input"
        with output.progress(f"Reading {output.counted(len(found), 'file')} …"):
            calls.load(names)

    return Source(
        ", ".join("standard input" if path == STANDARD_INPUT else str(path) for path in paths),
        time_zone,
        load,
    )
