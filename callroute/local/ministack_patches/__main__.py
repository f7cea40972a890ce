"""Runs ministack with all patches applied, and exits when the parent process does.

Usage: python -m callroute.local.ministack_patches
"""

from __future__ import annotations

import os
import shutil
import sys
import threading


def main() -> None:
    """Runs ministack until standard input is closed."""
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    # Imported after the thread starts, because the import takes a moment and the parent may exit in the meantime.
    from ministack.app import main as serve

    from callroute.local.ministack_patches.patches import UnsupportedReleaseError, apply

    try:
        apply()
    except UnsupportedReleaseError as error:
        sys.exit(str(error))
    sys.argv = ["ministack"]
    serve()


def _exit_with_parent() -> None:
    """Exits when standard input is closed. This happens whenever the parent ends, even by SIGKILL.

    The parent sends input if it removes the emulator's files itself. Without input, they are removed here.
    """
    if not sys.stdin.buffer.read():
        shutil.rmtree(os.environ["HOME"], ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
