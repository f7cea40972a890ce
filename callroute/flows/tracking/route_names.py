"""Reads route files, which contain names that replace the generated routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from callroute.errors import InputError
from callroute.formats.files import read_text
from callroute.formats.yaml_document import YamlNode, suggestion

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_KEYS = ("call_flow", "routes", "branches", "blocks")
_NAME_KEYS = ("route", "en", "ja")
_MAX_SUGGESTIONS = 12


@dataclass(frozen=True, slots=True)
class RouteName:
    """A name for a route.

    Attributes:
        route: value of `call_route`.
        en: label in English, if given.
        ja: label in Japanese, if given.
        node: its position in the route file, or None for a name found in a tracking block.
    """

    route: str
    en: str | None = None
    ja: str | None = None
    node: YamlNode | None = field(default=None, compare=False, repr=False)

    def unknown(self, owner: str, kind: str, key: str, known: Collection[str]) -> InputError:
        """Returns the error for a name that refers to a nonexistent route, block or branch."""
        shown = ", ".join(list(known)[:_MAX_SUGGESTIONS]) + (" …" if len(known) > _MAX_SUGGESTIONS else "")
        problem = f"{owner} has no {kind} {key!r}{suggestion(key, known)}"
        fix = f"Use one of {shown}" if known else "Remove this name"
        return self.node.error(problem, fix) if self.node else InputError("", "", problem, fix)


@dataclass(frozen=True, slots=True)
class RouteNames:
    """The contents of a route file.

    Attributes:
        call_flow: value of `call_flow`, if given.
        routes: names by generated route, such as `start` or `1-2`.
        branches: names by block and branch label, for branches that do not have their own route by default.
        blocks: names by block, set just before the block on every path to it.
    """

    call_flow: str | None = None
    routes: Mapping[str, RouteName] = field(default_factory=dict)
    branches: Mapping[str, Mapping[str, RouteName]] = field(default_factory=dict)
    blocks: Mapping[str, RouteName] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> RouteNames:
        """Reads a route file.

        Raises:
            InputError: the file is unreadable or not a route file.
        """
        return cls.parse(read_text(path), str(path))

    @classmethod
    def parse(cls, text: str, source: str) -> RouteNames:
        """Parses the YAML of a route file.

        Args:
            text: the YAML.
            source: name of the file for error messages.

        Raises:
            InputError: the text is not valid YAML or not a route file.
        """
        document = YamlNode.parse(text, source)
        contents = document.mapping()
        if "routes" in contents and contents["routes"].is_list:
            raise contents["routes"].error(
                "this is a route catalog, not a route file",
                'List names under `routes` as `"1-2": balance_history`. Edit labels in the catalog '
                "itself, without a route file",
            )
        contents = document.mapping(_KEYS)
        branches = contents["branches"].mapping() if "branches" in contents else {}
        return cls(
            call_flow=_route(contents["call_flow"]) if "call_flow" in contents else None,
            routes=_names(contents.get("routes")),
            branches={block: _names(names) for block, names in branches.items()},
            blocks=_names(contents.get("blocks")),
        )


def _names(node: YamlNode | None) -> dict[str, RouteName]:
    return {key: _name(value) for key, value in node.mapping().items()} if node is not None else {}


def _name(node: YamlNode) -> RouteName:
    if isinstance(node.node, yaml.ScalarNode):
        return RouteName(_route(node), node=node)
    fields = node.mapping(_NAME_KEYS)
    if "route" not in fields:
        raise node.error("'route' is missing", "Add `route:` with the value of call_route")
    labels = {key: fields[key].text() for key in ("en", "ja") if key in fields}
    return RouteName(_route(fields["route"]), labels.get("en"), labels.get("ja"), node)


def _route(node: YamlNode) -> str:
    text = node.text()
    if text.startswith("$"):
        raise node.error(
            f"{text!r} is a reference", "Use a constant, because reports need to know all routes in advance"
        )
    return text
