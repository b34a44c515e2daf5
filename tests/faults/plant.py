"""Postgres and Valkey that may be hurt, and the crew of dispatchers and workers that a process manager would keep alive."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from deploy.embedded import Postgres, Valkey, postgres_answers, redis_answers
from deploy.secret import free_port
from services.errors import Unavailable
from services.settings import ROOT
from tests.system import wait_for
from tests.workers.conftest import beating

Process = subprocess.Popen[bytes]
COMMAND = (sys.executable, "-m", "tests.faults.entry")
ROLES = {"dispatcher": ("dispatch",), "default": ("work", "default")}


class Plant:
    """Stores of its own on ports that stay the same over restarts. Commits reach the system before they are acknowledged."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="binnacle-plant-"))
        self._folder.chmod(0o711)
        self._postgres, self._valkey = Postgres(self._folder / "postgres"), Valkey(self._folder / "valkey")
        self._postgres.prepare()
        self._valkey.prepare()
        self._ports = free_port(), free_port()
        self.database_url = self._postgres.url(self._ports[0])
        self.redis_url = self._valkey.url(self._ports[1])
        self._running: dict[str, Process] = {}

    def start_postgres(self) -> None:
        self._running["postgres"] = subprocess.Popen(
            self._postgres.command(self._ports[0], fsync="off"),  # what dies here is a process, never the machine
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=self._postgres.user,
        )
        wait_for(lambda: postgres_answers(self._postgres.url(self._ports[0], "postgres")), "Postgres")
        self._postgres.create_database(self._ports[0])

    def stop_postgres(self) -> None:
        """Immediate shutdown: no checkpoint, every session cut, recovery from the log at the next start."""
        self._end("postgres", signal.SIGQUIT)

    def start_redis(self) -> None:
        self._running["valkey"] = subprocess.Popen(self._valkey.command(self._ports[1]), stdout=subprocess.DEVNULL)
        wait_for(lambda: redis_answers(self.redis_url), "Valkey")

    def lose_redis(self) -> None:
        """Kill it and take away what it had written down."""
        self._end("valkey", signal.SIGKILL)
        shutil.rmtree(self._valkey.folder / "appendonlydir")

    def close(self) -> None:
        self._end("postgres", signal.SIGINT)
        self._end("valkey", signal.SIGTERM)
        shutil.rmtree(self._postgres.data, ignore_errors=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, name: str, number: int) -> None:
        if process := self._running.pop(name, None):
            process.send_signal(number)
            process.wait(30)


class Crew:
    """Dispatchers and workers; while kept, whoever ends is replaced."""

    def __init__(self, dispatchers: int, workers: int, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(environment or {})
        self._members: list[tuple[str, Process]] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        for role in ["dispatcher"] * dispatchers + ["default"] * workers:
            self.hire(role)
        await_beats([process for _, process in self._members])

    def hire(self, role: str) -> Process:
        process = self._launch(role)
        with self._lock:
            self._members.append((role, process))
        return process

    def keep(self) -> None:
        """From now on replace whoever ends, as a process manager does."""
        threading.Thread(target=self._keep, daemon=True).start()

    def of(self, role: str) -> list[Process]:
        with self._lock:
            return [process for told, process in self._members if told == role and process.poll() is None]

    def replace(self, process: Process) -> None:
        """SIGTERM one, wait until it is gone, and bring its successor up."""
        with self._lock:
            role = next(told for told, member in self._members if member is process)
            self._members.remove((role, process))
        process.terminate()
        assert process.wait(15) == 0
        await_beats([self.hire(role)])

    def dismiss(self) -> None:
        self._over.set()
        with self._lock:
            for _, process in self._members:
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                    process.terminate()
            for _, process in self._members:
                process.wait(20)

    def _keep(self) -> None:
        while not self._over.wait(0.1):
            with self._lock:
                ended = [(role, process) for role, process in self._members if process.poll() is not None]
                self._members = [member for member in self._members if member not in ended]
                self._members += [(role, self._launch(role)) for role, _ in ended if not self._over.is_set()]

    def _launch(self, role: str) -> Process:
        return start(ROLES[role], self._environment)


def start(words: Sequence[str], environment: dict[str, str]) -> Process:
    """One of our processes, with nothing measured about it: it is killed too often to say what it covered."""
    told = {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"} | environment
    return subprocess.Popen([*COMMAND, *words], cwd=ROOT, env=told, stderr=log())


def horses(worker: Process) -> list[psutil.Process]:
    """The process in which a worker runs its job now, if it has one."""
    try:
        return psutil.Process(worker.pid).children()
    except psutil.NoSuchProcess:
        return []


def await_beats(crew: Sequence[Process]) -> None:
    def all_beat() -> bool:
        try:
            return {process.pid for process in crew} <= set(beating())
        except Unavailable:
            return False

    wait_for(all_beat, "the first beat of everybody", 60)


def log() -> int | None:
    """What they say of outages is expected; FAULT_LOG=1 shows it."""
    return None if os.environ.get("FAULT_LOG") else subprocess.DEVNULL
