"""Runs the policy pack as Pulumi's engine does: in its own process, over gRPC."""

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

# Address of an engine that does not exist. The pack does not call it.
NO_ENGINE = "127.0.0.1:9"

# Kills the pack when this process ends, which closes the standard input of the watcher.
WATCHER = "import os, sys; sys.stdin.read(); os.kill(int(sys.argv[1]), 9)"

START_SECONDS = 30
CALL_SECONDS = 20
MAX_MESSAGE_BYTES = 400 * 1024 * 1024


def interpreter(folder: Path = FOLDER) -> Path:
    """Returns the Python interpreter of the virtual environment in PulumiPolicy.yaml.

    Raises:
        RuntimeError: the environment does not exist.
    """
    project = yaml.safe_load((folder / "PulumiPolicy.yaml").read_text(encoding="utf-8"))
    found: Path = folder / project["runtime"]["options"]["virtualenv"] / "bin" / "python"
    if not found.exists():
        raise RuntimeError(f"{found} is missing. Run `make test`, which creates the virtual environment.")
    return found


@dataclass(frozen=True, order=True)
class Violation:
    """A violation that the pack reported, or a note about a value that it does not know."""

    rule: str
    resource: str
    """Logical name; empty if the finding concerns the whole stack or an unknown value."""
    message: str
    """The message without the description of the rule, with which the SDK begins it."""
    level: str
    """`mandatory` or `advisory`."""


class Pack:
    """A running pack; a context manager.

    Args:
        environment: environment variables besides PATH, for example PULUMI_STACK.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = {"PATH": os.environ["PATH"], **(environment or {})}
        self._settings: Mapping[str, Mapping[str, Any]] = {}
        self._answers: dict[bytes, analyzer_pb2.AnalyzeResponse] = {}
        """Answers for resources that have been analyzed with the current settings: most tests change only one resource."""

    def __enter__(self) -> Pack:
        self._process = subprocess.Popen(  # noqa: S603 (interpreter and program of this project)
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
        # Killing a pack that does not start also ends the attempt to read its port.
        timer = threading.Timer(START_SECONDS, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else ""
        finally:
            timer.cancel()
        if not line.strip().isdigit():
            errors = self._stop()
            raise RuntimeError(
                f"the pack printed {line!r} instead of its port, and to standard error:\n{errors}"
            )
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{line.strip()}",
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
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
        """Ends both processes and returns the standard error of the pack."""
        self._watcher.kill()
        self._watcher.communicate()
        self._process.kill()
        return self._process.communicate()[1]

    def info(self) -> analyzer_pb2.AnalyzerInfo:
        """Returns the name, rules and settings of the pack."""
        answer: analyzer_pb2.AnalyzerInfo = self._stub.GetAnalyzerInfo(
            empty_pb2.Empty(), timeout=CALL_SECONDS
        )
        return answer

    def configure(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Configures rules as `--policy-pack-config` does. An empty mapping restores the defaults."""
        if settings != self._settings:
            self._answers.clear()
        self._settings = settings
        request = analyzer_pb2.ConfigureAnalyzerRequest()
        for rule, values in settings.items():
            level = str(values.get("enforcementLevel", "mandatory")).upper()
            request.policyConfig[rule].enforcementLevel = analyzer_pb2.EnforcementLevel.Value(level)
            request.policyConfig[rule].properties.update(
                {key: value for key, value in values.items() if key != "enforcementLevel"}
            )
        self._stub.Configure(request, timeout=CALL_SECONDS)

    def analyze(self, stack: Sequence[Recorded]) -> list[Violation]:
        """Runs all rules on a stack: resource rules on each resource, then stack rules."""
        return sorted([*self.analyze_resources(stack), *self.analyze_stack(stack)])

    def analyze_resources(self, stack: Iterable[Recorded]) -> list[Violation]:
        """Runs the resource rules on the inputs of resources."""
        requests = [(resource.name, _request(resource)) for resource in stack]
        keys = [(name, request.SerializeToString(deterministic=True)) for name, request in requests]
        # In parallel, as the engine does.
        calls = {
            key: self._stub.Analyze.future(request, timeout=CALL_SECONDS)
            for (_, key), (_, request) in zip(keys, requests, strict=True)
            if key not in self._answers
        }
        self._answers |= {key: call.result() for key, call in calls.items()}
        return [_violation(each, name) for name, key in keys for each in self._answers[key].diagnostics]

    def remediate(self, stack: Iterable[Recorded]) -> list[str]:
        """Returns the names of the resources whose inputs the pack would change."""
        return [
            resource.name
            for resource in stack
            if self._stub.Remediate(_request(resource), timeout=CALL_SECONDS).remediations
        ]

    def analyze_stack(self, stack: Sequence[Recorded]) -> list[Violation]:
        """Runs the stack rules on inputs and outputs."""
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
