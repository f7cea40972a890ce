"""Loads a flow file together with its route catalog and placeholder values."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from callroute.errors import InputError
from callroute.flows.block_types import KINDS, MODULE, declared_type
from callroute.flows.flow import CONNECT_RESPONSES, Flow
from callroute.flows.placeholders import fill
from callroute.flows.route_catalog import RouteCatalog
from callroute.formats.files import read_text
from callroute.formats.json_document import JsonDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callroute.formats.json_document import Position

    Placeholders = Mapping[str, str] | Callable[[RouteCatalog | None, str], Mapping[str, str] | None]

STANDARD_INPUT = Path("-")


@dataclass(frozen=True, slots=True)
class LoadedFlow:
    """A parsed flow file.

    Attributes:
        path: the flow file.
        text: the flow's text, including placeholders.
        catalog: the route catalog next to the file, or None.
        flow: the parsed flow, with placeholders filled if values were provided.
        content_position: position of the flow in the output of an `aws connect` command; None for a plain flow.
        notes: remarks for the user.
        identifiers: ARN and ID of the flow in the output of an `aws connect` command.
    """

    path: Path
    text: str
    catalog: RouteCatalog | None
    flow: Flow
    content_position: Position | None = None
    notes: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()

    @property
    def filled(self) -> str:
        """The text that was parsed to create `flow`."""
        return self.flow.json_document.text

    @property
    def content(self) -> str:
        """The flow as deployed: placeholders filled in and whitespace removed."""
        return json.dumps(self.flow.document, ensure_ascii=False, separators=(",", ":"))

    @property
    def positions(self) -> Mapping[str, Position]:
        """Position of each JSON path in the file. In the output of an `aws connect` command, the flow is one string."""
        return self.flow.positions if self.content_position is None else {"$": self.content_position}


def load_flow(
    path: Path,
    placeholders: Placeholders | None = None,
    *,
    text: str | None = None,
    lenient: bool = False,
    type_: str | None = None,
    configured_types: Mapping[str, str] | None = None,
) -> LoadedFlow:
    """Loads a flow file.

    Args:
        path: the flow's JSON file, or `-` for standard input: the flow itself, or the output of
            `aws connect describe-contact-flow` or `describe-contact-flow-module`, which contains the type. The catalog of
            `x.json` is `x.routes.yaml` in the same folder.
        placeholders: values by placeholder name, or a function that returns them for a catalog and the flow's
            text. If None, the placeholders remain in the flow.
        text: the text of the file, if it has already been read.
        lenient: whether to collect structural defects in `flow.defects` instead of raising an error.
        type_: type of the flow (see KINDS). Takes precedence over all other types.
        configured_types: types of the flow in stack configurations, by file name.

    Raises:
        InputError: the flow or its catalog is invalid, a placeholder has no value, or the file, its catalog and the
            stack configurations disagree about the type.
    """
    standard_input = path == STANDARD_INPUT
    source = "standard input" if standard_input else str(path)
    if text is None:
        text = read_standard_input() if standard_input else read_text(path)
    text, described, position, identifiers = _unwrapped(text, source)
    catalog = None if standard_input else RouteCatalog.beside(path)
    values = placeholders(catalog, text) if callable(placeholders) else placeholders
    filled = text
    if values is not None:
        filled = fill(text, values, source, catalog.placeholders if catalog else None)
    parse = Flow.parse_lenient if lenient else Flow.parse
    flow = parse(filled, source)
    types = {
        "its content has the type": declared_type(flow),
        "its output of `aws connect` contains the type": described,
        "its route catalog contains the type": catalog.type if catalog else None,
        **{f"{file} deploys it as": each for file, each in (configured_types or {}).items()},
    }
    known = [(clause, each) for clause, each in types.items() if each is not None]
    notes: tuple[str, ...] = ()
    if type_ is not None:
        disagreeing = [(clause, each) for clause, each in known if each != type_]
        notes = tuple(
            f"note: {source}: used as {type_}, although {clause} {each}" for clause, each in disagreeing
        )
    elif known:
        clause, type_ = known[0]
        for other, each in known:
            if each != type_:
                problem = f"{clause} {type_}, but {other} {each}"
                raise InputError(source, "", problem, "Fix the type, or use --type")
    flow = replace(flow, type=type_)
    return LoadedFlow(path, text, catalog, flow, position, notes, identifiers)


def _unwrapped(text: str, source: str) -> tuple[str, str | None, Position | None, tuple[str, ...]]:
    """Extracts a flow from the output of an `aws connect` command.

    Returns:
        The flow, its type, its position in the output, and its ARN and ID; for any other input, only the text
        itself.
    """
    if not any(f'"{name}"' in text for name in CONNECT_RESPONSES):
        return text, None, None, ()
    document = JsonDocument.parse(text, source)
    name = next(
        (name for name in CONNECT_RESPONSES if isinstance(document.value, dict) and name in document.value),
        "",
    )
    if not name:
        return text, None, None, ()
    described = document.value[name]
    content = described.get("Content") if isinstance(described, dict) else None
    if not isinstance(content, str):
        raise InputError(
            source,
            f"$.{name}",
            "has no flow in Content",
            "Use the whole output of the `aws connect` command",
        )
    type_ = MODULE if name == "ContactFlowModule" else described.get("Type")
    if type_ is not None and type_ not in KINDS:
        fix = f"Use {', '.join(KINDS)}, or choose one with --type"
        raise InputError(source, f"$.{name}.Type", f"{type_!r} is not a flow type", fix)
    identifiers = (described.get(key) for key in ("Arn", "Id"))
    return (
        content,
        type_,
        document.positions[f"$.{name}.Content"],
        tuple(each for each in identifiers if isinstance(each, str)),
    )


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


def may_be_flow(text: str) -> bool:
    """Returns whether a JSON file in a folder could be a flow. Invalid JSON counts, so that its error is reported."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return True
    return isinstance(document, dict) and not document.keys().isdisjoint(
        {"Actions", "StartAction", "modules", *CONNECT_RESPONSES}
    )
