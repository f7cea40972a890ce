"""Guards against processes, files or personal data that `callroute serve` leaves behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import callroute
from tests.live.pages import Page, request
from tests.support.paths import REPOSITORY

SECONDS = 60
PROC = Path("/proc/self/task")


def children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for each in listed for child in each.read_text(encoding="ascii").split()]


class Serving:
    """A running `callroute serve`.

    Args:
        folder: folder for its log and for the file by which other commands find its local cloud.
    """

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        with self.log.open("wb") as written:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "callroute", "serve"],
                cwd=REPOSITORY,
                env={**os.environ, "XDG_STATE_HOME": str(folder)},
                stdout=subprocess.PIPE,
                stderr=written,
                text=True,
            )
        self.shared = folder / "call-route-tracker" / f"local-cloud-{self.process.pid}.json"
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.fullmatch(r"Live view: http://127\.0\.0\.1:(\d+)/\n", line)
        assert found, line + self.log.read_text(encoding="utf-8")
        self.port = int(found[1])
        (self.emulator,) = children(self.process.pid)

    def end(self, process: int, ending: signal.Signals) -> int:
        """Sends a signal to the command or its emulator. Returns the exit code of the command."""
        os.kill(process, ending)
        rest, _ = self.process.communicate(timeout=SECONDS)
        assert rest == ""
        assert not Path(f"/proc/{self.emulator}").exists(), "the emulator still runs"
        assert not self.shared.exists()
        with pytest.raises(ConnectionRefusedError):
            request(self.port, "GET", "/")
        return self.process.returncode


@pytest.mark.emulator
@pytest.mark.skipif(not PROC.exists(), reason="needs /proc")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_everything_ends_with_the_command_even_during_a_call(ending: signal.Signals, tmp_path: Path) -> None:
    serving = Serving(tmp_path)
    with Page(serving.port) as page:
        page.call("call-route")
        page.act("key", prompt=page.step("MenuOffered")["prompt"], key="1")
        page.step("MenuOffered")
        page.act("hangup")
        assert page.next("record")["item"]["call_route"] == "1"
        assert serving.shared.exists()
        page.call("call-route")
        page.step("MenuOffered")
        assert serving.end(serving.process.pid, ending) == 0

    assert serving.log.read_text(encoding="utf-8") == "Press Ctrl-C to stop.\n", (
        "no phone number or attribute is logged"
    )


@pytest.mark.emulator
@pytest.mark.skipif(not PROC.exists(), reason="needs /proc")
def test_the_end_of_the_emulator_exits_with_3(tmp_path: Path) -> None:
    serving = Serving(tmp_path)

    assert serving.end(serving.emulator, signal.SIGKILL) == 3
    assert "The emulator (ministack) ended unexpectedly" in serving.log.read_text(encoding="utf-8")


def test_a_port_that_is_in_use_exits_with_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = callroute("serve", "--port", str(port))

    assert ran.returncode == 2
    assert ran.stderr == (
        f"error: --port: port {port} is not available (Address already in use). "
        "Choose another port, or omit --port\n"
    )


def test_a_folder_without_a_project_exits_with_2(tmp_path: Path) -> None:
    ran = callroute("serve", cwd=tmp_path)

    assert ran.returncode == 2
    assert "Pulumi.yaml" in ran.stderr
