"""Finds the files that arguments name, and loads flows from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from callroute.cli import output
from callroute.errors import InputError
from callroute.flows.block_types import DEFAULT_TYPE, KINDS
from callroute.flows.load import STANDARD_INPUT, LoadedFlow, load_flow
from callroute.flows.placeholders import inside_arns
from callroute.formats.files import read_text
from callroute.local.stack_config import FLOW_FOLDER, PROJECT_FILE, Secret, StackConfig

if TYPE_CHECKING:
    from callroute.flows.load import Placeholders
    from callroute.flows.route_catalog import RouteCatalog


def files_in(paths: Sequence[Path], suffixes: Sequence[str]) -> Iterator[tuple[Path, bool]]:
    """Yields the given files, and the files in the given folders in alphabetical order.

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


def load(
    path: Path,
    placeholders: Placeholders | None = None,
    *,
    text: str | None = None,
    lenient: bool = False,
    flow_type: str | None = None,
) -> LoadedFlow:
    """Loads a flow and prints any notes about it. See `load_flow`.

    Raises:
        InputError: the flow cannot be used, or the sources of its type disagree.
    """
    loaded = load_flow(
        path,
        placeholders,
        text=text,
        lenient=lenient,
        type_=flow_type,
        configured_types=configured_types(path),
    )
    for note in loaded.notes:
        output.note(note)
    return loaded


def configured_types(path: Path) -> dict[str, str]:
    """Returns the types that the stack configurations give a flow, keyed by configuration file name.

    Raises:
        InputError: a configuration that mentions the flow's file name is invalid.
    """
    flow = path.resolve()
    project = next((each for each in flow.parents if (each / PROJECT_FILE).is_file()), None)
    types = {}
    for file in sorted(project.glob("Pulumi.*.yaml")) if project else ():
        if path.name not in read_text(file):  # faster than parsing it
            continue
        stack = file.name.removeprefix("Pulumi.").removesuffix(".yaml")
        config = StackConfig.read(stack, project=project, encrypted=Secret("encrypted"))
        for position, entry in enumerate(config.flows):
            if (config.folder / FLOW_FOLDER / str(entry.get("file"))).resolve() != flow:
                continue
            type_ = str(entry.get("type", DEFAULT_TYPE))
            if type_ not in KINDS:
                place = f"{config.project}:flows[{position}].type"
                problem = f"{type_!r} is not a flow type"
                raise InputError(str(file), place, problem, f"Use {', '.join(KINDS)}")
            types[file.name] = type_
    return types


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
