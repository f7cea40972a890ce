"""Lets other commands find the local cloud of a running `callroute serve`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from callroute.local.cloud import PIPE, LocalCloud
from callroute.local.emulator import ROOT, Credentials, create_client


@dataclass(frozen=True)
class SharedCloud:
    """A local cloud that runs in another process."""

    process_id: int
    endpoint: str
    """URL of the emulator."""
    region: str
    stack: str
    outputs: Mapping[str, Any]
    """Outputs of the stack."""
    pipe: Mapping[str, Any]
    """Arguments of the registered pipe. The emulator has no EventBridge Pipes that could describe it."""

    def client(self, service: str, credentials: Credentials = ROOT) -> Any:
        """Returns a boto3 client for the emulator."""
        return create_client(service, self.endpoint, self.region, credentials)


@contextmanager
def share(cloud: LocalCloud) -> Iterator[SharedCloud]:
    """Makes a local cloud available to other commands of the same user while the `with` block runs.

    If there are several, commands use the one that was shared last.
    """
    shared = SharedCloud(
        process_id=os.getpid(),
        endpoint=cloud.emulator.endpoint,
        region=cloud.emulator.region,
        stack=cloud.deployment.stack,
        outputs=cloud.deployment.outputs,
        pipe=cloud.deployment.one(PIPE).inputs,
    )
    path = _folder() / f"local-cloud-{os.getpid()}.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, new = tempfile.mkstemp(dir=path.parent)  # readable only by this user
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(shared), file)
    Path(new).replace(path)
    try:
        yield shared
    finally:
        path.unlink(missing_ok=True)


def shared_cloud() -> SharedCloud | None:
    """Returns the shared local cloud, or None if no process shares one or the process has ended."""
    files = sorted(_folder().glob("local-cloud-*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files:
        try:
            found = SharedCloud(**json.loads(file.read_text(encoding="utf-8")))
            os.kill(found.process_id, 0)  # only checks that the process exists
        except (FileNotFoundError, ProcessLookupError):
            continue
        return found
    return None


def _folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "call-route-tracker"
