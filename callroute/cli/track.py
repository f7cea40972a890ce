"""Implements `callroute track`, which adds drop-off tracking to a flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from callroute.cli import output
from callroute.cli.parameters import FILE, flow_argument, general_options, type_option
from callroute.errors import InputError
from callroute.flows import diagrams
from callroute.flows.attribute_flow import analyze
from callroute.flows.flow import Flow
from callroute.flows.load import STANDARD_INPUT, LoadedFlow, load_flow
from callroute.flows.route_catalog import SUFFIX, RouteCatalog
from callroute.flows.tracking import (
    RouteNames,
    TrackedFlow,
    add_tracking,
    catalog_text,
    route_line,
    strip_tracking,
)
from callroute.formats.files import read_text, write_text


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
    "option, the flow is printed and there is no catalog.",
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
    picture: Path | None,
    force: bool,
) -> None:
    """Add drop-off tracking to a flow, or update it.

    Adds blocks that set the contact attributes call_route, call_completed and call_flow. Callers hear no difference, and
    everything else in the flow stays as it is. Running the command again on its output changes nothing. A summary on
    standard error lists the number of tracking blocks, stops without a route, and what the command cannot determine.
    """
    loaded = load_flow(flow, type_=flow_type)
    name = flow if flow != STANDARD_INPUT else Path("flow.json")
    target = out or name
    if out is not None and not force:
        require_replaceable(out, loaded)
    tracked = add_tracking(
        loaded.flow,
        RouteNames.load(routes) if routes else None,
        known_routes(loaded, target),
        file=target.name,
        call_flow=flow_name(loaded.flow, name),
    )
    unchanged = tracked.document == loaded.flow.document
    content = loaded.text if unchanged else loaded.flow.style.write(tracked.document)
    if out is None:
        output.write_document(content)
    else:
        write_text(out, content)
    output.note(summary(tracked, write_catalog(tracked, out)))
    written = Flow.parse(content, str(target), loaded.flow.type)
    output.note(stops_summary(written))
    if picture is not None:
        write_text(picture, diagrams.svg(written))
    for text in (*loaded.notes, *(f"note: {each}" for each in tracked.notes)):
        output.note(text)


def require_replaceable(out: Path, loaded: LoadedFlow) -> None:
    """Checks that the output file does not exist yet, is the input itself, or was written by an earlier run.

    Raises:
        InputError: the output file is something else.
    """
    if not out.exists():
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
    """Returns the flow's name in the flow designer, or the name of its file if it was not given a name there."""
    metadata = flow.document.get("Metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) and name else path.stem


def write_catalog(tracked: TrackedFlow, out: Path | None) -> str:
    """Writes the route catalog beside the output file, and returns a summary of it."""
    if tracked.catalog is None:
        return "the flow sets no routes, so there is no route catalog"
    routes = output.counted(len(tracked.catalog.routes), "route")
    if out is None:
        return f"{routes} (use --output to write the route catalog)"
    path = out.with_name(out.stem + SUFFIX)
    text = read_text(path) if path.exists() else ""
    if not text or RouteCatalog.parse(text, str(path)) != tracked.catalog:
        write_text(path, extended(text, tracked.catalog) or catalog_text(tracked.catalog))
    return f"{routes} in {path}"


def extended(text: str, catalog: RouteCatalog) -> str:
    """Appends new routes to the text of a catalog, which keeps its comments and order.

    Returns an empty text if appending routes does not give the new catalog.
    """
    if not text:
        return ""
    known = RouteCatalog.parse(text, "").routes
    lines = [route_line(route) for name, route in catalog.routes.items() if name not in known]
    longer = "\n".join([text.rstrip("\n"), *lines]) + "\n"
    try:
        return longer if RouteCatalog.parse(longer, "") == catalog else ""
    except InputError:
        return ""


def summary(tracked: TrackedFlow, catalog: str) -> str:
    """Summarizes the tracking blocks and the route catalog."""
    if not tracked.blocks:
        return f"no tracking blocks needed; {catalog}"
    return f"{output.counted(tracked.blocks, 'tracking block')}, {tracked.added} of them new; {catalog}"


def stops_summary(flow: Flow) -> str:
    """Summarizes the stops of the written flow, based on the same analysis as `callroute check`."""
    stops = analyze(flow).stops
    without = [repr(stop.block.identifier) for stop in stops if None in stop.routes]
    result = (
        f"without a route on some path: {', '.join(without)}" if without else "all with a route on every path"
    )
    return f"{output.counted(len(stops), 'stop')}, {result}"
