"""Loads a flow file together with its route catalog and placeholder values."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from callroute.errors import InputError
from callroute.flows.flow import Flow
from callroute.flows.placeholders import fill
from callroute.flows.route_catalog import RouteCatalog
from callroute.formats.files import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Placeholders = Mapping[str, str] | Callable[[RouteCatalog | None], Mapping[str, str] | None]

STANDARD_INPUT = Path("-")


@dataclass(frozen=True, slots=True)
class LoadedFlow:
    """A parsed flow file.

    Attributes:
        path: the flow file.
        text: the file's text, including placeholders.
        catalog: the route catalog next to the file, or None.
        flow: the parsed flow, with placeholders filled if values were provided.
        filled: the text from which `flow` was parsed.
    """

    path: Path
    text: str
    catalog: RouteCatalog | None
    flow: Flow
    filled: str

    @property
    def content(self) -> str:
        """The flow as deployed: placeholders filled in and whitespace removed."""
        return json.dumps(json.loads(self.filled), ensure_ascii=False, separators=(",", ":"))


def load_flow(
    path: Path, placeholders: Placeholders | None = None, *, text: str | None = None, lenient: bool = False
) -> LoadedFlow:
    """Loads a flow file.

    Args:
        path: the flow's JSON file, or `-` for standard input. The catalog of `x.json` is `x.routes.yaml` in the same
            folder.
        placeholders: values by placeholder name, or a function that returns them for a catalog. If None, the
            placeholders remain in the flow.
        text: the text of the file, if it has already been read.
        lenient: whether to collect structural defects in `flow.defects` instead of raising an error.

    Raises:
        InputError: the flow or its catalog is invalid, or a placeholder has no value.
    """
    standard_input = path == STANDARD_INPUT
    source = "standard input" if standard_input else str(path)
    if text is None:
        text = read_standard_input() if standard_input else read_text(path)
    catalog = None if standard_input else RouteCatalog.beside(path)
    values = placeholders(catalog) if callable(placeholders) else placeholders
    filled = text
    if values is not None:
        filled = fill(text, values, source, catalog.placeholders if catalog else None)
    parse = Flow.parse_lenient if lenient else Flow.parse
    return LoadedFlow(path, text, catalog, parse(filled, source), filled)


def read_standard_input() -> str:
    """Reads UTF-8 text from standard input.

    Raises:
        InputError: the input is not UTF-8.
    """
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "standard input", f"byte {error.start}", "this is not UTF-8 text", "Convert the text to UTF-8"
        ) from error
