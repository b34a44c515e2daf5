"""Two hosts on this machine: a network and a name of their own where that is permitted, else a folder and a name of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from services.settings import ROOT
from tests.faults.plant import COMMAND, ROLES, Plant, Process, log
from tests.workers.cable import Cable

NAMED = 'hostname "$0" && exec "$@"'
NEEDED = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "FAULT_LOG")


@dataclass
class Host:
    """`address` is where it reaches the machine that has the stores; `told` is all that its processes are told."""

    name: str
    address: str
    told: dict[str, str]
    prefix: tuple[str, ...] = ()
    folder: Path = ROOT

    def launch(self, role: str) -> Process:
        return subprocess.Popen([*self.prefix, *COMMAND, *ROLES[role]], cwd=self.folder, env=self.told, stderr=log())

    def reaches(self, port: int) -> bool:
        """Whether something listens there on what this host takes for itself."""
        probe = [*self.prefix, sys.executable, "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"]
        return subprocess.run(probe, capture_output=True, env=self.told).returncode == 0


class Network:
    """A network namespace with one cable to this machine. Raises OSError where that is not permitted."""

    def __init__(self, number: int, permitted: bool = True) -> None:
        self._permitted = permitted
        serial = os.getpid()
        self.name = f"bn{serial}n{number}"
        subnet = f"10.{200 + serial % 50}.{serial // 50 % 256}"
        self.here, self.there = f"{subnet}.{4 * number + 1}", f"{subnet}.{4 * number + 2}"

    def __enter__(self) -> "Network":
        ours, theirs = f"{self.name}a"[-15:], f"{self.name}b"[-15:]
        inside = ("netns", "exec", self.name, "ip")
        if not self._permitted:
            raise OSError("not permitted")
        try:
            _ip("netns", "add", self.name)
            _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", self.name)
            _ip("addr", "add", f"{self.here}/30", "dev", ours)
            _ip("link", "set", ours, "up")
            _ip(*inside, "addr", "add", f"{self.there}/30", "dev", theirs)
            _ip(*inside, "link", "set", theirs, "up")
            _ip(*inside, "link", "set", "lo", "up")
            subprocess.run([*self.prefix("probe"), "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__(None, None, None)
            raise OSError(f"no network of its own: {error}") from error
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        with suppress(OSError, subprocess.CalledProcessError):
            _ip("netns", "del", self.name)

    def prefix(self, host: str) -> tuple[str, ...]:
        """Before a command: there, under that name. None of these words stays as a process."""
        return ("ip", "netns", "exec", self.name, "unshare", "--uts", "sh", "-c", NAMED, host)


@contextmanager
def two_hosts(plant: Plant, folder: Path, apart: bool, **told: str) -> Iterator[list[Host]]:
    """Hosts that know nothing but the two addresses, and what a test's own jobs need; on networks of their own if `apart` and permitted."""
    with ExitStack() as stack:
        try:
            networks = [stack.enter_context(Network(number, apart)) for number in range(2)]
        except OSError:
            yield [_named(plant, folder / name, name, told) for name in ("alpha", "beta")]
            return
        yield [_apart(plant, network, name, told) for network, name in zip(networks, ("alpha", "beta"), strict=True)]


def _apart(plant: Plant, network: Network, name: str, told: dict[str, str]) -> Host:
    stores = {
        "DATABASE_URL": Cable(plant.database_url, network.here).url,
        "REDIS_URL": Cable(plant.redis_url, network.here).url,
    }
    return Host(name, network.here, _needed() | stores | told, network.prefix(name))


def _named(plant: Plant, folder: Path, name: str, told: dict[str, str]) -> Host:
    folder.mkdir()
    stores = {"DATABASE_URL": plant.database_url, "REDIS_URL": plant.redis_url}
    return Host(name, "127.0.0.1", _needed() | stores | told | {"HOST_NAME": name, "PYTHONPATH": str(ROOT)}, folder=folder)


def _needed() -> dict[str, str]:
    return {name: os.environ[name] for name in NEEDED if name in os.environ}


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
