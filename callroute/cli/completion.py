"""Implements `callroute completion`, which prints the script for shell completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from callroute.cli import output
from callroute.cli.parameters import general_options


@click.command
@click.argument(
    "shell", metavar="SHELL", type=click.Choice(["bash", "fish", "zsh"]), help="bash, fish or zsh."
)
@general_options
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in a shell.

    For bash, add the line `eval "$(callroute completion bash)"` to ~/.bashrc. For zsh, use ~/.zshrc and zsh. For fish,
    write the output to ~/.config/fish/completions/callroute.fish.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click supports all three shells
    output.write_document(
        kind(context.find_root().command, {}, "callroute", "_CALLROUTE_COMPLETE").source() + "\n"
    )
