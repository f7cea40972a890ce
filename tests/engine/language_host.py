"""A Python language host for Pulumi's engine, for machines that have the CLI without its language plugins.

Runs Python programs, policy packs and component plugins as Pulumi's own host does: with the interpreter of the virtual
environment that the project file names, in the project's folder. Dependencies are not installed.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any, BinaryIO

from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # comes without types
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tests.engine import plugin_server

RUN_PROGRAM = """
import base64, os, runpy, sys
from pulumi.automation._server import LanguageServer
from pulumi.runtime import settings
from pulumi.runtime.proto import language_pb2

request = language_pb2.RunRequest.FromString(base64.b64decode(sys.stdin.read()))

def program():
    settings.SETTINGS.root_directory = request.info.root_directory
    runpy.run_path(sys.argv[1], run_name="__main__")

sys.path.insert(0, os.getcwd())
result = LanguageServer(program).Run(request, None)
sys.exit(32 if result.error else 0)
"""
"""Pulumi's own host starts `pulumi-language-python-exec` here, which no Python package contains."""

REPORTED = 32
"""Exit code of a program that has reported its error to the engine."""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the engine's requests to run programs and plugins.

    Args:
        engine: address of the engine.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return plugin_pb2.PluginInfo(version="3.0.0")

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return language_pb2.GetRequiredPluginsResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return iter(())

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        """Runs a program to its end."""
        request.args[:] = [self._engine]
        folder = Path(request.info.program_directory)
        done = subprocess.run(  # noqa: S603 - the program under test
            [_interpreter(request.info), "-u", "-c", RUN_PROGRAM, folder / request.info.entry_point],
            cwd=folder,
            input=base64.b64encode(request.SerializeToString()).decode(),
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode == REPORTED:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=(done.stderr or done.stdout) if done.returncode else "")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - a remote procedure
        """Starts a policy pack or a component plugin, and passes its output on until it ends."""
        folder = request.info.program_directory
        is_policy_pack = "analyzer" in request.kind
        command = (
            ["-m", "pulumi.policy", *request.args, folder] if is_policy_pack else [folder, *request.args]
        )
        process = subprocess.Popen(  # noqa: S603 - the plugin under test
            [_interpreter(request.info), "-u", *command],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **dict(variable.split("=", 1) for variable in request.env)},
        )
        context.add_callback(process.terminate)
        output: Queue[tuple[str, bytes]] = Queue()
        for name in ("stdout", "stderr"):
            threading.Thread(target=_read, args=(name, getattr(process, name), output), daemon=True).start()
        open_streams = 2
        while open_streams:
            name, chunk = output.get()
            if chunk:
                yield (
                    language_pb2.RunPluginResponse(stdout=chunk)
                    if name == "stdout"
                    else language_pb2.RunPluginResponse(stderr=chunk)
                )
            else:
                open_streams -= 1
        yield language_pb2.RunPluginResponse(exitcode=process.wait())

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return empty_pb2.Empty()


def _interpreter(info: Any) -> str:
    if "virtualenv" not in info.options.fields:
        return sys.executable
    environment = Path(info.root_directory) / info.options.fields["virtualenv"].string_value
    return str(environment / "bin" / "python")


def _read(name: str, stream: BinaryIO, output: Queue[tuple[str, bytes]]) -> None:
    while chunk := stream.read1(4096):  # type: ignore[attr-defined]  # a buffered reader
        output.put((name, chunk))
    output.put((name, b""))


def serve() -> None:
    """Serves the host for the engine whose address is the first argument."""
    engine = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    plugin_server.serve(
        lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine), server)
    )
