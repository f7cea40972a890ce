"""Implements `callroute track`, which adds drop-off tracking to a flow."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

import click
from click.exceptions import Exit

from callroute.cli import output
from callroute.cli.catalog_files import save_catalog
from callroute.cli.exit_codes import UNUSABLE_INPUT
from callroute.cli.input_files import files_in, load
from callroute.cli.parameters import FILE, flow_argument, format_of, general_options, type_option
from callroute.errors import InputError
from callroute.flows import diagrams
from callroute.flows.attribute_flow import analyze
from callroute.flows.flow import Flow, is_readable
from callroute.flows.lint import RULES, check
from callroute.flows.load import STANDARD_INPUT, LoadedFlow, may_be_flow
from callroute.flows.route_catalog import SUFFIX, RouteCatalog
from callroute.flows.tracking import (
    ATTRIBUTE_BYTES,
    Detail,
    RouteName,
    RouteNames,
    TrackedFlow,
    add_tracking,
    route_line,
)
from callroute.flows.tracking_blocks import strip_tracking
from callroute.formats.files import read_text, write_text

MAX_RUNS = 5
"""Maximum number of runs until --resolve gives a stable flow."""


@click.command
@flow_argument
@click.option(
    "--routes", metavar="FILE", type=FILE, help="YAML file with names for routes (docs/tracking.md)."
)
@click.option(
    "--output",
    "-o",
    "out",
    metavar="FILE",
    type=FILE,
    help="Write the tracked flow to this file, and its route catalog beside it. FILE may be FLOW itself. Without this "
    "option, the flow is printed and there is no catalog. For a folder, this is a folder too.",
)
@click.option(
    "--resolve",
    is_flag=True,
    help="Assign a route to each stop that records would not distinguish from another one.",
)
@click.option(
    "--detail/--no-detail",
    default=None,
    help="Also record each stop that a caller visits, and silence, wrong keys and errors there (docs/waterfall.md). "
    "--no-detail removes this detail. By default, a flow keeps the detail it has.",
)
@click.option(
    "--without-detail",
    metavar="ROUTE",
    multiple=True,
    help="Record no detail for this stop, or for all stops that match a pattern such as '2-*'. Repeatable.",
)
@click.option(
    "--fit",
    is_flag=True,
    help="If the flow would be too large with detail, leave out the stops that need the most blocks, and list them.",
)
@type_option
@click.option("--picture", metavar="FILE", type=FILE, help="Also draw the tracked flow to this SVG file.")
@click.option("--force", is_flag=True, help="Let --output overwrite a file that is not a tracked flow.")
@general_options
def track(
    flow: Path,
    routes: Path | None,
    out: Path | None,
    flow_type: str | None,
    resolve: bool,
    detail: bool | None,
    without_detail: tuple[str, ...],
    fit: bool,
    picture: Path | None,
    force: bool,
) -> None:
    """Add drop-off tracking to a flow, or update it.

    Adds blocks that set the contact attributes call_route, call_completed, call_flow, flow_version and, on the branches of a
    percentage block, arm. Callers hear no difference, and everything else in the flow stays as it is. Running the command
    again on its output changes nothing. A summary on standard error lists the number of tracking blocks, stops without a
    route, stops that records would not distinguish, and what the command cannot determine.

    FLOW can be a folder, whose flows are written to the same places in the folder given with --output.
    """
    names = RouteNames.load(routes) if routes else RouteNames()
    if not flow.is_dir():
        track_file(
            flow,
            out,
            names,
            flow_type=flow_type,
            resolve=resolve,
            detail=detail,
            without_detail=without_detail,
            fit=fit,
            picture=picture,
            force=force,
        )
        return
    for option, value in (("--routes", routes), ("--picture", picture), ("--without-detail", without_detail)):
        if value:
            raise InputError(
                option, "", "it applies to a single flow, but a folder is given", f"Omit {option}"
            )
    if out is None or (out.exists() and not out.is_dir()):
        raise InputError("--output", "", "must be a folder, because FLOW is a folder", "Pass a folder")
    failed = False
    for path, _ in files_in([flow], (".json",)):
        text = read_text(path)
        if not may_be_flow(text):
            continue
        output.note(f"{path}:")
        target = out / path.relative_to(flow)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            track_file(
                path,
                target,
                names,
                flow_type=flow_type,
                resolve=resolve,
                detail=detail,
                fit=fit,
                force=force,
            )
        except InputError as error:
            output.error(str(error))
            failed = True
    if failed:
        raise Exit(UNUSABLE_INPUT)


def track_file(
    flow: Path,
    out: Path | None,
    names: RouteNames,
    *,
    flow_type: str | None = None,
    resolve: bool = False,
    detail: bool | None = None,
    without_detail: Collection[str] = (),
    fit: bool = False,
    picture: Path | None = None,
    force: bool = False,
) -> None:
    """Tracks one flow and writes a summary to standard error.

    Args:
        flow: the flow's file, or - for standard input.
        out: file to write, or None to print the flow.
        names: names for its routes.
        flow_type: type of the flow.
        resolve: assign a route to each stop that records would not distinguish from another one.
        detail: whether the flow gets detail; None to keep the detail it has.
        without_detail: stops without detail, or patterns of their routes.
        fit: leave out stops if the flow would be too large with detail.
        picture: SVG file to write.
        force: overwrite files that are not tracked flows.

    Raises:
        InputError: the flow cannot be tracked, or the file must not be overwritten.
    """
    if out is not None:
        format_of(out, {".json": "json"}, fix="Use this suffix")
    if picture is not None:
        format_of(picture, {".svg": "svg"}, "--picture", "Use this suffix")
    loaded = load(flow, flow_type=flow_type)
    name = flow if flow != STANDARD_INPUT else Path("flow.json")
    target = out or name
    call_flow = flow_name(loaded.flow, name)

    def track_again(flow: Flow, names: RouteNames, catalog: RouteCatalog | None) -> tuple[TrackedFlow, Flow]:
        tracked = add_tracking(
            flow,
            names,
            catalog,
            file=target.name,
            call_flow=call_flow,
            detail=detail,
            without=without_detail,
            fit=fit,
        )
        text = flow.style.write(tracked.document)
        return tracked, Flow.parse(text, str(target), flow.type)

    tracked, written = track_again(loaded.flow, names, known_routes(loaded, target))
    ambiguous = names_for_ambiguous_stops(written, names)
    if resolve:
        given = names
        while ambiguous:
            names = replace(names, blocks={**names.blocks, **ambiguous})
            tracked, written = track_again(loaded.flow, names, known_routes(loaded, target))
            ambiguous = names_for_ambiguous_stops(written, names)
        # On the next run, the keys that lead to a newly named stop can get different routes.
        for _ in range(MAX_RUNS):
            before = tracked
            tracked, written = track_again(written, given, before.catalog)
            tracked = replace(tracked, added=before.added + tracked.added)
            if tracked.document == before.document:
                break
        ambiguous = names_for_ambiguous_stops(written, names)
    unchanged = tracked.document == loaded.flow.document
    content = loaded.text if unchanged else loaded.flow.style.write(tracked.document)
    if out is not None and not force:
        require_replaceable(out, loaded, content)
    if out is None:
        output.write_document(content)
    else:
        write_text(out, content)
    output.note(summary(tracked, write_catalog(tracked, out)))
    if tracked.detail is not None:
        output.note(detail_summary(tracked.detail))
    output.note(stops_summary(written))
    write_ambiguous(ambiguous)
    if picture is not None:
        write_text(picture, diagrams.svg(written))
    for text in (*tracked.notes, *(tracked.detail.notes if tracked.detail else ())):
        output.note(f"note: {text}")


def names_for_ambiguous_stops(flow: Flow, names: RouteNames) -> dict[str, RouteName]:
    """Returns a name for each stop that shares its routes with other stops, unless it already has a name."""
    rules = [rule for rule in RULES if rule.id == "ambiguous-stop"]
    stops = {stop.block.identifier: stop for stop in analyze(flow).stops}
    found: dict[str, RouteName] = {}
    for finding in check(flow, rules=rules):
        block = finding.block
        if block is None or block not in stops or block in names.blocks:
            continue
        kind = stops[block].kind.replace(" ", "_")
        taken = {value for stop in stops.values() for value in stop.routes}
        taken |= {name.route for name in found.values()}
        readable = [re.sub(r"\W+", "_", block).strip("_")] if is_readable(block) else []
        choices = chain(readable, (f"{kind}_{number}" for number in count(1)))
        found[block] = RouteName(next(name for name in choices if name not in taken))
    return found


def write_ambiguous(names: Mapping[str, RouteName]) -> None:
    """Writes the route file entries that would give each ambiguous stop its own route."""
    if not names:
        return
    stops = output.counted(len(names), "stop")
    output.note(
        f"note: records would not distinguish {stops} from others. Use --resolve, or add to the route file:"
    )
    output.note("    blocks:")
    for block, name in names.items():
        output.note(f"      {json.dumps(block, ensure_ascii=False)}: {name.route}")


def require_replaceable(out: Path, loaded: LoadedFlow, content: str) -> None:
    """Checks that the output file does not exist yet, is the input itself, or was written by an earlier run.

    Raises:
        InputError: the output file is something else.
    """
    if not out.exists() or read_text(out) == content:
        return
    if loaded.path.exists() and out.samefile(loaded.path):
        if loaded.content_position is None:
            return
        problem = f"{out} is the output of an `aws connect` command, which contains more than the flow"
        raise InputError("--output", "", problem, "Choose another file, or use --force to overwrite it")
    try:
        _, tracking_blocks = strip_tracking(Flow.parse_lenient(read_text(out), str(out)))
    except InputError:
        tracking_blocks = {}
    if not tracking_blocks:
        problem = f"{out} exists and was not written by `callroute track`"
        raise InputError("--output", "", problem, "Choose another file, or use --force to overwrite it")


def known_routes(loaded: LoadedFlow, target: Path) -> RouteCatalog | None:
    """Returns the catalog to update: the one beside the output file, otherwise the one beside the flow."""
    before = loaded.catalog
    here = before if target == loaded.path else RouteCatalog.beside(target)
    if before is None or here is None:
        return here or before
    placeholders: Mapping[str, str] = {**before.placeholders, **here.placeholders}
    return replace(here, call_flow=here.call_flow or before.call_flow, placeholders=placeholders)


def flow_name(flow: Flow, path: Path) -> str:
    """Returns the flow's name in the flow designer, or its file name if it has no name there."""
    metadata = flow.document.get("Metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) and name else path.stem


def write_catalog(tracked: TrackedFlow, out: Path | None) -> str:
    """Writes the route catalog beside the output file and returns a summary of it."""
    if tracked.catalog is None:
        return "the flow sets no routes, so there is no route catalog"
    routes = output.counted(len(tracked.catalog.routes), "route")
    if out is None:
        return f"{routes} (use --output to write the route catalog)"
    path = out.with_name(out.stem + SUFFIX)
    save_catalog(path, tracked.catalog, with_routes)
    return f"{routes} in {path}"


def with_routes(text: str, catalog: RouteCatalog) -> str:
    """Appends new routes to a catalog's text, preserving its comments and order."""
    known = RouteCatalog.parse(text, "").routes
    lines = [route_line(route) for name, route in catalog.routes.items() if name not in known]
    return "\n".join([text.rstrip("\n"), *lines]) + "\n"


def summary(tracked: TrackedFlow, catalog: str) -> str:
    """Summarizes the tracking blocks and the route catalog."""
    if not tracked.blocks:
        return f"no tracking blocks needed; {catalog}"
    return f"{output.counted(tracked.blocks, 'tracking block')}, {tracked.added} of them new; {catalog}"


def detail_summary(detail: Detail) -> str:
    """Summarizes the detail and what it costs, and lists the stops that are left out to fit."""
    costs = (
        f"detail for {output.counted(detail.stops, 'stop')}: {output.counted(detail.blocks, 'tracking block')}, and "
        f"up to {detail.attribute_bytes:,} of {ATTRIBUTE_BYTES:,} bytes of attributes per contact"
    )
    if not detail.omitted:
        return costs
    left_out = output.counted(len(detail.omitted), "stop")
    return f"{costs}\nno detail for {left_out}, so that the flow fits: {', '.join(detail.omitted)}"


def stops_summary(flow: Flow) -> str:
    """Summarizes the stops of the written flow, based on the same analysis as `callroute check`."""
    stops = analyze(flow).stops
    without = [repr(stop.block.identifier) for stop in stops if None in stop.routes]
    result = (
        f"without a route on some path: {', '.join(without)}" if without else "all with a route on every path"
    )
    return f"{output.counted(len(stops), 'stop')}, {result}"
