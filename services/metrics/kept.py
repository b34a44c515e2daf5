"""Answers given before: until the rollups change, the same question has the same answer, and all who look at it share one.

What is kept is shared: frames and arrays that come from here are read and never written to. Nothing is kept for longer than a minute:
ranges end at a full one, and some measures, a throughput for one, move on while nothing happens.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import TypeVar
from weakref import WeakValueDictionary

from sqlalchemy import Connection, text

from services.clock import utc_now
from services.db import statement, transaction
from services.settings import settings

AGE_S = 60
MOVING_S = 10  # of what moves on by itself
MOST = 512
MOST_CELLS = 2_000_000  # of all frames that are kept: what is asked for once, in full, must not fill the memory
STATE = """
select least(i.first, now()) as as_of, i.first is null as complete, s.version, s.moved_at, s.zone
from (select min(received_at) as first from telemetry_inbox) i left join rollup_state s on true
"""
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class State:
    """Everything received before `as_of` is rolled up, and `complete` says whether that is all. Equal `numbers` mean equal rollups."""

    as_of: datetime
    complete: bool
    numbers: Hashable


class _Turn:
    """Whose turn it is to make one answer; it goes when nobody waits any more."""

    def __init__(self) -> None:
        self.lock = Lock()


class Kept:
    """The latest answers of this process, by what was asked and of which numbers."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: OrderedDict[Hashable, object] = OrderedDict()
        self._cells = 0
        self._making: WeakValueDictionary[Hashable, _Turn] = WeakValueDictionary()

    def get(self, asked: Hashable, make: Callable[[Connection], Made], *, moves: bool = False) -> tuple[State, Made]:
        """The answer kept, or what `make` reads in one snapshot; with its state. Of many who ask at once, one makes it.

        `moves` says that it would be another soon though nothing happened.
        """
        now = _now()
        key = _key(now, asked, moves)
        with self._lock:
            turn = self._making.setdefault(key, _Turn())
        with turn.lock:
            with self._lock:
                if key in self._answers:
                    self._answers.move_to_end(key)
                    return now, self._answers[key]  # type: ignore[return-value]  # what is kept under this key, `make` made
            with transaction() as connection:
                connection.execute(text("set transaction isolation level repeatable read, read only"))
                now, made = _state(connection), make(connection)
            _note(now)
            self._keep(_key(now, asked, moves), made)
        return now, made

    def _keep(self, key: Hashable, made: object) -> None:
        """Let the oldest go until there is room. Two looks may have made the same one."""
        with self._lock:
            self._cells += _cells(made) - _cells(self._answers.pop(key, None))
            self._answers[key] = made
            while len(self._answers) > MOST or self._cells > MOST_CELLS:
                self._cells -= _cells(self._answers.popitem(last=False)[1])

    def forget(self) -> None:
        """Everything."""
        with self._lock:
            self._answers.clear()
            self._cells = 0


KEPT = Kept()
_LOOK: ContextVar[list[State] | None] = ContextVar("look", default=None)


@contextmanager
def one_look() -> Iterator[None]:
    """Within it all questions are answered of the numbers as the first of them found them, or newer ones that had to be read."""
    token = _LOOK.set([])
    try:
        yield
    finally:
        _LOOK.reset(token)


def _now() -> State:
    """The state as this look knows it, else as it is."""
    seen = _LOOK.get()
    if seen:
        return seen[-1]
    with statement() as connection:
        now = _state(connection)
    _note(now)
    return now


def _note(now: State) -> None:
    seen = _LOOK.get()
    if seen is not None:
        seen.append(now)


def _cells(made: object) -> int:
    """Of frames and arrays; everything else is small."""
    return sum(map(_cells, made)) if isinstance(made, tuple) else int(getattr(made, "size", 0))


def frozen(where: Mapping[str, Sequence[str]]) -> Hashable:
    """Filters as a part of a key."""
    return tuple(sorted((name, tuple(values)) for name, values in where.items()))


def _key(now: State, asked: Hashable, moves: bool) -> Hashable:
    return now.numbers, int(utc_now().timestamp()) // (MOVING_S if moves else AGE_S), asked


def _state(connection: Connection) -> State:
    row = connection.execute(text(STATE)).one()
    return State(row.as_of, row.complete, (row.version, row.moved_at, row.zone or settings().zone.key))
