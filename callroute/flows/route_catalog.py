"""The route catalog beside a flow: what every value of `call_route` means, for people and for reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callroute.formats.files import read_text
from callroute.formats.yaml_document import YamlNode

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".routes.yaml"

_KEYS = ("flow", "call_flow", "placeholders", "routes")
_ROUTE_KEYS = ("route", "parent", "en", "ja")


@dataclass(frozen=True, slots=True)
class Route:
    """One value of `call_route`.

    Attributes:
        route: the value.
        parent: the route from which a caller comes here; None for where calls start.
        en: label in English.
        ja: label in Japanese.
    """

    route: str
    parent: str | None
    en: str
    ja: str


@dataclass(frozen=True, slots=True)
class RouteCatalog:
    """All routes of one flow.

    Attributes:
        flow: file name of the flow.
        call_flow: the value of the flow's contact attribute `call_flow`; None where it sets none.
        placeholders: meaning by name of what the flow takes from its stack.
        routes: the routes by value, parents before children.
    """

    flow: str
    call_flow: str | None
    placeholders: Mapping[str, str]
    routes: Mapping[str, Route]

    @classmethod
    def beside(cls, flow: Path) -> RouteCatalog | None:
        """The catalog that belongs to a flow file (`x.json` has `x.routes.yaml`); None where there is none.

        Raises:
            InputError: there is one, and it is unusable.
        """
        path = flow.with_name(flow.stem + SUFFIX)
        return cls.load(path) if path.exists() else None

    @classmethod
    def load(cls, path: Path) -> RouteCatalog:
        """Reads a catalog from a file.

        Raises:
            InputError: the file is unreadable, or as for `parse`.
        """
        return cls.parse(read_text(path), str(path))

    @classmethod
    def parse(cls, text: str, source: str) -> RouteCatalog:
        """Reads a catalog from YAML.

        Args:
            text: the YAML.
            source: what to call it in messages, usually its path.

        Raises:
            InputError: it is not YAML, or not a catalog.
        """
        top = YamlNode.parse(text, source).mapping(_KEYS, required=("flow", "routes"))
        placeholders = top["placeholders"].mapping() if "placeholders" in top else {}
        return cls(
            flow=top["flow"].text(),
            call_flow=top["call_flow"].text() if "call_flow" in top else None,
            placeholders={name: meaning.text() for name, meaning in placeholders.items()},
            routes=_routes(top["routes"]),
        )


def _routes(listed: YamlNode) -> dict[str, Route]:
    routes: dict[str, Route] = {}
    entries = listed.items() if listed.is_list else []
    if not entries:
        raise listed.error("there are no routes", "List them under `routes`, parents first")
    for entry in entries:
        fields = entry.mapping(_ROUTE_KEYS, required=("route", "en", "ja"))
        route = Route(
            route=fields["route"].text(),
            parent=fields["parent"].text() if "parent" in fields else None,
            en=fields["en"].text(),
            ja=fields["ja"].text(),
        )
        if route.route in routes:
            raise fields["route"].error(f"the route {route.route!r} is listed twice", "List every route once")
        if route.parent is not None and route.parent not in routes:
            raise fields["parent"].error(
                f"the parent {route.parent!r} of route {route.route!r} is not listed before it",
                "List parents before their children; leave `parent` out where calls start",
            )
        routes[route.route] = route
    return routes
