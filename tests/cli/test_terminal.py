"""Tests of terminals, pipes and signals: narrow and ASCII terminals, full disks, closed pipes, Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from rich.cells import cell_len

from callroute.cli import output
from tests.cli.commands import FLOWS, callroute
from tests.support.paths import REPOSITORY

FLOW = str(FLOWS / "call_route.json")
FIXTURES = REPOSITORY / "tests" / "flows" / "fixtures"
COMMANDS = {
    "help": ("--help",),
    "check": ("check", FLOW),
    "json": ("check", FLOW, "--format", "json"),
    "track": ("track", FLOW),
    "simulate": ("simulate", FLOW, "--keys", "2,1", "--record"),
    "draw": ("draw", FLOW, "--format", "svg"),
}
# With --quiet, `check` prints only findings.
QUIET_COMMANDS = {**COMMANDS, "check": ("check", f"{FIXTURES}/bad/bad-identifier.json")}
PROGRAM = (sys.executable, "-m", "callroute")
CTRL_C = "\x03"
STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """A command that runs on a terminal of its own.

    Args:
        arguments: arguments of the command line.
        width: number of columns.
        env: additional environment variables.
    """

    def __init__(self, *arguments: str, width: int = 80, env: Mapping[str, str] | None = None) -> None:
        self._screen, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [*PROGRAM, *arguments],
            cwd=REPOSITORY,
            env={**inherited, "TERM": "xterm", **(env or {})},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(terminal)
        self.text = ""

    def read_until(self, expected: str) -> None:
        """Reads the output until it contains a text."""
        while expected not in self.text:
            assert self._read(), f"{expected!r} is missing:\n{self.text}"

    def write(self, text: str) -> None:
        """Types a text."""
        os.write(self._screen, text.encode())

    def interrupt(self) -> None:
        """Presses Ctrl-C until the program ends.

        Python misses a signal that arrives just before it starts to read from the terminal.
        """
        self.write(CTRL_C)
        while True:
            if not select.select([self._screen], [], [], 5)[0]:
                self.write(CTRL_C)
            elif not self._read():
                return

    def finish(self) -> tuple[int, str]:
        """Returns the exit code, as a shell reports it, and the whole output.

        If Ctrl-C interrupts exec(), as in the creation of a dataclass, Python ends with the signal even if the exception is
        handled later. Shells report 130 for this too.
        """
        while self._read():
            pass
        os.close(self._screen)
        code = self.process.wait(timeout=60)
        return (code if code >= 0 else 128 - code), self.text.replace("\r\n", "\n")

    def _read(self) -> bool:
        data = b""
        with suppress(OSError):  # Linux reports the end of the output as an error
            data = os.read(self._screen, 65536)
        self.text += data.decode(errors="replace")
        return bool(data)


# --- Output that cannot be written -----------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", QUIET_COMMANDS.values(), ids=QUIET_COMMANDS)
def test_a_full_disk_exits_with_2_and_a_message(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ran = subprocess.run(  # noqa: S603 - our own program
            [*PROGRAM, "--quiet", *arguments],
            cwd=REPOSITORY,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    assert ran.returncode == 2
    assert ran.stderr == (
        "error: standard output: cannot be written (No space left on device). "
        "Free some space or write elsewhere\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_standard_error_that_cannot_be_written_is_ignored() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ran = subprocess.run(  # noqa: S603 - our own program
            [*PROGRAM, "track", FLOW],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=full,
            timeout=60,
            check=False,
        )

    assert ran.returncode == 0
    assert ran.stdout == Path(FLOW).read_bytes()


@pytest.mark.parametrize("arguments", QUIET_COMMANDS.values(), ids=QUIET_COMMANDS)
def test_a_closed_pipe_exits_with_141_and_no_message(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(  # noqa: S603 - our own program
            [*PROGRAM, "--quiet", *arguments],
            cwd=REPOSITORY,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)

    assert (ran.returncode, ran.stderr) == (141, "")


def test_closed_standard_streams_are_no_problem() -> None:
    for arguments, code in ((f"track {FLOW}", 0), ("check -", 2), (f"simulate {FLOW}", 2)):
        command = f"{sys.executable} -m callroute {arguments} <&- >&- 2>&-"
        ran = subprocess.run(["/bin/sh", "-c", command], cwd=REPOSITORY, timeout=60, check=False)  # noqa: S603
        assert ran.returncode == code


# --- Encodings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_ascii_terminals_get_all_output(arguments: tuple[str, ...]) -> None:
    ran = callroute(*arguments, env={"PYTHONIOENCODING": "ascii"})

    assert ran.returncode == 0
    assert "Traceback" not in ran.stderr


def test_ascii_terminals_get_similar_characters_or_escapes() -> None:
    ran = callroute(
        *("simulate", FLOW, "--scenarios", FLOW.replace(".json", ".scenarios.yaml")),
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert ran.stdout.startswith("+ ")
    assert ran.stdout.isascii()
    assert (
        "\\u304a\\u96fb\\u8a71" in callroute(*COMMANDS["simulate"], env={"PYTHONIOENCODING": "ascii"}).stdout
    )


@pytest.mark.parametrize("arguments", [COMMANDS["track"], COMMANDS["draw"], COMMANDS["json"]])
def test_documents_are_utf_8_whatever_the_encoding_of_the_terminal(arguments: tuple[str, ...]) -> None:
    assert (
        callroute(*arguments, env={"PYTHONIOENCODING": "ascii"}).stdout
        == callroute(*arguments, env={"PYTHONIOENCODING": "utf-8"}).stdout
    )


def test_control_characters_of_a_flow_do_not_reach_the_terminal(tmp_path: Path) -> None:
    text = Path(FLOW).read_text(encoding="utf-8").replace("お電話ありがとうございます", "\\u001b[2J\\u0007")
    (tmp_path / "x.json").write_text(text, encoding="utf-8")

    printed = callroute("simulate", tmp_path / "x.json", "--keys", "1").stdout

    assert "\\x1b[2J\\x07" in printed
    assert "\x1b" not in printed


# --- Width and colors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [COMMANDS["check"], ("simulate", FLOW, "--keys", "2,1")])
@pytest.mark.parametrize("width", [40, 60])
def test_lines_are_wrapped_on_narrow_terminals(arguments: tuple[str, ...], width: int) -> None:
    code, text = Terminal(*arguments, width=width).finish()

    assert code == 0
    lines = [STYLE.sub("", line) for line in text.splitlines()]
    assert max(cell_len(line) for line in lines if not line.startswith(FLOW)) <= width
    wide = "".join(callroute(*arguments).stdout.split())
    assert "".join("".join(lines).split()) == wide, "text is lost"


@pytest.mark.emulator
def test_tables_keep_every_column_on_narrow_terminals() -> None:
    code, text = Terminal("demo", "--calls", "12", "--no-color", width=60).finish()

    assert code == 0
    screen = STYLE.sub("", text).rpartition("\r")[2]
    assert max(map(cell_len, screen.splitlines())) <= 60
    for heading in ("contact_", "completed answered", "lost"):
        assert heading in screen
    assert "████" in screen


@pytest.mark.parametrize(
    ("options", "env", "colored"),
    [
        ((), {}, True),
        (("--no-color",), {}, False),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"TERM": "dumb"}, False),
    ],
)
def test_colors_can_be_switched_off(options: tuple[str, ...], env: dict[str, str], colored: bool) -> None:
    _, text = Terminal("check", FLOW, *options, env=env).finish()

    assert ("\x1b[" in text) is colored


def test_pipes_get_no_colors_and_no_wrapping() -> None:
    printed = callroute("check", FLOW, env={"COLUMNS": "40"}).stdout

    assert "\x1b" not in printed
    assert max(map(len, printed.splitlines())) > 100


def test_options_are_reset_for_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "options", output.OutputOptions(quiet=True, color=False))
    monkeypatch.delenv("NO_COLOR", raising=False)
    output.prepare_streams()
    assert output.options == output.OutputOptions()


# --- Prompts and Ctrl-C ----------------------------------------------------------------------------------------------


def test_simulate_without_keys_asks_on_a_terminal() -> None:
    terminal = Terminal("simulate", FLOW)
    terminal.read_until("hang up: ")
    terminal.write("2\n")
    terminal.read_until("call_route = 2")
    terminal.write("x\n")
    terminal.read_until("'x' is not one of these keys")
    terminal.write("h\n")
    code, text = terminal.finish()

    assert code == 0
    assert "the caller hangs up at a menu" in STYLE.sub("", text)


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("callroute.cli.app", ("--help",)),
        ("click", ("--help",)),
        ("click.core", ("check", FLOW)),
        ("callroute.cli.check", ("check", FLOW)),
        ("callroute.flows.lint", ("check", FLOW)),
        ("yaml", ("check", FLOW)),
        ("pulumi", ("demo",)),
        ("boto3", ("demo",)),
    ],
)
def test_ctrl_c_during_imports_exits_with_130_and_no_message(module: str, arguments: tuple[str, ...]) -> None:
    program = f"""
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["callroute", *{arguments!r}]
from callroute.cli.main import main
main()
"""
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")


def test_ctrl_c_at_a_prompt_of_simulate_exits_with_130() -> None:
    terminal = Terminal("simulate", FLOW)
    terminal.read_until("hang up: ")
    terminal.interrupt()
    code, text = terminal.finish()

    assert code == 130
    assert "Traceback" not in text


@pytest.mark.emulator
def test_ctrl_c_in_a_call_hangs_up() -> None:
    terminal = Terminal("call", "--flow", FLOW, width=120)
    terminal.read_until("hang up: ")
    terminal.write(CTRL_C)
    code, text = terminal.finish()

    assert code == 0, text
    assert "Ctrl-C: the caller hangs up." in text
    assert "the caller hangs up at a menu" in STYLE.sub("", text)
    assert "abandoned_in_flow" in text


@pytest.mark.emulator
def test_ctrl_c_while_the_local_cloud_starts_exits_with_130() -> None:
    terminal = Terminal("call", "--flow", FLOW)
    terminal.read_until("Starting the local cloud")
    terminal.write(CTRL_C)
    code, text = terminal.finish()

    assert code == 130
    assert "Traceback" not in text


@pytest.mark.emulator
def test_progress_is_hidden_by_quiet() -> None:
    code, text = Terminal("call", "--flow", FLOW, "--keys", "1", "--quiet").finish()

    assert code == 0
    assert "Starting" not in text
