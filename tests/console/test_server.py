"""The processes: starting without a database, recovering, ending."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.sync.client import connect

from services.settings import ROOT, settings
from tests.console.conftest import PASSWORD, Server, free_port, serving

HEALTH = "/api/ai/health/"


@contextmanager
def forwarded(port: int, target: int) -> Iterator[None]:
    """127.0.0.1:port reaches 127.0.0.1:target while this lasts."""
    listener = socket.create_server(("127.0.0.1", port))
    pairs: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError as error:
            logging.getLogger(__name__).debug("the forwarded connection ended: %s", error)

    def accept() -> None:
        while True:
            try:
                inner, _ = listener.accept()
            except OSError:
                return
            outer = socket.create_connection(("127.0.0.1", target))
            pairs.extend((inner, outer))
            for one, other in ((inner, outer), (outer, inner)):
                threading.Thread(target=pump, args=(one, other), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for end in pairs:
            end.close()


def eventually(condition: Callable[[], bool], seconds: float = 45) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def services(server: Server) -> dict[str, str]:
    told: dict[str, str] = httpx.get(server.url + HEALTH).json()["services"]
    return told


@pytest.mark.parametrize("part", ["ui", "api"])
def test_it_starts_without_database_and_cache_says_so_and_recovers(database: None, part: str) -> None:
    url = settings().database_url
    redis = settings().redis_url
    assert url is not None
    assert redis is not None
    parts, redis_parts = urlsplit(url.get_secret_value()), urlsplit(redis.get_secret_value())
    assert parts.port
    assert redis_parts.port
    port, redis_port = free_port(), free_port()
    environment = {
        "DATABASE_URL": parts._replace(scheme="postgresql", netloc=parts.netloc.replace(str(parts.port), str(port))).geturl(),
        "REDIS_URL": redis_parts._replace(netloc=redis_parts.netloc.replace(str(redis_parts.port), str(redis_port))).geturl(),
    }
    with serving(part, environment) as server, server.client(key=f"bnk_{'0' * 12}_{'x' * 43}") as client:
        answer = client.get(HEALTH)
        assert (answer.status_code, answer.json()["status"]) == (503, "down")
        assert set(answer.json()["services"].values()) == {"down"}
        refused = client.post("/api/operations", json={"operations": []})
        assert (refused.status_code, refused.json()["error"]["type"]) == (503, "unavailable")
        assert refused.headers["retry-after"]
        if part == "ui":
            with server.client("a session", origin=True) as browser:
                page = browser.get("/", headers={"accept": "text/html"})
                assert page.status_code == 503
                assert page.headers["refresh"]
                assert "does not answer" in page.text
                for path in ("/sign-in", "/sign-in/link", "/account"):
                    assert browser.get(path).status_code == 503
                assert browser.post("/sign-in", data={"name": "a", "password": "b"}).status_code == 503
            assert client.get("/sign-in").status_code == 200
        with forwarded(port, parts.port), forwarded(redis_port, redis_parts.port):
            assert eventually(lambda: services(server) == {"gemini_api": "down", "cache": "up", "database": "up"})
            assert client.get(HEALTH).status_code == 200
            assert client.post("/api/operations", json={"operations": []}).status_code == 401
        assert eventually(lambda: services(server)["database"] == "down")


@pytest.mark.parametrize("part", ["ui", "api"])
def test_it_ends_within_five_seconds_of_sigterm_whatever_is_open(part: str, session: str) -> None:
    with serving(part) as server, ExitStack() as open_ends:
        for start in (b"", b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf"):
            open_ends.enter_context(socket.create_connection(("127.0.0.1", server.port))).sendall(start)
        if part == "ui":
            cookie = {"cookie": f"binnacle_session={session}"}
            open_ends.enter_context(connect(f"ws://127.0.0.1:{server.port}/_stcore/stream", additional_headers=cookie))
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(10)
        took_s = time.monotonic() - began
    assert took_s < 5


def test_it_writes_no_address_of_a_request_into_the_log(session: str, capfd: pytest.CaptureFixture[str]) -> None:
    with serving("ui") as server, server.client(session) as client:
        client.get("/sign-in/link?token=secret-of-a-link")
        client.get("/cost?user=secret-of-a-filter")
        client.get("/static/secret-of-a-file")
    written = capfd.readouterr()
    assert "secret-of" not in written.out + written.err


def test_it_names_a_wrong_setting_in_one_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "console", "api"], cwd=ROOT, env=os.environ | {"OTLP_PORT": "0"}, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("The setting OTLP_PORT is wrong")


def test_it_keeps_cookies_to_https_where_that_is_its_address(session: str) -> None:
    with serving("ui", {"PUBLIC_URL": "https://console.example"}) as server, server.client() as client:
        fields = {"name": "jane", "password": PASSWORD}
        answer = client.post("/sign-in", data=fields, headers={"origin": "https://console.example"})
        assert answer.status_code == 303
        assert "secure" in answer.headers["set-cookie"].lower()
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        codes = [
            client.post("/sign-in", data=fields | {"password": "x"}, headers={"x-forwarded-for": "192.0.2.1"}).status_code for _ in range(6)
        ]
        assert codes == [401] * 5 + [429]
        assert client.post("/sign-in", data=fields, headers={"x-forwarded-for": "192.0.2.2"}).status_code == 303
