"""Factoids for readers, always: fresh up to six hours, stale up to thirty days and said so, then curated ones. Reading never calls a model.

One edition is held in memory. Every few seconds one reader has it looked at again in the background while all others get what is there;
only the first reader of a process waits. What is out of date asks for a look, by a job that is never there twice and never calls a model.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal, cast

import yaml
from sqlalchemy import Connection, text

from services import clock, jobs
from services.db import transaction
from services.errors import Unavailable
from services.settings import settings
from services.sitewide import copy, editions, runs
from services.sitewide.editions import Edition, Factoid
from services.sitewide.timetable import showing, turn

Source = Literal["primary", "stale", "static"]
REVALIDATE, QUEUE = "sitewide.revalidate", "default"
FRESH, STALE = timedelta(hours=6), timedelta(days=30)
LOOKED_S = 2.0  # how long memory is not compared with Postgres
COUNTED_S = 10.0  # reads are counted in memory and written this often: at most so many of a process that dies are missed
ASKED_AGAIN = timedelta(minutes=30)
CURATED = Path(__file__).with_name("curated.yaml")
Now = Callable[[Connection], datetime]
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """What a reader gets. `primary` holds as of `as_of`, at most six hours ago; `stale` did then; `static` never depends on data.

    `age_s` is the time since `as_of`. `reason` says why it is not primary.
    """

    factoids: tuple[Factoid, ...]
    curated: tuple[str, ...]
    source: Source
    as_of: datetime | None
    age_s: float | None
    reason: str | None
    edition_id: int | None

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.factoids] or list(self.curated)


def postgres_now(connection: Connection) -> datetime:
    """The clock for decisions."""
    return cast(datetime, connection.execute(text("select now()")).scalar_one())


class Reader:
    """What one process serves; any number of threads may read at once. `ticks` is a clock in seconds that never goes back."""

    def __init__(self, now: Now = postgres_now, ticks: Callable[[], float] = time.monotonic) -> None:
        self._now, self._ticks = now, ticks
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._edition: Edition | None = None
        self._loaded: tuple[datetime, float] | None = None  # the clock for decisions, and ours, when it was looked at
        self._reads = Counter[str]()
        self._counted_at = ticks()

    def read(self) -> Served:
        """The factoids of this slot."""
        self._look()
        loaded_at, ticked = self._loaded or (clock.utc_now(), self._ticks())
        served = serve(self._edition, loaded_at + timedelta(seconds=self._ticks() - ticked))
        with self._counting:
            self._reads[served.source] += 1
        return served

    def count(self) -> None:
        """Write down what was read since the last time."""
        with self._counting:
            reads, self._reads = self._reads, Counter()
            self._counted_at = self._ticks()
        if reads:
            with transaction() as connection:
                runs.count_reads(connection, self._now(connection).astimezone(settings().zone).date(), dict(reads))

    def _look(self) -> None:
        """One at a time; whoever finds somebody looking takes what is there, unless there is nothing yet."""
        loaded = self._loaded
        if loaded is not None and self._ticks() - loaded[1] < LOOKED_S:
            return
        if loaded is None:
            with self._lock:
                if self._loaded is None:
                    self._load()
        elif self._lock.acquire(blocking=False):
            threading.Thread(target=self._load_and_release, name="factoids", daemon=True).start()

    def _load_and_release(self) -> None:
        try:
            self._load()
        finally:
            self._lock.release()

    def _load(self) -> None:
        try:
            with transaction() as connection:
                now = self._now(connection)
                edition = editions.latest(connection)
                if edition is not None and now - edition.revalidated_at > FRESH and now - edition.checked_at > ASKED_AGAIN:
                    ask_for_a_look(connection)
            self._edition, self._loaded = edition, (now, self._ticks())
            if self._ticks() - self._counted_at >= COUNTED_S:
                self.count()
        except Unavailable as error:
            _LOG.warning("factoids are served from memory or the copy: %s", error)
            self._edition = self._edition or copy.read()
            before, ticked = self._loaded or (clock.utc_now(), self._ticks())
            self._loaded = (before + timedelta(seconds=self._ticks() - ticked), self._ticks())


def ask_for_a_look(connection: Connection) -> int | None:
    """A job that compares the edition with the data and never calls a model; None where one is under way."""
    return jobs.enqueue(connection, REVALIDATE, queue=QUEUE, dedupe_key=REVALIDATE, created_by="readers")


def serve(edition: Edition | None, now: datetime) -> Served:
    """What an edition is worth at an instant. Pure."""
    if edition is None:
        return _static("Nothing has been published yet: import council figures and wait for the next slot.", None)
    age = max(now - edition.revalidated_at, timedelta(0))
    if age > STALE or not edition.factoids:
        return _static(f"The last edition held until {edition.revalidated_at:%Y-%m-%d %H:%M} UTC, more than thirty days ago.", edition.id)
    shown = tuple(showing(edition.factoids, turn(now, settings().zone)))
    fresh = age <= FRESH
    reason = None if fresh else f"Not compared with the data since {edition.revalidated_at:%Y-%m-%d %H:%M} UTC, or it changed after that."
    return Served(shown, (), "primary" if fresh else "stale", edition.revalidated_at, age.total_seconds(), reason, edition.id)


@cache
def curated() -> tuple[str, ...]:
    """Sentences that are true without data."""
    told: Sequence[str] = yaml.safe_load(CURATED.read_text(encoding="utf-8"))
    return tuple(told)


def _static(reason: str, edition_id: int | None) -> Served:
    return Served((), curated(), "static", None, None, reason, edition_id)


READER = Reader()


def current() -> Served:
    """The factoids of this slot, as this process has them."""
    return READER.read()
