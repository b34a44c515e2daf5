"""Reading: always something, always said how old, never a model; a crowd at expiry is one job; either store may be away."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import text

from services.db import transaction
from services.errors import Unavailable
from services.sitewide import copy, editions, runs, serving
from services.sitewide.editions import Edition, Factoid
from services.sitewide.serving import FRESH, STALE, Reader, Served, serve
from services.sitewide.timetable import SHOWN, showing

pytestmark = pytest.mark.usefixtures("database")
READERS = 200


def factoid(number: int) -> Factoid:
    return Factoid(
        f"extreme:roads:{number}", "extreme", f"Sentence {number}.", "model", "roads", "Roads", 2015, "GBP",
        (("roads", 2015, "ab"),), ("E1",),
        {"year": 2015}, "hash",
    )  # fmt: skip


def published(age: timedelta = timedelta(0)) -> Edition:
    """Twenty factoids that held that long ago."""
    with transaction() as connection:
        now = serving.postgres_now(connection)
        editions.publish(connection, "f", [factoid(n) for n in range(20)], now - age, 1)
        made = editions.latest(connection)
    assert made is not None
    return made


def scalar(statement: str) -> Any:  # noqa: ANN401 - whatever it selects
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


@pytest.mark.parametrize(
    ("age", "source"),
    [
        (timedelta(0), "primary"),
        (FRESH, "primary"),
        (FRESH + timedelta(seconds=1), "stale"),
        (STALE, "stale"),
        (STALE + timedelta(seconds=1), "static"),
    ],
)
def test_it_is_served_as_what_it_is(age: timedelta, source: str) -> None:
    now = datetime.fromisoformat("2026-03-31T12:00:00+00:00")
    edition = Edition(1, "f", tuple(factoid(n) for n in range(20)), now - age, now - age, now - age)
    served = serve(edition, now)
    assert served.source == source
    assert len(served.texts) == SHOWN
    assert (served.reason is None) == (source == "primary")
    assert served.age_s == (None if source == "static" else age.total_seconds())


def test_before_anything_is_published_curated_ones_are_served() -> None:
    served = Reader().read()
    assert (served.source, served.factoids, len(served.curated)) == ("static", (), 5)
    assert "Nothing has been published yet" in (served.reason or "")


def test_turns_show_everything_once() -> None:
    pool = list(range(18))
    assert [one for turn in range(4) for one in showing(pool, turn)] == pool
    assert showing([], 3) == []


def test_a_crowd_at_expiry_is_one_job_and_nobody_waits() -> None:
    published(FRESH + timedelta(minutes=1))
    ticks = [0.0]
    readers = [Reader(ticks=lambda: ticks[0]) for _ in range(4)]  # four processes
    for reader in readers:
        reader.read()
    ticks[0] = 100.0
    barrier, served = threading.Barrier(READERS), []

    def read(number: int) -> None:
        barrier.wait()
        served.append(readers[number % 4].read())

    crowd = [threading.Thread(target=read, args=(n,)) for n in range(READERS)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    for reader in readers:
        with reader._lock:  # whoever still looks has finished
            reader.count()
    assert len(served) == READERS
    assert {one.source for one in served} == {"stale"}
    assert scalar("select count(*) from jobs") == 1
    assert scalar("select kind from jobs") == "sitewide.revalidate"
    assert scalar("select count(*) from ai_ledger") == 0
    assert scalar("select sum(n) from factoid_reads") == READERS + 4


def test_what_was_looked_at_lately_asks_for_nothing() -> None:
    edition = published(FRESH + timedelta(hours=1))
    with transaction() as connection:
        editions.looked_at(connection, edition.id, serving.postgres_now(connection))
    assert Reader().read().source == "stale"
    assert scalar("select count(*) from jobs") == 0


def test_a_new_edition_is_seen() -> None:
    ticks = [0.0]
    reader = Reader(ticks=lambda: ticks[0])
    published()
    assert reader.read().source == "primary"
    with transaction() as connection:
        editions.publish(connection, "g", [replace(factoid(1), text="New.")], serving.postgres_now(connection), 2)
    ticks[0] = 5.0
    reader.read()
    with reader._lock:
        assert reader.read().texts == ["New."]


@contextmanager
def away() -> Iterator[None]:
    raise Unavailable("The database does not answer.")
    yield


def test_without_postgres_the_copy_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert copy.write(published())
    monkeypatch.setattr(serving, "transaction", away)
    served = Reader().read()
    assert (served.source, len(served.factoids)) == ("primary", SHOWN)


def test_without_redis_nothing_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy, "_redis", lambda _url: Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.1))
    edition = published()
    assert not copy.write(edition)
    assert copy.read() is None
    assert Reader().read().source == "primary"


def test_without_either_memory_serves_and_else_the_curated(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = [0.0]
    reader = Reader(ticks=lambda: ticks[0])
    published()
    reader.read()
    monkeypatch.setattr(serving, "transaction", away)
    monkeypatch.setattr(copy, "read", lambda: None)
    ticks[0] = FRESH.total_seconds() + 60
    reader.read()
    with reader._lock:
        served: Served = reader.read()
    assert (served.source, len(served.factoids)) == ("stale", SHOWN)
    assert Reader().read().source == "static"


def test_reads_and_calls_are_told_together() -> None:
    published()
    reader = Reader()
    for _ in range(50):
        reader.read()
    reader.count()
    with transaction() as connection:
        day = serving.postgres_now(connection).date()
        totals = runs.totals(connection, day - timedelta(days=1))
    assert (totals.reads, totals.calls, totals.avoided, totals.avoided_share) == (50, 0, 50, 1.0)
