"""The database goes away, dies, or has no room while traces arrive: senders are told to come back, and what was acknowledged is there."""

import os
import re
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from sqlalchemy import text

from deploy.embedded import Postgres, postgres_answers
from deploy.secret import free_port
from services.accounts import keys
from services.clock import utc_now
from services.db import forget, transaction
from services.db.migrate import upgrade
from services.rollups.verify import verify
from services.settings import settings
from services.telemetry.move import move_once
from tests.benchmarks.sender import HEADERS
from tests.console.conftest import serving
from tests.faults.report import scale
from tests.spans import call, request_of
from tests.system import Console, wait_for

AWAY_S = scale(6, 20)
ROOM_BYTES = 17 * 1024 * 1024  # of one file; a segment of Postgres' log needs 16 MiB
RETRYABLE = {429, 502, 503, 504}


class Exporter(threading.Thread):
    """Sends traces until stopped; every batch is sent until it is acknowledged or refused for good, as an exporter does."""

    def __init__(self, url: str, key: str, first: int, pause_s: float = 0.02, batch: int = 50, said: int = 0) -> None:
        super().__init__()
        self.url, self.headers = f"{url}/v1/traces", HEADERS | {"authorization": f"Bearer {key}"}
        self.number, self.pause_s, self.batch, self.said = first, pause_s, batch, said
        self.acknowledged = 0
        self.answers: Counter[int] = Counter()
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            spans = [call(self.number + n, note=secrets.token_hex(self.said)) for n in range(self.batch)]
            body = request_of(*spans).SerializeToString()
            while (status := self._send(body)) != 200:
                if status not in RETRYABLE | {0}:
                    return  # an exporter would drop it: the test sees it in the answers
                time.sleep(0.2)
            self.acknowledged += self.batch
            self.number += self.batch
            time.sleep(self.pause_s)

    def _send(self, body: bytes) -> int:
        try:
            answer = httpx.post(self.url, content=body, headers=self.headers, timeout=30)
        except httpx.HTTPError:
            self.answers[0] += 1
            return 0
        self.answers[answer.status_code] += 1
        if answer.status_code in (429, 503):
            assert int(answer.headers["retry-after"]) > 0
        return answer.status_code


@pytest.fixture(scope="module")
def victim() -> Iterator[Console]:
    """A console of its own: the others are not to suffer."""
    with Console.running(RAW_DAYS="40") as running:
        yield running


def key_of(console: Console, name: str) -> str:
    printed = console.command("keys", "create", "--name", name, "--scope", "telemetry").stdout
    found = re.search(r"bnk_\S+", printed)
    assert found
    return found.group()


def rolled_up(console: Console, source: str) -> int:
    try:
        return int(
            console.psql(f"select coalesce(sum(n), 0)::int from rollup_day join series s on s.id = series_id where source = '{source}'")
        )
    except Exception:  # noqa: BLE001 - asked again until it answers
        return -1


def exact(console: Console, source: str, exporters: list[Exporter]) -> None:
    """Everything acknowledged is rolled up once, and the rollups are what the rows say."""
    sent = sum(exporter.acknowledged for exporter in exporters)
    assert sent > 0
    wait_for(lambda: rolled_up(console, source) == sent, f"all {sent} acknowledged spans in the rollups", 90)
    assert '"differences": 0' in console.command("verify").stdout
    for exporter in exporters:
        assert set(exporter.answers) <= {200, 0} | RETRYABLE, exporter.answers


def supervise(console: Console, action: str) -> None:
    socket = f"unix://{console.folder / 'run' / 'control.sock'}"
    subprocess.run(
        [sys.executable, "-m", "supervisor.supervisorctl", "-s", socket, action, "stores:postgres"], check=True, capture_output=True
    )


def test_a_database_that_stops_and_dies_loses_nothing_that_was_acknowledged(victim: Console) -> None:
    key = key_of(victim, "outage")
    exporters = [Exporter(victim.api_url, key, first * 10_000_000) for first in (1, 2)]
    for exporter in exporters:
        exporter.start()
    try:
        wait_for(lambda: rolled_up(victim, "outage") > 0, "the first spans")
        supervise(victim, "stop")
        refused_before = sum(exporter.answers[503] for exporter in exporters)
        time.sleep(AWAY_S)
        assert sum(exporter.answers[503] for exporter in exporters) > refused_before
        supervise(victim, "start")
        before = sum(exporter.acknowledged for exporter in exporters)
        wait_for(lambda: sum(exporter.acknowledged for exporter in exporters) > before + 500, "spans after the outage")
        victim.programs()["postgres"].kill()
        before = sum(exporter.acknowledged for exporter in exporters)
        wait_for(lambda: sum(exporter.acknowledged for exporter in exporters) > before + 500, "spans after the death")
    finally:
        for exporter in exporters:
            exporter.stopping.set()
        for exporter in exporters:
            exporter.join()
    exact(victim, "outage", exporters)


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Callable[[int], Postgres]]:
    """Starts one Postgres of its own again and again, each time with so many bytes of room for a file."""
    tmp_path.chmod(0o711)
    postgres, port = Postgres(tmp_path / "postgres"), free_port()
    postgres.prepare()
    running: list[subprocess.Popen[bytes]] = []

    def stop() -> None:
        for process in running:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        running.clear()

    def start(room_bytes: int) -> Postgres:
        stop()
        limit = (room_bytes, resource.RLIM_INFINITY)
        running.append(
            subprocess.Popen(
                postgres.command(port),
                cwd="/",
                user=postgres.user,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),  # noqa: PLW1509 - no other thread runs yet
            )
        )
        wait_for(lambda: postgres_answers(postgres.url(port, "postgres")), "Postgres")
        return postgres

    start(resource.RLIM_INFINITY)
    postgres.create_database(port)
    with patch.dict(os.environ, {"DATABASE_URL": postgres.url(port)}):
        forget()
        settings.cache_clear()
        upgrade()
        yield start
        forget()
    stop()
    settings.cache_clear()
    shutil.rmtree(postgres.data, ignore_errors=True)


def test_a_database_without_room_refuses_and_breaks_nothing(cramped: Callable[[int], Postgres]) -> None:
    with transaction() as connection:
        key = keys.create(connection, "full", ["telemetry"])
    with serving("api", {"STORE_PAYLOADS": "yes"}) as server:
        cramped(ROOM_BYTES)
        exporter = Exporter(server.url, key, 50_000_000, pause_s=0, batch=200, said=3_000)
        exporter.start()
        wait_for(lambda: exporter.answers[503] >= 3, "a refusal for want of room", 90)
        refused_at = exporter.acknowledged
        cramped(resource.RLIM_INFINITY)
        wait_for(lambda: exporter.acknowledged > refused_at, "spans once there is room")
        exporter.stopping.set()
        exporter.join()
    forget()
    while move_once().rows:
        pass
    assert set(exporter.answers) <= {200, 0} | RETRYABLE, exporter.answers
    with transaction() as connection:
        assert connection.execute(text("select count(*) from operations")).scalar_one() == exporter.acknowledged
    today = utc_now().date()
    assert verify(today - timedelta(days=2), today + timedelta(days=2))["differences"] == 0
