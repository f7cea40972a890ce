"""Runs the command line as `python -m callroute`."""

from __future__ import annotations

from callroute.cli.main import main

if __name__ == "__main__":
    main()
