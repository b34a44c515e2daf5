"""Real dispatchers and workers as processes of their own, and ways to hurt them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from redis import Redis
from sqlalchemy import text

from services import schedules
from services.db import engine, transaction
from services.jobs import Job, enqueue, get
from services.settings import ROOT
from workers import queues

Process = subprocess.Popen[str]
COMMANDS = {"dispatcher": ("dispatch",), "default": ("work", "default"), "rollups": ("work", "rollups")}


class Crew:
    """The processes of one machine, shared by the tests of a file: starting them takes longer than most tests."""

    def __init__(self) -> None:
        self._members: dict[str, list[Process]] = {role: [] for role in COMMANDS}
        self._extra: list[Process] = []

    def muster(self, *, dispatcher: int = 1, default: int = 0, rollups: int = 0) -> tuple[list[Process], list[Process]]:
        """Bring the crew to that many of each, alive and beating: the dispatchers and the workers."""
        wanted = {"dispatcher": dispatcher, "default": default, "rollups": rollups}
        dismiss(self._extra + [surplus for role in COMMANDS for surplus in self._alive(role)[wanted[role] :]])
        self._extra = []
        for role, count in wanted.items():
            self._members[role] = self._alive(role)
            self._members[role] += [launch(role) for _ in range(count - len(self._members[role]))]
        members = self._members
        await_beats([process for role in COMMANDS for process in members[role]])
        return members["dispatcher"], members["default"] + members["rollups"]

    def hire(self, role: str, **environment: str) -> Process:
        """One more, in an environment of its own, until the next muster."""
        process = launch(role, **environment)
        self._extra.append(process)
        await_beats([process])
        return process

    def disband(self) -> None:
        self.muster(dispatcher=0)

    def _alive(self, role: str) -> list[Process]:
        return [process for process in self._members[role] if process.poll() is None]


def launch(role: str, **environment: str) -> Process:
    command = [sys.executable, "-m", "workers", *COMMANDS[role]]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, text=True)


def await_beats(crew: list[Process]) -> None:
    until(lambda: {process.pid for process in crew} <= set(beating()), 30)


def dismiss(crew: list[Process]) -> None:
    for process in crew:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    for process in crew:
        process.wait(10)


@pytest.fixture(scope="module")
def crew(stack: None) -> Iterator[Crew]:
    """Nobody at first, and nothing to do."""
    with transaction() as connection:
        connection.execute(text("truncate jobs, job_attempts, processes, telemetry_inbox"))
        # What is done because it is time must not mix with a test's own work.
        schedules.ensure_builtin(connection)
        connection.execute(text("update schedules set paused_at = now(), paused_by = 'tests'"))
    crew = Crew()
    yield crew
    crew.disband()


@pytest.fixture
def redis(stack: None) -> Iterator[Redis]:
    connected = queues.connect()
    yield connected
    connected.close()


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def beating() -> list[int]:
    with transaction() as connection:
        return list(connection.execute(text("select pid from processes")).scalars())


def queued(kind: str = "housekeeping", queue: str = "default", **told: object) -> int:
    with transaction() as connection:
        job_id = enqueue(connection, kind, queue=queue, **told)  # type: ignore[arg-type]
    assert job_id is not None
    return job_id


def read(job_id: int) -> Job:
    with transaction() as connection:
        return get(connection, job_id)


def state(job_id: int) -> str:
    return read(job_id).state


def outcomes(job_id: int) -> list[str | None]:
    """How each attempt ended, None for one that runs."""
    with transaction() as connection:
        rows = connection.execute(text("select outcome from job_attempts where job_id = :id order by attempt"), {"id": job_id})
        return list(rows.scalars())


def lease_runs_out() -> None:
    """As if thirty seconds had passed."""
    with transaction() as connection:
        connection.execute(text("update jobs set lease_until = now() - interval '1 second' where state = 'running'"))


@contextmanager
def holding_up_housekeeping() -> Iterator[None]:
    """While this is held, housekeeping gets to its first statement and no further."""
    with engine().connect() as connection, connection.begin():
        connection.execute(text("lock table sign_ins in access exclusive mode"))
        yield


def horse_of(worker: Process) -> psutil.Process:
    """The process in which a worker runs its job now."""
    (horse,) = psutil.Process(worker.pid).children()
    return horse
