"""Defines the command group, which imports each command only when it runs and prints the errors of all commands."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.exceptions import Exit

import callroute
from callroute.cli import output
from callroute.cli.exit_codes import CLOSED_PIPE, INTERRUPTED, LOCAL_CLOUD_FAILED, UNUSABLE_INPUT
from callroute.cli.parameters import general_options
from callroute.errors import InputError, LocalCloudError


class Entry(NamedTuple):
    """An entry in the command list. Its module contains a click command with the same name."""

    summary: str
    """First line of the command's docstring, repeated here because the list must not import the command."""
    extra: str | None = None
    """The package extra that the command needs; None for commands in the base installation."""


COMMANDS = {
    "demo": Entry("Simulate callers in the local cloud and show where they dropped off.", extra="local"),
    "call": Entry("Call a flow in the local cloud and show the stored call record.", extra="local"),
    "serve": Entry(
        "Call the flows in the local cloud from a browser and see where callers drop off.", extra="local"
    ),
    "replay": Entry(
        "Send contact records through the local cloud and print the stored items.", extra="local"
    ),
    "report": Entry("Show where callers gave up, and how that changed.", extra="report"),
    "simulate": Entry("Simulate one call through a flow, or run a file of scenarios."),
    "check": Entry("Find problems in flows before they are deployed."),
    "explain": Entry(
        "Describe a `callroute check` rule: its requirement, severity and source, and how to ignore it."
    ),
    "track": Entry("Add drop-off tracking to a flow, or update it."),
    "diff": Entry("Compare two versions of a flow, or of all flows that changed since a Git revision."),
    "whatif": Entry("Estimate what callers would do in a changed version of a flow.", extra="report"),
    "pull": Entry("Read flows and modules from a Connect instance into files.", extra="local"),
    "draw": Entry("Draw a flow as an SVG image or a Mermaid chart."),
    "redrive": Entry("Put dead-lettered or quarantined records through the pipeline again.", extra="local"),
    "doctor": Entry("Check a deployed stack and print how to fix each problem.", extra="local"),
    "roles": Entry("Print the IAM documents for deployments, readers and operators.", extra="pulumi"),
    "completion": Entry("Print the script that completes commands and options in a shell."),
}

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class LazyCommand(click.Command):
    """A command that is imported when it runs or when its own help is requested."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Imports the command and parses its arguments."""
        command: click.Command = getattr(import_module(f"callroute.cli.{self.name}"), str(self.name))
        return command.make_context(info_name, args, parent, **extra)


class CommandGroup(click.Group):
    """The top-level command group. Reports errors on standard error and turns them into exit codes."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, entry in COMMANDS.items():
            self.add_command(LazyCommand(name, short_help=entry.summary))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Returns the names of all commands, in the order of COMMANDS."""
        return list(COMMANDS)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Runs the command line and exits with the command's exit code."""
        output.prepare_streams()
        try:
            return super().main(*args, **extra)
        except SystemExit as ended:
            raise SystemExit(output.close(ended.code)) from None

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parses the general options and prints help or the version if requested."""
        with reported_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command."""
        with reported_errors():
            try:
                return super().invoke(ctx)
            except ModuleNotFoundError as error:
                raise missing_package(error, ctx.invoked_subcommand or "") from error


def missing_package(error: ModuleNotFoundError, command: str) -> Exception:
    """Returns an error that suggests the command's extra, or the original error if no extra contains the package."""
    package, extra = (error.name or "").partition(".")[0], COMMANDS[command].extra
    if extra is None or package == "callroute":
        return error
    problem = f"the package {package} is not installed"
    return InputError(f"callroute {command}", "", problem, f"Install call-route-tracker[{extra}]")


@contextmanager
def reported_errors() -> Iterator[None]:
    """Prints an error message instead of a traceback.

    Raises:
        Exit: the command failed. Contains the exit code.
    """
    try:
        yield
    except InputError as error:
        raise failed(error, UNUSABLE_INPUT) from error
    except LocalCloudError as error:
        raise failed(error, LOCAL_CLOUD_FAILED) from error
    except click.ClickException as error:  # the command line is wrong
        raise failed(usage_error(error), UNUSABLE_INPUT) from error
    except KeyboardInterrupt as error:
        raise Exit(INTERRUPTED) from error
    except BrokenPipeError as error:
        raise Exit(CLOSED_PIPE) from error
    except OSError as error:
        if error.errno not in UNWRITABLE or error.filename:
            raise
        raise failed(output.unwritable(error), UNUSABLE_INPUT) from error
    except Exception as error:
        if not is_run_error(error):
            raise
        raise failed(error, UNUSABLE_INPUT) from error


def failed(error: Exception, code: int) -> Exit:
    """Prints an error message and returns the exception that ends the command."""
    output.error(str(error))
    return Exit(code)


def usage_error(error: click.ClickException) -> InputError:
    """Converts a click error to the format of all other errors."""
    context: click.Context | None = getattr(error, "ctx", None)
    source = command = context.command_path if context else "callroute"
    text = error.format_message()
    if (
        isinstance(error, click.BadParameter)
        and not isinstance(error, click.MissingParameter)
        and error.param
    ):
        source, text = max(error.param.opts, key=len), error.message
    text = " ".join(text.split()).replace("a valid integer range", "a whole number")
    problem, _, suggestion = text.rstrip(".").partition(". ")
    return InputError(source, "", problem[:1].lower() + problem[1:], suggestion or f"See `{command} --help`.")


def is_run_error(error: Exception) -> bool:
    """Returns whether the stack's configuration was rejected."""
    pulumi = sys.modules.get("pulumi")
    return pulumi is not None and isinstance(error, pulumi.RunError)


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.version_option(
    callroute.__version__, message="callroute %(version)s", help="Print the version and exit."
)
@general_options
@click.pass_context
def app(context: click.Context) -> None:
    """Find out where in an Amazon Connect phone menu callers hang up."""
    if context.invoked_subcommand is None:
        output.write(context.get_help(), error=True)
        raise Exit(UNUSABLE_INPUT)
