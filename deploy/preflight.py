"""What must be true before anything starts; each broken condition is one sentence."""

import fcntl
import re
from pathlib import Path
from typing import TextIO

import psycopg2
import redis

from deploy.secret import is_free
from services.errors import BadInput, Conflict, Unavailable
from services.settings import Settings

LEAST_PGVECTOR = (0, 7)  # sparsevec


def claim_folder(folder: Path) -> TextIO:
    """Make the data folder and take its lock, held while the returned file is open. Raises BadInput or Conflict."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise BadInput(f"The data folder {folder} cannot be written ({error.strerror}): set DATA_DIR to one that can.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise Conflict(f"A Binnacle is running on {folder} already: stop it, or set DATA_DIR to another folder.") from error
    return lock


def check_ports(settings: Settings) -> None:
    """Raise Conflict naming the setting whose port is taken, BadInput when both are the same."""
    if settings.port == settings.otlp_port:
        raise BadInput(f"PORT and OTLP_PORT are both {settings.port}: give the console and the telemetry port different numbers.")
    for name, port in (("PORT", settings.port), ("OTLP_PORT", settings.otlp_port)):
        if not is_free(port, settings.bind_address):
            raise Conflict(f"Port {port} is in use: stop what uses it, or set {name} to a free one.")


def check_postgres(url: str) -> None:
    """Raise Unavailable when it cannot be reached, BadInput when it has no usable pgvector. Secrets are not repeated."""
    try:
        server = psycopg2.connect(url.replace("postgresql+psycopg2://", "postgresql://"), connect_timeout=5)
    except psycopg2.OperationalError as error:
        raise Unavailable(f"DATABASE_URL cannot be reached: {_first_line(error, url)}.") from None
    try:
        with server.cursor() as cursor:
            cursor.execute("select default_version from pg_available_extensions where name = 'vector'")
            found = cursor.fetchone()
            if found is None:
                raise BadInput(
                    "The Postgres at DATABASE_URL has no pgvector: install the extension 'vector' (0.7 or newer) on that server."
                )
            if tuple(int(part) for part in found[0].split(".")[:2]) < LEAST_PGVECTOR:
                raise BadInput(f"The Postgres at DATABASE_URL has pgvector {found[0]}: version 0.7 or newer is needed.")
            try:
                cursor.execute("create extension if not exists vector")
            except psycopg2.errors.InsufficientPrivilege:
                raise BadInput(
                    "The user of DATABASE_URL may not create extensions: run 'create extension vector' there once as a superuser."
                ) from None
        server.commit()
    finally:
        server.close()


def check_redis(url: str) -> None:
    """Raise Unavailable when it does not answer."""
    client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    try:
        client.ping()
    except redis.RedisError as error:
        raise Unavailable(f"REDIS_URL cannot be reached: {_first_line(error, url)}.") from None
    finally:
        client.close()


def _first_line(error: Exception, url: str) -> str:
    """The driver's reason, without the password should it repeat the URL."""
    password = re.search(r"://[^:/@]*:([^@/]+)@", url)
    reason = (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(".")
    return reason.replace(password.group(1), "***") if password else reason
