"""Web application for the live view: the page, its requests and its stream of messages."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callroute.flows.simulation import KEYS
from callroute.live.caller import HANGUP, Action
from callroute.live.live_view import LiveView
from callroute.live.session import Session

PAGE = Path(__file__).parent / "page"
FILES = {
    "/": ("live.html", "text/html"),
    "/live.css": ("live.css", "text/css"),
    "/live.js": ("live.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}

SESSION_HEADER = "X-Session"
MAX_BODY = 1024

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' {drawings}; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class SameOriginMiddleware:
    """Middleware that rejects requests for another host or from another origin, and adds security headers.

    The host check blocks websites whose names resolve to 127.0.0.1 (DNS rebinding).

    Args:
        app: the application.
        hosts: the allowed values of the Host header.
        content_security_policy: the policy for all responses.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], content_security_policy: str) -> None:
        self._app = app
        self._hosts = hosts
        self._headers = {**SECURITY_HEADERS, "Content-Security-Policy": content_security_policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        if problem := self._problem(Headers(scope=scope), scope["method"]):
            await PlainTextResponse(f"{problem}\n", 403)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def _problem(self, headers: Headers, method: str) -> str:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return "This host is not allowed."
        if origins != [f"http://{hosts[0]}"] and (origins or method not in {"GET", "HEAD"}):
            return "This origin is not allowed."
        return ""


def create_app(view: LiveView, port: int) -> Starlette:
    """Returns the application.

    Args:
        view: processes the calls. Must be active.
        port: port of the server, which is part of the allowed Host headers.
    """

    async def events(_request: Request) -> Response:
        session = view.sessions.open()
        if session is None:
            raise HTTPException(503)
        return StreamingResponse(_messages(view, session), media_type="text/event-stream")

    async def drawing(request: Request) -> Response:
        return Response(view.flows[_flow(view, request.path_params["flow"])].svg, media_type="image/svg+xml")

    async def call(request: Request) -> Response:
        body = await _body(request)
        return _accepted(view.start_call(_session(view, request), _flow(view, body.get("flow"))))

    async def crowd(request: Request) -> Response:
        body = await _body(request)
        _session(view, request)
        return _accepted(view.start_crowd(_flow(view, body.get("flow"))))

    async def action(request: Request) -> Response:
        action = _action(await _body(request))
        caller = _session(view, request).caller
        if caller is not None:
            caller.act(action)
        return _accepted(caller is not None)

    policy = CONTENT_SECURITY_POLICY.format(drawings=_style_hashes(flow.svg for flow in view.flows))
    return Starlette(
        routes=[
            *(Route(path, _file(*file)) for path, file in FILES.items()),
            Route("/flows/{flow:int}.svg", drawing),
            Route("/events", events),
            Route("/call", call, methods=["POST"]),
            Route("/crowd", crowd, methods=["POST"]),
            Route("/action", action, methods=["POST"]),
        ],
        middleware=[
            Middleware(SameOriginMiddleware, {f"127.0.0.1:{port}", f"localhost:{port}"}, policy),
            Middleware(RequestBodyLimitMiddleware, MAX_BODY),
        ],
    )


def _style_hashes(drawings: Iterable[str]) -> str:
    """Returns the hashes of the style sheets in the drawings, as content security policy sources."""
    styles = {
        style for drawing in drawings for style in re.findall("<style>(.*?)</style>", drawing, re.DOTALL)
    }
    hashes = (base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles)
    return " ".join(f"'sha256-{each}'" for each in sorted(hashes))


def _file(name: str, media_type: str) -> Callable[[Request], FileResponse]:
    return lambda _request: FileResponse(PAGE / name, media_type=media_type)


async def _messages(view: LiveView, session: Session) -> AsyncIterator[str]:
    """Yields a page's messages as server-sent events. The session ends when the stream ends."""
    try:
        message: Mapping[str, Any] | None = view.greeting(session)
        session.send(await run_in_threadpool(view.drop_off_message))
        while message is not None:
            yield f"data: {json.dumps(message)}\n\n"
            message = await session.next_message()
    finally:
        view.sessions.close(session)


def _session(view: LiveView, request: Request) -> Session:
    session = view.sessions.get(request.headers.get(SESSION_HEADER, ""))
    if session is None:
        raise HTTPException(403, "The connection to this page has ended. Reload the page.")
    return session


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except (ValueError, RecursionError) as error:
        raise HTTPException(400) from error
    if not isinstance(body, dict):
        raise HTTPException(400)
    return body


def _flow(view: LiveView, number: Any) -> int:
    if type(number) is not int or not 0 <= number < len(view.flows):
        raise HTTPException(404)
    return number


def _action(body: Mapping[str, Any]) -> Action:
    match body:
        case {"kind": "hangup"}:
            return HANGUP
        case {"kind": "played" | "skip" as kind, "prompt": int(prompt)}:
            return Action(kind, prompt)
        case {"kind": "key", "prompt": int(prompt), "key": str(key)} if len(key) == 1 and key in KEYS:
            return Action("key", prompt, key)
    raise HTTPException(400)


def _accepted(accepted: bool) -> Response:
    return Response(status_code=204 if accepted else 409)
