"""The Typer application: its commands, which are imported only when they run, and its error messages."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import callroute
from callroute.cli import output
from callroute.cli.exit_codes import CLOSED_PIPE, LOCAL_CLOUD_FAILED, UNUSABLE_INPUT
from callroute.cli.parameter_types import ParametersMixin
from callroute.errors import InputError, LocalCloudError


class Entry(NamedTuple):
    """A command in the list of commands. Its module has a function of the same name."""

    summary: str
    """First line of the command's docstring, repeated here because the list must not import the command."""
    extra: str | None = None
    """Extra of the package that the command needs; None for commands of the base installation."""


COMMANDS = {
    "demo": Entry("Simulate callers in the local cloud and show where they dropped off.", extra="local"),
    "call": Entry("Call a flow in the local cloud and show the stored call record.", extra="local"),
    "replay": Entry(
        "Send contact records through the local cloud and print the stored items.", extra="local"
    ),
    "simulate": Entry("Simulate one call through a flow, or run a file of scenarios."),
    "check": Entry("Find problems in flows before they are deployed."),
    "track": Entry("Add drop-off tracking to a flow, or update it."),
    "draw": Entry("Draw a flow as an SVG image or a Mermaid chart."),
    "roles": Entry("Print the IAM documents of the deployment roles."),
}

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Command(ParametersMixin, TyperCommand):
    """A command of the group."""

    extra: str | None = None
    """Extra of the package that the command needs."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        with suggested_extra(str(self.name), self.extra):
            return super().invoke(ctx)


class LazyCommand(TyperCommand):
    """A command that is imported when it runs or when its own help is requested."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, help=entry.summary, rich_markup_mode=None)
        self._extra = entry.extra

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Imports the command and parses its arguments."""
        with suggested_extra(str(self.name), self._extra):
            function = getattr(import_module(f"callroute.cli.{self.name}"), str(self.name))
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(self.name, cls=Command)(function)
        command = cast(Command, get_command(single))
        command.extra = self._extra
        # The general options may also follow the name of the command.
        command.params += [param for param in parent.command.params if param.name in {"quiet", "no_color"}]
        return command.make_context(info_name, args, parent, **extra)


class Commands(ParametersMixin, TyperGroup):
    """The group of all commands. Reports errors on standard error and turns them into exit codes."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: LazyCommand(name, entry) for name, entry in COMMANDS.items()}

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's signature
        """Lists the commands with their whole summaries, which Typer would shorten."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def main(self, *args: Any, **extra: Any) -> Any:
        """Runs the command line and exits with the command's exit code."""
        output.prepare_streams()
        try:
            return super().main(*args, **extra)
        except SystemExit as ended:
            raise SystemExit(output.close(ended.code)) from None

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Parses the general options, and prints help or the version if requested."""
        with reported_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Runs a command."""
        with reported_errors():
            return super().invoke(ctx)


@contextmanager
def suggested_extra(command: str, extra: str | None) -> Iterator[None]:
    """Replaces the traceback of a missing package with the extra to install.

    Args:
        command: name of the command.
        extra: extra that it needs.

    Raises:
        InputError: a package of the extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if extra is None or package == "callroute":
            raise
        problem = f"the package {package} is not installed"
        raise InputError(
            f"callroute {command}", "", problem, f"Install call-route-tracker[{extra}]"
        ) from error


@contextmanager
def reported_errors() -> Iterator[None]:
    """Prints an error message in place of a traceback.

    Raises:
        typer.Exit: the command failed; has the exit code.
    """
    try:
        yield
    except InputError as error:
        raise failed(error, UNUSABLE_INPUT) from error
    except LocalCloudError as error:
        raise failed(error, LOCAL_CLOUD_FAILED) from error
    except typer.TyperException as error:  # the command line is wrong
        raise failed(usage_error(error), UNUSABLE_INPUT) from error
    except BrokenPipeError as error:
        raise typer.Exit(CLOSED_PIPE) from error
    except OSError as error:
        if error.errno not in UNWRITABLE or error.filename:
            raise
        raise failed(output.unwritable(error), UNUSABLE_INPUT) from error
    except Exception as error:
        if not is_run_error(error):
            raise
        raise failed(error, UNUSABLE_INPUT) from error


def failed(error: Exception, code: int) -> typer.Exit:
    """Prints an error message and returns the exception that ends the command."""
    output.error(str(error))
    return typer.Exit(code)


def usage_error(error: typer.TyperException) -> InputError:
    """Converts an error of the command line parser to the format of all other errors."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "callroute"
    problem, _, suggestion = error.format_message().rstrip(".").partition(". ")
    options = re.search(r" \(Possible options: (.*)\)$", problem)
    if options:
        problem, suggestion = problem[: options.start()], f"Did you mean {options[1]}?"
    return InputError(
        command, "", problem[:1].lower() + problem[1:], suggestion or f"See `{command} --help`."
    )


def is_run_error(error: Exception) -> bool:
    """Returns whether the Pulumi program rejected the stack's configuration."""
    pulumi = sys.modules.get("pulumi")
    return pulumi is not None and isinstance(error, pulumi.RunError)


app = typer.Typer(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=False,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def print_version(requested: bool) -> None:
    """Prints the version and ends the command."""
    if requested:
        output.write(f"callroute {callroute.__version__}")
        raise typer.Exit


def be_quiet(requested: bool) -> None:
    """Hides progress and notes."""
    output.options.quiet |= requested


def drop_color(requested: bool) -> None:
    """Prints without colors."""
    output.options.color &= not requested


@app.callback()
def general(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - handled by the callback
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    quiet: Annotated[  # noqa: ARG001 - handled by the callback
        bool,
        typer.Option(
            "--quiet",
            "-q",
            callback=be_quiet,
            expose_value=False,
            help="Print no progress and no notes, only errors.",
        ),
    ] = False,
    no_color: Annotated[  # noqa: ARG001 - handled by the callback
        bool,
        typer.Option(
            "--no-color",
            callback=drop_color,
            expose_value=False,
            help="Print without colors, as with NO_COLOR set.",
        ),
    ] = False,
) -> None:
    """Find out where in an Amazon Connect phone menu callers hang up."""
    if context.invoked_subcommand is None:
        output.write(context.get_help(), error=True)
        raise typer.Exit(UNUSABLE_INPUT)
