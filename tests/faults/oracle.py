"""What happened, told by files that neither Postgres, Redis nor our code can change: acknowledged enqueues, bills, notes of the jobs."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from services.db import transaction
from services.errors import Unavailable
from services.jobs import enqueue

LIVE = "select count(*) from jobs where kind like 'fault.%' and state in ('queued', 'retry', 'running')"


class Oracle:
    """The files of one fault, and what is held against them."""

    def __init__(self, folder: Path) -> None:
        self._acked, self._unsure, self.notes, self.bills = (folder / name for name in ("acked", "unsure", "notes", "bills"))
        for path in (self._acked, self._unsure, self.notes, self.bills):
            path.touch()
        with transaction() as connection:
            connection.execute(text("drop table if exists effects"))
            connection.execute(text("create table effects (key text, attempt int, pid int, at timestamptz default clock_timestamp())"))
            connection.execute(text("truncate jobs, job_attempts restart identity cascade"))
            # The broom was here just now, so no standing work mixes with ours.
            connection.execute(text("insert into jobs (kind, queue, state, finished_at) values ('housekeeping', 'default', 'done', now())"))

    def acknowledge(self, key: str) -> None:
        _append(self._acked, key)

    def doubt(self, key: str) -> None:
        """The commit was cut: it may be there, once."""
        _append(self._unsure, key)

    def acknowledged(self) -> list[str]:
        return self._acked.read_text().split()

    def noted(self, what: str) -> list[tuple[str, int, int]]:
        """(key, attempt, pid) of every note of a sort; a line that is being written is left for later."""
        lines = (line.split() for line in self.notes.read_text().rpartition("\n")[0].splitlines())
        return [(key, int(attempt), int(pid)) for told, key, attempt, pid in lines if told == what]

    def billed(self) -> int:
        return len(self.bills.read_text().splitlines())

    def effects(self) -> Counter[str]:
        with transaction() as connection:
            return Counter(connection.execute(text("select key from effects")).scalars().all())

    def lost(self) -> int:
        """Acknowledged, and never done."""
        effects = self.effects()
        return sum(key not in effects for key in self.acknowledged())

    def twice(self) -> int:
        """Done more than once, or done though nobody ever asked."""
        asked = {*self.acknowledged(), *self._unsure.read_text().split()}
        return sum(count > 1 or key not in asked for key, count in self.effects().items())

    def wait_until_quiet(self, patience_s: float) -> float:
        """Seconds until nothing waits or runs; fails when none of it ends for so long. How long all takes, is the machine's affair."""
        began = ended_at = time.monotonic()
        least = float("inf")
        while (live := scalar(LIVE)) != 0:
            if 0 < live < least:
                least, ended_at = live, time.monotonic()
            assert time.monotonic() - ended_at < patience_s, f"{live} jobs wait or run, and none has ended for {patience_s} s"
            time.sleep(0.05)
        return time.monotonic() - began


class Customers(threading.Thread):
    """Enqueue `fault.effect` jobs at a pace until stopped or done, each in a transaction of its own; only a commit acknowledges."""

    def __init__(self, oracle: Oracle, url: str, per_s: float, args: Callable[[int], dict[str, object]], prefix: str = "k") -> None:
        super().__init__(daemon=True)
        self._oracle, self._pause_s, self._args, self._prefix = oracle, 1 / per_s, args, prefix
        self._engine: Engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"), pool_pre_ping=True)
        self.most = 10**9
        self.max_attempts = 1_000
        self.refused = 0
        self.slowest_s = 0.0
        self.stopping = threading.Event()

    def run(self) -> None:
        for number in range(self.most):
            if self.stopping.wait(self._pause_s):
                break
            key, began = f"{self._prefix}{number}", time.monotonic()
            try:
                self._ask(key, number)
            except Exception:  # noqa: BLE001 - whatever the driver raises when its connection is cut
                self.refused += 1
                self._oracle.doubt(key)
            else:
                self._oracle.acknowledge(key)
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self._engine.dispose()

    def _ask(self, key: str, number: int) -> None:
        with self._engine.begin() as connection:
            args = {"key": key, "pause_s": 0.0} | self._args(number)
            enqueue(connection, "fault.effect", args, queue="default", max_attempts=self.max_attempts)

    def stop(self) -> None:
        self.stopping.set()
        self.join(60)


class Provider(ThreadingHTTPServer):
    """Answers at once and writes a bill, whoever asks how often."""

    daemon_threads = True

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__((address, 0), _Bill)
        self.bills = Path("/dev/null")
        self.url = f"http://{address}:{self.server_address[1]}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients die here all the time."""


class _Bill(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        _append(self.server.bills, self.rfile.read(int(self.headers["content-length"])).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def scalar(statement: str, **values: object) -> int | float:
    """The one number that a statement returns; -1 while the database does not answer."""
    try:
        with transaction() as connection:
            return connection.execute(text(statement), values).scalar_one()  # type: ignore[no-any-return]
    except Unavailable:
        return -1


def _append(path: Path, line: str) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(f"{line}\n".encode())
