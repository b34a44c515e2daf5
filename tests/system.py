"""A whole console under test: started by the real launcher, driven from outside, stopped like a user would."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg2

from deploy.embedded import Postgres, Valkey
from deploy.secret import free_port
from deploy.supervise import leftovers
from services.settings import ROOT

READY = re.compile(r"^Binnacle ready: (http://\S+)$", re.MULTILINE)


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = 60) -> None:
    """Return when `condition` holds; fail naming what did not happen."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s} s"
        time.sleep(0.05)


@dataclass
class Console:
    """A console that was started with `python -m deploy`."""

    folder: Path
    port: int
    api_port: int
    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)
    _reader: threading.Thread = field(default_factory=threading.Thread)

    @classmethod
    @contextmanager
    def running(cls, folder: Path | None = None, *, measured: bool = False, **environment: str) -> Iterator["Console"]:
        """Start one, wait until it says that it is ready, stop it at the end. `environment` is added to ours."""
        console = cls.start(folder, measured=measured, **environment)
        try:
            console.wait_until_ready()
            yield console
        finally:
            console.stop()
            if folder is None:
                console.remove()

    @classmethod
    def start(cls, folder: Path | None = None, *, measured: bool = False, **environment: str) -> "Console":
        """Start one without waiting. Coverage is `measured` only where it is asked for: in every process it weighs half as much again."""
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="binnacle-console-"))
            folder.chmod(0o711)
        ports = {"PORT": str(free_port()), "OTLP_PORT": str(free_port())}
        told = {"DATA_DIR": str(folder), "SAMPLE_DATA": "no"} | ports | environment
        dropped = {"DATABASE_URL", "REDIS_URL"} | (set() if measured else {"COVERAGE_PROCESS_CONFIG"})
        inherited = {name: value for name, value in os.environ.items() if name not in dropped}
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy"], cwd=ROOT, env=inherited | told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        console = cls(folder, int(told["PORT"]), int(told["OTLP_PORT"]), process)
        console._reader = threading.Thread(target=console._read)
        console._reader.start()
        return console

    def ended(self, timeout_s: float) -> int:
        """Its exit code, once it has ended and everything it printed is read."""
        code = self.process.wait(timeout_s)
        self._reader.join(timeout_s)
        return code

    def wait_until_ready(self, timeout_s: float = 120) -> None:
        wait_for(lambda: READY.search(self.text) or self.process.poll() is not None, "the ready line", timeout_s)
        assert READY.search(self.text), f"it did not start:\n{self.text}"

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return "".join(self.output)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to work on this console's data."""
        postgres, valkey = Postgres(self.folder / "postgres"), Valkey(self.folder / "valkey")
        kept = {store: int((store.folder / "port").read_text()) for store in (postgres, valkey)}
        return {"DATABASE_URL": postgres.url(kept[postgres]), "REDIS_URL": valkey.url(kept[valkey]), "PORT": str(self.port)}

    def link(self) -> str:
        """A fresh one-time sign-in link."""
        return self.command("users", "link", "admin").stdout.split()[-1]

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`python -m services …` on this console."""
        told = dict(os.environ) | self.environment | environment
        return subprocess.run(
            [sys.executable, "-m", "services", *arguments], cwd=ROOT, env=told, capture_output=True, text=True, check=True
        )

    def psql(self, statement: str) -> str:
        """The one value that a statement on its database returns, as text."""
        server = psycopg2.connect(self.environment["DATABASE_URL"])
        try:
            with server.cursor() as cursor:
                cursor.execute(statement)
                return str(cursor.fetchone()[0])  # type: ignore[index]
        finally:
            server.close()

    def programs(self) -> Mapping[str, psutil.Process]:
        """The living processes by the name of their program, the process manager as 'supervisord'."""
        found: dict[str, psutil.Process] = {}
        try:
            family = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return found
        for process in family:
            try:
                name = _name(process.cmdline())
            except psutil.NoSuchProcess:
                continue  # ended between the listing and the question
            found.setdefault(name, process)  # the parent comes before what it forked
        return {name: process for name, process in found.items() if name}

    def log(self, program: str) -> str:
        """What one of its programs has logged so far."""
        return (self.folder / "run" / "log" / f"{program}.log").read_text()

    def stop(self, timeout_s: float = 20) -> float:
        """SIGTERM, as a process manager would; seconds it took."""
        started = time.monotonic()
        self.process.terminate()
        self.ended(timeout_s)
        return time.monotonic() - started

    def left_over(self) -> list[psutil.Process]:
        return leftovers(self.folder / "run")

    def remove(self) -> None:
        """Delete its data, wherever Postgres had to keep it."""
        shutil.rmtree(Postgres(self.folder / "postgres").data, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.output.append(line)


def _name(command: list[str]) -> str:
    """The program a command line belongs to; nothing for others."""
    words = " ".join(command)
    names = {
        "deploy.supervisord": "supervisord",
        "console ui": "web",
        "console api": "telemetry",
        "workers dispatch": "dispatcher",
        "workers work rollups": "worker-rollups",
        "workers work default": "worker-default",
        "bin/postgres": "postgres",
        "valkey-server": "valkey",
    }
    return next((name for part, name in names.items() if part in words), "")
