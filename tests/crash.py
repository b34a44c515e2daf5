"""Dying at every point at which a process can die between two words to Postgres, and what others do at that very moment."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event, text

from services.db import engine, transaction
from services.errors import Unavailable

BLOCKED_S = 0.1  # who waits this long waits for us


class Crash(BaseException):
    """The process is gone; nothing after this ran."""


@contextmanager
def crash_at(boundary: int) -> Iterator[list[int]]:
    """Die just before the given statement or commit (from 0) is sent; yields a list whose length is how many there were."""

    def die() -> None:
        raise Crash

    with at(boundary, die) as seen:
        yield seen


@contextmanager
def at(boundary: int, happens: Callable[[], None]) -> Iterator[list[int]]:
    """Call `happens` just before this thread sends the given statement or commit; yields a list as long as how many were sent."""
    seen: list[int] = []
    ours = threading.get_ident()

    def before(*_: object) -> None:
        if threading.get_ident() != ours:
            return
        seen.append(len(seen))
        if len(seen) == boundary + 1:
            happens()

    events = ("before_cursor_execute", "commit")
    for name in events:
        event.listen(engine(), name, before)
    try:
        yield seen
    finally:
        for name in events:
            event.remove(engine(), name, before)


@contextmanager
def standing_still() -> Iterator[Connection]:
    """The transaction of a process that stops right before its commit, for so long that Postgres gave it up."""
    with pytest.raises(Unavailable), transaction() as connection:
        yield connection


@contextmanager
def hurried() -> Iterator[Connection]:
    """A transaction that waits for nobody longer than a few seconds."""
    with transaction() as connection:
        connection.execute(text("set local lock_timeout = '3s'"))
        yield connection


class Meanwhile:
    """Somebody else's work in a thread of their own: `start` it, go on as soon as it ended or waits for what we hold, and `end` later."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()
        self._thread.join(BLOCKED_S)

    def end(self) -> None:
        """Wait for it, if it was started; raises what it raised."""
        if self._thread.ident is not None:
            self._thread.join(30)
            assert not self._thread.is_alive(), "two processes wait for one another"
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - handed on to the test
            self._error = error
