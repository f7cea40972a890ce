"""Implements `callroute draw`, which draws a flow."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from callroute.cli import output
from callroute.cli.parameters import FlowArgument
from callroute.errors import InputError
from callroute.flows import diagrams
from callroute.flows.load import load_flow
from callroute.formats.files import write_text


class Format(StrEnum):
    """Formats of a drawing."""

    mermaid = "mermaid"
    svg = "svg"


SUFFIXES = {".svg": Format.svg, ".mmd": Format.mermaid, ".mermaid": Format.mermaid}


def draw(
    flow: FlowArgument,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the drawing to this file: .svg or .mmd."),
    ] = None,
    drawing_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            show_default=False,
            help="Overrides the suffix of --output. Without either, mermaid.",
        ),
    ] = None,
) -> None:
    """Draw a flow as an SVG image or a Mermaid chart.

    Shows blocks and branches, where callers can hang up, and which route each block sets. SVG looks like the flow
    designer of Amazon Connect; Mermaid is for pull requests and wikis. The same flow always gives the same drawing.
    """
    if drawing_format is None:
        drawing_format = format_of(out) if out else Format.mermaid
    loaded = load_flow(flow, lenient=True)
    if drawing_format is Format.svg:
        drawing = diagrams.svg(loaded.flow)
    else:
        drawing = diagrams.mermaid(loaded.flow)
        if excess := diagrams.exceeded_limit(drawing):
            output.note(f"note: the chart has {excess} unless its limit is raised. Use --format svg instead.")
    if out is None:
        output.write_document(drawing)
    else:
        write_text(out, drawing)


def format_of(path: Path) -> Format:
    """Returns the format for the suffix of a file.

    Raises:
        InputError: the suffix is unknown.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            "--output",
            "",
            f"{str(path)!r} does not end in .svg or .mmd",
            "Use one of these suffixes or choose a --format",
        )
    return SUFFIXES[path.suffix.lower()]
