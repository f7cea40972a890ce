"""The local cloud as a context manager: emulator, deployed stack, dialer and pipe."""

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
from callroute.local.pipe import HandledRecord, Pipe, PipeSettings
from callroute.local.stack_config import StackConfig
from callroute.local.stack_runner import Deployment, Registered, run_stack

TABLE = "aws:dynamodb/table:Table"
PIPE = "aws:pipes/pipe:Pipe"
QUEUE = "aws:sqs/queue:Queue"


@dataclass(frozen=True)
class DeliveryCounts:
    """Number of stream records for each outcome. A record that is delivered twice counts twice."""

    stored: int = 0
    """The table contains this version of the record or a newer one."""
    filtered: int = 0
    """The pipe's filter dropped the record."""
    expired: int = 0
    """The retention of the record has passed, so it was not written."""
    quarantined: int = 0
    """The record can never be stored. It was sent to the quarantine queue."""
    dead_lettered: int = 0
    """The target kept failing. The record's position was sent to the dead-letter queue."""

    @property
    def clean(self) -> bool:
        """True if no record was quarantined or dead-lettered."""
        return not (self.quarantined or self.dead_lettered)


class LocalCloud:
    """A context manager that starts an emulator and deploys a stack to it.

    Args:
        overrides: configuration values that replace those in the stack file; keys can omit the project name.
        stack: name of the stack.
        project: folder of the Pulumi program. Default: the project that contains the current directory.
        validate: called with the configuration before the emulator starts; raises an error if the configuration is invalid.

    Raises:
        InputError: the configuration is not usable.
        EmulatorError: the emulator does not start.
        DeploymentError: the stack cannot be deployed.
    """

    emulator: Emulator
    deployment: Deployment
    dialer: Dialer
    pipe: Pipe

    def __init__(
        self,
        overrides: Mapping[str, Any] | None = None,
        stack: str = "local",
        *,
        project: Path | None = None,
        validate: Callable[[StackConfig], object] | None = None,
    ) -> None:
        self._overrides = overrides
        self._stack = stack
        self._project = project
        self._validate = validate
        self._resources = ExitStack()

    def __enter__(self) -> LocalCloud:
        config = StackConfig.read(self._stack, self._overrides, project=self._project)
        if self._validate:
            self._validate(config)
        with ExitStack() as starting:
            self.emulator = starting.enter_context(Emulator(config.region))
            self.deployment = run_stack(self.emulator, config)
            self.dialer = Dialer(self.deployment)
            self.pipe = pipe_of(self.deployment)
            self._resources = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.__exit__(kind, error, trace)

    def put(self, records: Iterable[bytes]) -> None:
        """Puts records on the stream that the pipe reads."""
        put_records(self.emulator, self.pipe.settings.stream_arn, records)

    def settle(self, on_record: Callable[[HandledRecord], object] | None = None) -> DeliveryCounts:
        """Runs the pipe until the stream is empty and counts the records by outcome.

        Args:
            on_record: called with each record after the pipe has handled it.
        """
        counts: Counter[str] = Counter()
        for handled in self.pipe.drain():
            counts[outcome_of(handled)] += 1
            if on_record:
                on_record(handled)
        return DeliveryCounts(**counts)

    @property
    def table_name(self) -> str:
        """Name of the table of call records."""
        return str(self.deployment.one(TABLE).outputs["name"])

    def quarantined(self) -> list[dict[str, Any]]:
        """Removes all messages from the quarantine queue and returns their bodies: reason, position and record."""
        queue = self.emulator.client("sqs")
        url = self.deployment.one(QUEUE, "quarantine").outputs["url"]
        bodies = []
        while messages := queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(json.loads(message["Body"]))
                queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


def pipe_of(deployment: Deployment) -> Pipe:
    """Creates the local pipe for a stack, with the permissions of the registered role."""
    registered: Registered = deployment.one(PIPE)
    emulator = deployment.emulator
    arn = registered.outputs["arn"]
    credentials = deployment.assume_role(
        registered.inputs["roleArn"], service="pipes.amazonaws.com", source_arn=arn
    )
    return Pipe(
        PipeSettings.read(arn, registered.inputs),
        lambda service: emulator.client(service, credentials),
    )


def outcome_of(handled: HandledRecord) -> str:
    """Returns the outcome of a stream record: the name of a field of DeliveryCounts."""
    if handled.outcome != "delivered":
        return handled.outcome
    # The state machine returns `older` if the table already contains this version or a newer one, which counts as stored.
    return handled.output if handled.output in ("expired", "quarantined") else "stored"
