"""The process manager: started, asked and stopped; and whatever a killed one left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from services.errors import Unavailable
from services.settings import ROOT

MARK = "BINNACLE_HOME"  # in the environment of every process of a console: how leftovers are known
PR_SET_PDEATHSIG = 1


class Supervisor:
    """supervisord over a folder that holds its configuration, control socket and logs."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = dict(environment) | {MARK: str(folder)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = 15) -> None:
        """Start it with the programs that start by themselves; returns when it takes commands."""
        (self.folder / "log").mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "deploy.supervisord", "-c", str(self.folder / "supervisord.conf")],
            cwd=ROOT,
            env=self._environment,
            start_new_session=True,  # Ctrl-C is ours to handle, in order
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - runs before any thread exists here
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.is_alive():
            try:
                self._rpc().getState()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise Unavailable(f"The process manager did not start; see {self.folder}/log/supervisord.log.")

    def is_alive(self) -> bool:
        """Whether the manager itself runs."""
        return self._process is not None and self._process.poll() is None

    def start_group(self, group: str) -> None:
        """Start all programs of a group without waiting for them."""
        self._rpc().startProcessGroup(group, False)

    def states(self) -> dict[str, tuple[str, int]]:
        """Program → (state in words, pid or 0)."""
        return {info["name"]: (info["statename"], info["pid"]) for info in self._rpc().getAllProcessInfo()}

    def stop(self, timeout_s: float = 9) -> None:
        """Stop everything, console before stores; what has not ended by then is killed."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        end_leftovers(self.folder)

    def _rpc(self) -> Any:  # noqa: ANN401 - supervisor's methods are made at run time
        transport = SupervisorTransport(None, None, f"unix://{self.folder}/control.sock")
        return cast(Any, ServerProxy("http://127.0.0.1", transport=transport)).supervisor


def end_leftovers(folder: Path) -> int:
    """End every process that a console of this folder left behind; how many there were.

    First politely (Postgres by its fast shutdown), then for good: a new console must not meet an old one.
    """
    found = leftovers(folder)
    for process in found:
        _signal(process, signal.SIGINT if "postgres" in process.name() else signal.SIGTERM)
    _, alive = psutil.wait_procs(found, timeout=5)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=3)
    return len(found)


def leftovers(folder: Path) -> list[psutil.Process]:
    """Living processes that carry this folder's mark, ourselves excepted."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # gone meanwhile, or somebody else's
    return found


def log_tail(folder: Path, program: str, lines: int = 15) -> str:
    """The last lines a program wrote."""
    path = folder / "log" / f"{program}.log"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(it wrote nothing)"


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # ended by itself: what we wanted


def _end_with_parent() -> None:
    """Should the launcher be killed outright, its process manager stops everything by itself (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
