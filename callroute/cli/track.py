"""`callroute track`: a flow comes back with drop-off tracking in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from callroute.cli import output
from callroute.errors import InputError
from callroute.flows import diagrams
from callroute.flows.attribute_flow import analyze
from callroute.flows.flow import Flow
from callroute.flows.route_catalog import SUFFIX, RouteCatalog
from callroute.flows.tracking import RouteNames, TrackedFlow, add_tracking, catalog_text, route_line
from callroute.formats.files import read_text, write_text


def track(
    flow: Annotated[Path, typer.Argument(metavar="FLOW", help="The flow, in Connect's flow language.")],
    routes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names for routes (YAML; see docs/tracking.md).")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="File for the flow; its route catalog is written beside it. May be FLOW itself. "
            "Else the flow goes to the terminal.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the tracked flow too, as SVG."),
    ] = None,
) -> None:
    """Put drop-off tracking into a flow, or bring the tracking that it has up to date.

    Blocks that set call_route, call_completed and call_flow are added; callers hear what they heard before, and all
    else stays as it is. A second run changes nothing. Standard error tells what was added, whether every stop now has a
    route, and what cannot be seen in the flow.
    """
    text = read_text(flow)
    read = Flow.parse(text, str(flow))
    target = out or flow
    tracked = add_tracking(
        read,
        RouteNames.load(routes) if routes else None,
        _known_routes(flow, target),
        file=target.name,
        call_flow=_name(read, flow),
    )
    content = text if tracked.document == read.document else read.style.write(tracked.document)
    if out is None:
        typer.echo(content, nl=False)
    else:
        write_text(out, content)
    typer.echo(_told(tracked, _write_catalog(tracked, target, written=out is not None)), err=True)
    written = Flow.parse(content, str(target))
    typer.echo(_proof(written), err=True)
    if picture is not None:
        write_text(picture, diagrams.svg(written))
    for note in tracked.notes:
        typer.echo(f"note: {note}", err=True)


def _known_routes(flow: Path, target: Path) -> RouteCatalog | None:
    """The routes known so far: of the catalog that will be brought up to date, else of the one beside the flow."""
    before, here = RouteCatalog.beside(flow), RouteCatalog.beside(target)
    if before is None or here is None:
        return here or before
    placeholders: Mapping[str, str] = {**before.placeholders, **here.placeholders}
    return replace(here, call_flow=here.call_flow or before.call_flow, placeholders=placeholders)


def _name(flow: Flow, path: Path) -> str:
    """What a flow is called: by the designer, or else by its file."""
    metadata = flow.document.get("Metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) and name else path.stem


def _write_catalog(tracked: TrackedFlow, target: Path, *, written: bool) -> str:
    """Writes the catalog where the flow is written; says what became of it."""
    if tracked.catalog is None:
        return "it sets no routes, so there is no route catalog"
    routes = output.counted(len(tracked.catalog.routes), "route")
    if not written:
        return f"a route catalog with {routes} is written where -o names a file"
    path = target.with_name(target.stem + SUFFIX)
    text = read_text(path) if path.exists() else ""
    if not text or RouteCatalog.parse(text, str(path)) != tracked.catalog:
        write_text(path, _continued(text, tracked.catalog) or catalog_text(tracked.catalog))
    return f"{routes} in {path}"


def _continued(text: str, catalog: RouteCatalog) -> str:
    """A catalog's text with its new routes at the end, comments and order kept; empty where that will not do."""
    if not text:
        return ""
    known = RouteCatalog.parse(text, "").routes
    lines = [route_line(route) for name, route in catalog.routes.items() if name not in known]
    longer = "\n".join([text.rstrip("\n"), *lines]) + "\n"
    try:
        return longer if RouteCatalog.parse(longer, "") == catalog else ""
    except InputError:
        return ""


def _told(tracked: TrackedFlow, catalog: str) -> str:
    if not tracked.blocks:
        return f"no tracking blocks are needed; {catalog}"
    return f"{output.counted(tracked.blocks, 'tracking block')}, {tracked.added} new; {catalog}"


def _proof(flow: Flow) -> str:
    """What `check` finds of the guarantee in the flow as it is written, rather than as it was planned."""
    stops = analyze(flow).stops
    without = [repr(stop.block.identifier) for stop in stops if None in stop.routes]
    found = (
        f"without a route on some path: {', '.join(without)}"
        if without
        else "none without a route on any path"
    )
    return f"{output.counted(len(stops), 'stop')}, {found}"
