"""Finds the files that arguments name and fills placeholders in flows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from callroute.errors import InputError
from callroute.flows.load import STANDARD_INPUT
from callroute.flows.placeholders import inside_arns

if TYPE_CHECKING:
    from callroute.flows.route_catalog import RouteCatalog


def files_in(paths: Sequence[Path], suffixes: Sequence[str]) -> Iterator[tuple[Path, bool]]:
    """Yields the files that the user names: files as they are, and the files in folders, in alphabetical order.

    Args:
        paths: files, folders, or - for standard input.
        suffixes: file suffixes to include from folders.

    Yields:
        A file, and whether it was found in a folder. Hidden folders and node_modules are skipped.

    Raises:
        InputError: a folder has no such file, or standard input is named twice.
    """
    if sum(path == STANDARD_INPUT for path in paths) > 1:
        raise InputError("-", "", "standard input can be read only once", "Pass - only once")
    for path in paths:
        if not path.is_dir():
            yield path, False
            continue
        found = [
            file
            for file in sorted(path.rglob("*"))
            if file.suffix in suffixes
            and file.is_file()
            and not any(
                part.startswith(".") or part == "node_modules" for part in file.relative_to(path).parts
            )
        ]
        if not found:
            problem = f"this folder has no {' or '.join(suffixes)} files"
            raise InputError(str(path), "", problem, "Pass a folder with such files")
        yield from ((file, True) for file in found)


def stand_ins(catalog: RouteCatalog | None, text: str) -> dict[str, str] | None:
    """Returns a value for each placeholder that a route catalog declares; None if there is no catalog.

    The values are ARNs in the fictional instance of simulated calls. A placeholder inside an ARN is replaced
    by its own name.
    """
    from callroute.flows.simulation.environment import INSTANCE_ARN  # imports the whole simulation

    if catalog is None:
        return None
    parts = inside_arns(text)
    return {
        name: name if name in parts else f"{INSTANCE_ARN}/simulated/{name}" for name in catalog.placeholders
    }
