"""Route catalogs: YAML files that list every value of `call_route` in a flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callroute.flows.block_types import KINDS
from callroute.formats.files import read_text
from callroute.formats.yaml_document import YamlNode

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".routes.yaml"

_KEYS = ("flow", "type", "call_flow", "placeholders", "routes")
_ROUTE_KEYS = ("route", "parent", "en", "ja")


@dataclass(frozen=True, slots=True)
class Route:
    """One value of `call_route`.

    Attributes:
        route: the value.
        parent: the route from which callers arrive; None for a route at which calls start.
        en: label in English.
        ja: label in Japanese.
    """

    route: str
    parent: str | None
    en: str
    ja: str


@dataclass(frozen=True, slots=True)
class RouteCatalog:
    """The routes and placeholders of a flow.

    Attributes:
        flow: file name of the flow.
        call_flow: value of the contact attribute `call_flow`; None if the flow does not set it.
        placeholders: description of each placeholder, by name.
        routes: routes by value, parents before children; empty if the flow sets no routes.
        type: type of the flow in CreateContactFlow, or `MODULE`; None if the catalog does not contain it.
    """

    flow: str
    call_flow: str | None
    placeholders: Mapping[str, str]
    routes: Mapping[str, Route]
    type: str | None = None

    @classmethod
    def beside(cls, flow: Path) -> RouteCatalog | None:
        """Loads the catalog for a flow file, or returns None. The catalog for `x.json` is `x.routes.yaml`.

        Raises:
            InputError: the catalog exists but is invalid.
        """
        path = flow.with_name(flow.stem + SUFFIX)
        return cls.load(path) if path.exists() else None

    @classmethod
    def load(cls, path: Path) -> RouteCatalog:
        """Loads a catalog from a file.

        Raises:
            InputError: the file is unreadable, or `parse` rejects it.
        """
        return cls.parse(read_text(path), str(path))

    @classmethod
    def parse(cls, text: str, source: str) -> RouteCatalog:
        """Parses a catalog.

        Args:
            text: the catalog as YAML.
            source: name of the catalog for messages, usually its path.

        Raises:
            InputError: the text is not valid YAML or not a valid catalog.
        """
        top = YamlNode.parse(text, source).mapping(_KEYS, required=("flow",))
        placeholders = top["placeholders"].mapping() if "placeholders" in top else {}
        return cls(
            flow=top["flow"].text(),
            call_flow=top["call_flow"].text() if "call_flow" in top else None,
            placeholders={name: meaning.text() for name, meaning in placeholders.items()},
            routes=_routes(top["routes"]) if "routes" in top else {},
            type=top["type"].choice(tuple(KINDS)) if "type" in top else None,
        )


def _routes(listed: YamlNode) -> dict[str, Route]:
    routes: dict[str, Route] = {}
    entries = listed.items() if listed.is_list else []
    if not entries:
        raise listed.error("the list of routes is empty", "List the routes, parents first")
    for entry in entries:
        fields = entry.mapping(_ROUTE_KEYS, required=("route", "en", "ja"))
        route = Route(
            route=fields["route"].text(),
            parent=fields["parent"].text() if "parent" in fields else None,
            en=fields["en"].text(),
            ja=fields["ja"].text(),
        )
        if route.route in routes:
            raise fields["route"].error(
                f"the route {route.route!r} is listed twice", "Keep only one of the entries"
            )
        if route.parent is not None and route.parent not in routes:
            raise fields["parent"].error(
                f"the parent {route.parent!r} of route {route.route!r} is not listed above it",
                "List parents above their children. Omit `parent` for a route at which calls start",
            )
        routes[route.route] = route
    return routes
