"""The route catalogue beside a flow: what every value of `call_route` means, for people and for reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from callroute.errors import InputError
from callroute.flows.files import read_text

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
class RouteCatalogue:
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
    def beside(cls, flow: Path) -> RouteCatalogue | None:
        """The catalogue that belongs to a flow file (`x.json` has `x.routes.yaml`); None where there is none.

        Raises:
            InputError: there is one, and it is unusable.
        """
        path = flow.with_name(flow.stem + SUFFIX)
        return cls.load(path) if path.exists() else None

    @classmethod
    def load(cls, path: Path) -> RouteCatalogue:
        """Reads a catalogue from a file.

        Raises:
            InputError: the file is unreadable, or as for `read`.
        """
        return cls.read(read_text(path), str(path))

    @classmethod
    def read(cls, text: str, source: str) -> RouteCatalogue:
        """Reads a catalogue from YAML.

        Args:
            text: the YAML.
            source: what to call it in messages, usually its path.

        Raises:
            InputError: it is not YAML, or not a catalogue.
        """
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"line {mark.line + 1}" if mark else ""
            raise InputError(
                source, place, "this is not YAML", "Mend the YAML of the route catalogue"
            ) from error
        top = _mapping(document, source, "", _KEYS)
        placeholders = top.get("placeholders") or {}
        if not isinstance(placeholders, Mapping):
            raise InputError(source, "placeholders", "it is not a mapping", "Write `name: meaning` lines")
        call_flow = top.get("call_flow")
        return cls(
            flow=_string(top, "flow", source, ""),
            call_flow=None if call_flow is None else _string(top, "call_flow", source, ""),
            placeholders={name: _string(placeholders, name, source, "placeholders") for name in placeholders},
            routes=_routes(top.get("routes"), source),
        )


def _routes(entries: Any, source: str) -> dict[str, Route]:
    if not isinstance(entries, list) or not entries:
        raise InputError(source, "routes", "there are no routes", "List them under `routes`, parents first")
    routes: dict[str, Route] = {}
    for index, entry in enumerate(entries):
        place = f"routes[{index}]"
        fields = _mapping(entry, source, place, _ROUTE_KEYS)
        parent = None if fields.get("parent") is None else _string(fields, "parent", source, place)
        route = Route(
            route=_string(fields, "route", source, place),
            parent=parent,
            en=_string(fields, "en", source, place),
            ja=_string(fields, "ja", source, place),
        )
        if route.route in routes:
            raise InputError(
                source, place, f"the route {route.route!r} is listed twice", "List every route once"
            )
        if parent is not None and parent not in routes:
            raise InputError(
                source,
                place,
                f"the parent {parent!r} of route {route.route!r} is not listed before it",
                "List parents before their children; leave `parent` out where calls start",
            )
        routes[route.route] = route
    return routes


def _mapping(value: Any, source: str, place: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(source, place, "it is not a mapping", f"Write the keys {', '.join(keys)}")
    for key in value:
        if key not in keys:
            raise InputError(source, place, f"the key {key!r} is unknown", f"Use {', '.join(keys)}")
    return value


def _string(holder: Mapping[str, Any], key: str, source: str, place: str) -> str:
    value = holder.get(key)
    if not isinstance(value, str) or not value:
        found = f"{key!r} is missing" if value is None else f"{key!r} is {value!r} and not text"
        # YAML takes an unquoted 1 for a number, and call_route is text.
        raise InputError(source, place, found, f'Write {key} as text, digits in quotes: "1"')
    return value
