"""Implements `callroute draw`, which draws a flow."""

from __future__ import annotations

from pathlib import Path

import click

from callroute.cli import output
from callroute.cli.input_files import load
from callroute.cli.parameters import FILE, flow_argument, format_of, general_options, type_option
from callroute.errors import InputError
from callroute.flows import diagrams
from callroute.formats.files import write_text

FORMATS = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid"}


@click.command
@flow_argument
@click.option(
    "--output", "-o", "out", metavar="FILE", type=FILE, help="Write the drawing to this file: .svg or .mmd."
)
@click.option(
    "--format",
    "drawing_format",
    type=click.Choice(["mermaid", "svg"]),
    help="Overrides the suffix of --output. Without either, mermaid.",
)
@type_option
@general_options
def draw(flow: Path, out: Path | None, drawing_format: str | None, flow_type: str | None) -> None:
    """Draw a flow as an SVG image or a Mermaid chart.

    Shows blocks and branches, where callers can hang up, and which route each block sets. SVG looks like the flow
    designer of Amazon Connect; Mermaid is for pull requests and wikis. The same flow always gives the same drawing.
    """
    if drawing_format is None:
        drawing_format = format_of(out, FORMATS) if out else "mermaid"
    loaded = load(flow, lenient=True, flow_type=flow_type)
    if not loaded.flow.blocks:
        raise InputError(loaded.flow.source, "", "the flow has no blocks to draw", "Pass a flow with blocks")
    if drawing_format == "svg":
        drawing = diagrams.svg(loaded.flow)
    else:
        drawing = diagrams.mermaid(loaded.flow)
        if excess := diagrams.exceeded_limit(drawing):
            output.note(f"note: the chart has {excess} unless its limit is raised. Use --format svg instead.")
    if out is None:
        output.write_document(drawing)
    else:
        write_text(out, drawing)
