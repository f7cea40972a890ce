"""Writes route catalogs, preserving the comments in existing files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from callroute.errors import InputError
from callroute.flows.route_catalog import RouteCatalog
from callroute.flows.tracking import catalog_text
from callroute.formats.files import read_text, write_text


def save_catalog(path: Path, catalog: RouteCatalog, extended: Callable[[str, RouteCatalog], str]) -> None:
    """Writes a catalog unless the file already contains it.

    Args:
        path: the file.
        catalog: the catalog.
        extended: function that adds new entries to the text of the existing file. If the result does not equal the
            catalog, the file is overwritten with a generated one.

    Raises:
        InputError: the existing file is not a catalog.
    """
    text = read_text(path) if path.exists() else ""
    if text:
        if RouteCatalog.parse(text, str(path)) == catalog:
            return
        text = extended(text, catalog)
    write_text(path, text if text and _contains(text, catalog) else catalog_text(catalog))


def _contains(text: str, catalog: RouteCatalog) -> bool:
    try:
        return RouteCatalog.parse(text, "") == catalog
    except InputError:
        return False
