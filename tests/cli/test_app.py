"""Tests of what all commands share: imports, extras, general options, help and messages."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
from click.testing import CliRunner

import callroute as package
from callroute.cli.app import COMMANDS, app
from tests.cli.commands import FLOWS, callroute
from tests.support.paths import REPOSITORY

FLOW = str(FLOWS / "call_route.json")
CLOUD = ("pulumi", "pulumi_aws", "boto3", "botocore", "ministack")

ROLES = (
    *("roles", "--stack", "prod", "--account-id", "111111111111", "--repository", "owner/name"),
    *("--state-bucket", "state", "--state-key-arn", "arn:aws:kms:ap-northeast-1:111111111111:key/1"),
)

BASE_COMMANDS = {
    "help": ("--help",),
    "version": ("--version",),
    "check": ("check", FLOW),
    "check with findings as JSON": ("check", FLOW, "--format", "json"),
    "track": ("track", FLOW),
    "simulate": ("simulate", FLOW, "--keys", "2,1", "--record"),
    "draw": ("draw", FLOW, "--format", "svg"),
    "help of check": ("check", "--help"),
    "help of roles": ("roles", "--help"),
    "completion": ("completion", "bash"),
}


def run_without(packages: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line in an interpreter in which these packages cannot be imported.

    The last line of standard output lists other slow packages that were imported.
    """
    program = f"""
import sys
from callroute.cli.main import main
sys.modules.update(dict.fromkeys({packages!r}))
sys.argv = ["callroute", *{arguments!r}]
try:
    main()
finally:
    print("\\nimported:", *sorted(name for name in ("pydantic", "rich") if name in sys.modules))
"""
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("arguments", BASE_COMMANDS.values(), ids=BASE_COMMANDS)
def test_base_commands_need_no_extra_and_import_nothing_slow(arguments: tuple[str, ...]) -> None:
    ran = run_without(CLOUD, *arguments)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "imported:"


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [
        ("boto3", ("demo",)),
        ("pulumi", ("demo", "--help")),
        ("boto3", ("call", "--flow", FLOW, "--keys", "1")),
        ("botocore", ("replay", "tests/samples")),
        ("ministack", ("replay", "tests/samples")),
        ("pulumi_aws", ("replay", "tests/samples")),
        ("pulumi", ROLES),
        ("botocore", ("redrive", "--local")),
        ("boto3", ("doctor", "--stack", "prod")),
    ],
)
def test_commands_without_their_extra_name_it(missing: str, arguments: tuple[str, ...]) -> None:
    ran = run_without((missing,), *arguments)

    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        f"error: callroute {arguments[0]}: the package {missing} is not installed. "
        f"Install call-route-tracker[{COMMANDS[arguments[0]].extra}]"
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_summary_in_the_list_is_the_first_line_of_the_docstring(name: str) -> None:
    command = getattr(importlib.import_module(f"callroute.cli.{name}"), name)

    assert command.help.splitlines()[0] == COMMANDS[name].summary


def test_help_lists_every_command_with_its_whole_summary() -> None:
    text = " ".join(callroute("--help", env={"COLUMNS": "60"}).stdout.split())

    for name, entry in COMMANDS.items():
        assert f"{name} {entry.summary}" in text


@pytest.mark.parametrize("columns", ["60", "80"])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_the_terminal_and_cuts_no_text(name: str, columns: str) -> None:
    ran = callroute(*filter(None, [name]), "--help", env={"COLUMNS": columns})

    assert ran.returncode == 0
    assert max(map(len, ran.stdout.splitlines())) <= int(columns)
    assert "…" not in ran.stdout
    assert "..." not in ran.stdout.replace("FLOW...", "").replace("FILE...", "").replace("[ARGS]...", "")


def test_version_is_printed() -> None:
    assert callroute("--version").stdout == f"callroute {package.__version__}\n"


def test_without_arguments_help_is_printed_on_standard_error() -> None:
    ran = callroute()

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("Usage: callroute [OPTIONS] COMMAND")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("chek",), "error: callroute: no such command 'chek'. Did you mean 'check'?"),
        (("--quite",), "error: callroute: no such option '--quite'. Did you mean '--quiet'?"),
        (("check",), "error: callroute check: missing argument 'FLOW...'. See `callroute check --help`."),
        (
            ("check", FLOW, "--formt", "json"),
            "error: callroute check: no such option '--formt'. Did you mean '--format'?",
        ),
        (
            ("check", FLOW, "--format", "xml"),
            "error: --format: 'xml' is not one of 'text', 'json', 'sarif'. See `callroute check --help`.",
        ),
        (("check", "nowhere.json"), "error: nowhere.json: there is no such file"),
        (("replay", "nowhere.json"), "error: nowhere.json: there is no such file"),
        (("simulate", "nowhere.json", "--keys", "1"), "error: nowhere.json: there is no such file"),
        (("demo", "--seed", "x"), "error: --seed: 'x' is not a valid integer. See `callroute demo --help`."),
        (
            ("demo", "--calls", "0"),
            "error: --calls: 0 is not in the range 1<=x<=10000. See `callroute demo --help`.",
        ),
    ],
)
def test_unusable_arguments_exit_with_2_and_one_message(arguments: tuple[str, ...], message: str) -> None:
    ran = callroute(*arguments)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stderr.startswith(message)


@pytest.mark.parametrize("arguments", [("--quiet", "track", FLOW), ("track", FLOW, "-q")])
def test_quiet_may_come_before_or_after_the_command(arguments: tuple[str, ...]) -> None:
    ran = callroute(*arguments)

    assert ran.returncode == 0
    assert ran.stderr == ""


def test_quiet_does_not_hide_errors() -> None:
    assert callroute("--quiet", "check", "nowhere.json").stderr.startswith("error: nowhere.json")


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("callroute dr", ["draw"]),
        ("callroute check --form", ["--format"]),
        ("callroute check --format s", ["sarif"]),
    ],
)
def test_shell_completion_knows_commands_options_and_choices(words: str, completions: list[str]) -> None:
    ran = callroute(
        env={
            "_CALLROUTE_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
    )

    assert [line.removeprefix("plain,") for line in ran.stdout.splitlines()] == completions


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_completion_script_is_printed(shell: str) -> None:
    assert f"_CALLROUTE_COMPLETE={shell}_complete" in callroute("completion", shell).stdout


def test_settings_of_one_run_do_not_affect_the_next() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["--quiet", "track", FLOW]).stderr == ""
    assert runner.invoke(app, ["track", FLOW]).stderr != ""
