"""Runs Pulumi's CLI on a copy of the project, with the provider and the language host of this folder and a state of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi.runtime.proto import language_pb2_grpc, provider_pb2_grpc

from callroute.local.emulator import Emulator
from callroute.local.stack_config import DEFAULT_REGION
from callroute.local.stack_runner import Deployment, Registered
from tests.engine import plugin_server
from tests.engine.aws_resources import Cloud
from tests.engine.language_host import LanguageHost
from tests.engine.provider import Provider
from tests.support.paths import REPOSITORY

COMMAND_SECONDS = 300
OTHER_PACKAGES = ("aws-native", "calls", "pulumi-python")
"""Packages of the resource types that the policy pack cannot inspect."""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that the command printed."""
        return self.out + self.err


@dataclass
class Project:
    """A copy of the project in which `pulumi` runs.

    Attributes:
        folder: folder of the copy. Its `.venv` is the environment of this Python.
        emulator: where resources are created; None for projects that are only previewed.
        home: folder for Pulumi's own files and for its backend.
        variables: further environment variables of the commands.
        any_type: whether the provider accepts resource types that the emulator lacks.
        cloud: the resources of the provider.
    """

    folder: Path
    home: Path
    emulator: Emulator | None = None
    variables: dict[str, str] = field(default_factory=dict)
    any_type: bool = False

    def __post_init__(self) -> None:
        """Starts the provider and the language host, to which the CLI connects, as to plugins that are being debugged."""
        self.cloud = Cloud(self.emulator or Emulator())
        self._packages = ("aws", *OTHER_PACKAGES) if self.any_type else ("aws",)
        provider = Provider(self.cloud, any_type=self.any_type)
        host = LanguageHost(lambda: self.environment)
        self._server, self._port = plugin_server.serve(
            lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server),
            lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server),
        )

    @classmethod
    def copy(cls, folder: Path, emulator: Emulator | None = None, *, any_type: bool = False) -> Project:
        """Copies the files that git tracks into `folder`, and prepares Pulumi's own folders beside them."""
        files = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git from PATH
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\0")
        project = cls.empty(folder, emulator, any_type=any_type)
        copy = project.folder
        for name in filter(None, files):
            if name.startswith("tests/") or not (REPOSITORY / name).is_file():
                continue
            folder = (copy / name).parent
            if not folder.exists():
                folder.mkdir(parents=True)
                compiled = (REPOSITORY / name).parent / "__pycache__"
                if compiled.exists():
                    shutil.copytree(compiled, folder / "__pycache__")
            # With its time, because a compiled file is valid for that time of its source.
            shutil.copy2(REPOSITORY / name, copy / name)
        (copy / ".venv").symlink_to(sys.prefix)
        return project

    @classmethod
    def empty(cls, folder: Path, emulator: Emulator | None = None, *, any_type: bool = False) -> Project:
        """Prepares a project without files, and Pulumi's own folders beside it."""
        project = cls(folder / "project", folder / "pulumi", emulator, any_type=any_type)
        project.folder.mkdir(parents=True)
        (project.home / "backend").mkdir(parents=True)
        return project

    @property
    def environment(self) -> dict[str, str]:
        """Variables of every command: nothing of the user's AWS or Pulumi settings."""
        return {
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]]),
            "AWS_REGION": DEFAULT_REGION,
            "PULUMI_BACKEND_URL": (self.home / "backend").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "passphrase of a test",
            "PULUMI_HOME": str(self.home / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
            "PULUMI_DEBUG_LANGUAGES": f"python:{self._port}",
            "PULUMI_DEBUG_PROVIDERS": ",".join(f"{package}:{self._port}" for package in self._packages),
            **self.variables,
        }

    def pulumi(self, *arguments: str, folder: Path | None = None) -> Done:
        """Runs one command of Pulumi's CLI to its end."""
        return self.run("pulumi", *arguments, "--non-interactive", "--color=never", folder=folder)

    def succeed(self, *arguments: str, folder: Path | None = None) -> Done:
        """Runs one command of Pulumi's CLI, which must succeed."""
        done = self.pulumi(*arguments, folder=folder)
        assert done.code == 0, done.text
        return done

    def run(self, *command: str, folder: Path | None = None) -> Done:
        """Runs a command in the project's folder, or in `folder`."""
        done = subprocess.run(  # noqa: S603 - commands of the tests
            command,
            cwd=folder or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def stack(self, name: str, config: Mapping[str, str] | None = None) -> None:
        """Selects a stack, which is created if needed, with the committed configuration and some changes."""
        file = self.folder / f"Pulumi.{name}.yaml"
        committed = (REPOSITORY / file.name).read_text(encoding="utf-8")
        self.succeed("stack", "select", "--create", "--stack", name)
        salt = [
            line
            for line in file.read_text(encoding="utf-8").splitlines()
            if line.startswith("encryptionsalt")
        ]
        file.write_text("\n".join([*salt, committed]), encoding="utf-8")
        if config:
            pairs = [word for key, value in config.items() for word in ("--plaintext", f"{key}={value}")]
            self.succeed("config", "set-all", "--path", *pairs)

    def state(self) -> list[dict[str, Any]]:
        """Resources of the selected stack, as `pulumi stack export` prints them."""
        exported = json.loads(self.succeed("stack", "export", "--show-secrets").out)
        resources: list[dict[str, Any]] = exported["deployment"].get("resources", [])
        return resources

    def deployment(self, stack: str) -> Deployment:
        """The stack as the local pipe and dialer take it."""
        assert self.emulator is not None
        resources = self.state()
        registered = tuple(
            Registered(
                each["type"], each["urn"].rpartition("::")[2], each["inputs"], each["id"], each["outputs"]
            )
            for each in resources
            if each.get("custom") and not each["type"].startswith("pulumi:")
        )
        outputs = next(each.get("outputs", {}) for each in resources if each["type"] == "pulumi:pulumi:Stack")
        return Deployment(self.emulator, stack, registered, outputs)
