"""The active faults, in a file that the emulator and the pipe read before each call."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any


@dataclass(frozen=True)
class CallFault:
    """A fault of one kind of call."""

    error: str
    """Error name in Step Functions, or error code of an API."""
    rate: float = 1.0
    """Share of the calls that fail."""
    after: bool = False
    """True if the call takes effect and only its response is lost."""


@dataclass(frozen=True)
class Injection:
    """All active faults."""

    tasks: dict[str, CallFault] = field(default_factory=dict)
    """Faults of the state machine's calls, for example of `dynamodb:updateItem`."""
    requests: dict[str, CallFault] = field(default_factory=dict)
    """Faults of the pipe's requests, for example of `GetRecords`."""
    timeout_rate: float = 0.0
    """Share of the executions that AWS ends after 5 minutes. Their calls take effect."""
    kill: int = 0
    """ID of the process to kill during a call of the state machine, or 0."""
    kill_after: int = 0
    """Number of calls before the process is killed."""

    def write(self, path: Path) -> None:
        """Replaces the file in one step, so that no reader sees half of it."""
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(path)


class Injector:
    """Decides which calls of a process fail.

    Args:
        path: file with the active faults.
        seed: seed of the decisions.
    """

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._random = Random(seed)
        self._text = ""
        self._active = Injection()

    def active(self) -> Injection:
        """Returns the active faults. Returns the same object until they change."""
        text = self._path.read_text(encoding="utf-8")
        if text != self._text:
            values: dict[str, Any] = json.loads(text)
            for calls in ("tasks", "requests"):
                values[calls] = {name: CallFault(**each) for name, each in values[calls].items()}
            self._text, self._active = text, Injection(**values)
        return self._active

    def strikes(self, rate: float) -> bool:
        """Returns True for a share of the calls."""
        return self._random.random() < rate
