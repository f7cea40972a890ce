"""The emulator's process: ministack, stricter and faster than by itself, which ends when its parent does.

python -m callroute.local.ministack_patches
"""

from __future__ import annotations

import os
import shutil
import sys
import threading


def main() -> None:
    """Runs ministack until standard input ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Only now, and not above: they take a moment, in which the parent may end.
    from ministack.app import main as serve

    from callroute.local.ministack_patches import kms_permissions, latency, log_delivery, task_permissions

    for change in (task_permissions, kms_permissions, log_delivery, latency):
        change.enforce()
    sys.argv = ["ministack"]
    serve()


def _end_with_parent() -> None:
    """Ends this process when its standard input does.

    That happens however the parent dies, so that no emulator is left behind even where no handler of the parent can run
    (SIGKILL, SIGTERM). Then this process clears up after itself, unless the parent told it that it will.
    """
    if not sys.stdin.buffer.read():
        shutil.rmtree(os.environ["HOME"], ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
