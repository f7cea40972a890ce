"""Implements `callroute report`, which shows where callers gave up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callroute.cli import output
from callroute.cli.call_sources import SourceOptions, choose_source, source_options, span_of
from callroute.cli.parameters import FILE, format_of, general_options, project_option
from callroute.cli.report_text import write_report
from callroute.errors import InputError
from callroute.flows.load import load_flow
from callroute.flows.route_catalog import SUFFIX
from callroute.formats.files import write_text
from callroute.reports.report import Language, ReportedFlow

if TYPE_CHECKING:
    from callroute.reports.documents import Rows
    from callroute.reports.report import Report

FORMATS = {".csv": "csv", ".html": "html", ".json": "json"}
"""Formats that --output can write, by suffix."""


@click.command
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    type=FILE,
    help="Files of call records: JSON lines or a DynamoDB export; folders of such files; or - for standard input.",
)
@source_options
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
    "--rows",
    type=click.Choice(["stops", "versions", "arms"]),
    help="Content of a CSV file: stops with their waterfall, versions of the flows, or arms of experiments. By default, stops.",
)
@click.option(
    "--lang", "language", type=click.Choice(["en", "ja"]), default="en", help="Language of the report."
)
@click.option("--output", "-o", "out", metavar="FILE", type=FILE, help="Write the report to this file.")
@project_option
@general_options
def report(
    files: tuple[Path, ...],
    options: SourceOptions,
    flow_files: tuple[Path, ...],
    output_format: str | None,
    rows: Rows | None,
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
    if rows is not None and output_format != "csv":
        raise InputError("--rows", "", f"the format is {output_format}", "Remove it, or add --format csv")
    source = choose_source("report", files, options, project)
    span = span_of(options.first, options.last, source.time_zone)
    flows = load_flows(flow_files, project)

    from callroute.reports.build import build
    from callroute.reports.call_database import CallDatabase

    with CallDatabase(span) as calls:
        source.load(calls)
        built = build(calls, flows, time_zone=source.time_zone, source=source.name)
    if output_format == "text":
        write_report(built, language)
    elif out:
        write_text(out, rendered(built, output_format, language, rows or "stops"))
    else:
        output.write_document(rendered(built, output_format, language, rows or "stops"))


def rendered(report: Report, output_format: str, language: Language, rows: Rows) -> str:
    """Returns the report as a document, or the given rows of it as CSV."""
    from callroute.reports.documents import as_csv, as_json

    if output_format == "csv":
        return as_csv(report, language, rows)
    if output_format == "html":
        from callroute.reports.html import write_html

        return write_html(report, language)
    return output.json_text(as_json(report, language)) + "\n"


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
