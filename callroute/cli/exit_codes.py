"""Exit codes shared by all commands."""

from __future__ import annotations

DONE = 0
FINDINGS = 1
"""The command ran and found errors or warnings, a failed scenario, or a record that was not stored."""
UNUSABLE_INPUT = 2
"""An argument or a file cannot be used, or the output cannot be written."""
LOCAL_CLOUD_FAILED = 3
INTERRUPTED = 130
"""The user pressed Ctrl-C: 128 + SIGINT, as shells report it."""
CLOSED_PIPE = 141
"""The reader of standard output closed it: 128 + SIGPIPE."""
