"""Answers given before: until the rollups change, the same question has the same answer, and all who look at it share one.

What is kept is shared: frames and arrays that come from here are read and never written to. What rests on more than the rollups is kept
for less long: prices may change, and some measures, a throughput for one, move on while nothing happens.
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
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from services.clock import utc_now
from services.db import look
from services.metrics.snapshot import Snapshot
from services.settings import settings

AGE_S = 3_600  # the range itself moves on: what is finer than days today is not for ever
MOVING_S = 60  # of what rests on prices of now, or moves on by itself
MOST = 512
MOST_CELLS = 2_000_000  # of all frames that are kept: what is asked for once, in full, must not fill the memory
STATE = """
select least(i.first, now()) as as_of, i.first is null as complete, s.version, s.moved_at, s.zone
from (select min(received_at) as first from telemetry_inbox) i left join rollup_state s on true
"""
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class State:
    """Everything received before `as_of` is rolled up, and `complete` says whether that is all; days are cut in `zone`.

    Equal `numbers` mean equal rollups; `version` grows whenever they change, and is 0 before they first did.
    """

    as_of: datetime
    complete: bool
    zone: ZoneInfo
    version: int
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

    def get(self, asked: Hashable, make: Callable[[Snapshot], Made], *, age_s: int = AGE_S) -> tuple[State, Made]:
        """The answer kept, or what `make` reads in one snapshot; with its state. Of many who ask at once, one makes it.

        It is kept for `age_s` at most, though the rollups stay as they are.
        """
        now = state()
        key = _key(now, asked, age_s)
        with self._lock:
            turn = self._making.setdefault(key, _Turn())
        with turn.lock:
            with self._lock:
                if key in self._answers:
                    self._answers.move_to_end(key)
                    return now, self._answers[key]  # type: ignore[return-value]  # what is kept under this key, `make` made
            with _reading() as (reading, now):
                made = make(reading)
            self._keep(_key(now, asked, age_s), made)
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


class _Seen:
    """What a look has found of the numbers."""

    def __init__(self) -> None:
        self.found: tuple[Snapshot, State] | None = None


KEPT = Kept()
_SEEN: ContextVar[_Seen | None] = ContextVar("seen", default=None)


@contextmanager
def one_look() -> Iterator[None]:
    """Within it all questions are answered of the same numbers; where too many look at once, what is not kept is read as it is by then."""
    with look.one_look():
        token = _SEEN.set(_Seen())
        try:
            yield
        finally:
            _SEEN.reset(token)


@contextmanager
def _reading() -> Iterator[tuple[Snapshot, State]]:
    """The snapshot to read in, and its state."""
    seen = _SEEN.get()
    with look.reading() as connection:
        if seen is not None and seen.found is not None and seen.found[0].connection is connection:
            yield seen.found
            return
        now = _state(connection)
        found = Snapshot(connection, now.zone), now
        if seen is not None:
            seen.found = found
        yield found


def state() -> State:
    """The state as this look knows it, else as it is."""
    seen = _SEEN.get()
    if seen is not None and seen.found is not None:
        return seen.found[1]
    with _reading() as (_, now):
        return now


def _cells(made: object) -> int:
    """Of frames and arrays; everything else is small."""
    return sum(map(_cells, made)) if isinstance(made, tuple) else int(getattr(made, "size", 0))


def frozen(where: Mapping[str, Sequence[str]]) -> Hashable:
    """Filters as a part of a key."""
    return tuple(sorted((name, tuple(values)) for name, values in where.items()))


def _key(now: State, asked: Hashable, age_s: int) -> Hashable:
    """Each question ages from a second of its own, so that not all are made again at once."""
    return now.numbers, (int(utc_now().timestamp()) + hash(asked) % age_s) // age_s, asked


def _state(connection: Connection) -> State:
    row = connection.execute(text(STATE)).one()
    zone = ZoneInfo(row.zone) if row.zone else settings().zone
    return State(row.as_of, row.complete, zone, row.version or 0, (row.version, row.moved_at, zone.key))
