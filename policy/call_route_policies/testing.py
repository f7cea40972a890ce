"""Test kit for Python policy packs: sends resources to a pack and returns the violations that it reports.

The pack runs as in Pulumi's engine: in its own process and folder, over gRPC. docs/policies.md contains an example. The
fixtures need pytest. Load them in the `conftest.py` at the top of your tests:

    pytest_plugins = ["call_route_policies.testing"]
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc  # type: ignore[import-untyped]  # comes without types
import pytest
import yaml
from google.protobuf import empty_pb2, struct_pb2  # type: ignore[import-untyped]  # comes without types
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

# Pulumi's encoding of secrets and unknown values. Source: sdk/go/common/resource/properties.go.
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker, not a secret
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Value of a string that a preview does not know."""

_NO_ENGINE = "127.0.0.1:9"
"""Address of an engine that does not exist. A pack calls its engine only to log messages."""

_WATCHER = "import os, sys; sys.stdin.read(); os.kill(int(sys.argv[1]), 9)"
"""Program that kills the pack when its standard input is closed, which happens when this process ends."""

_START_SECONDS = 60
_CALL_SECONDS = 60
_MAX_MESSAGE_BYTES = 400 * 1024 * 1024


def secret(value: Any) -> dict[str, Any]:
    """Marks a value as secret, as the engine does."""
    return {SIGNATURE: SECRET, "value": value}


@dataclass
class Resource:
    """A resource in a stack. Tests may change it."""

    type: str
    """Type token, for example `aws:sqs/queue:Queue`."""
    name: str
    """Logical name."""
    urn: str = ""
    """By default, a URN in the stack `test` of the project `test`."""
    parent: str = ""
    """URN of the parent."""
    inputs: dict[str, Any] = field(default_factory=dict)
    """Inputs by Pulumi's names. Use `UNKNOWN` and `secret` for unknown and secret values."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """Outputs that are not inputs, for example `arn`. Only stack rules receive them."""
    protect: bool = False
    dependencies: dict[str, list[str]] = field(default_factory=dict)
    """URNs of the resources that each property depends on."""

    def __post_init__(self) -> None:
        self.urn = self.urn or f"urn:pulumi:test::test::{self.type}::{self.name}"

    @property
    def state(self) -> dict[str, Any]:
        """Inputs and outputs together, as stack rules receive them."""
        return {**self.outputs, **self.inputs}


@dataclass(frozen=True, order=True)
class Violation:
    """A violation reported by a pack, or a note that a rule needs an unknown value."""

    rule: str
    resource: str
    """Logical name; empty if the finding concerns the whole stack or an unknown value."""
    message: str
    """Message, excluding the rule description that the SDK puts in front of it."""
    level: str
    """`mandatory` or `advisory`."""


def interpreter(folder: Path) -> Path:
    """Returns a pack's Python interpreter: that of the virtual environment in PulumiPolicy.yaml, or this one.

    Raises:
        RuntimeError: the virtual environment does not exist.
    """
    runtime = yaml.safe_load((folder / "PulumiPolicy.yaml").read_text(encoding="utf-8"))["runtime"]
    environment = runtime.get("options", {}).get("virtualenv") if isinstance(runtime, dict) else None
    if environment is None:
        return Path(sys.executable)
    found: Path = folder / environment / "bin" / "python"
    if not found.exists():
        raise RuntimeError(f"{found} is missing. Run `pulumi install` in {folder} to create the environment.")
    return found


class Pack:
    """A policy pack that runs while this context manager is active.

    Args:
        folder: folder with PulumiPolicy.yaml and `__main__.py`.
        environment: environment variables of the pack, by default those of this process. The engine sets PULUMI_STACK,
            PULUMI_PROJECT, PULUMI_ORGANIZATION and PULUMI_DRY_RUN.
    """

    def __init__(self, folder: str | Path, environment: Mapping[str, str] | None = None) -> None:
        self._folder = Path(folder)
        self._environment = {**os.environ} if environment is None else {**environment}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - the pack under test
            [interpreter(self._folder), "-u", "-m", "pulumi.policy", _NO_ENGINE, "."],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._watcher = subprocess.Popen(  # noqa: S603 - the program above
            [sys.executable, "-I", "-S", "-c", _WATCHER, str(self._process.pid)], stdin=subprocess.PIPE
        )
        # If the pack does not start in time, killing it also ends the attempt to read its port below.
        timer = threading.Timer(_START_SECONDS, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else ""
        finally:
            timer.cancel()
        if not line.strip().isdigit():
            errors = self._stop()
            raise RuntimeError(
                f"the pack in {self._folder} printed {line!r} instead of its port, and to standard error:\n{errors}"
            )
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{line.strip()}",
            options=[
                ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.enable_http_proxy", 0),
            ],
        )
        self._stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        self.configure({})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
        self._stop()

    def _stop(self) -> str:
        """Ends both processes and returns the pack's standard error."""
        self._watcher.kill()
        self._watcher.communicate()
        self._process.kill()
        return self._process.communicate()[1]

    def info(self) -> analyzer_pb2.AnalyzerInfo:
        """Returns the name, rules and settings of the pack."""
        answer: analyzer_pb2.AnalyzerInfo = self._stub.GetAnalyzerInfo(
            empty_pb2.Empty(), timeout=_CALL_SECONDS
        )
        return answer

    def configure(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Configures rules as `--policy-pack-config` does. An empty mapping restores the defaults.

        Args:
            settings: setting values and, optionally, the `enforcementLevel`, by rule name.

        Raises:
            ValueError: the pack has no rule with this name. The engine would ignore it.
        """
        request = analyzer_pb2.ConfigureAnalyzerRequest()
        info = self.info()
        if unknown := sorted({*settings} - {policy.name for policy in info.policies}):
            raise ValueError(f"the pack has no rule {unknown[0]!r}. Use the name of one of its rules.")
        for policy in info.policies:
            values = dict(settings.get(policy.name, {}))
            level = values.pop("enforcementLevel", None)
            initial = info.initialConfig.get(policy.name)
            config = request.policyConfig[policy.name]
            config.enforcementLevel = (
                analyzer_pb2.EnforcementLevel.Value(level.upper())
                if level
                else (initial or policy).enforcementLevel
            )
            for name, schema in policy.configSchema.properties.items():
                if "default" in schema:
                    config.properties.update({name: schema["default"]})
            if initial:
                config.properties.update(initial.properties)
            config.properties.update(values)
        self._stub.Configure(request, timeout=_CALL_SECONDS)

    def analyze(self, stack: Sequence[Resource]) -> list[Violation]:
        """Runs all rules on a stack: resource rules on each resource, then stack rules."""
        return sorted([*self.analyze_resources(stack), *self.analyze_stack(stack)])

    def analyze_resources(self, stack: Iterable[Resource]) -> list[Violation]:
        """Runs the resource rules on the inputs of resources."""
        # Sends the requests in parallel, as the engine does.
        calls = [
            (resource.name, self._stub.Analyze.future(_request(resource), timeout=_CALL_SECONDS))
            for resource in stack
        ]
        return [_violation(each, name) for name, call in calls for each in call.result().diagnostics]

    def analyze_stack(self, stack: Sequence[Resource]) -> list[Violation]:
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
        answer = self._stub.AnalyzeStack(request, timeout=_CALL_SECONDS)
        return [_violation(each, names.get(each.urn, "")) for each in answer.diagnostics]

    def remediate(self, stack: Iterable[Resource]) -> list[str]:
        """Returns the names of the resources whose inputs the pack would change."""
        return [
            resource.name
            for resource in stack
            if self._stub.Remediate(_request(resource), timeout=_CALL_SECONDS).remediations
        ]


def _request(resource: Resource) -> analyzer_pb2.AnalyzeRequest:
    return analyzer_pb2.AnalyzeRequest(
        type=resource.type,
        properties=_struct(resource.inputs),
        urn=resource.urn,
        name=resource.name,
        options=_options(resource),
    )


def _options(resource: Resource) -> analyzer_pb2.AnalyzerResourceOptions:
    return analyzer_pb2.AnalyzerResourceOptions(protect=resource.protect, parent=resource.parent)


def _violation(diagnostic: analyzer_pb2.AnalyzeDiagnostic, resource: str) -> Violation:
    message = diagnostic.message.removeprefix(f"{diagnostic.description}\n")
    level = analyzer_pb2.EnforcementLevel.Name(diagnostic.enforcementLevel).lower()
    return Violation(diagnostic.policyName, resource, message, level)


def _struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


@pytest.fixture(scope="session")
def policy_pack_folder(pytestconfig: pytest.Config) -> Path:
    """Folder of the pack under test: `policy` in the root folder of the tests. Override this fixture to change it."""
    return pytestconfig.rootpath / "policy"


@pytest.fixture(scope="session")
def running_policy_pack(policy_pack_folder: Path) -> Iterator[Pack]:
    """The process of the pack under test, shared by all tests in the session."""
    with Pack(policy_pack_folder) as pack:
        yield pack


@pytest.fixture
def policy_pack(running_policy_pack: Pack) -> Pack:
    """The pack under test, with its default settings."""
    running_policy_pack.configure({})
    return running_policy_pack
