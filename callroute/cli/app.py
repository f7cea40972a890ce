"""The command line: puts the commands together, and turns unusable input into exit code 2."""

from __future__ import annotations

from typing import Any

import typer
from pulumi import RunError
from typer.core import TyperGroup

from callroute.cli import call, check, demo, draw, output, replay, simulate, track
from callroute.errors import InputError, LocalCloudError

UNUSABLE_INPUT = 2
LOCAL_CLOUD_FAILED = 3


class Commands(TyperGroup):
    """The group of all commands; what any of them cannot do is one message on standard error, and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed."""
        try:
            return super().invoke(ctx)
        except (InputError, RunError) as error:
            # A RunError is what the Pulumi program tells its user: here, that settings are wrong.
            raise self._told(error, UNUSABLE_INPUT) from error
        except LocalCloudError as error:
            raise self._told(error, LOCAL_CLOUD_FAILED) from error

    def _told(self, error: Exception, code: int) -> typer.Exit:
        output.err.print(f"error: {error}")
        return typer.Exit(code)


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
app.command()(draw.draw)
app.command()(replay.replay)
app.command()(simulate.simulate)
app.command()(check.check)
app.command()(track.track)
