"""Implements `callroute report`, which shows where callers gave up."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from callroute.cli import output
from callroute.cli.input_files import files_in
from callroute.cli.parameters import FILE, format_of, general_options, project_option
from callroute.cli.report_text import write_report
from callroute.errors import InputError
from callroute.flows.load import STANDARD_INPUT, load_flow
from callroute.flows.route_catalog import SUFFIX
from callroute.formats.files import write_text
from callroute.reports.report import Language, ReportedFlow, Span

if TYPE_CHECKING:
    from callroute.reports.call_database import CallDatabase
    from callroute.reports.report import Report

DEFAULT_DAYS = 7
DEFAULT_TIME_ZONE = "Asia/Tokyo"
YEARS = (2000, 2099)
"""Years of call records (docs/record.md)."""
FORMATS = {".csv": "csv", ".html": "html", ".json": "json"}
"""Formats that --output can write, by suffix."""
INPUT_SUFFIXES = (".jsonl", ".gz")
"""Suffixes of the files to read from folders. DynamoDB exports contain .json.gz files; their manifests are .json files."""


class Day(click.ParamType[date]):
    """A date in the form YYYY-MM-DD."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Converts an option's text."""
        try:
            day = datetime.strptime(value, "%Y-%m-%d").date()
        except ValueError:
            self.fail(f"{value!r} is not a date. Use YYYY-MM-DD.", param, ctx)
        if not YEARS[0] < day.year <= YEARS[1]:
            self.fail(
                f"{value!r} is outside the years {YEARS[0] + 1} to {YEARS[1]}. Fix the year.", param, ctx
            )
        return day


@click.command
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    type=FILE,
    help="Files of call records: JSON lines or a DynamoDB export; folders of such files; or - for standard input.",
)
@click.option("--stack", metavar="NAME", help="Read the table of a deployed stack.")
@click.option("--table", metavar="NAME", help="Read the table with this name.")
@click.option(
    "--region", metavar="REGION", help="AWS region of --table. By default, the environment's region."
)
@click.option("--local", is_flag=True, help="Read the table of a running `callroute serve`.")
@click.option(
    "--from", "first", metavar="DATE", type=Day(), help="First day. By default, 6 days before --to."
)
@click.option("--to", "last", metavar="DATE", type=Day(), help="Last day, inclusive. By default, yesterday.")
@click.option(
    "--time-zone",
    metavar="ZONE",
    help="Time zone of the stack. By default, the stack's; for --table and files, Asia/Tokyo.",
)
@click.option(
    "--flow",
    "flow_files",
    metavar="FLOW",
    multiple=True,
    type=FILE,
    help="Flow with a route catalog beside it, for labels and the tree of stops. Can be repeated. By default, the project's.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", *FORMATS.values()]),
    help="Overrides the suffix of --output. Without either, text.",
)
@click.option(
    "--lang", "language", type=click.Choice(["en", "ja"]), default="en", help="Language of the report."
)
@click.option("--output", "-o", "out", metavar="FILE", type=FILE, help="Write the report to this file.")
@project_option
@general_options
def report(
    files: tuple[Path, ...],
    stack: str | None,
    table: str | None,
    region: str | None,
    local: bool,
    first: date | None,
    last: date | None,
    time_zone: str | None,
    flow_files: tuple[Path, ...],
    output_format: str | None,
    language: Language,
    out: Path | None,
    project: Path | None,
) -> None:
    """Show where callers gave up, and how that changed.

    Reads call records from a table, from the local cloud, or from files, and compares them with the preceding
    period of the same length. Phone numbers are used only to count repeat callers and do not appear in the
    report. docs/report.md explains every figure.
    """
    if output_format is None:
        output_format = format_of(out, FORMATS) if out else "text"
    elif out and output_format == "text":
        raise InputError(
            "--output", "", "text is only printed", f"Choose one of {', '.join(FORMATS.values())}"
        )
    source = choose_source(files, stack, table, region, local, time_zone, project)
    span = span_of(first, last, source.time_zone)
    flows = load_flows(flow_files, project)

    from callroute.reports.build import build
    from callroute.reports.call_database import CallDatabase

    with CallDatabase(span) as calls:
        source.load(calls)
        built = build(calls, flows, time_zone=source.time_zone, source=source.name)
    if output_format == "text":
        write_report(built, language)
    elif out:
        write_text(out, rendered(built, output_format, language))
    else:
        output.write_document(rendered(built, output_format, language))


def rendered(report: Report, output_format: str, language: Language) -> str:
    """Returns the report as a document."""
    from callroute.reports.documents import as_csv, as_json

    if output_format == "csv":
        return as_csv(report, language)
    if output_format == "html":
        from callroute.reports.html import write_html

        return write_html(report, language)
    return output.json_text(as_json(report, language)) + "\n"


def span_of(first: date | None, last: date | None, time_zone: str) -> Span:
    """Returns the days of the report: those given, or the last 7 whole days.

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


def load_flows(paths: Sequence[Path], project: Path | None) -> list[ReportedFlow]:
    """Loads flows with their route catalogs.

    Args:
        paths: flow files. If empty, all flows of the project whose catalog has routes, or none outside a
            project.
        project: folder of the project.

    Raises:
        InputError: a file is invalid, or two flows have the same call_flow.
    """
    flows: dict[str | None, ReportedFlow] = {}
    for path in paths or flows_of_project(project):
        loaded = load_flow(path, lenient=True)
        if not paths and loaded.catalog and not loaded.catalog.routes:
            continue
        call_flow = loaded.catalog.call_flow if loaded.catalog else None
        if call_flow in flows:
            has = f"call_flow {call_flow!r}" if call_flow else "no call_flow"
            problem = f"has {has}, like {flows[call_flow].name}, so their calls cannot be distinguished"
            raise InputError(str(path), "", problem, "Name the flow of these calls with --flow")
        flows[call_flow] = ReportedFlow(call_flow, path.stem, loaded.catalog, loaded.flow)
    return list(flows.values())


def flows_of_project(project: Path | None) -> list[Path]:
    """Returns the flow files of a project that have a route catalog."""
    from callroute.local.stack_config import find_project

    if project is None:
        try:
            project = find_project()
        except InputError:
            return []
    catalogs = sorted((project / "flow_definitions").glob(f"*{SUFFIX}"))
    flows = (each.with_name(each.name.removesuffix(SUFFIX) + ".json") for each in catalogs)
    return [flow for flow in flows if flow.is_file()]


# --- Sources ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """A source of call records."""

    name: str
    time_zone: str
    load: Callable[[CallDatabase], None]
    """Loads the records that the database requests."""


def choose_source(
    files: Sequence[Path],
    stack: str | None,
    table: str | None,
    region: str | None,
    local: bool,
    time_zone: str | None,
    project: Path | None,
) -> Source:
    """Returns the source that the arguments name.

    Raises:
        InputError: not exactly one source is given, or it is not available.
    """
    from callroute.cli.stacks import aws_clients, choose_stack

    if sum((bool(files), stack is not None, table is not None, local)) != 1:
        fix = "Pass files, --stack NAME, --table NAME or --local"
        raise InputError("callroute report", "", "needs exactly one source of call records", fix)
    if region is not None and table is None:
        raise InputError("--region", "", "requires --table", "Remove it, or add --table")
    if files:
        return files_source(files, time_zone or DEFAULT_TIME_ZONE)
    if table is not None:
        zone = time_zone or DEFAULT_TIME_ZONE
        return table_source(f"table {table}", table, lambda: aws_clients(region)("dynamodb"), zone)
    found = choose_stack(stack, local, project)
    return table_source(
        f"stack {found.name}",
        found.output("tableName"),
        lambda: found.client("dynamodb"),
        time_zone or found.output("timeZone"),
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
            output.note(f"note: {output.counted(skipped, 'item')} in the table left out: not a call record")

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
