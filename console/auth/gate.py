"""The gate in front of everything the console's port answers: what is not named here needs a session.

Requests without one never reach Streamlit at all: the open paths are answered by the gate's own two doors.
"""

import time
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.api.errors import answer
from console.auth import cookie, origin
from services.accounts import sign_ins
from services.db import transaction
from services.errors import Unavailable

OPEN_PAGES = ("/sign-in", "/sign-in/link")
OWN_PAGES = ("/sign-out", "/account")
API = ("/api", "/v1", "/metrics")
STATIC = "/static/"
STATIC_TRUST_S = 10.0
WEBSOCKET_TRUST_S = 5.0
_NO_SESSION_CODE = 1008


class Gate:
    """Pure ASGI middleware: `api` authenticates for itself, `pages` are the sign-in pages, `app` is behind the session."""

    def __init__(self, app: ASGIApp, api: ASGIApp, pages: ASGIApp) -> None:
        self._app = app
        self._api = api
        self._pages = pages
        self._static_trust: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        request = HTTPConnection(scope)
        if not is_plain(path):
            await _unusable(path)(scope, receive, send)
        elif path in API or path.startswith(("/api/", "/v1/")):
            await self._api(scope, receive, send)
        elif path in OPEN_PAGES:
            await self._pages(scope, receive, send)
        else:
            try:
                known = await self._known(request, path)
            except Unavailable as error:
                await _unavailable(error)(scope, receive, send)
                return
            if not known:
                await _refusal(request, scope["method"])(scope, receive, send)
            else:
                await (self._pages if path in OWN_PAGES else self._app)(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            welcome = is_plain(scope["path"]) and not origin.is_foreign(connection) and await _signed_in(connection)
        except Unavailable:
            welcome = False
        if not welcome:
            await send({"type": "websocket.close", "code": _NO_SESSION_CODE})  # before accepting: the handshake is refused
            return
        await self._app(scope, _receive_while_signed_in(connection, receive, send), send)

    async def _known(self, request: HTTPConnection, path: str) -> bool:
        """Whether the session is valid. For the bundle's files, some 200 a page load and without any data, an answer lasts ten seconds."""
        token = cookie.read(request)
        if path.startswith(STATIC) and token and self._static_trust.get(token, 0.0) > time.monotonic():
            return True
        valid = await _signed_in(request)
        if valid and token:
            if len(self._static_trust) >= 1_000:
                self._static_trust.clear()
            self._static_trust[token] = time.monotonic() + STATIC_TRUST_S
        return valid


def is_plain(path: str) -> bool:
    """Whether a (decoded) path means the same to everybody who reads it: no dots, empty segments, escapes or control characters."""
    if not path.startswith("/") or "//" in path or "\\" in path or "%" in path:
        return False
    if any(segment in (".", "..") for segment in path.split("/")):
        return False
    return not any(ord(character) < 0x20 or ord(character) == 0x7F for character in path)


async def _signed_in(connection: HTTPConnection) -> bool:
    token = cookie.read(connection)
    return token is not None and await run_in_threadpool(_valid, token)


def _valid(token: str) -> bool:
    with transaction() as connection:
        return sign_ins.who(connection, token) is not None


def _receive_while_signed_in(connection: HTTPConnection, receive: Receive, send: Send) -> Receive:
    """Messages of a live websocket, ended once its session is revoked or over, whatever the page itself checks."""
    trusted_until = time.monotonic() + WEBSOCKET_TRUST_S

    async def receive_checked() -> Message:
        nonlocal trusted_until
        message = await receive()
        if message["type"] != "websocket.receive" or time.monotonic() < trusted_until:
            return message
        try:
            valid = await _signed_in(connection)
        except Unavailable:
            return message  # an outage revokes nobody; the page's own check fails closed, in words
        if valid:
            trusted_until = time.monotonic() + WEBSOCKET_TRUST_S
            return message
        await send({"type": "websocket.close", "code": _NO_SESSION_CODE})
        return {"type": "websocket.disconnect", "code": _NO_SESSION_CODE}

    return receive_checked


def _refusal(request: HTTPConnection, method: str) -> Response:
    """To the sign-in page for somebody who opens a page; a plain 401 for a script, a file or a form."""
    navigates = request.headers.get("sec-fetch-mode") == "navigate" or "text/html" in request.headers.get("accept", "")
    if method in ("GET", "HEAD") and navigates:
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(origin.same_site_path(wanted), safe='')}", 303, {"cache-control": "no-store"})
    return PlainTextResponse("Sign in first.", 401, {"cache-control": "no-store"})


def _unusable(path: str) -> Response:
    """In JSON where programs ask."""
    words = "This path cannot be used."
    return answer(400, words) if path.startswith(("/api/", "/v1/")) else PlainTextResponse(words, 400)


def _unavailable(error: Unavailable) -> Response:
    retry_s = str(error.retry_after_s or 5)
    headers = {"retry-after": retry_s, "refresh": retry_s, "cache-control": "no-store"}
    return PlainTextResponse(f"{error} This page tries again by itself.", 503, headers)
