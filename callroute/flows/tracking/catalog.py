"""Builds the route catalog for a tracked flow and formats it as YAML."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from callroute.flows.placeholders import names as placeholders_of
from callroute.flows.route_catalog import Route, RouteCatalog
from callroute.flows.tracking.labels import route_label, unique_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callroute.flows.tracking.route_assignment import RouteAssignment, RouteSource

# Characters that can appear unescaped in JSON strings but not in YAML.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def build_catalog(
    assignment: RouteAssignment,
    routes: Mapping[RouteSource, str],
    values: Mapping[RouteSource, str],
    previous: RouteCatalog | None,
    *,
    file: str,
    call_flow: str | None,
) -> RouteCatalog | None:
    """Returns the route catalog, or None if the flow has no routes.

    Args:
        assignment: the routes of the flow.
        routes: the routes that calls can have, parents first.
        values: the value of every route. Several routes can have the same value.
        previous: the existing catalog, whose entries are kept unchanged.
        file: file name of the flow.
        call_flow: value of `call_flow`, unless the existing catalog contains one.
    """
    graph = assignment.graph
    entries: dict[str, Route] = dict(previous.routes) if previous else {}
    for source, value in routes.items():
        if value in entries or value.startswith(("$", "<")):
            continue
        parent_source = assignment.parents[source]
        while parent_source and (values[parent_source] == value or values[parent_source] not in entries):
            parent_source = assignment.parents[parent_source]
        en, ja = route_label(graph, assignment.first_blocks(source))
        en = unique_label(value, en, [entry.en for entry in entries.values()])
        ja = unique_label(value, ja, [entry.ja for entry in entries.values()])
        name = assignment.name_of(source)
        entries[value] = Route(
            value,
            values[parent_source] if parent_source else next(iter(entries), None),
            name.en or name.ja or en if name else en,
            name.ja or name.en or ja if name else ja,
        )
    if not entries:
        return None
    placeholders = {name: f"value of {name}" for name in placeholders_of(graph.flow.write())}
    return RouteCatalog(
        flow=file,
        call_flow=(previous.call_flow if previous else None) or call_flow,
        placeholders=placeholders | dict(previous.placeholders if previous else {}),
        routes=entries,
        type=previous.type if previous else graph.flow.type,
    )


def catalog_text(catalog: RouteCatalog) -> str:
    """Returns a route catalog as YAML, with one line per route."""
    lines = [f"flow: {_quoted(catalog.flow)}"]
    if catalog.routes:
        comment = "The values of call_route in this flow. The labels are prompts taken from the flow; edit them as you like."
        lines.insert(0, f"# {comment}")
    if catalog.type is not None:
        lines.append(f"type: {catalog.type}")
    if catalog.call_flow is not None:
        lines.append(f"call_flow: {_quoted(catalog.call_flow)}")
    if catalog.placeholders:
        lines.append("placeholders:")
        lines += [f"  {_quoted(name)}: {_quoted(text)}" for name, text in catalog.placeholders.items()]
    if catalog.routes:
        lines.append("routes:")
        lines += [route_line(route) for route in catalog.routes.values()]
    return "\n".join(lines) + "\n"


def route_line(route: Route) -> str:
    """Returns the catalog line for a route."""
    parent = f"parent: {_quoted(route.parent)}, " if route.parent is not None else ""
    return f"  - {{route: {_quoted(route.route)}, {parent}en: {_quoted(route.en)}, ja: {_quoted(route.ja)}}}"


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
