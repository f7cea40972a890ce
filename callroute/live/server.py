"""Runs the web application in a thread."""

from __future__ import annotations

import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from callroute.errors import InputError

HOST = "127.0.0.1"
SHUTDOWN_SECONDS = 3


def listen(port: int) -> socket.socket:
    """Returns a socket that accepts connections from this machine only.

    Args:
        port: the port, or 0 for a free one.

    Raises:
        InputError: the port is not available.
    """
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()
    except OSError as error:
        listening.close()
        problem = f"port {port} is not available ({error.strerror})"
        raise InputError("--port", "", problem, "Choose another port, or omit --port") from error
    return listening


class Server:
    """Serves an application while it is active as a context manager.

    Args:
        app: the application.
        listening: socket from `listen`. The server closes it.
    """

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                access_log=False,  # access logs would contain tokens and keys
                lifespan="off",
                log_level="error",
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="server", daemon=True
        )

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join()

    def wait(self) -> None:
        """Waits until the server stops. Ctrl-C raises KeyboardInterrupt."""
        self._thread.join()

    def stop(self) -> None:
        """Stops the server. Can be called from any thread."""
        self._server.should_exit = True
