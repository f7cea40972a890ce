"""The route file: names that people give to routes, in place of the keys that lead there."""

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
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Name:
    """What a route is to be called.

    Attributes:
        route: the value of `call_route`.
        en: label in English, where one is given.
        ja: label in Japanese, where one is given.
        place: where it stands, for messages; None for a name that stands in the flow.
    """

    route: str
    en: str | None
    ja: str | None
    place: YamlNode | None = field(default=None, compare=False, repr=False)

    def unknown(self, what: str, found: str, known: Collection[str]) -> InputError:
        """The error that there is no such thing in the flow."""
        shown = ", ".join(list(known)[:_SHOWN]) + (" …" if len(known) > _SHOWN else "")
        problem = f"the flow has no {what} {found!r}{suggestion(found, known)}"
        fix = f"Use one of {shown}" if known else f"Take it out: the flow has no {what} to name"
        return self.place.error(problem, fix) if self.place else InputError("", "", problem, fix)


@dataclass(frozen=True, slots=True)
class RouteNames:
    """A route file.

    Attributes:
        call_flow: the value of `call_flow`; None where the file gives none.
        routes: names by the route that would be set without them: `start`, `1`, `1-2`.
        branches: names by block and branch, for branches that get no route by themselves.
        blocks: names by block, set in front of it however a call comes there.
    """

    call_flow: str | None = None
    routes: Mapping[str, Name] = field(default_factory=dict)
    branches: Mapping[str, Mapping[str, Name]] = field(default_factory=dict)
    blocks: Mapping[str, Name] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> RouteNames:
        """Reads a route file.

        Raises:
            InputError: the file is unreadable, or as for `read`.
        """
        return cls.read(read_text(path), str(path))

    @classmethod
    def read(cls, text: str, source: str) -> RouteNames:
        """Reads a route file's YAML.

        Args:
            text: the YAML.
            source: what to call it in messages, usually its path.

        Raises:
            InputError: it is not YAML, or not a route file.
        """
        document = YamlNode.parse(text, source)
        # A catalog is what tracking writes; whoever gives one back means something else than it can say.
        if "routes" in (everything := document.mapping()) and everything["routes"].is_list:
            raise everything["routes"].error(
                "this is a route catalog, which lists routes, and not a route file, which names them",
                'Write `routes:` as lines such as `"1-2": balance_history`; labels of a catalog beside the flow '
                "are kept by themselves",
            )
        top = document.mapping(_KEYS)
        return cls(
            call_flow=_route(top["call_flow"]) if "call_flow" in top else None,
            routes=_names(top.get("routes")),
            branches={
                block: _names(branches)
                for block, branches in (top["branches"].mapping() if "branches" in top else {}).items()
            },
            blocks=_names(top.get("blocks")),
        )


def _names(at: YamlNode | None) -> dict[str, Name]:
    return {key: _name(value) for key, value in at.mapping().items()} if at is not None else {}


def _name(at: YamlNode) -> Name:
    if isinstance(at.node, yaml.ScalarNode):
        return Name(_route(at), None, None, at)
    fields = at.mapping(_NAME_KEYS)
    if "route" not in fields:
        raise at.error("it has no route", "Write the value of call_route as `route: …`")
    labels = {key: fields[key].text() for key in ("en", "ja") if key in fields}
    return Name(_route(fields["route"]), labels.get("en"), labels.get("ja"), at)


def _route(at: YamlNode) -> str:
    text = at.text()
    if text.startswith("$"):
        raise at.error(f"{text!r} is a reference", "Give a text: reports need to know all routes beforehand")
    return text
