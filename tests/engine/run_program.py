"""Runs a Pulumi program: the path in the first argument, with the engine's request, encoded in Base64, in the second one.

Pulumi's own host starts `pulumi-language-python-exec` here, which no Python package contains. The interpreter can be that of an
environment without this repository.
"""

from __future__ import annotations

import base64
import runpy
import sys
from pathlib import Path

from pulumi.automation._server import LanguageServer
from pulumi.runtime import settings
from pulumi.runtime.proto import language_pb2

REPORTED = 32
"""Exit code of a program that has reported its error to the engine."""


def main() -> None:
    """Runs the program and exits."""
    program, encoded = sys.argv[1:]
    request = language_pb2.RunRequest.FromString(base64.b64decode(encoded))

    def run() -> None:
        settings.SETTINGS.root_directory = request.info.root_directory
        runpy.run_path(program, run_name="__main__")

    sys.path.insert(0, str(Path.cwd()))
    result = LanguageServer(run).Run(request, None)  # type: ignore[no-untyped-call]
    sys.exit(REPORTED if result.error else 0)


if __name__ == "__main__":
    main()
