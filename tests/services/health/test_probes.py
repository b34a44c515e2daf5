"""Each probe against the real thing, up and down."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import text

from services.ai.providers import gemini
from services.clock import utc_now
from services.db import forget as forget_engine
from services.db import transaction
from services.errors import Unavailable
from services.health import probes
from services.health.monitor import Monitor
from services.settings import settings
from tests.traffic import arrive, operation, send

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The environment, whose changes reach settings, engine and library, and are taken back."""
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    forget()
    yield monkeypatch
    monkeypatch.undo()
    forget()


def forget() -> None:
    settings.cache_clear()
    forget_engine()
    probes._redis.cache_clear()
    gemini._library.cache_clear()


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
    return port


@contextmanager
def fake_gemini(status: int, body: object) -> Iterator[tuple[str, list[str]]]:
    """A server that speaks Gemini's REST protocol; yields its address and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            asked.append(f"answered {args[2]}")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def add_series(source: str, provider: str, age: str, error: str | None) -> None:
    with transaction() as connection:
        connection.execute(
            text(
                "insert into series (environment, source, module, operation, provider, model, last_operation_at, last_error_type)"
                f" values ('production', :source, 'chat', 'generate', :provider, 'm', now() - interval '{age}', :error)"
            ),
            {"source": source, "provider": provider, "error": error},
        )


def test_it_finds_database_and_cache_up() -> None:
    assert (probes.database(), probes.cache()) == ("answers", "answers")


def test_it_finds_a_database_that_refuses_connections_down(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", f"postgresql://x:y@127.0.0.1:{closed_port()}/z")
    forget()
    with pytest.raises(Unavailable, match="database does not answer"):
        probes.database()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{port}/0", ""])
def test_it_finds_a_cache_that_is_away_or_not_named_down(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("REDIS_URL", url.format(port=closed_port()))
    forget()
    with pytest.raises(Unavailable, match=r"Redis does not answer|REDIS_URL is not set"):
        probes.cache()


def test_it_lists_one_model_with_a_key_and_spends_no_tokens(environment: pytest.MonkeyPatch) -> None:
    with fake_gemini(200, {"models": [{"name": "models/gemini-x", "displayName": "X"}], "nextPageToken": "more"}) as (address, asked):
        environment.setenv("GEMINI_API_KEY", "k")
        environment.setenv("GEMINI_ENDPOINT", address)
        forget()
        assert probes.gemini_api() == "lists models/gemini-x"
    paths = [path for path in asked if path.startswith("/")]
    assert len(paths) == 1
    assert paths[0].startswith("/v1beta/models?")
    assert "pageSize=1" in paths[0]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, {"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}}, "InvalidArgument|BadRequest"),
        (429, {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}, "ResourceExhausted|TooManyRequests"),
        (503, {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}, "ServiceUnavailable"),
        (200, {"models": []}, "lists no model"),
    ],
)
def test_it_finds_gemini_down_at_once_when_it_refuses(environment: pytest.MonkeyPatch, status: int, body: object, reason: str) -> None:
    with fake_gemini(status, body) as (address, asked):
        environment.setenv("GEMINI_API_KEY", "k")
        environment.setenv("GEMINI_ENDPOINT", address)
        forget()
        with pytest.raises(Unavailable, match=reason):
            probes.gemini_api()
    assert len([path for path in asked if path.startswith("/")]) == 1  # no retries


def test_it_finds_gemini_down_when_nobody_is_there(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GEMINI_API_KEY", "k")
    environment.setenv("GEMINI_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    forget()
    with pytest.raises(Unavailable, match="Gemini does not answer"):
        probes.gemini_api()


def test_it_asks_gemini_nothing_without_a_key(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match="GEMINI_API_KEY is not set"):
        gemini.reachable(1)


@pytest.mark.parametrize(
    ("calls", "outcome"),
    [
        ([], "no call to Gemini has been seen"),
        ([("sample", "gemini", "1 minute", None), ("tutor", "openai", "1 minute", None)], "no call to Gemini has been seen"),
        ([("tutor", "gcp.gemini", "25 hours", None)], "last call to Gemini was at"),
        ([("tutor", "gemini", "1 hour", None), ("chat", "google", "1 minute", "429")], "failed: 429"),
        ([("tutor", "gemini", "1 minute", None), ("chat", "gcp.vertex_ai", "1 hour", "429")], None),
    ],
)
def test_it_reports_the_last_real_call_without_a_key(
    environment: pytest.MonkeyPatch, calls: list[tuple[str, str, str, str | None]], outcome: str | None
) -> None:
    for call in calls:
        add_series(*call)
    if outcome is None:
        assert "went well" in probes.gemini_api()
    else:
        with pytest.raises(Unavailable, match=outcome):
            probes.gemini_api()


@pytest.mark.parametrize(("kind", "probe"), [("dispatcher", probes.dispatcher), ("worker", probes.workers)])
def test_it_counts_processes_that_beat_lately(kind: str, probe: object) -> None:
    assert callable(probe)
    with pytest.raises(Unavailable, match=f"No {kind} has been heard of"):
        probe()
    with transaction() as connection:
        connection.execute(
            text(
                "insert into processes (kind, host, pid, version, beat_at) select :kind, 'h', n, '1', now() - n * interval '20 s'"
                " from generate_series(0, 3) n"
            ),
            {"kind": kind},
        )
    assert probe() == "2 running"


def test_it_finds_rollups_stalled_once_telemetry_waited_for_a_minute() -> None:
    assert probes.rollups() == "nothing waiting"
    insert = (
        "insert into telemetry_inbox (noun, source, door, row_count, payload, received_at)"
        " values ('operations', 's', 'd', 1, '', now() - interval '{}')"
    )
    with transaction() as connection:
        connection.execute(text(insert.format("50 s")))
    assert probes.rollups() == "1 batches waiting"
    with transaction() as connection:
        connection.execute(text(insert.format("70 s")))
    with pytest.raises(Unavailable, match=r"waiting for 7[0-9] s"):
        probes.rollups()


def test_it_finds_telemetry_refused_once_the_inbox_is_full(environment: pytest.MonkeyPatch) -> None:
    assert probes.telemetry() == "nothing has arrived yet"
    arrive([operation("z", utc_now())])
    send([operation("a", utc_now())])
    assert probes.telemetry().startswith(f"last arrived at {utc_now():%Y-%m-%d}")
    environment.setenv("INBOX_LIMIT_ROWS", "1000")
    settings.cache_clear()
    send([operation(f"b{n}", utc_now()) for n in range(1_000)])
    with pytest.raises(Unavailable, match="1,001 records wait"):
        probes.telemetry()


def test_health_turns_degraded_when_rollups_stall() -> None:
    add_series("app", "google", "1 minute", None)
    for kind in ("dispatcher", "worker"):
        with transaction() as connection:
            connection.execute(text("insert into processes (kind, host, pid, version) values (:kind, 'h', 1, '1')"), {"kind": kind})
    assert status_now() == ("healthy", ())
    send([operation("a", utc_now())])
    with transaction() as connection:
        connection.execute(text("update telemetry_inbox set received_at = received_at - interval '90 s'"))
    word, reasons = status_now()
    assert word == "degraded"
    assert reasons[0].startswith("Rollups: Telemetry has been waiting for 9")


def status_now() -> tuple[str, tuple[str, ...]]:
    """As a process that begins to watch sees it."""
    watching = Monitor()
    try:
        now = watching.status()
    finally:
        watching.stop()
    return now.status, now.reasons
