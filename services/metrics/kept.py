"""Answers given before: until the rollups change, the same question has the same answer, and all who look at it share one.

What is kept is shared: frames and arrays that come from here are read and never written to. Nothing is kept for longer than AGE_S,
because some measures, a throughput for one, move on while nothing happens.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import TypeVar

from sqlalchemy import Connection, text

from services.clock import utc_now
from services.db import statement, transaction
from services.settings import settings

AGE_S = 10
MOST = 512
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


class Kept:
    """The latest answers of this process, by what was asked and of which numbers."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: OrderedDict[Hashable, object] = OrderedDict()

    def get(self, asked: Hashable, make: Callable[[Connection], Made]) -> tuple[State, Made]:
        """The answer kept, or what `make` reads in one snapshot; with its state. Two who ask at once may both make it."""
        with statement() as connection:
            now = _state(connection)
        key = _key(now, asked)
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return now, self._answers[key]  # type: ignore[return-value]  # what is kept under this key, `make` made
        with transaction() as connection:
            connection.execute(text("set transaction isolation level repeatable read, read only"))
            now, made = _state(connection), make(connection)
        with self._lock:
            self._answers[_key(now, asked)] = made
            while len(self._answers) > MOST:
                self._answers.popitem(last=False)
        return now, made

    def forget(self) -> None:
        """Everything."""
        with self._lock:
            self._answers.clear()


KEPT = Kept()


def frozen(where: Mapping[str, Sequence[str]]) -> Hashable:
    """Filters as a part of a key."""
    return tuple(sorted((name, tuple(values)) for name, values in where.items()))


def _key(now: State, asked: Hashable) -> Hashable:
    return now.numbers, int(utc_now().timestamp()) // AGE_S, asked


def _state(connection: Connection) -> State:
    row = connection.execute(text(STATE)).one()
    return State(row.as_of, row.complete, (row.version, row.moved_at, row.zone or settings().zone.key))
