"""Pages of the live view without a browser: a stream of messages, and requests."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callroute.live.live_view import LiveView
from callroute.local.cloud import LocalCloud

SECONDS = 60
CROWD = 12
"""Number of callers in a crowd."""


@dataclass(frozen=True)
class Live:
    """A live view and its server."""

    cloud: LocalCloud
    view: LiveView
    port: int

    @property
    def address(self) -> str:
        """URL of the page."""
        return f"http://127.0.0.1:{self.port}/"


def request(
    port: int, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], str]:
    """Sends a request, and returns the status, the headers and the body of the response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, data, dict(headers or {}))
    response = connection.getresponse()
    answer = response.status, dict(response.getheaders()), response.read().decode()
    connection.close()
    return answer


class Page:
    """An open page.

    Args:
        port: port of the server.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        self._connection.request("GET", "/events")
        self._stream = self._connection.getresponse()
        self.received: list[dict[str, Any]] = []
        session = self.next("session")
        self.token = session["token"]
        self.flows = [flow["name"] for flow in session["flows"]]

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._connection.close()

    def next(
        self, kind: str, matches: Callable[[dict[str, Any]], bool] = lambda _message: True
    ) -> dict[str, Any]:
        """Waits for a message of a kind."""
        while True:
            line = self._stream.readline().decode()
            assert line, f"the stream ended before a message {kind!r}"
            if line.startswith("data: "):
                message: dict[str, Any] = json.loads(line.removeprefix("data: "))
                self.received.append(message)
                if message["type"] == kind and matches(message):
                    return message

    def step(self, kind: str) -> dict[str, Any]:
        """Waits for an event of the call."""
        return self.next("step", lambda message: message["kind"] == kind)

    def post(self, path: str, body: Any, token: str | None = None) -> int:
        """Sends a request, and returns the status."""
        headers = {"Origin": f"http://127.0.0.1:{self.port}", "X-Session": token or self.token}
        return request(self.port, "POST", path, body, headers)[0]

    def call(self, flow: str) -> None:
        """Calls a flow."""
        assert self.post("/call", {"flow": self.flows.index(flow)}) == 204

    def act(self, kind: str, **fields: Any) -> None:
        """Sends an action in the current call."""
        assert self.post("/action", {"kind": kind, **fields}) == 204
