"""The recorder against a real HTTP server that examines records as the console does, and can be away, refuse or hang."""

import asyncio
import fcntl
import gzip
import inspect
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.recorder import Counts, Recorder
from services.settings import ROOT
from services.telemetry.records import Noun, examine
from tests.system import wait_for

KEY = "bk_the-secret-of-this-test"
NOUNS: tuple[Noun, ...] = ("operations", "sessions")
Make = Callable[..., Recorder]


class Endpoint(ThreadingHTTPServer):
    """POST /api/operations on a port of its own. `answers` go out before anything is taken; while `open` is clear it hangs."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.away = False
        self.open = threading.Event()
        self.open.set()
        self.requests: list[tuple[float, str, dict[str, str]]] = []  # monotonic arrival, path, headers
        self.taken: dict[Noun, list[dict[str, Any]]] = {"operations": [], "sessions": []}
        self.losing_answers = 0

    def names(self) -> list[str]:
        return [str(record.get("operation")) for record in self.taken["operations"]]

    def handle_error(self, request: object, client_address: object) -> None:
        """A recorder that hung up is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        endpoint = self.server
        endpoint.requests.append((time.monotonic(), self.path, {name.lower(): value for name, value in self.headers.items()}))
        body = self.rfile.read(int(self.headers["content-length"]))
        if not endpoint.open.wait(30):
            return
        if endpoint.answers:
            self.answer(*endpoint.answers.popleft())
        elif endpoint.away:
            self.answer(503, {})
        elif self.headers["authorization"] != f"Bearer {KEY}":
            self.answer(401, {}, {"error": {"type": "unauthenticated", "message": f"no such key: {self.headers['authorization']}"}})
        else:
            self.take(json.loads(gzip.decompress(body)))

    def do_GET(self) -> None:
        """Where a redirect that was followed would arrive."""
        self.server.requests.append((time.monotonic(), self.path, dict(self.headers.items())))
        self.answer(200, {})

    def take(self, body: dict[Noun, list[object]]) -> None:
        refused: list[dict[str, object]] = []
        accepted = 0
        for noun in NOUNS:
            raw = body.get(noun, [])
            usable, rejections = examine(noun, raw, 0, datetime.now(UTC))
            self.server.taken[noun] += usable
            accepted += len(usable)
            refused += [{"noun": noun, "index": r.position, "field": r.field, "reason": r.reason} for r in rejections]
        if self.server.losing_answers:
            self.server.losing_answers -= 1
            self.close_connection = True
            return
        status = 422 if refused and not accepted else 200
        self.answer(status, {}, {"accepted": accepted, "rejected": len(refused), "rejections": refused})

    def answer(self, status: int, headers: dict[str, str], body: object = None) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"content-length": str(len(text))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base names it so
        """Not on the tests' output."""


@contextmanager
def serving(port: int = 0) -> Iterator[Endpoint]:
    endpoint = Endpoint(port)
    thread = threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.open.set()
        endpoint.shutdown()
        endpoint.server_close()
        thread.join()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("BINNACLE_URL", raising=False)
    monkeypatch.delenv("BINNACLE_KEY", raising=False)


@pytest.fixture
def make() -> Iterator[Make]:
    """Make recorders that send at once and are closed at the end."""
    made: list[Recorder] = []

    def run(url: str, key: str = KEY, **options: Any) -> Recorder:  # noqa: ANN401 - options of any kind, wrong ones included
        made.append(Recorder(url, key, **({"flush_interval_s": 0.02} | options)))
        return made[-1]

    yield run
    for recorder in made:
        recorder.close(0.1)


def free_url() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@contextmanager
def program(code: str, url: str, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program with the console's address and key in its environment; it is gone at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=os.environ | {"BINNACLE_URL": url, "BINNACLE_KEY": KEY} | environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run_program(code: str, url: str, *arguments: str, **environment: str) -> None:
    with program(code, url, *arguments, **environment) as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors


def spooled(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json.gz"))


# What is recorded


def test_it_sends_an_operation_with_all_that_was_told_and_measured(endpoint: Endpoint, make: Make) -> None:
    recorder = make(endpoint.url + "/", environment="staging", module="support")
    before = datetime.now(UTC)
    with recorder.operation("answer", provider="openai", model="gpt-5-mini", user_id=42, session_id="s-1") as op:
        op.first_token()
        op.usage(input_tokens=100, output_tokens=20, cache_read_tokens=60, cache_write_tokens=10, reasoning_tokens=None)
        op.usage(reasoning_tokens=5)
        op.cached()
        op.cost_usd("0.001")
        time.sleep(0.02)
        op.first_token()
    assert recorder.flush()
    (record,) = endpoint.taken["operations"]
    identity, latency_ms, ttft_ms = record.pop("id"), record.pop("latency_ms"), record.pop("ttft_ms")
    assert UUID(identity).version == 4
    assert 20 <= ttft_ms + 20 <= latency_ms < 10_000
    assert before <= record.pop("started_at") <= datetime.now(UTC)
    assert record == {
        "operation": "answer",
        "provider": "openai",
        "model": "gpt-5-mini",
        "environment": "staging",
        "module": "support",
        "user_id": "42",
        "session_id": "s-1",
        "input_tokens": 100,
        "output_tokens": 20,
        "cache_read_tokens": 60,
        "cache_write_tokens": 10,
        "reasoning_tokens": 5,
        "cached": True,
        "cost_usd": Decimal("0.001"),
    }
    ((_, path, headers),) = endpoint.requests
    assert path == "/api/operations"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert (headers["content-type"], headers["content-encoding"]) == ("application/json", "gzip")
    assert recorder.counts == Counts(recorded=1, sent=1)


def test_what_is_set_by_hand_goes_before_what_is_measured_or_stands_in_all(endpoint: Endpoint, make: Make) -> None:
    recorder = make(endpoint.url, module="support")
    started_at = datetime.now(UTC) - timedelta(hours=1)
    with recorder.operation("answer", module="search", started_at=started_at) as op:
        op.set(latency_ms=7.5, error_type="Slow", id="mine")
    assert recorder.flush()
    assert endpoint.taken["operations"] == [
        {"id": "mine", "operation": "answer", "module": "search", "started_at": started_at, "latency_ms": 7.5, "error_type": "Slow"}
    ]


def test_it_sends_sessions_and_raw_operations(endpoint: Endpoint, make: Make) -> None:
    recorder = make(endpoint.url, environment="staging")
    user, started_at = UUID(int=7), datetime(2024, 5, 1, tzinfo=UTC)
    recorder.session("s-1", started_at=started_at, ended_at=started_at, user_id=user, messages=4, rating=4.5, topics=["tides"])
    recorder.record(operation="embed", started_at=started_at, cost_usd=Decimal("0.5"))
    assert recorder.flush()
    assert endpoint.taken["sessions"] == [
        {
            "id": "s-1",
            "started_at": started_at,
            "ended_at": started_at,
            "environment": "staging",
            "user_id": str(user),
            "messages": 4,
            "rating": 4.5,
            "topics": ["tides"],
        }
    ]
    assert [(r["operation"], r["started_at"], r["cost_usd"]) for r in endpoint.taken["operations"]] == [
        ("embed", started_at, Decimal("0.5"))
    ]


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, asyncio.CancelledError])
def test_an_exception_of_the_application_passes_unchanged_and_is_named(kind: type[BaseException], endpoint: Endpoint, make: Make) -> None:
    recorder, error = make(endpoint.url), kind("theirs")
    with pytest.raises(kind) as caught, recorder.operation("answer"):
        raise error
    assert caught.value is error
    assert error.__context__ is None
    assert recorder.flush()
    assert [record["error_type"] for record in endpoint.taken["operations"]] == [kind.__name__]


def test_it_works_in_async_code_with_either_block(endpoint: Endpoint, make: Make) -> None:
    recorder = make(endpoint.url)

    async def answer() -> None:
        with recorder.operation("plain"):
            await asyncio.sleep(0.01)
        async with recorder.operation("async") as op:
            op.usage(input_tokens=3)
            await asyncio.sleep(0.01)
            raise LookupError

    with pytest.raises(LookupError):
        asyncio.run(answer())
    assert recorder.flush()
    plain, other = endpoint.taken["operations"]
    assert (plain["operation"], plain.get("error_type")) == ("plain", None)
    assert (other["operation"], other["error_type"], other["input_tokens"]) == ("async", "LookupError", 3)
    assert min(plain["latency_ms"], other["latency_ms"]) >= 9


# Functions


def test_it_records_each_call_of_a_function(endpoint: Endpoint, make: Make) -> None:
    recorder = make(endpoint.url)

    @recorder.recorded("summarise", model="small")
    def halve(number: int, *, by: int = 2) -> float:
        """Divide."""
        return number / by

    @recorder.recorded("ask")
    async def ask(question: str) -> str:
        await asyncio.sleep(0.01)
        if not question:
            raise ValueError("theirs")
        return question.upper()

    assert (halve.__name__, halve.__doc__, halve(3)) == ("halve", "Divide.", 1.5)
    with pytest.raises(ZeroDivisionError):
        halve(3, by=0)
    assert inspect.iscoroutinefunction(ask)
    assert asyncio.run(ask("why")) == "WHY"
    with pytest.raises(ValueError, match="theirs"):
        asyncio.run(ask(""))
    assert recorder.flush()
    taken = endpoint.taken["operations"]
    assert [(r["operation"], r.get("model"), r.get("error_type")) for r in taken] == [
        ("summarise", "small", None),
        ("summarise", "small", "ZeroDivisionError"),
        ("ask", None, None),
        ("ask", None, "ValueError"),
    ]
    assert taken[2]["latency_ms"] >= 9
    assert len({record["id"] for record in taken}) == 4


def test_a_generator_lasts_until_it_ends_and_keeps_its_manners(endpoint: Endpoint, make: Make) -> None:
    recorder = make(endpoint.url)

    @recorder.recorded("stream")
    def stream() -> Generator[str, str, str]:
        got = yield "first"
        try:
            yield got + "!"
        except KeyError:
            yield "caught"
        return "result"

    assert inspect.isgeneratorfunction(stream)
    items = stream()
    assert next(items) == "first"
    time.sleep(0.02)
    assert items.send("hello") == "hello!"
    assert items.throw(KeyError("theirs")) == "caught"
    with pytest.raises(StopIteration) as stop:
        next(items)
    assert stop.value.value == "result"
    assert recorder.flush()
    (record,) = endpoint.taken["operations"]
    assert record["ttft_ms"] + 20 <= record["latency_ms"]
    assert "error_type" not in record


def test_an_async_generator_does_the_same(endpoint: Endpoint, make: Make) -> None:
    recorder = make(endpoint.url)

    @recorder.recorded("stream")
    async def stream() -> AsyncGenerator[str, str]:
        got = yield "first"
        await asyncio.sleep(0.02)
        try:
            yield got + "!"
        except KeyError:
            yield "caught"

    async def consume() -> list[str]:
        items = stream()
        seen = [await anext(items), await items.asend("hello"), await items.athrow(KeyError("theirs"))]
        return seen + [item async for item in items]

    assert inspect.isasyncgenfunction(stream)
    assert asyncio.run(consume()) == ["first", "hello!", "caught"]
    assert recorder.flush()
    (record,) = endpoint.taken["operations"]
    assert record["ttft_ms"] + 19 <= record["latency_ms"]
    assert "error_type" not in record


def test_streams_that_fail_are_named_and_streams_left_early_are_closed_without_an_error(endpoint: Endpoint, make: Make) -> None:
    recorder, closed = make(endpoint.url), list[str]()

    @recorder.recorded("sync")
    def stream(length: int) -> Iterator[int]:
        try:
            yield from range(length)
            raise TimeoutError("theirs")
        finally:
            closed.append("sync")

    @recorder.recorded("async")
    async def stream_async(length: int) -> AsyncGenerator[int, None]:
        try:
            for number in range(length):
                yield number
            raise TimeoutError("theirs")
        finally:
            await asyncio.sleep(0)
            closed.append("async")

    async def consume(length: int, wanted: int) -> None:
        items = stream_async(length)
        for _ in range(wanted):
            await anext(items)
        await items.aclose()

    for length, wanted in ((5, 2), (1, 2)):
        with suppress(TimeoutError):
            items = stream(length)
            for _ in range(wanted):
                next(items)
            items.close()  # type: ignore[attr-defined]
        with suppress(TimeoutError):
            asyncio.run(consume(length, wanted))
    assert closed == ["sync", "async"] * 2
    assert recorder.flush()
    assert [(r["operation"], r.get("error_type")) for r in endpoint.taken["operations"]] == [
        ("sync", None),
        ("async", None),
        ("sync", "TimeoutError"),
        ("async", "TimeoutError"),
    ]


# The console's answers


def test_refused_records_are_counted_and_each_reason_is_logged_once(
    endpoint: Endpoint, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = make(endpoint.url, flush_interval_s=60, batch_size=50)
    for number in range(4):
        recorder.record(operation="fine", input_tokens=number)
        recorder.record(operation="wrong", input_tokens=-1)
    assert recorder.flush()
    assert recorder.counts == Counts(recorded=8, sent=4, refused=4)
    recorder.record(operation="wrong", input_tokens=-1)
    assert recorder.flush()
    assert recorder.counts == Counts(recorded=9, sent=4, refused=5)
    assert len(endpoint.requests) == 2
    assert caplog.text.count("input_tokens") == 1


def test_records_wait_for_a_key_that_works_and_it_is_never_logged(
    endpoint: Endpoint, make: Make, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    recorder = make(endpoint.url, key="bk_wrong-secret", spool_dir=tmp_path / "spool")
    for _ in range(3):
        recorder.record(operation="answer")
    assert not recorder.flush(0.2)
    recorder.close()
    assert recorder.counts.refused == recorder.counts.dropped == 0
    assert caplog.text.count("is the key right?") == 1
    assert "wrong-secret" not in caplog.text
    mended = make(endpoint.url, spool_dir=tmp_path / "spool")
    assert mended.flush()
    assert mended.counts.sent == 3


def test_a_reason_that_repeats_the_key_is_logged_without_it(endpoint: Endpoint, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    recorder = make(endpoint.url)
    recorder.record(**{KEY: "a name that comes back as the unknown field"})
    assert recorder.flush()
    assert recorder.counts == Counts(recorded=1, refused=1)
    assert "unknown field" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("status", [400, 413, 415])
def test_other_refusals_are_not_tried_again(status: int, endpoint: Endpoint, make: Make) -> None:
    endpoint.answers.append((status, {}))
    recorder = make(endpoint.url)
    recorder.record(operation="answer")
    assert recorder.flush()
    assert recorder.counts == Counts(recorded=1, refused=1)
    assert len(endpoint.requests) == 1


def test_an_answer_that_is_no_receipt_counts_as_refused(endpoint: Endpoint, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    endpoint.answers.append((200, {}))
    recorder = make(endpoint.url)
    recorder.record(operation="answer")
    assert recorder.flush()
    assert recorder.counts == Counts(recorded=1, refused=1)
    assert "without a receipt" in caplog.text


@pytest.mark.parametrize("status", [302, 307])
def test_the_key_does_not_follow_a_redirect(status: int, endpoint: Endpoint, make: Make) -> None:
    with serving() as other:
        endpoint.answers.append((status, {"location": other.url + "/api/operations"}))
        recorder = make(endpoint.url)
        recorder.record(operation="answer")
        assert recorder.flush()
        assert other.requests == []
    assert recorder.counts == Counts(recorded=1, refused=1)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_it_tries_again_what_the_console_could_not_take_now(status: int, endpoint: Endpoint, make: Make) -> None:
    endpoint.answers.append((status, {}))
    recorder = make(endpoint.url)
    recorder.record(operation="answer")
    assert recorder.flush()
    assert endpoint.names() == ["answer"]
    assert recorder.counts == Counts(recorded=1, sent=1)
    first, second = (arrival for arrival, _, _ in endpoint.requests)
    assert second - first >= 0.25


def test_it_waits_as_long_as_the_console_asks(endpoint: Endpoint, make: Make) -> None:
    endpoint.answers.append((503, {"retry-after": "1"}))
    recorder = make(endpoint.url)
    recorder.record(operation="answer")
    assert recorder.flush()
    first, second = (arrival for arrival, _, _ in endpoint.requests)
    assert second - first >= 1.0
    assert endpoint.names() == ["answer"]


def test_a_lost_answer_has_the_same_record_sent_again_under_the_same_id(endpoint: Endpoint, make: Make) -> None:
    endpoint.losing_answers = 1
    recorder = make(endpoint.url)
    with recorder.operation("answer"):
        pass
    assert recorder.flush()
    first, second = endpoint.taken["operations"]
    assert first == second
    assert recorder.counts == Counts(recorded=1, sent=1)


# The console away


def test_everything_arrives_once_when_the_console_is_back(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    url = free_url()
    recorder = make(url, batch_size=10)
    for number in range(35):
        recorder.record(operation=f"{number}")
    wait_for(lambda: "does not take records" in caplog.text, "the first failure", 5)
    assert not recorder.flush(0.01)
    assert recorder.counts == Counts(recorded=35)
    with serving(port_of(url)) as endpoint:
        assert recorder.flush()
        assert endpoint.names() == [f"{number}" for number in range(35)]
    assert recorder.counts == Counts(recorded=35, sent=35)


def test_full_batches_go_to_disk_while_the_console_is_away_and_arrive_once(endpoint: Endpoint, make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "spool"
    endpoint.away = True
    recorder = make(endpoint.url, batch_size=10, spool_dir=folder)
    for number in range(35):
        recorder.record(operation=f"{number}")
    wait_for(lambda: recorder.counts.spooled == 30, "spilling", 5)
    assert len(spooled(folder)) == 3
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    endpoint.away = False
    assert recorder.flush()
    assert sorted(map(int, endpoint.names())) == list(range(35))
    assert list(folder.iterdir()) == []
    assert recorder.counts == Counts(recorded=35, sent=35, spooled=30)


def test_without_a_folder_nothing_is_written(endpoint: Endpoint, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    endpoint.away = True
    recorder = make(endpoint.url, batch_size=5)
    for _ in range(20):
        recorder.record(operation="answer")
    recorder.close()
    assert list(tmp_path.iterdir()) == []
    assert recorder.counts == Counts(recorded=20, dropped=20)


def test_the_queue_is_bounded_and_what_comes_on_top_is_counted(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    url = free_url()
    recorder = make(url, queue_limit=50, batch_size=200)
    for number in range(80):
        recorder.record(operation=f"{number}")
    assert recorder.counts == Counts(recorded=80, dropped=30)
    assert caplog.text.count("queue is full") == 1
    with serving(port_of(url)) as endpoint:
        assert recorder.flush()
        assert endpoint.names() == [f"{number}" for number in range(50)]


def test_the_disk_is_bounded_and_the_oldest_go_first(endpoint: Endpoint, make: Make, tmp_path: Path) -> None:
    endpoint.away = True
    recorder = make(endpoint.url, batch_size=10, spool_dir=tmp_path, spool_limit_bytes=2_000)
    for number in range(100):
        recorder.record(operation=f"{number}")
    wait_for(lambda: recorder.counts.spooled == 100, "spilling", 5)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2_000
    kept = 10 * len(spooled(tmp_path))
    assert 10 <= kept < 100
    assert recorder.counts == Counts(recorded=100, dropped=100 - kept, spooled=100)
    endpoint.away = False
    assert recorder.flush(10)
    assert endpoint.names() == [f"{number}" for number in range(100 - kept, 100)]


def test_a_batch_larger_than_the_whole_bound_pushes_nothing_out(endpoint: Endpoint, make: Make, tmp_path: Path) -> None:
    endpoint.away = True
    small = make(endpoint.url, spool_dir=tmp_path, spool_limit_bytes=2_000)
    small.record(operation="small")
    small.close()
    large = make(endpoint.url, spool_dir=tmp_path, spool_limit_bytes=2_000)
    for _ in range(200):
        large.record(operation=os.urandom(50).hex())
    large.close()
    assert len(spooled(tmp_path)) == 1
    assert (small.counts, large.counts) == (Counts(recorded=1, spooled=1), Counts(recorded=200, dropped=200))


def test_damaged_files_are_set_aside_and_the_others_sent(endpoint: Endpoint, make: Make, tmp_path: Path) -> None:
    whole = gzip.compress(b'{"operations":[{"id":"a","started_at":"2024-05-01T00:00:00Z","operation":"left behind"}]}')
    damaged = [b"", b"no gzip", whole[:-12], whole[:12] + b"\xff" * 9 + whole[21:], gzip.compress(b"no json"), gzip.compress(b"[1]")]
    for number, content in enumerate([*damaged, whole]):
        (tmp_path / f"binnacle-{number:020d}-3-0123abcd.json.gz").write_bytes(content)
    (tmp_path / "accounts.json.gz").write_bytes(b"not ours")
    recorder = make(endpoint.url, spool_dir=tmp_path)
    assert recorder.flush()
    assert endpoint.names() == ["left behind"]
    assert len(list(tmp_path.glob("*.bad"))) == len(damaged)
    assert [path.name for path in spooled(tmp_path)] == ["accounts.json.gz"]
    assert recorder.counts == Counts(sent=1, dropped=3 * len(damaged))


def test_a_batch_that_another_recorder_is_sending_is_left_to_it(endpoint: Endpoint, make: Make, tmp_path: Path) -> None:
    (tmp_path / f"binnacle-{1:020d}-1-0123abcd.json.gz").write_bytes(
        gzip.compress(b'{"operations":[{"id":"a","started_at":"2024-05-01T00:00:00Z","operation":"left behind"}]}')
    )
    endpoint.open.clear()
    first = make(endpoint.url, spool_dir=tmp_path)
    wait_for(lambda: len(endpoint.requests) == 1, "the first one sending", 5)
    second = make(endpoint.url, spool_dir=tmp_path)
    assert second.flush()
    assert len(endpoint.requests) == 1
    endpoint.open.set()
    assert first.flush()
    assert endpoint.names() == ["left behind"]
    assert (first.counts, second.counts) == (Counts(sent=1), Counts())


def test_a_folder_that_cannot_be_used_costs_only_the_disk(
    endpoint: Endpoint, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    for spool_dir in (tmp_path / "file", tmp_path / "file" / "below", 5):
        recorder = make(endpoint.url, spool_dir=spool_dir)
        recorder.record(operation="answer")
        assert recorder.flush()
        assert recorder.counts == Counts(recorded=1, sent=1)
    assert caplog.text.count("Nothing is kept on disk") == 3


def test_a_folder_that_vanishes_costs_only_the_disk(endpoint: Endpoint, make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    endpoint.away = True
    recorder = make(endpoint.url, batch_size=5, queue_limit=20, spool_dir=folder)
    folder.rmdir()
    for number in range(30):
        recorder.record(operation=f"{number}")
    assert recorder.counts == Counts(recorded=30, dropped=10)
    endpoint.away = False
    assert recorder.flush()
    assert endpoint.names() == [f"{number}" for number in range(20)]


# The application is not kept


def test_a_hanging_console_does_not_keep_the_application(endpoint: Endpoint, make: Make, tmp_path: Path) -> None:
    endpoint.open.clear()
    recorder = make(endpoint.url, timeout_s=600, spool_dir=tmp_path)
    recorder.record(operation="0")
    wait_for(lambda: len(endpoint.requests) == 1, "the first request", 5)

    def record() -> None:
        for number in range(1, 1_001):
            with recorder.operation(f"{number}"):
                pass

    recording = threading.Thread(target=record, daemon=True)
    recording.start()
    recording.join(20)
    assert not recording.is_alive()  # and the console has still not answered the first one
    assert recorder.counts == Counts(recorded=1_001)
    assert not recorder.flush(0.05)
    recorder.close(0.05)
    assert recorder.counts == Counts(recorded=1_001, spooled=1_001)
    endpoint.open.set()
    successor = make(endpoint.url, spool_dir=tmp_path)
    assert successor.flush()
    assert {int(name) for name in endpoint.names()} == set(range(1_001))


def test_a_console_that_never_answers_is_given_up_and_asked_again(endpoint: Endpoint, make: Make) -> None:
    endpoint.open.clear()
    recorder = make(endpoint.url, timeout_s=0.1)
    recorder.record(operation="answer")
    wait_for(lambda: len(endpoint.requests) == 2, "the second request", 5)
    endpoint.open.set()
    assert recorder.flush()
    assert recorder.counts == Counts(recorded=1, sent=1)
    assert len({record["id"] for record in endpoint.taken["operations"]}) == 1


def test_records_of_many_threads_all_arrive(endpoint: Endpoint, make: Make) -> None:
    recorder = make(endpoint.url, flush_interval_s=0.001, batch_size=7)

    def record(thread: int) -> None:
        for number in range(100):
            recorder.record(operation=f"{thread} {number}")

    threads = [threading.Thread(target=record, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.flush(10)
    assert sorted(endpoint.names()) == sorted(f"{thread} {number}" for thread in range(8) for number in range(100))
    assert recorder.counts == Counts(recorded=800, sent=800)


def test_records_wait_for_a_batch_or_the_interval(endpoint: Endpoint, make: Make) -> None:
    recorder = make(endpoint.url, flush_interval_s=60, batch_size=3)
    for number in range(4):
        recorder.record(operation=f"{number}")
    wait_for(lambda: recorder.counts.sent == 3, "a full batch", 5)
    assert endpoint.names() == ["0", "1", "2"]
    quick = make(endpoint.url, flush_interval_s=0.01, batch_size=3)
    quick.record(operation="after the interval")
    wait_for(lambda: quick.counts.sent == 1, "the interval", 5)
    assert endpoint.names() == ["0", "1", "2", "after the interval"]


# Nothing raises


def endless() -> list[object]:
    circle: list[object] = []
    circle.append(circle)
    return circle


def deep() -> object:
    nested: object = None
    for _ in range(100_000):
        nested = [nested]
    return nested


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("hostile")

    __repr__ = __str__


GARBAGE = [object(), float("nan"), float("inf"), b"bytes", {1: object()}, endless(), deep(), "x" * 100_000, 10**5_000, Hostile(), lambda: 0]


@pytest.mark.parametrize("field", ["id", "user_id", "model", "started_at", "input_tokens", "cost_usd"])
def test_garbage_is_refused_without_a_word_to_the_application(field: str, endpoint: Endpoint, make: Make) -> None:
    recorder = make(endpoint.url, module="support")
    for value in GARBAGE:
        recorder.record(**{field: value})
        with recorder.operation("answer", **{field: value}) as op:
            op.set(**{field: value})
        recorder.session("s", **{field: value})
    recorder.record(**{"self": 1, "nobody knows": 2})
    recorder.session(Hostile())  # type: ignore[arg-type]
    with recorder.operation(object()) as op:  # type: ignore[arg-type]
        op.usage(input_tokens="many")  # type: ignore[arg-type]
        op.cost_usd(object())  # type: ignore[arg-type]
    with recorder.operation("fine"):
        pass
    assert recorder.flush()
    counts = recorder.counts
    assert counts.recorded == 3 * len(GARBAGE) + 4
    assert counts.sent + counts.refused == counts.recorded
    assert counts.refused >= 6
    assert endpoint.names()[-1] == "fine"


def test_an_exception_passes_a_record_that_cannot_be_written(endpoint: Endpoint, make: Make) -> None:
    recorder, error = make(endpoint.url), KeyError("theirs")
    with pytest.raises(KeyError) as caught, recorder.operation("answer", user_id=Hostile()):
        raise error
    assert caught.value is error
    assert recorder.counts == Counts(recorded=1, refused=1)


@pytest.mark.parametrize(
    ("url", "key", "options"),
    [
        ("nonsense", KEY, {}),
        ("ftp://127.0.0.1", KEY, {}),
        ("file:///etc/hosts", KEY, {}),
        ("http://", KEY, {}),
        ("http://[", KEY, {}),
        ("http://user:secret@127.0.0.1", KEY, {}),
        ("http://127.0.0.1/a path", KEY, {}),
        (5, KEY, {}),
        ("http://127.0.0.1:9", "secret\nkey", {}),
        ("http://127.0.0.1:9", b"secret", {}),
        ("http://127.0.0.1:9", 5, {}),
        ("http://127.0.0.1:9", KEY, {"batch_size": "many"}),
        ("http://127.0.0.1:9", KEY, {"queue_limit": None}),
        ("http://127.0.0.1:9", KEY, {"queue_limit": float("inf")}),
        ("http://127.0.0.1:9", KEY, {"flush_interval_s": float("nan")}),
        ("http://127.0.0.1:9", KEY, {"timeout_s": -1}),
    ],
)
def test_unusable_settings_switch_it_off_with_one_line(
    url: str, key: str, options: dict[str, Any], make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = make(url, key, **options)
    with recorder.operation("answer") as op:
        op.usage(input_tokens=1)
    assert recorder.flush(1)
    recorder.close()
    assert recorder.counts == Counts(recorded=1, dropped=1)
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


def test_odd_sizes_are_brought_within_bounds(endpoint: Endpoint, make: Make) -> None:
    recorder = make(endpoint.url, batch_size=-5, queue_limit=10**9, flush_interval_s=0)
    for _ in range(3):
        recorder.record(operation="answer")
    assert recorder.flush()
    assert recorder.counts == Counts(recorded=3, sent=3)


def test_without_address_or_key_it_counts_what_it_drops_and_says_what_to_set(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with Recorder() as recorder:
        for _ in range(3):
            with recorder.operation("answer"):
                pass
        recorder.session("s-1")
        assert recorder.flush(1)
    assert recorder.counts == Counts(recorded=4, dropped=4)
    (line,) = caplog.messages
    assert "BINNACLE_URL" in line
    assert "BINNACLE_KEY" in line


def test_address_and_key_come_from_the_environment(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINNACLE_URL", endpoint.url)
    monkeypatch.setenv("BINNACLE_KEY", KEY)
    with Recorder() as recorder, recorder.operation("answer"):
        pass
    assert endpoint.names() == ["answer"]
    assert recorder.counts == Counts(recorded=1, sent=1)


def test_odd_time_limits_neither_raise_nor_lose_records(endpoint: Endpoint, make: Make) -> None:
    endpoint.away = True
    recorder = make(endpoint.url)
    recorder.record(operation="answer")
    for limit in (None, "soon", float("nan"), -1):
        assert recorder.flush(limit) is False  # type: ignore[arg-type]
    endpoint.away = False
    assert recorder.flush()
    recorder.close("soon")  # type: ignore[arg-type]
    recorder.close()
    recorder.record(operation="too late")
    assert recorder.flush(1)
    assert recorder.counts == Counts(recorded=2, sent=1, dropped=1)


def test_records_wait_while_the_machine_has_no_thread_left(endpoint: Endpoint, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    recorder = make(endpoint.url)
    with monkeypatch.context() as scarce:
        scarce.setattr(threading.Thread, "start", refuse)
        recorder.record(operation="waits")
        assert not recorder.flush(0.01)
    recorder.record(operation="has a thread")
    assert recorder.flush()
    assert endpoint.names() == ["waits", "has a thread"]


# Processes


def test_it_needs_nothing_but_the_standard_library(endpoint: Endpoint, tmp_path: Path) -> None:
    shutil.copy(ROOT / "services" / "recorder.py", tmp_path / "copied.py")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom copied import Recorder\nRecorder().record(operation='copied')"
    environment = {"BINNACLE_URL": endpoint.url, "BINNACLE_KEY": KEY}
    subprocess.run([sys.executable, "-I", "-S", "-c", code], env=environment, cwd=tmp_path, check=True, timeout=30)
    assert endpoint.names() == ["copied"]


def test_what_waits_is_sent_at_exit(endpoint: Endpoint) -> None:
    code = "from services.recorder import Recorder\nr = Recorder(flush_interval_s=60)\nwith r.operation('last words'): pass"
    run_program(code, endpoint.url)
    assert endpoint.names() == ["last words"]


def test_what_waits_is_sent_at_exit_after_a_crash_too(endpoint: Endpoint) -> None:
    code = "from services.recorder import Recorder\nr = Recorder(flush_interval_s=60)\nwith r.operation('crash'): raise SystemExit(3)"
    with program(code, endpoint.url) as process:
        process.communicate(timeout=30)
    assert process.returncode == 3
    assert [(r["operation"], r["error_type"]) for r in endpoint.taken["operations"]] == [("crash", "SystemExit")]


AT_EXIT = """
import sys
from services.recorder import Recorder
recorder = Recorder(flush_interval_s=60, spool_dir=sys.argv[1])
for number in range(250):
    recorder.record(operation=str(number))
"""


def test_what_cannot_be_sent_at_exit_is_sent_by_the_next_process(endpoint: Endpoint, tmp_path: Path) -> None:
    run_program(AT_EXIT, free_url(), str(tmp_path))
    assert spooled(tmp_path)
    code = "import sys\nfrom services.recorder import Recorder\nassert Recorder(spool_dir=sys.argv[1]).flush(10)"
    run_program(code, endpoint.url, str(tmp_path))
    assert sorted(map(int, endpoint.names())) == list(range(250))
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys, time
from services.recorder import Recorder
recorder = Recorder(batch_size=10, spool_dir=sys.argv[1])
for number in range(30):
    recorder.record(operation=str(number))
while recorder.counts.spooled < 30:
    time.sleep(0.01)
print("spilled", flush=True)
time.sleep(60)
"""


def test_the_spool_of_a_killed_process_is_sent_by_the_next(endpoint: Endpoint, make: Make, tmp_path: Path) -> None:
    with program(KILLED, free_url(), str(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "spilled\n"
        process.kill()
    assert process.returncode == -9
    recorder = make(endpoint.url, spool_dir=tmp_path)
    assert recorder.flush()
    assert sorted(map(int, endpoint.names())) == list(range(30))
    assert recorder.counts == Counts(sent=30)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_dies_with_its_process(endpoint: Endpoint, make: Make, tmp_path: Path) -> None:
    left = tmp_path / f"binnacle-{1:020d}-1-0123abcd.json.gz"
    left.write_bytes(gzip.compress(b'{"operations":[{"id":"a","started_at":"2024-05-01T00:00:00Z","operation":"left behind"}]}'))
    endpoint.open.clear()
    code = "import sys, time\nfrom services.recorder import Recorder\nr = Recorder(spool_dir=sys.argv[1])\ntime.sleep(60)"
    with program(code, endpoint.url, str(tmp_path)) as process:
        wait_for(lambda: endpoint.requests, "the other process sending", 10)
        with left.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.kill()
    recorder = make(endpoint.url, spool_dir=tmp_path)
    endpoint.open.set()
    assert recorder.flush()
    assert recorder.counts == Counts(sent=1)
    assert {record["id"] for record in endpoint.taken["operations"]} == {"a"}


FORKED = """
import os, sys, threading
from services.recorder import Counts, Recorder
recorder = Recorder(flush_interval_s=60, spool_dir=sys.argv[1])
recorder.record(operation="before")
child = os.fork()
if not child:
    with recorder.operation("child"):
        pass
    os._exit(0 if recorder.flush(10) and recorder.counts == Counts(recorded=1, sent=1) else 1)
assert os.waitpid(child, 0)[1] == 0
recorder.record(operation="after")
assert recorder.flush(10)
assert recorder.counts == Counts(recorded=2, sent=2)

sys.setswitchinterval(1e-6)  # so that some of the forks find the lock held
stop = threading.Event()
def hammer():
    while not stop.is_set():
        recorder.session("busy")
thread = threading.Thread(target=hammer)
thread.start()
for number in range(8):
    child = os.fork()
    if not child:
        recorder.record(operation=f"child {number}")
        os._exit(0 if recorder.flush(10) else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
thread.join()
"""


def test_it_survives_a_fork(endpoint: Endpoint, tmp_path: Path) -> None:
    # Not measured: coverage has a lock of its own that a fork may find held by another thread, for ever.
    run_program(FORKED, endpoint.url, str(tmp_path), COVERAGE_PROCESS_CONFIG="", COVERAGE_PROCESS_START="")
    assert sorted(endpoint.names()) == sorted(["before", "child", "after", *(f"child {number}" for number in range(8))])


FULL_DISK = """
import resource, sys, time
from services.recorder import Counts, Recorder
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
recorder = Recorder(batch_size=20, queue_limit=40, spool_dir=sys.argv[1])
for number in range(50):
    recorder.record(operation=str(number))
assert recorder.counts == Counts(recorded=50, dropped=10)
before_s = time.process_time()
time.sleep(0.5)
assert time.process_time() - before_s < 0.25, "it spins"
print("recorded", flush=True)
sys.stdin.readline()
assert recorder.flush(10)
assert recorder.counts == Counts(recorded=50, sent=40, dropped=10)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
"""


def test_a_full_disk_leaves_records_in_memory(tmp_path: Path) -> None:
    url = free_url()
    with program(FULL_DISK, url, str(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "recorded\n"
        assert any("spool_dir cannot be written" in line for line in process.stderr)
        assert list(tmp_path.iterdir()) == []
        with serving(port_of(url)) as endpoint:
            process.stdin.write("\n")
            process.stdin.flush()
            process.communicate(timeout=30)
            assert endpoint.names() == [f"{number}" for number in range(40)]
    assert process.returncode == 0
