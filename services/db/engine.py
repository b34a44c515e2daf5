"""The engine, created on first use in each process and never shared across a fork."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.errors import Unavailable
from services.settings import settings

DISK_FULL = "53100"
_LOG = logging.getLogger(__name__)
_FIRST_USE = Lock()


def engine() -> Engine:
    """Engine over DATABASE_URL; raises Unavailable when that is not set."""
    with _FIRST_USE:  # threads that come together must not make an engine each
        return _engine()


@lru_cache(maxsize=1)
def _engine() -> Engine:
    url = settings().database_url
    if url is None:
        raise Unavailable("DATABASE_URL is not set: start with `make run`, or point it at a Postgres that has pgvector.")
    return create_engine(
        url.get_secret_value(),
        pool_size=5,  # kept open where so many were in use at once: a page's look and the reads beside it
        max_overflow=10,
        pool_timeout=10,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={"connect_timeout": 5, "application_name": "binnacle", "options": "-c timezone=UTC -c jit=off"},
    )


@contextmanager
def transaction() -> Iterator[Connection]:
    """A connection in a transaction: committed at the end, rolled back on any exception.

    Raises Unavailable when Postgres cannot be reached or goes away, so callers need no driver knowledge.
    """
    with worded(), engine().begin() as connection:
        yield connection


@contextmanager
def snapshot() -> Iterator[Connection]:
    """A connection that reads everything as it was at its first statement, and writes nothing; raises as `transaction` does."""
    with worded(), engine().connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True) as connection:
        yield connection


@contextmanager
def worded() -> Iterator[None]:
    """The driver's errors as ours."""
    try:
        yield
    except (OperationalError, InternalError, PoolTimeout) as error:
        raise Unavailable(_trouble(error), retry_after_s=5) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise Unavailable("The database went away.", retry_after_s=5) from error


def _trouble(error: Exception) -> str:
    """What is wrong with the database, in words for a sender; trouble of its own goes to the log in full, an operator must see to it."""
    state = str(getattr(getattr(error, "orig", None), "pgcode", None) or "")
    if state.startswith(("53", "58", "XX")):  # insufficient resources, system error, internal error
        _LOG.error("the database is in trouble: %s", error)
        return "The database has no room left." if state == DISK_FULL else "The database cannot take this at present."
    return "The database does not answer."


def _leave_parents_connections_alone() -> None:
    """A forked job must not speak on (or close) the sockets of its parent."""
    global _FIRST_USE  # noqa: PLW0603 - the parent's lock may be held by a thread that does not exist here
    _FIRST_USE = Lock()
    if _engine.cache_info().currsize:
        _engine().dispose(close=False)


def hang_up() -> None:
    """Close all connections. The engine stays, and what it knows of the server: processes forked from here need not ask again."""
    if _engine.cache_info().currsize:
        _engine().dispose()


def forget() -> None:
    """Close the engine, if there is one; the next use makes another, for the settings of then."""
    if _engine.cache_info().currsize:
        _engine().dispose()
        _engine.cache_clear()


os.register_at_fork(after_in_child=_leave_parents_connections_alone)
