"""Guards against an emulator that outlives its parent, uses the user's AWS account, or fails without a reason."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from callroute.local import emulator as module
from callroute.local.emulator import Credentials, Emulator, EmulatorError
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.emulator


@pytest.fixture
def kept_log() -> Iterator[list[Path]]:
    """Removes the logs that a test adds to this list, which are kept after a failure."""
    logs: list[Path] = []
    yield logs
    for log in logs:
        shutil.rmtree(log.parent)


def log_named_in(message: str) -> Path:
    found = re.search(r"Its log is (\S+) and ends with", message)
    assert found, message
    return Path(found[1])


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_has_its_own_account_in_the_requested_region() -> None:
    with Emulator("eu-west-2") as emulator:
        stream = emulator.client("kinesis")
        stream.create_stream(StreamName="calls", ShardCount=1)
        summary = stream.describe_stream_summary(StreamName="calls")["StreamDescriptionSummary"]
    assert summary["StreamARN"] == "arn:aws:kinesis:eu-west-2:111111111111:stream/calls"


def test_it_stops_and_removes_its_files_on_exit() -> None:
    with Emulator() as emulator:
        pid, directory = emulator.pid, emulator._directory
        assert is_running(pid)
        assert directory.exists()
    assert not is_running(pid)
    assert not directory.exists()


def test_an_exception_stops_the_emulator_and_propagates() -> None:
    pids = []

    def fail() -> None:
        with Emulator() as emulator:
            pids.append(emulator.pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not is_running(pids[0])


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_stops_and_removes_its_files_when_its_parent_is_killed(ending: signal.Signals) -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import select, signal\n"
            "from callroute.local.emulator import Emulator\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # SIGINT is ignored if the tests run in the background
            "with Emulator() as e:\n"
            "    print(e.endpoint, e._directory, flush=True)\n"
            # A signal that arrives just before a blocking read does not interrupt it.
            "    while not select.select([0], [], [], 0.1)[0]: pass",
        ],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout
    endpoint, directory = parent.stdout.readline().split()
    address = urllib.parse.urlsplit(endpoint)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10) as connection:
        parent.send_signal(ending)
        # The connection is closed when the emulator ends. If it kept running, this would time out.
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    parent.communicate(timeout=10)
    assert not Path(directory).exists()


def test_the_emulator_does_not_receive_ctrl_c(emulator: Emulator) -> None:
    assert os.getpgid(emulator.pid) != os.getpgid(0)


def test_it_ignores_the_users_aws_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = us-west-1\nendpoint_url = http://127.0.0.1:1\n", encoding="utf-8")
    for name, value in {
        "AWS_PROFILE": "no-such-profile",
        "AWS_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "AKIAOFTHEUSER0000000",
        "AWS_SECRET_ACCESS_KEY": "user-secret",
        "AWS_SESSION_TOKEN": "user-token",
        "AWS_DEFAULT_REGION": "us-west-1",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "PERSIST_STATE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with Emulator() as emulator:
        identity = emulator.client("sts").get_caller_identity()
        assert identity["Arn"] == "arn:aws:iam::111111111111:root"
        sts = emulator.client("sts", Credentials("AKIAOFTHEUSER0000000", "user-secret"))
        with pytest.raises(ClientError, match="security token"):
            sts.get_caller_identity()


def test_a_principal_can_only_do_what_its_policies_allow(emulator: Emulator) -> None:
    emulator.reset()
    iam = emulator.client("iam")
    iam.create_user(UserName="reader")
    allowed = {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}
    iam.put_user_policy(
        UserName="reader",
        PolicyName="list",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    sqs = emulator.client("sqs", Credentials(key["AccessKeyId"], key["SecretAccessKey"]))
    sqs.list_queues()
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.create_queue(QueueName="new")


def test_clients_are_cached_by_service_and_principal(emulator: Emulator) -> None:
    other = Credentials("AKIAOTHER00000000000", "secret")
    assert emulator.client("sqs") is emulator.client("sqs")
    assert emulator.client("sqs", other) is not emulator.client("sqs")
    assert emulator.client("sqs", other) is emulator.client("sqs", other)


def test_reset_deletes_resources_and_principals(emulator: Emulator) -> None:
    emulator.client("sqs").create_queue(QueueName="forgotten")
    emulator.client("iam").create_user(UserName="forgotten")
    emulator.reset()
    assert not emulator.client("sqs").list_queues().get("QueueUrls")
    assert emulator.client("iam").list_users()["Users"] == []


def test_two_emulators_are_independent(emulator: Emulator) -> None:
    with Emulator() as second:
        second.client("sqs").create_queue(QueueName="only-in-second")
        urls = emulator.client("sqs").list_queues().get("QueueUrls", [])
        assert not any(url.endswith("only-in-second") for url in urls)


def test_another_port_is_used_if_the_first_is_taken_after_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], module._free_port()])
        monkeypatch.setattr(module, "_free_port", lambda: next(ports))
        with Emulator() as emulator:
            assert emulator.client("sts").get_caller_identity()["Account"] == "111111111111"
            assert str(taken.getsockname()[1]) not in emulator.endpoint


def test_a_failed_start_is_reported_and_its_log_is_kept(
    monkeypatch: pytest.MonkeyPatch, kept_log: list[Path]
) -> None:
    monkeypatch.setattr(module, "CHILD", ("-c", "import sys; print('no such module: x'); sys.exit(3)"))
    with pytest.raises(EmulatorError, match="did not start") as raised, Emulator():
        pytest.fail("the context must not be entered")
    kept_log.append(log_named_in(str(raised.value)))
    assert "exit code 3" in str(raised.value)
    assert "no such module: x" in str(raised.value)
    assert "no such module: x" in kept_log[0].read_text(encoding="utf-8")


def test_an_emulator_that_never_responds_is_stopped(
    monkeypatch: pytest.MonkeyPatch, kept_log: list[Path]
) -> None:
    unresponsive = "import os, threading; print(os.getpid(), flush=True); threading.Event().wait()"
    monkeypatch.setattr(module, "CHILD", ("-c", unresponsive))
    monkeypatch.setattr(module, "START_SECONDS", 0.5)
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    with pytest.raises(EmulatorError, match="still running") as raised, Emulator():
        pytest.fail("the context must not be entered")
    kept_log.append(log_named_in(str(raised.value)))
    assert not is_running(int(kept_log[0].read_text(encoding="utf-8")))


def test_an_unexpected_exit_is_reported_and_its_log_is_kept(kept_log: list[Path]) -> None:
    def kill() -> None:
        with Emulator() as emulator:
            os.kill(emulator.pid, signal.SIGKILL)
            os.waitid(os.P_PID, emulator.pid, os.WEXITED | os.WNOWAIT)

    with pytest.raises(EmulatorError, match="ended unexpectedly") as raised:
        kill()
    kept_log.append(log_named_in(str(raised.value)))
    assert kept_log[0].exists()


def test_use_outside_of_the_context_is_an_error_with_instructions() -> None:
    with pytest.raises(EmulatorError, match="with Emulator"):
        _ = Emulator().pid
