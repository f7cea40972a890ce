"""Makes the SDK report the version of a pack.

Pulumi's CLI reads the version from PulumiPolicy.yaml. The SDK reports 0.0.1 for every Python pack, for
example in notes about unknown values.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import yaml
from pulumi_policy import policy

_SERVICER = "_PolicyAnalyzerServicer"
_PARAMETERS = ["self", "name", "version"]


def report_pack_version(folder: Path) -> None:
    """Makes the SDK report the version from the PulumiPolicy.yaml in a folder.

    Has no effect if the file has no version, or if a later SDK has a different servicer. This is harmless:
    the version is only displayed.
    """
    file = folder / "PulumiPolicy.yaml"
    version = yaml.safe_load(file.read_text(encoding="utf-8")).get("version") if file.exists() else None
    servicer: Any = getattr(policy, _SERVICER, None)
    if version is None or servicer is None:
        return
    if list(inspect.signature(servicer.__init__).parameters)[:3] == _PARAMETERS:
        setattr(policy, _SERVICER, _with_version(servicer, str(version)))


def _with_version(servicer: Any, version: str) -> type[Any]:
    class Servicer(servicer):  # type: ignore[misc]  # a private SDK class
        def __init__(self, name: str, _: str, *others: Any) -> None:
            super().__init__(name, version, *others)

    return Servicer
