"""Starts Python programs for the language host.

A program that runs with this interpreter is forked from a process that has already imported Pulumi's libraries. Their import
takes more time than most programs.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import selectors
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Protocol

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.engine.libraries"])


Output = tuple[str, bytes]
"""`stdout` or `stderr`, and something that a program has written to it."""


class Process(Protocol):
    """A running program."""

    def output(self) -> Iterator[Output]:
        """Yields what the program writes until it has ended."""

    def wait(self) -> int:
        """Returns the exit code when the program has ended."""

    def terminate(self) -> None:
        """Ends the program."""


class Forked:
    """A program that runs with this interpreter.

    Args:
        command: arguments of Python: `-m` and a module, or a path; then the program's own arguments.
        folder: working directory.
        environment: all environment variables.
    """

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._stdout, stdout = FORKS.Pipe(duplex=False)
        self._stderr, stderr = FORKS.Pipe(duplex=False)
        arguments = (list(command), str(folder), dict(environment), stdout, stderr)
        self._process = FORKS.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        stdout.close()
        stderr.close()

    def output(self) -> Iterator[Output]:
        """Yields what the program writes until it has ended."""
        return _read({"stdout": self._stdout.fileno(), "stderr": self._stderr.fileno()})

    def wait(self) -> int:
        """Returns the exit code when the program has ended."""
        self._process.join()
        return self._process.exitcode or 0

    def terminate(self) -> None:
        """Ends the program."""
        self._process.terminate()


class Started:
    """A program that runs with the interpreter of another environment. See `Forked` for the other arguments."""

    def __init__(
        self, interpreter: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the program under test
            [interpreter, "-u", *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def output(self) -> Iterator[Output]:
        """Yields what the program writes until it has ended."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        return _read({"stdout": self._process.stdout.fileno(), "stderr": self._process.stderr.fileno()})

    def wait(self) -> int:
        """Returns the exit code when the program has ended."""
        return self._process.wait()

    def terminate(self) -> None:
        """Ends the program."""
        self._process.terminate()


def start(interpreter: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Process:
    """Starts a program, in a fork if possible. See `Forked` for the arguments."""
    if Path(interpreter).parent.resolve() == Path(sys.executable).parent.resolve():
        return Forked(command, folder, environment)
    return Started(interpreter, command, folder, environment)


def _read(streams: Mapping[str, int]) -> Iterator[Output]:
    with selectors.DefaultSelector() as selector:
        for name, descriptor in streams.items():
            selector.register(descriptor, selectors.EVENT_READ, name)
        while selector.get_map():
            for ready, _ in selector.select():
                if chunk := os.read(ready.fd, 65_536):
                    yield ready.data, chunk
                else:
                    selector.unregister(ready.fd)


def _run(
    command: list[str], folder: str, environment: dict[str, str], out: Connection, err: Connection
) -> None:
    """Runs a program in the forked process."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    out.close()
    err.close()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # text files
    if command[0] == "-m":
        sys.argv = command[1:]
        sys.path.insert(0, folder)
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(command)
        runpy.run_path(command[0], run_name="__main__")


def _end_with(sentinel: int) -> None:
    """Ends this process if the one that tests ends."""
    wait([sentinel])
    os._exit(1)
