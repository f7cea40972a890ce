"""Entry point of the `callroute` script.

Imports as little as possible at module level so that Ctrl-C is handled before the slower imports begin.
"""

from __future__ import annotations

import os
import signal
import sys

from callroute.cli.exit_codes import INTERRUPTED


def main() -> None:
    """Runs the command line and exits."""
    signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(INTERRUPTED))
    from callroute.cli.app import app

    try:
        # From here on, Ctrl-C raises KeyboardInterrupt, so that commands can clean up.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        app(prog_name="callroute")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        # Ctrl-C during interpreter shutdown would print a traceback.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit()
