"""The whole chain on this machine: emulator, stack, phone and pipe, up for as long as a block lasts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from callroute.local.dialer import Dialer, put_records
from callroute.local.emulator import Emulator
from callroute.local.pipe import Handled, Pipe, PipeSettings
from callroute.local.stack_runner import Deployment, Registered, Settings, deploy, find_project

TABLE = "aws:dynamodb/table:Table"
PIPE = "aws:pipes/pipe:Pipe"
QUEUE = "aws:sqs/queue:Queue"


@dataclass(frozen=True)
class Tally:
    """What became of the records of the stream; each is counted once for each time it was delivered."""

    stored: int = 0
    """The table holds its newest version."""
    not_ours: int = 0
    """The filter dropped it."""
    quarantined: int = 0
    """It can never be stored; the quarantine queue holds it."""
    dead_lettered: int = 0
    """The target kept failing; the dead-letter queue holds its position."""

    @property
    def clean(self) -> bool:
        """Whether nothing was quarantined or dead-lettered."""
        return not (self.quarantined or self.dead_lettered)


class LocalCloud:
    """A context manager around a stack in an emulator.

    Args:
        overrides: settings that replace those of Pulumi.local.yaml, by key without the project's name.
        stack: whose settings.
        project: folder of the Pulumi project; by default, the project of the current folder.

    Raises:
        InputError: the settings cannot be used.
        EmulatorError: the emulator does not start.
        ProvisioningError: the stack cannot be made here.
    """

    emulator: Emulator
    deployment: Deployment
    phone: Dialer
    pipe: Pipe

    def __init__(
        self,
        overrides: Mapping[str, Any] | None = None,
        stack: str = "local",
        *,
        project: Path | None = None,
    ) -> None:
        self._project = project
        self._overrides = overrides
        self._stack = stack
        self._open = ExitStack()

    def __enter__(self) -> LocalCloud:
        with ExitStack() as opening:
            project = self._project or find_project()
            region = Settings.read(self._stack, self._overrides, project=project).region
            self.emulator = opening.enter_context(Emulator(region))
            self.deployment = deploy(self.emulator, self._stack, self._overrides, project=project)
            self.phone = Dialer(self.deployment)
            self.pipe = pipe_of(self.deployment)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def put(self, datas: Iterable[bytes]) -> None:
        """Puts records on the stream that the pipe reads."""
        put_records(self.emulator, self.pipe.settings.stream_arn, datas)

    def settle(self, see: Callable[[Handled], object] | None = None) -> Tally:
        """Lets the pipe see everything through that is on the stream, and says what became of it.

        Args:
            see: is given every record that is done with.
        """
        became: Counter[str] = Counter()
        for handled in self.pipe.drain():
            became[_became(handled)] += 1
            if see:
                see(handled)
        return Tally(**became)

    @property
    def table_name(self) -> str:
        """The table of call records."""
        return str(self.deployment.one(TABLE).outputs["name"])

    def quarantined(self) -> list[dict[str, Any]]:
        """Takes the messages off the quarantine queue: reason, position and record."""
        queue = self.emulator.client("sqs")
        url = self.deployment.one(QUEUE, "quarantine").outputs["url"]
        bodies = []
        while messages := queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(json.loads(message["Body"]))
                queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


def pipe_of(deployment: Deployment) -> Pipe:
    """The pipe that a stack registered, acting in the registered role."""
    registered: Registered = deployment.one(PIPE)
    emulator = deployment.emulator
    arn = registered.outputs["arn"]
    credentials = deployment.credentials_of(
        registered.inputs["roleArn"], service="pipes.amazonaws.com", source_arn=arn
    )
    return Pipe(
        PipeSettings.read(arn, registered.inputs),
        lambda service: emulator.client(service, credentials),
    )


def _became(handled: Handled) -> str:
    if handled.became != "handed_over":
        return handled.became
    # The state machine tells `older` apart: the table holds a newer version of the record, which is what is asked for.
    return "quarantined" if handled.output == "quarantined" else "stored"
