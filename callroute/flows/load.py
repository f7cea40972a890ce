"""Loads a flow file together with its route catalog and placeholder values, once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callroute.flows.flow import Flow
from callroute.flows.placeholders import fill
from callroute.flows.route_catalog import RouteCatalog
from callroute.formats.files import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class LoadedFlow:
    """A flow file, read and parsed once.

    Attributes:
        path: the file.
        text: the file's text, placeholders included.
        catalog: the route catalog beside the file; None if there is none.
        flow: the parsed flow, with placeholders filled if values were given.
        filled: the text of `flow`.
    """

    path: Path
    text: str
    catalog: RouteCatalog | None
    flow: Flow
    filled: str

    @property
    def content(self) -> str:
        """The flow as it is deployed: filled, and without the white space that Amazon Connect would count."""
        return json.dumps(json.loads(self.filled), ensure_ascii=False, separators=(",", ":"))


def load_flow(
    path: Path, placeholders: Mapping[str, str] | None = None, *, lenient: bool = False
) -> LoadedFlow:
    """Loads a flow file.

    Args:
        path: the flow's JSON file; its catalog is the file beside it that ends in `.routes.yaml`.
        placeholders: value by placeholder name. Without it, placeholders stay in the flow.
        lenient: collect structural defects in `flow.defects` instead of raising.

    Raises:
        InputError: the flow or its catalog is unusable, or a placeholder has no value.
    """
    text = read_text(path)
    catalog = RouteCatalog.beside(path)
    filled = text
    if placeholders is not None:
        filled = fill(text, placeholders, str(path), catalog.placeholders if catalog else None)
    parse = Flow.parse_lenient if lenient else Flow.parse
    return LoadedFlow(path, text, catalog, parse(filled, str(path)), filled)
