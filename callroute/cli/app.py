"""The command line: puts the commands together, and turns unusable input into exit code 2."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from callroute.cli import call, demo, replay, simulate
from callroute.errors import InputError

UNUSABLE_INPUT = 2

error_console = Console(stderr=True, soft_wrap=True, highlight=False)


class Commands(TyperGroup):
    """The group of all commands; reports an InputError of any of them on standard error."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            error_console.print(f"error: {error}", markup=False)
            raise typer.Exit(UNUSABLE_INPUT) from error


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def main() -> None:
    """Where in its phone menu each caller gave up."""


app.command()(demo.demo)
app.command()(call.call)
app.command()(replay.replay)
app.command()(simulate.simulate)
