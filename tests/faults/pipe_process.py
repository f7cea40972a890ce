"""Runs the local pipe in a process that can be killed: `python -m tests.faults.pipe_process FOLDER SEED`.

Writes one line to standard output for each record that the pipe has handled, and then stores its positions, so that
a pipe that is killed in between delivers the records again. Exits when standard input is closed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from callroute.local.emulator import Credentials, create_client
from callroute.local.pipe import Pipe, PipeSettings
from tests.faults.injection import Injector

SETTINGS = "pipe.json"
POSITIONS = "positions.json"
PAUSE_SCALE = 0.02
"""Factor for the pauses of the pipe."""


@dataclass(frozen=True)
class Settings:
    """Settings of the process, in a file in its folder."""

    arn: str
    registered: dict[str, Any]
    """Arguments of the registered pipe."""
    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str
    faults: str
    """Path of the file with the active faults."""

    def write(self, folder: Path) -> None:
        """Writes the file."""
        (folder / SETTINGS).write_text(json.dumps(asdict(self)), encoding="utf-8")


def main() -> None:
    """Runs the pipe."""
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    folder = Path(sys.argv[1])
    settings = Settings(**json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
    injector = Injector(Path(settings.faults), int(sys.argv[2]))
    credentials = Credentials(settings.access_key_id, settings.secret_access_key)

    def client(service: str) -> Any:
        created = create_client(service, settings.endpoint, settings.region, credentials)
        _inject(created, injector)
        return created

    stored = folder / POSITIONS
    positions = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
    pipe = Pipe(
        PipeSettings.read(settings.arn, settings.registered),
        client,
        positions,
        pause=lambda seconds: time.sleep(seconds * PAUSE_SCALE),
    )
    while True:
        handled = pipe.poll()
        for each in handled:
            outcome = each.output if each.outcome == "delivered" else each.outcome
            print(each.record.shard_id, each.record.sequence_number, outcome)
        sys.stdout.flush()
        if handled:
            new = stored.with_suffix(".new")
            new.write_text(json.dumps(positions), encoding="utf-8")
            new.replace(stored)
        else:
            time.sleep(PAUSE_SCALE)


def _inject(client: Any, injector: Injector) -> None:
    """Adds the active faults to the requests of a client."""

    def before_call(model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        fault = injector.active().requests.get(model.name)
        if fault is None or not injector.strikes(fault.rate):
            return None
        error = {"Error": {"Code": fault.error, "Message": "injected"}, "ResponseMetadata": {}}
        return AWSResponse("", 503, HTTPHeaders(), None), error

    def after_call(parsed: dict[str, Any], **_: Any) -> None:
        if injector.strikes(injector.active().timeout_rate):
            parsed.pop("output", None)
            parsed.update(status="TIMED_OUT", error="States.Timeout")

    client.meta.events.register("before-call", before_call)
    client.meta.events.register("after-call.sfn.StartSyncExecution", after_call)


def _exit_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
