"""The policy pack as Pulumi's engine starts it: a process of its own, spoken to over gRPC."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc  # type: ignore[import-untyped]  # comes without types
import yaml
from google.protobuf import empty_pb2, struct_pb2  # type: ignore[import-untyped]  # comes without types
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from tests.policies.stacks import Recorded
from tests.support.paths import REPOSITORY

FOLDER = REPOSITORY / "policy"

# The pack has no use for the engine, whose address it is given: whatever would call it must fail, not reach something.
NO_ENGINE = "127.0.0.1:9"

# Ends the pack, however this process dies: the watcher's standard input then ends.
WATCHER = "import os, sys; sys.stdin.read(); os.kill(int(sys.argv[1]), 9)"

START_SECONDS = 30
CALL_SECONDS = 20
MOST_MESSAGE_BYTES = 400 * 1024 * 1024


def interpreter(folder: Path = FOLDER) -> Path:
    """The Python with which the engine starts a pack: that of the virtual environment which PulumiPolicy.yaml names.

    Raises:
        RuntimeError: there is no such environment yet.
    """
    project = yaml.safe_load((folder / "PulumiPolicy.yaml").read_text(encoding="utf-8"))
    found: Path = folder / project["runtime"]["options"]["virtualenv"] / "bin" / "python"
    if not found.exists():
        raise RuntimeError(
            f"{found} is missing. Run `make test`, which sets up the pack's virtual environment."
        )
    return found


@dataclass(frozen=True, order=True)
class Violation:
    """What the pack said about a resource."""

    rule: str
    resource: str
    """Logical name; empty where it concerns the whole stack, or what cannot be judged yet."""
    message: str
    """Without the rule's description, which the SDK puts on top."""
    level: str
    """`mandatory` or `advisory`."""


class Pack:
    """A running pack; a context manager.

    Args:
        environment: variables besides PATH, as the engine sets PULUMI_STACK and the like.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = {"PATH": os.environ["PATH"], **(environment or {})}

    def __enter__(self) -> Pack:
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and program)
            [interpreter(), "-u", "-m", "pulumi.policy", NO_ENGINE, "."],
            cwd=FOLDER,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._watcher = subprocess.Popen(  # noqa: S603 (as above)
            [sys.executable, "-I", "-S", "-c", WATCHER, str(self._process.pid)], stdin=subprocess.PIPE
        )
        # A pack that does not come up is ended; reading its port then ends as well.
        too_late = threading.Timer(START_SECONDS, self._process.kill)
        too_late.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else ""
        finally:
            too_late.cancel()
        if not line.strip().isdigit():
            errors = self._stop()
            raise RuntimeError(
                f"the pack did not print its port but {line!r}, and on standard error:\n{errors}"
            )
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{line.strip()}",
            options=[
                ("grpc.max_receive_message_length", MOST_MESSAGE_BYTES),
                ("grpc.enable_http_proxy", 0),
            ],
        )
        self._stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
        self._stop()

    def _stop(self) -> str:
        """Ends both processes, the watcher first, and returns what the pack wrote to standard error."""
        self._watcher.kill()
        self._watcher.communicate()
        self._process.kill()
        return self._process.communicate()[1]

    def info(self) -> analyzer_pb2.AnalyzerInfo:
        """What the pack says of itself."""
        answer: analyzer_pb2.AnalyzerInfo = self._stub.GetAnalyzerInfo(
            empty_pb2.Empty(), timeout=CALL_SECONDS
        )
        return answer

    def configure(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Sets rules as `--policy-pack-config` does: settings by rule; an empty mapping takes all of them back."""
        request = analyzer_pb2.ConfigureAnalyzerRequest()
        for rule, values in settings.items():
            level = str(values.get("enforcementLevel", "mandatory")).upper()
            request.policyConfig[rule].enforcementLevel = analyzer_pb2.EnforcementLevel.Value(level)
            request.policyConfig[rule].properties.update(
                {key: value for key, value in values.items() if key != "enforcementLevel"}
            )
        self._stub.Configure(request, timeout=CALL_SECONDS)

    def judge(self, stack: Sequence[Recorded]) -> list[Violation]:
        """What the pack says of a stack: each resource by itself, as it is registered, then all of them together."""
        return sorted([*self.judge_resources(stack), *self.judge_stack(stack)])

    def judge_resources(self, stack: Iterable[Recorded]) -> list[Violation]:
        """What the resource rules say, of the inputs."""
        # All at once, as an engine with parallel steps asks.
        asked = [
            (resource.name, self._stub.Analyze.future(_request(resource), timeout=CALL_SECONDS))
            for resource in stack
        ]
        return [_violation(each, name) for name, answer in asked for each in answer.result().diagnostics]

    def remediated(self, stack: Iterable[Recorded]) -> list[str]:
        """Names of the resources whose inputs the pack would change: the engine asks that before it has them judged."""
        return [
            resource.name
            for resource in stack
            if self._stub.Remediate(_request(resource), timeout=CALL_SECONDS).remediations
        ]

    def judge_stack(self, stack: Sequence[Recorded]) -> list[Violation]:
        """What the stack rules say, of inputs and outputs."""
        request = analyzer_pb2.AnalyzeStackRequest()
        names = {}
        for resource in stack:
            names[resource.urn] = resource.name
            added = request.resources.add(
                type=resource.type,
                properties=_struct(resource.state),
                urn=resource.urn,
                name=resource.name,
                options=_options(resource),
                parent=resource.parent,
            )
            for name, urns in resource.dependencies.items():
                added.propertyDependencies[name].urns.extend(urns)
        answer = self._stub.AnalyzeStack(request, timeout=CALL_SECONDS)
        return [_violation(each, names.get(each.urn, "")) for each in answer.diagnostics]


def _request(resource: Recorded) -> analyzer_pb2.AnalyzeRequest:
    return analyzer_pb2.AnalyzeRequest(
        type=resource.type,
        properties=_struct(resource.inputs),
        urn=resource.urn,
        name=resource.name,
        options=_options(resource),
    )


def _options(resource: Recorded) -> analyzer_pb2.AnalyzerResourceOptions:
    return analyzer_pb2.AnalyzerResourceOptions(protect=resource.protect, parent=resource.parent)


def _violation(diagnostic: analyzer_pb2.AnalyzeDiagnostic, resource: str) -> Violation:
    message = diagnostic.message.removeprefix(f"{diagnostic.description}\n")
    level = analyzer_pb2.EnforcementLevel.Name(diagnostic.enforcementLevel).lower()
    return Violation(diagnostic.policyName, resource, message, level)


def _struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct
