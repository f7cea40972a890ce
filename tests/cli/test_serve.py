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


@pytest.mark.emulator
@pytest.mark.skipif(not PROC.exists(), reason="needs /proc")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_everything_ends_with_the_command_even_during_a_call(ending: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "callroute", "serve"],
            cwd=REPOSITORY,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"Live view: http://127\.0\.0\.1:(\d+)/\n", line)
    assert found, line + log.read_text(encoding="utf-8")
    port = int(found[1])
    (emulator,) = children(process.pid)
    with Page(port) as page:
        page.call("call-route")
        page.act("key", prompt=page.step("MenuOffered")["prompt"], key="1")
        page.step("MenuOffered")
        page.act("hangup")
        item = page.next("record")["item"]
        assert item["call_route"] == "1"
        assert (tmp_path / "call-route-tracker" / "local-cloud.json").exists()
        page.call("call-route")
        page.step("MenuOffered")
        process.send_signal(ending)
        rest, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 0
    assert not Path(f"/proc/{emulator}").exists(), "the emulator still runs"
    assert not (tmp_path / "call-route-tracker" / "local-cloud.json").exists()
    assert (rest, log.read_text(encoding="utf-8")) == ("", "Press Ctrl-C to stop.\n"), (
        "no phone number or attribute is logged"
    )
    with pytest.raises(ConnectionRefusedError):
        request(port, "GET", "/")


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
