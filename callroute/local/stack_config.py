"""Reads the configuration of a Pulumi stack from its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from callroute.errors import InputError

if TYPE_CHECKING:
    from call_route_tracker.options import CallRouteTrackerArgs

PROJECT_FILE = "Pulumi.yaml"
DEFAULT_REGION = "ap-northeast-1"
FLOW_FOLDER = "flow_definitions"
"""Folder of a project's flows."""


def find_project(start: Path | None = None) -> Path:
    """Returns the closest folder with a Pulumi.yaml, searching upwards.

    Args:
        start: folder to start from. Default: the current directory.

    Raises:
        InputError: neither the folder nor any of its parents contains a Pulumi.yaml.
    """
    folder = (start or Path()).resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / PROJECT_FILE).is_file():
            return candidate
    raise InputError(
        str(folder),
        "",
        f"no {PROJECT_FILE} in this folder or its parents",
        "Run the command in a Pulumi project folder.",
    )


class Secret(str):
    """A configuration value that Pulumi would store encrypted."""


@dataclass(frozen=True)
class StackConfig:
    """Configuration of a stack: `Pulumi.<stack>.yaml` and overrides."""

    file: Path
    """The `Pulumi.<stack>.yaml`."""
    project: str
    """Name of the project."""
    stack: str
    """Name of the stack."""
    config: dict[str, str]
    """Values by full key (`namespace:name`). Numbers, booleans and structures are JSON, as in Pulumi's protocol."""
    secrets: frozenset[str]
    """Full keys of the secret values."""

    @property
    def folder(self) -> Path:
        """Folder of the project."""
        return self.file.parent

    @property
    def region(self) -> str:
        """AWS region of the stack."""
        return self.config.get("aws:region", DEFAULT_REGION)

    @property
    def project_values(self) -> dict[str, str]:
        """Values of the project's own keys, without the project name."""
        prefix = f"{self.project}:"
        return {
            key.removeprefix(prefix): value for key, value in self.config.items() if key.startswith(prefix)
        }

    @property
    def flows(self) -> list[dict[str, Any]]:
        """The entries under `flows`.

        Raises:
            InputError: the value is not a list of mappings.
        """
        try:
            flows = json.loads(self.project_values.get("flows", "[]"))
        except ValueError:
            flows = None
        if not isinstance(flows, list) or not all(isinstance(each, dict) for each in flows):
            raise InputError(
                str(self.file), f"{self.project}:flows", "is not a list of mappings", "Correct it"
            )
        return flows

    @property
    def project_secrets(self) -> frozenset[str]:
        """The project's own secret keys, without the project name."""
        prefix = f"{self.project}:"
        return frozenset(key.removeprefix(prefix) for key in self.secrets if key.startswith(prefix))

    @staticmethod
    def read(
        stack: str,
        overrides: Mapping[str, Any] | None = None,
        *,
        project: Path | None = None,
        encrypted: Secret | None = None,
    ) -> StackConfig:
        """Reads the configuration of a stack.

        Args:
            stack: name of the stack.
            overrides: values that replace those of the stack file, by key with or without the project name. None
                removes a value; a Secret replaces an encrypted one.
            project: folder of the Pulumi program. Default: the project that contains the current directory.
            encrypted: replaces all encrypted values. Default: an encrypted value is an error.

        Raises:
            InputError: a file is missing, is not valid YAML, or contains an encrypted value.
        """
        folder = project.resolve() if project else find_project()
        name = _read_yaml(folder / PROJECT_FILE).get("name")
        if not isinstance(name, str):
            raise InputError(str(folder / PROJECT_FILE), "name", "is not set", "Set the name of the project.")
        file = folder / f"Pulumi.{stack}.yaml"
        values = {
            key if ":" in key else f"{name}:{key}": value
            for source in (_read_yaml(file).get("config") or {}, overrides or {})
            for key, value in source.items()
        }
        for key, value in values.items():
            if not (isinstance(value, Mapping) and "secure" in value):
                continue
            if encrypted is None:
                raise InputError(
                    str(file),
                    key,
                    "the value is encrypted, and only Pulumi can decrypt it",
                    "Override it with a Secret for the local cloud.",
                )
            values[key] = encrypted
        config = {
            key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in values.items()
            if value is not None
        }
        secrets = frozenset(key for key, value in values.items() if isinstance(value, Secret))
        return StackConfig(file, name, stack, config, secrets)


def tracker_options(config: StackConfig) -> CallRouteTrackerArgs:
    """Returns the component's options from a stack's configuration.

    Raises:
        ConfigError: some options are invalid.
    """
    from call_route_tracker.config import parse_config  # imports Pulumi

    return parse_config(
        config.project_values,
        flow_folder=config.folder / FLOW_FOLDER,
        secrets=config.project_secrets,
        region=config.region,
    )


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            str(path),
            "",
            f"cannot be read ({error.strerror})",
            "Create the file, or use another project or stack.",
        ) from error
    except yaml.YAMLError as error:
        raise InputError(str(path), "", f"is not valid YAML ({error})", "Fix the syntax.") from error
    if not isinstance(document, dict):
        raise InputError(str(path), "", "is not a mapping", "Use keys at the top level, as Pulumi does.")
    return document
