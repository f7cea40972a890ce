"""Runs the command line: `python -m callroute`, and the console script `callroute`."""

from __future__ import annotations


def main() -> None:
    """Runs the command that was typed."""
    from callroute.cli.app import app

    app(prog_name="callroute")


if __name__ == "__main__":
    main()
