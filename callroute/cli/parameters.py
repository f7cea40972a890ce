"""Arguments and options shared by several commands."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from callroute.cli import output
from callroute.errors import InputError
from callroute.flows.block_types import KINDS

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class NumberRange(click.FloatRange):
    """A range of numbers. Rejects NaN, which click accepts."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parses the option's value and rejects NaN."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


FILE = click.Path(path_type=Path)
"""A path. The file is checked only when it is read or written."""

flow_argument = click.argument(
    "flow",
    metavar="FLOW",
    type=FILE,
    help="Flow file (JSON in the Amazon Connect flow language), or - for standard input.",
)
type_option = click.option(
    "--type",
    "flow_type",
    metavar="TYPE",
    type=click.Choice(tuple(KINDS)),
    help="Type of the flow, for example CONTACT_FLOW, CUSTOMER_QUEUE or MODULE. By default, the type in the output of "
    "`aws connect describe-contact-flow`, in the route catalog or in the configuration of the stacks that deploy the flow. "
    "If none of them contains a type, every type that the blocks allow.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)
project_option = click.option(
    "--project",
    metavar="DIR",
    type=FILE,
    help="Folder of the Pulumi project. By default, the current folder or its nearest parent with a Pulumi.yaml.",
)
stack_option = click.option("--stack", metavar="NAME", help="Stack that Pulumi has deployed.")
local_option = click.option(
    "--local", is_flag=True, help="Stack in the local cloud of a running `callroute serve`."
)


def format_of(path: Path, formats: Mapping[str, str], option: str = "--output", fix: str = "") -> str:
    """Returns the format for a file's suffix.

    Args:
        path: the file.
        formats: formats by suffix.
        option: option that names the file.
        fix: instruction if the suffix is unknown.

    Raises:
        InputError: the suffix is unknown.
    """
    if path.suffix.lower() not in formats:
        *others, last = formats
        suffixes = f"{', '.join(others)} or {last}" if others else last
        problem = f"{str(path)!r} does not end in {suffixes}"
        raise InputError(option, "", problem, fix or "Use one of these suffixes or choose a --format")
    return formats[path.suffix.lower()]


def general_options(function: Decorated) -> Decorated:
    """Adds --quiet and --no-color, which can come before or after the command's name."""
    quiet = click.option(
        "--quiet",
        "-q",
        is_flag=True,
        expose_value=False,
        callback=_be_quiet,
        help="Print no progress and no notes, only errors.",
    )
    no_color = click.option(
        "--no-color",
        is_flag=True,
        expose_value=False,
        callback=_drop_color,
        help="Print without colors, as with NO_COLOR set.",
    )
    return quiet(no_color(function))


def _be_quiet(_context: click.Context, _option: click.Parameter, requested: bool) -> None:
    output.options.quiet |= requested


def _drop_color(_context: click.Context, _option: click.Parameter, requested: bool) -> None:
    output.options.color &= not requested
