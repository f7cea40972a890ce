"""A policy pack without rules that records the resources that Pulumi's engine sends to it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2, json_format  # type: ignore[import-untyped]  # comes without types
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

from tests.engine import plugin_server

LOG = "CALLROUTE_ENGINE_RECORD"
"""Environment variable with the file to which the resources are written, one JSON object in each line."""


def install(folder: Path) -> Path:
    """Writes the pack to a folder, and returns the folder."""
    folder.mkdir(parents=True)
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
    (folder / "PulumiPolicy.yaml").write_text(json.dumps({"runtime": runtime, "version": "0.0.1"}))
    (folder / "__main__.py").write_text("from tests.engine.recorder_pack import serve\n\nserve()\n")
    return folder


class Recorder(analyzer_pb2_grpc.AnalyzerServicer):
    """Writes the resources of each request to a file, and reports nothing.

    Args:
        log: the file.
    """

    def __init__(self, log: Path) -> None:
        self._log = log

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return analyzer_pb2.AnalyzerInfo(name="recorder", displayName="recorder", version="0.0.1")

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return plugin_pb2.PluginInfo(version="0.0.1")

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return empty_pb2.Empty()

    def Remediate(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        return analyzer_pb2.RemediateResponse()

    def Analyze(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        self._record("inputs", [request])
        return analyzer_pb2.AnalyzeResponse()

    def AnalyzeStack(self, request: Any, context: Any) -> Any:  # noqa: N802 - a remote procedure
        self._record("state", request.resources)
        return analyzer_pb2.AnalyzeResponse()

    def _record(self, kind: str, resources: Any) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            for each in resources:
                record = {
                    "kind": kind,
                    "type": each.type,
                    "name": each.name,
                    "properties": json_format.MessageToDict(each.properties),
                    "dependencies": {
                        name: sorted(found.urns)
                        for name, found in getattr(each, "propertyDependencies", {}).items()
                    },
                }
                file.write(json.dumps(record) + "\n")


def serve() -> None:
    """Serves the pack for the engine."""
    recorder = Recorder(Path(os.environ[LOG]))
    server, port = plugin_server.serve(
        lambda server: analyzer_pb2_grpc.add_AnalyzerServicer_to_server(recorder, server)
    )
    print(port)
    server.wait_for_termination()
