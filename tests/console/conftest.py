"""Real servers over real sockets, and people and keys to call them with."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from services.accounts import accounts, keys, sign_ins
from services.db import transaction
from services.settings import ROOT

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Server:
    """One running process of the console."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, session: str | None = None, key: str | None = None, origin: bool = True) -> httpx.Client:
        """A client that follows no redirects; with `origin` it posts as our own pages do."""
        headers = {"origin": self.url} if origin else {}
        if key:
            headers["authorization"] = f"Bearer {key}"
        return httpx.Client(base_url=self.url, headers=headers, cookies={"binnacle_session": session} if session else None, timeout=30)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
    return port


@contextmanager
def serving(part: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """The part as a process of its own, ready to answer, ended by SIGTERM afterwards."""
    port = free_port()
    variables = {name: value for name, value in os.environ.items() if name != "GEMINI_API_KEY"} | dict(environment or {})
    words = ["console", "api"] if part == "api" else ["tests.console.serve", "ui", str(port)]
    process = subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT, env=variables | {"OTLP_PORT": str(port)})
    server = Server(port, process)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert server.process.poll() is None, "the server ended before it was ready"
        try:
            httpx.get(f"{server.url}/api/nothing", timeout=5)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server was not ready in time")


@pytest.fixture(scope="session")
def ui(stack: object) -> Iterator[Server]:
    """The console's port."""
    with serving("ui") as server:
        yield server


@pytest.fixture(scope="session")
def telemetry_port(stack: object) -> Iterator[Server]:
    """The second port."""
    with serving("api") as server:
        yield server


@pytest.fixture
def session(database: None) -> str:
    """The token of a signed-in admin named jane."""
    with transaction() as connection:
        return sign_ins.begin(connection, accounts.create(connection, "jane", "admin", PASSWORD))


@pytest.fixture
def make_key(database: None) -> Callable[..., str]:
    """Makes a key with the given scopes."""

    def make(*scopes: str) -> str:
        with transaction() as connection:
            return keys.create(connection, "-".join(scopes), scopes, source="tutor", environment="staging")

    return make
