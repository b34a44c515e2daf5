"""Counters for a scraper: they never fall, not even when their minutes are folded."""

import pytest
from sqlalchemy import text

from services.db import transaction
from services.jobs import counters
from services.jobs.counters import Attempts

pytestmark = pytest.mark.usefixtures("database")


def run(statement: str) -> None:
    with transaction() as connection:
        connection.execute(text(statement))


def minute(age: str, outcome: str, n: int, kind: str = "a") -> None:
    run(f"insert into job_minutes values (date_trunc('minute', now() - interval '{age}'), 'q', '{kind}', '{outcome}', {n}, {n} * 10, {n})")


def test_it_adds_up_minutes_before_and_after_they_are_folded() -> None:
    for age, n in (("0 min", 1), ("1 min", 2), ("8 days", 4), ("9 days", 8)):
        minute(age, "done", n)
    minute("8 days", "failed", 3, "b")
    expected = [Attempts("q", "a", "done", 15, 150, 15), Attempts("q", "b", "failed", 3, 30, 3)]
    with transaction() as connection:
        assert counters.attempts(connection) == expected
        assert counters.fold(connection) == 3
        assert counters.attempts(connection) == expected
        assert connection.execute(text("select count(*) from job_minutes")).scalar_one() == 4
    run("update job_minutes set minute = minute - interval '8 days' where minute > 'epoch'")
    with transaction() as connection:
        assert counters.fold(connection) == 2
        assert counters.fold(connection) == 0
        assert counters.attempts(connection) == expected
        assert connection.execute(text("select count(*) from job_minutes")).scalar_one() == 2


def test_it_adds_up_what_the_reconciler_did() -> None:
    run("insert into job_rescues (action, n) values ('rescued', 1), ('sent again', 12), ('rescued', 2)")
    with transaction() as connection:
        assert counters.rescues(connection) == {"rescued": 3, "sent again": 12}


def test_it_says_where_nobody_beats() -> None:
    for age_s in (5, 10):
        run(f"insert into processes (kind, host, pid, version, beat_at) values ('worker', 'h', 1, 'v', now() - interval '{age_s} s')")
    with transaction() as connection:
        dispatcher, worker = counters.heartbeats(connection)
    assert (dispatcher.kind, dispatcher.processes, dispatcher.age_s) == ("dispatcher", 0, None)
    assert (worker.kind, worker.processes) == ("worker", 2)
    assert worker.age_s is not None
    assert 5 <= worker.age_s < 9
