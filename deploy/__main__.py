"""python -m deploy: a whole console from one command, and its orderly end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from deploy import preflight
from deploy.embedded import Postgres, Valkey, postgres_answers, redis_answers
from deploy.programs import CONSOLE, Program, configuration, console_programs, postgres_program, valkey_program
from deploy.ready import wait_until_ready
from deploy.supervise import Supervisor, end_leftovers
from services.errors import BinnacleError, Unavailable
from services.settings import ROOT, settings

SAMPLE = "--sample"
LEAN = {
    "MALLOC_ARENA_MAX": "2",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}


class Stopped(Exception):
    """Somebody asked the console to end."""


class Launcher:
    """One run of a console over one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        self.stopping = False
        self.manager: Supervisor | None = None
        self.embedded_database = settings().database_url is None

    def start(self) -> None:
        """Bring everything up and print the line that says where; raises BinnacleError saying what is in the way."""
        preflight.check_ports(settings())
        self.run.mkdir(mode=0o711, exist_ok=True)
        if end_leftovers(self.run):
            say("Ended what an earlier run had left behind.")
        programs = self._stores() + console_programs(settings())
        (self.run / "supervisord.conf").write_text(configuration(programs, self.run))
        self.manager = Supervisor(self.run, os.environ | LEAN)
        self._bring_up()
        say(f"Binnacle ready: {child('services', 'users', 'link', 'admin').split()[-1]}")

    def watch(self) -> None:
        """Until asked to stop: should the process manager itself die, everything is brought up again."""
        while not self.stopping:
            time.sleep(0.5)
            if self.manager is not None and not self.manager.is_alive() and not self.stopping:
                say("The process manager ended unexpectedly; starting everything again.")
                end_leftovers(self.run)
                self._bring_up()
                say("Everything runs again.")

    def stop(self) -> None:
        """Stop all processes, console before stores, within ten seconds."""
        if self.manager is not None:
            self.manager.stop()

    def ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        """Signal handler."""
        if not self.stopping:
            self.stopping = True
            raise Stopped

    def _stores(self) -> list[Program]:
        """Prepare embedded stores where the environment names none, and point the environment at them."""
        programs = []
        if settings().database_url is None:
            postgres = Postgres(self.folder / "postgres")
            if not (postgres.data / "PG_VERSION").exists():
                say(f"Setting up Postgres in {postgres.data} …")
            postgres.prepare()
            port = postgres.port()
            os.environ["DATABASE_URL"] = postgres.url(port)
            programs.append(postgres_program(postgres, port))
        else:
            preflight.check_postgres(os.environ["DATABASE_URL"])
        if settings().redis_url is None:
            valkey = Valkey(self.folder / "valkey")
            valkey.prepare()
            port = valkey.port()
            os.environ["REDIS_URL"] = valkey.url(port)
            programs.append(valkey_program(valkey, port))
        else:
            preflight.check_redis(os.environ["REDIS_URL"])
        settings.cache_clear()
        return programs

    def _bring_up(self) -> None:
        assert self.manager is not None  # noqa: S101 - set by start before any call
        self.manager.start()
        self._wait_for_stores()
        sample = [SAMPLE] if self.embedded_database and settings().sample_data else []
        said = child("deploy.prepare", *sample)
        if said:
            say(said)
        say("Starting web, telemetry, dispatcher and workers …")
        self.manager.start_group(CONSOLE)
        wait_until_ready(settings(), self.manager, lambda: self.stopping)

    def _wait_for_stores(self, timeout_s: float = 60) -> None:
        say("Starting Postgres and Valkey …" if self.embedded_database else "Reaching the database …")
        deadline = time.monotonic() + timeout_s
        if self.embedded_database:
            postgres = Postgres(self.folder / "postgres")
            port = int((postgres.folder / "port").read_text())
            _until(lambda: postgres_answers(postgres.url(port, "postgres")), deadline, "Postgres", self.run)
            postgres.create_database(port)
        _until(lambda: redis_answers(os.environ["REDIS_URL"]), deadline, "Valkey", self.run)


def child(module: str, *arguments: str) -> str:
    """What a module of ours prints when it is run to its end; raises Unavailable with its last line when it fails."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable((done.stderr.strip().splitlines() or [f"{module} ended with code {done.returncode}"])[-1])
    return done.stdout.strip()


def _until(answers: Callable[[], bool], deadline: float, what: str, folder: Path) -> None:
    while not answers():
        if time.monotonic() > deadline:
            raise Unavailable(f"{what} did not start; see the logs in {folder}/log.")
        time.sleep(0.05)


def say(line: str) -> None:
    """One line for the person at the terminal."""
    print(line, flush=True)


def main() -> int:
    """Run until asked to stop. Exit 0 after an orderly end, 2 when something is in the way."""
    launcher: Launcher | None = None
    lock = None
    try:
        os.environ["DATA_DIR"] = str(settings().data_dir.expanduser().absolute())
        settings.cache_clear()
        lock = preflight.claim_folder(settings().data_dir)
        launcher = Launcher(settings().data_dir)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, launcher.ask_to_stop)
        launcher.start()
        launcher.watch()
    except Stopped:
        say("Stopping …")
    except BinnacleError as error:
        print(f"Binnacle cannot start: {error}", file=sys.stderr, flush=True)
        return 2
    finally:
        if launcher is not None:
            launcher.stop()
        if lock is not None:
            lock.close()
    say("Stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
