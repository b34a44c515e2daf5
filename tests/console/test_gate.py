"""Nothing answers without a session except what has to."""

import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection

import httpx
import pytest
from sqlalchemy import text
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from console.auth.gate import is_plain
from services.accounts import sign_ins
from services.db import transaction
from services.settings import ROOT
from tests.console.conftest import Server

pytestmark = pytest.mark.usefixtures("database")

CLOSED = [
    "/",
    "/cost",
    "/nope",
    "/index.html",
    "/favicon.png",
    "/manifest.json",
    "/_stcore/health",
    "/_stcore/host-config",
    "/_stcore/metrics",
    "/_stcore/script-health-check",
    "/_stcore/stream",
    "/_stcore/agent/openapi.json",
    "/_stcore/upload_file/a/b",
    "/_stcore/bidi-components/x",
    "/media/x.png",
    "/static/js/index.js",
    "/component/x/index.html",
    "/app/static/x",
    "/auth/login",
    "/auth/logout",
    "/oauth2callback",
    "/account",
    "/sign-out",
    "/sign-in/",
    "/sign-in/x",
    "/sign-inx",
    "/Sign-In",
    "/SIGN-IN/LINK",
    "/API/ai/health",
    "/apix",
    "/v1x",
    "/api;/x",
]
TRICKS = [
    "//",
    "//sign-in",
    "/sign-in//",
    "/sign-in/../",
    "/sign-in/../_stcore/health",
    "/sign-in/%2e%2e/_stcore/health",
    "/sign-in/link/..%2f..%2f_stcore/health",
    "/./_stcore/health",
    "/api/../_stcore/health",
    "/api/%2e%2e/_stcore/health",
    "/api/..%2f_stcore/health",
    "/api/%252e%252e/_stcore/health",
    "/api//",
    "/api/%5c..%5c_stcore",
    "/api\\..\\_stcore",
    "/api/%0a/x",
    "/api/x%0a",
    "/api/%00",
    "/sign-in%0a",
    "/sign-in%00",
    "/v1/..",
    "/.",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


@pytest.mark.parametrize("token", [None, "junk"])
@pytest.mark.parametrize("path", CLOSED)
def test_it_refuses_every_closed_path_in_every_method(ui: Server, path: str, token: str | None) -> None:
    with ui.client(token) as client:
        for method in METHODS:
            answer = client.request(method, path)
            assert (answer.status_code, "streamlit" in answer.text.lower()) == (401, False), method


@pytest.mark.parametrize("path", TRICKS)
def test_it_refuses_paths_that_two_readers_could_read_differently(ui: Server, path: str) -> None:
    """Sent as they are, without the tidying that better HTTP clients do."""
    connection = HTTPConnection("127.0.0.1", ui.port, timeout=10)
    connection.request("GET", path)
    assert connection.getresponse().status == 400
    connection.close()


def test_it_refuses_every_route_of_the_running_app(ui: Server) -> None:
    """Whatever a new version of Streamlit adds is refused too: the routes are read from the app itself."""
    listing = (
        "from pathlib import Path; from console import server;"
        "app = server.build_ui(Path('tests/console/page.py').resolve())._build_starlette_app();"
        "print(*{getattr(route, 'path', '') or '/' for route in app.routes})"
    )
    found = subprocess.run([sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert len(found) > 12
    assert "/_stcore/stream" in found
    with ui.client() as client:
        for path in found:
            answer = client.get(path.replace("{", "").replace("}", "").replace(":path", ""))
            assert answer.status_code == 401, path


@pytest.mark.parametrize("path", ["/api/nope", "/api", "/api/", "/v1", "/v1/metrics", "/v1/nope", "/api/ai/health/x", "/api/ai"])
def test_it_answers_unknown_api_paths_with_404_in_json(ui: Server, path: str) -> None:
    with ui.client() as client:
        answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found")


def test_it_sends_browsers_to_the_sign_in_page_with_the_way_back(ui: Server) -> None:
    with ui.client() as client:
        answer = client.get("/cost?range=7d&model=a%2Fb", headers={"accept": "text/html,*/*"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fcost%3Frange%3D7d%26model%3Da%252Fb")
        assert client.get("/", headers={"sec-fetch-mode": "navigate"}).headers["location"] == "/sign-in?next=%2F"
        assert client.post("/cost", headers={"accept": "text/html"}).status_code == 401


def test_it_lets_a_session_through_until_it_ends(ui: Server, session: str) -> None:
    with ui.client(session) as client:
        page = client.get("/cost")
        assert page.status_code == 200
        assert "<title>Streamlit</title>" in page.text
        assert client.get("/_stcore/health").text == "ok"
        with transaction() as connection:
            sign_ins.revoke(connection, session)
        assert client.get("/cost").status_code == 401
        assert client.get("/_stcore/health").status_code == 401


@pytest.mark.parametrize("path", ["/cost", "/sign-in", "/api/ai/health/", "/api/nope", "/nope", "/_stcore/health"])
def test_it_completes_the_headers_of_every_answer(ui: Server, session: str, path: str) -> None:
    for token in (None, session):
        with ui.client(token) as client:
            headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
        assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers


def stream(ui: Server, token: str | None, origin: str | None = None, path: str = "/_stcore/stream") -> ClientConnection:
    headers = {"cookie": f"binnacle_session={token}"} if token is not None else {}
    return connect(f"ws://127.0.0.1:{ui.port}{path}", additional_headers=headers, origin=origin, open_timeout=10)  # type: ignore[arg-type]


@pytest.mark.parametrize("spoil", ["none", "junk", "empty", "expired", "revoked", "disabled", "foreign origin"])
def test_it_refuses_the_websocket_before_it_opens(ui: Server, session: str, spoil: str) -> None:
    statements = {
        "expired": "update sign_ins set expires_at = now()",
        "revoked": "delete from sign_ins",
        "disabled": "update accounts set disabled_at = now()",
    }
    if spoil in statements:
        with transaction() as connection:
            connection.execute(text(statements[spoil]))
    token = {"none": None, "junk": "junk", "empty": ""}.get(spoil, session)
    with pytest.raises(InvalidStatus) as refused:
        stream(ui, token, "http://evil.example" if spoil == "foreign origin" else None)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("path", ["/", "/_stcore/other", "/api/ai/health", "/sign-in", "/api/../_stcore/stream", "//_stcore/stream"])
def test_it_refuses_websockets_everywhere_without_a_session(ui: Server, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        stream(ui, None, path=path)
    assert refused.value.response.status_code == 403


def test_it_ends_a_live_websocket_soon_after_its_session_was_revoked(ui: Server, session: str) -> None:
    with stream(ui, session, ui.url) as socket:
        with transaction() as connection:
            sign_ins.revoke(connection, session)
        with pytest.raises(ConnectionClosed):
            talk(socket, 8)


def test_it_keeps_a_live_websocket_while_its_session_lasts(ui: Server, session: str) -> None:
    with stream(ui, session, ui.url) as socket:
        talk(socket, 6)
        assert socket.ping().wait(2)


def talk(socket: ClientConnection, seconds: float) -> None:
    """Say something again and again, as a page that is being used does; raises ConnectionClosed when the other side hung up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        socket.send(b"")
        with suppress(TimeoutError):
            socket.recv(timeout=0.2)


def test_it_does_not_hand_the_session_of_one_port_to_the_other(telemetry_port: Server, session: str) -> None:
    """Cookies know no ports: the browser sends the console's to the telemetry port as well."""
    with telemetry_port.client(session) as client:
        assert client.post("/api/operations", json={"operations": []}).status_code == 401
        readable = ("/api/metrics/query?measures=operations&start=2026-01-01&end=2026-01-02", "/api/openapi.json", "/api/docs")
        for path in (*readable, "/", "/sign-in", "/sign-in/link?token=x", "/_stcore/health", "/account", "/api"):
            assert client.get(path).status_code == 404


@pytest.mark.parametrize(("path", "plain"), [("/", True), ("/a/b.c", True), ("/a/..b", True), ("", False), ("a", False), ("/a%20", False)])
def test_it_tells_plain_paths(path: str, plain: bool) -> None:
    assert is_plain(path) is plain


def test_it_refuses_a_cookie_full_of_rubbish(ui: Server) -> None:
    for cookie in (b"binnacle_session=\xff\xfe", b"binnacle_session=" + b"x" * 8000, b";;;=;binnacle_session", b'binnacle_session="\\000"'):
        answer = httpx.get(f"{ui.url}/cost", headers=[(b"cookie", cookie)])
        assert answer.status_code == 401
