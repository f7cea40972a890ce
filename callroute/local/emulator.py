"""The emulator: AWS's APIs on this machine, as a child process that lives as long as the block that started it.

It is ministack, with IAM enforced: every call needs valid credentials and the permissions that go with them, also on
customer keys, and also the calls that a state machine makes in its role (emulator_process/). Nothing it is given, and
nothing its clients use, comes from the user's own AWS set-up.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import botocore.session
from botocore.config import Config

from callroute.errors import LocalCloudError

HOST = "127.0.0.1"
ACCOUNT_ID = "111111111111"
DEFAULT_REGION = "ap-northeast-1"

START_SECONDS = 30.0
STOP_SECONDS = 5.0
START_ATTEMPTS = 3
LOG_TAIL_LINES = 30

CHILD = ("-m", "callroute.local.ministack_patches")
"""What the child's Python runs."""


class EmulatorError(LocalCloudError):
    """The emulator did not start, or died. The message ends with the tail of its log."""


@dataclass(frozen=True)
class Credentials:
    """An access key of the emulator."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


ROOT = Credentials("test", "test")
"""ministack's root principal: may do everything."""


class Emulator:
    """A ministack child process on a free port of this machine; a context manager.

    Args:
        region: the region in which its clients work and its ARNs lie.

    Raises:
        EmulatorError: on entering the block, when it does not answer within 30 s.
    """

    def __init__(self, region: str = DEFAULT_REGION) -> None:
        self.region = region
        self.account_id = ACCOUNT_ID
        self.endpoint = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = Path()
        self._clients: dict[tuple[str, Credentials], Any] = {}
        # Neither sessions nor this cache may be used by two threads at once.
        self._clients_lock = threading.Lock()
        self._session = _session()

    def __enter__(self) -> Emulator:
        atexit.register(self._stop)
        for attempt in range(1, START_ATTEMPTS + 1):
            self._start(_free_port())
            if self._answers():
                break
            # Another process may take the port between our probe and the child's bind. Then the child ends at once, and
            # another port is tried. What does not end by itself, or happens every time, is another matter.
            if self._running().poll() is None or attempt == START_ATTEMPTS:
                failure = self._failure("did not start")
                self._stop(keep_log=True)
                atexit.unregister(self._stop)
                raise EmulatorError(failure)
            self._stop()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        died = self._running().poll() is not None
        failure = self._failure("ended by itself") if died else ""
        self._stop(keep_log=died)
        atexit.unregister(self._stop)
        if died:
            raise EmulatorError(failure) from error

    @property
    def pid(self) -> int:
        """The id of the child process."""
        return self._running().pid

    def client(self, service: str, credentials: Credentials = ROOT) -> Any:
        """A boto3 client of the emulator; made once per service and credentials, since making one takes 50-100 ms.

        It does not retry by itself: what is tried again, and how often, is the business of those who play AWS's parts.

        Args:
            service: boto3's name of the service, for instance `dynamodb`.
            credentials: who is calling; the root principal unless told.
        """
        self._running()
        with self._clients_lock:
            key = (service, credentials)
            if key not in self._clients:
                self._clients[key] = self._session.create_client(
                    service,
                    region_name=self.region,
                    endpoint_url=self.endpoint,
                    aws_access_key_id=credentials.access_key_id,
                    aws_secret_access_key=credentials.secret_access_key,
                    config=_CLIENT_CONFIG,
                )
            return self._clients[key]

    def reset(self) -> None:
        """Forget every resource and principal, as if just started."""
        request = urllib.request.Request(f"{self.endpoint}/_ministack/reset", method="POST")  # noqa: S310 (own http endpoint)
        with _opener().open(request, timeout=STOP_SECONDS):
            pass

    def log_tail(self) -> str:
        """The last lines of the emulator's log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])

    @property
    def _log(self) -> Path:
        return self._directory / "emulator.log"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise EmulatorError(
                "The emulator is not running. Use it as a context manager: with Emulator() as emulator"
            )
        return self._process

    def _start(self, port: int) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="callroute-emulator-"))
        self._clients.clear()
        self.endpoint = f"http://{HOST}:{port}"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                [sys.executable, *CHILD],
                env=self._environment(port),
                cwd=self._directory,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: a hang-up in a call, say, and not the end of the emulator
            )

    def _environment(self, port: int) -> dict[str, str]:
        """All that the child inherits. Nothing of the user's: no profile, endpoint, Docker daemon, proxy or home."""
        own = str(self._directory)
        return {
            "AUTH": "true",
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_ACCOUNT_ID": self.account_id,
            "MINISTACK_REGION": self.region,
            "AWS_ACCESS_KEY_ID": ROOT.access_key_id,
            "AWS_SECRET_ACCESS_KEY": ROOT.secret_access_key,
            "HOME": own,
            "TMPDIR": own,
            # ministack removes every container of its own that it finds on the machine when it starts and stops; the
            # user may be running another one.
            "DOCKER_HOST": f"unix://{own}/no-docker.sock",
            # Listeners on fixed ports, which a second emulator could not open.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
            # Ourselves, and where our packages come from: a virtual environment, a user's directory or a variable.
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)]),
        }

    def _answers(self) -> bool:
        """Whether the child came up: waits until it answers, ends, or the time is over."""
        child = self._running()
        opener = _opener()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and child.poll() is None:
            with (
                contextlib.suppress(OSError),
                opener.open(f"{self.endpoint}/_ministack/health", timeout=0.5),
            ):
                return child.poll() is None  # else somebody else answered on that port
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0.02)
        return False

    def _failure(self, what: str) -> str:
        code = self._running().poll()
        ending = "it is still running" if code is None else f"exit code {code}"
        return f"The emulator (ministack) {what} ({ending}). Its log is {self._log} and ends with:\n{self.log_tail()}"

    def _stop(self, *, keep_log: bool = False) -> None:
        child, self._process = self._process, None
        if child is None:
            return
        try:
            # See emulator_process/__main__.py. There is no state worth the second that an orderly end takes.
            child.communicate(b"bye", timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        if not keep_log:
            shutil.rmtree(self._directory, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _opener() -> urllib.request.OpenerDirector:
    """Plain requests to our own machine, past any proxy that the environment names."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


# Said in full, so that no variable and no file of the user's AWS set-up decides any of it.
_CLIENT_CONFIG = Config(
    inject_host_prefix=False,  # StartSyncExecution would go to sync-127.0.0.1
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=310,  # an Express execution may take 5 minutes
    max_pool_connections=32,
    proxies={},
    use_fips_endpoint=False,
    use_dualstack_endpoint=False,
)


def _session() -> Any:
    """A session that reads neither the user's profile nor their configuration and credentials files."""
    unread: dict[str, Any] = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return botocore.session.Session(session_vars=unread)
