"""The AWS emulator: ministack in a child process, available as a context manager.

IAM is enforced: every call needs valid credentials and permissions, including permissions on customer managed keys and
for the calls that a state machine makes with its role (see ministack_patches). Neither the emulator nor its clients use the
user's AWS configuration.
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
from callroute.local.stack_config import DEFAULT_REGION

HOST = "127.0.0.1"
ACCOUNT_ID = "111111111111"

START_SECONDS = 30.0
STOP_SECONDS = 5.0
START_ATTEMPTS = 3
LOG_TAIL_LINES = 30

CHILD = ("-m", "callroute.local.ministack_patches")
"""Python arguments for the child process."""


class EmulatorError(LocalCloudError):
    """The emulator did not start or exited unexpectedly. The message includes the end of its log."""


@dataclass(frozen=True)
class Credentials:
    """An access key for the emulator."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


ROOT = Credentials("test", "test")
"""ministack's root principal, which has all permissions."""


class Emulator:
    """A ministack child process on a free local port.

    Args:
        region: AWS region for the clients and all ARNs.

    Raises:
        EmulatorError: the emulator does not respond within 30 s of entering the context.
    """

    def __init__(self, region: str = DEFAULT_REGION) -> None:
        self.region = region
        self.account_id = ACCOUNT_ID
        self.endpoint = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = Path()
        self._clients: dict[tuple[str, Credentials], Any] = {}
        # Neither the session nor this cache is thread-safe.
        self._clients_lock = threading.Lock()
        self._session = _session()

    def __enter__(self) -> Emulator:
        atexit.register(self._stop)
        for attempt in range(1, START_ATTEMPTS + 1):
            self._start(_free_port())
            if self._is_ready():
                break
            # Another process could take the port between the probe and the child's bind. The child then exits, and another
            # port is tried. A child that keeps running or exits on every attempt has a different problem.
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
        failure = self._failure("ended unexpectedly") if died else ""
        self._stop(keep_log=died)
        atexit.unregister(self._stop)
        if died:
            raise EmulatorError(failure) from error

    @property
    def pid(self) -> int:
        """Process ID of the child."""
        return self._running().pid

    def client(self, service: str, credentials: Credentials = ROOT) -> Any:
        """Returns a boto3 client for the emulator.

        Clients are cached, because creating one takes 50-100 ms. They do not retry: the local pipe, for example, has
        its own retry policy.

        Args:
            service: boto3's name for the service, for example `dynamodb`.
            credentials: credentials of the caller. Default: the root principal.
        """
        self._running()
        with self._clients_lock:
            key = (service, credentials)
            if key not in self._clients:
                self._clients[key] = create_client(
                    service, self.endpoint, self.region, credentials, self._session
                )
            return self._clients[key]

    def reset(self) -> None:
        """Deletes all resources and principals."""
        request = urllib.request.Request(f"{self.endpoint}/_ministack/reset", method="POST")  # noqa: S310 (local endpoint)
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
            self._process = subprocess.Popen(  # noqa: S603 (fixed arguments)
                [sys.executable, *CHILD],
                env=self._environment(port),
                cwd=self._directory,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # keeps Ctrl-C, which hangs up in `callroute call`, from stopping the child
            )

    def _environment(self, port: int) -> dict[str, str]:
        """Returns the child's complete environment, excluding the user's AWS profile, Docker daemon, proxy and home."""
        directory = str(self._directory)
        return {
            "AUTH": "true",
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_ACCOUNT_ID": self.account_id,
            "MINISTACK_REGION": self.region,
            "AWS_ACCESS_KEY_ID": ROOT.access_key_id,
            "AWS_SECRET_ACCESS_KEY": ROOT.secret_access_key,
            "HOME": directory,
            "TMPDIR": directory,
            # Hides Docker: when ministack starts or stops, it removes the containers of all ministack instances.
            "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
            # These listeners use fixed ports, which a second emulator could not open.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
            # Lets the child import the same packages as this process. On its own, it could not find those in the
            # user's site directory, because its home directory is different.
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }

    def _is_ready(self) -> bool:
        """Waits for the child and returns True if it responds before it exits or times out."""
        child = self._running()
        opener = _opener()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and child.poll() is None:
            with (
                contextlib.suppress(OSError),
                opener.open(f"{self.endpoint}/_ministack/health", timeout=0.5),
            ):
                return child.poll() is None  # if it has exited, another process responded on that port
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=0.02)
        return False

    def _failure(self, problem: str) -> str:
        code = self._running().poll()
        status = "it is still running" if code is None else f"exit code {code}"
        return f"The emulator (ministack) {problem} ({status}). Its log is {self._log} and ends with:\n{self.log_tail()}"

    def _stop(self, *, keep_log: bool = False) -> None:
        child, self._process = self._process, None
        if child is None:
            return
        try:
            # Any input makes the child exit immediately (see ministack_patches/__main__.py). It has no state to save.
            child.communicate(b"exit", timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        if not keep_log:
            shutil.rmtree(self._directory, ignore_errors=True)


def create_client(
    service: str, endpoint: str, region: str, credentials: Credentials = ROOT, session: Any = None
) -> Any:
    """Returns a boto3 client for an emulator that may run in another process.

    Args:
        service: boto3's name for the service, for example `dynamodb`.
        endpoint: URL of the emulator.
        region: AWS region of the client.
        credentials: credentials of the caller. Default: the root principal.
        session: botocore session that creates the client. Default: a new one.
    """
    return (session or _session()).create_client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        config=_CLIENT_CONFIG,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _opener() -> urllib.request.OpenerDirector:
    """Returns an opener that ignores the proxies set in the environment."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


# Set explicitly, so that the user's AWS configuration and environment have no effect.
_CLIENT_CONFIG = Config(
    inject_host_prefix=False,  # StartSyncExecution would go to sync-127.0.0.1
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=310,  # an Express execution can take 5 minutes
    max_pool_connections=32,
    proxies={},
    use_fips_endpoint=False,
    use_dualstack_endpoint=False,
)


def _session() -> Any:
    """Returns a session that does not read the user's profile, configuration file or credentials file."""
    variables: dict[str, Any] = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return botocore.session.Session(session_vars=variables)
