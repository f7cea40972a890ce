"""`callroute draw`: a flow as a picture."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from callroute.flows import diagrams
from callroute.flows.flow import Flow
from callroute.formats.files import read_text, write_text


class Format(StrEnum):
    """What a flow can be drawn as."""

    mermaid = "mermaid"
    svg = "svg"


def draw(
    flow: Annotated[Path, typer.Argument(metavar="FLOW", help="The flow, in Connect's flow language.")],
    format_: Annotated[
        Format,
        typer.Option(
            "--format", help="Mermaid, for pull requests and wikis, or SVG, as the flow designer shows it."
        ),
    ] = Format.mermaid,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="File to write; else the terminal.")
    ] = None,
) -> None:
    """Draw a flow: its blocks and branches, where callers can hang up, and which route each block sets.

    The same flow gives the same picture to the last character.
    """
    read = Flow.parse_lenient(read_text(flow), str(flow))
    picture = diagrams.mermaid(read) if format_ is Format.mermaid else diagrams.svg(read)
    if format_ is Format.mermaid and (exceeded := diagrams.exceeded_limit(picture)):
        typer.echo(
            f"note: the chart has {exceeded} unless its limit was raised. Draw it with --format svg", err=True
        )
    if out is None:
        typer.echo(picture, nl=False)
        return
    write_text(out, picture)
