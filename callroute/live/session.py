"""The open pages and their calls."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from callroute.live.caller import HANGUP, LiveCaller

Message = Mapping[str, Any]
"""A message to a page, with its `type`."""

MAX_SESSIONS = 50


class Session:
    """An open page. Must be created in the server's event loop."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        """Identifies the page in its requests."""
        self.caller: LiveCaller | None = None
        """The caller of the current call."""
        self.contacts: set[str] = set()
        """Contact IDs of the page's calls."""
        self._loop = asyncio.get_running_loop()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()

    def send(self, message: Message | None) -> None:
        """Sends a message to the page. Can be called from any thread. None ends the stream of messages."""
        with suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._messages.put_nowait, message)

    async def next_message(self) -> Message | None:
        """Waits for the next message."""
        return await self._messages.get()

    def hang_up(self) -> None:
        """Ends the current call, if any."""
        if caller := self.caller:
            caller.act(HANGUP)


class Sessions:
    """All open pages, keyed by token."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._closed = False
        self._lock = threading.Lock()

    def open(self) -> Session | None:
        """Adds a page. Returns None if there are too many pages or the server is shutting down."""
        with self._lock:
            if self._closed or len(self._sessions) >= MAX_SESSIONS:
                return None
            session = Session()
            self._sessions[session.token] = session
            return session

    def close(self, session: Session) -> None:
        """Removes a page that was closed and hangs up its call."""
        with self._lock:
            self._sessions.pop(session.token, None)
        session.hang_up()

    def close_all(self) -> None:
        """Ends all pages' message streams and calls, and refuses new pages."""
        with self._lock:
            self._closed = True
        for session in self.all():
            session.hang_up()
            session.send(None)

    def get(self, token: str) -> Session | None:
        """Returns the page with the given token."""
        with self._lock:
            return self._sessions.get(token)

    def all(self) -> list[Session]:
        """Returns the open pages."""
        with self._lock:
            return list(self._sessions.values())

    def broadcast(self, message: Message) -> None:
        """Sends a message to all pages."""
        for session in self.all():
            session.send(message)
