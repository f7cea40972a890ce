"""A Python language host for Pulumi's engine, for machines that have the CLI without its language plugins.

Runs Python programs, policy packs and component plugins as Pulumi's own host does: with the interpreter of the virtual
environment that the project file names, in the project's folder. Dependencies are not installed.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # comes without types
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tests.engine import run_program
from tests.engine.python_processes import Process, start


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the engine's requests to run programs and plugins.

    Args:
        environment: returns the environment variables of the programs.
    """

    def __init__(self, environment: Callable[[], Mapping[str, str]]) -> None:
        self._environment = environment
        self._engines: dict[str, str] = {}

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        # A command has several engines, each with its own connection.
        self._engines[context.peer()] = request.engine_address
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
        request.args[:] = [self._engines[context.peer()]]
        program = str(Path(request.info.program_directory) / request.info.entry_point)
        encoded = base64.b64encode(request.SerializeToString()).decode()
        process = self._start(request.info, [run_program.__file__, program, encoded], context)
        output = {"stdout": b"", "stderr": b""}
        for name, chunk in process.output():
            output[name] += chunk
        code = process.wait()
        if code == run_program.REPORTED:
            return language_pb2.RunResponse(bail=True)
        error = (output["stderr"] or output["stdout"]).decode() if code else ""
        return language_pb2.RunResponse(error=error)

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - a remote procedure
        """Starts a policy pack or a component plugin, and passes its output on until it ends."""
        folder = request.info.program_directory
        is_policy_pack = "analyzer" in request.kind
        command = (
            ["-m", "pulumi.policy", *request.args, folder] if is_policy_pack else [folder, *request.args]
        )
        variables = dict(variable.split("=", 1) for variable in request.env)
        process = self._start(request.info, command, context, variables)
        for name, chunk in process.output():
            response = language_pb2.RunPluginResponse
            yield response(stdout=chunk) if name == "stdout" else response(stderr=chunk)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return empty_pb2.Empty()

    def _start(
        self, info: Any, command: list[str], context: Any, variables: Mapping[str, str] = MappingProxyType({})
    ) -> Process:
        """Starts a program, which ends with the engine's request."""
        environment = {**self._environment(), **variables}
        process = start(_interpreter(info), command, Path(info.program_directory), environment)
        context.add_callback(process.terminate)
        return process


def _interpreter(info: Any) -> str:
    if "virtualenv" not in info.options.fields:
        return sys.executable
    environment = Path(info.root_directory) / info.options.fields["virtualenv"].string_value
    return str(environment / "bin" / "python")
