"""Loads a flow file together with its route catalog and placeholder values."""

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
    """A parsed flow file.

    Attributes:
        path: the flow file.
        text: the file's text, placeholders included.
        catalog: the route catalog beside the file, or None.
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
        """The flow as it is deployed: placeholders filled, white space removed."""
        return json.dumps(json.loads(self.filled), ensure_ascii=False, separators=(",", ":"))


def load_flow(
    path: Path, placeholders: Mapping[str, str] | None = None, *, lenient: bool = False
) -> LoadedFlow:
    """Loads a flow file.

    Args:
        path: the flow's JSON file. The catalog of `x.json` is `x.routes.yaml` in the same folder.
        placeholders: values by placeholder name. None leaves the placeholders in the flow.
        lenient: whether structural defects are listed in `flow.defects` instead of raised.

    Raises:
        InputError: the flow or its catalog is invalid, or a placeholder has no value.
    """
    text = read_text(path)
    catalog = RouteCatalog.beside(path)
    filled = text
    if placeholders is not None:
        filled = fill(text, placeholders, str(path), catalog.placeholders if catalog else None)
    parse = Flow.parse_lenient if lenient else Flow.parse
    return LoadedFlow(path, text, catalog, parse(filled, str(path)), filled)
