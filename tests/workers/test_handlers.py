"""What handlers do with their job, called as the wrapper calls them."""

import signal
import time
from datetime import datetime
from functools import partial

import pytest
from sqlalchemy import Connection, text

import services.sample
from services.db import transaction
from services.errors import BadInput, Unavailable
from services.jobs import Job, claim, enqueue, get, standing
from services.jobs.claim import Fenced
from workers import findings, housekeeping, registry, rollups, sample
from workers.run import Attempt
from workers.running import LONGEST_NOTE, Heart, Running

pytestmark = pytest.mark.usefixtures("database")


def running(kind: str = "housekeeping", **args: object) -> Running:
    with transaction() as connection:
        job_id = enqueue(connection, kind, args, queue="default")
        assert job_id is not None
        job = claim.claim(connection, job_id, "tester")
    assert job is not None
    return Running(job)


def read(job: Running) -> Job:
    with transaction() as connection:
        return get(connection, job.id)


def write(attempt: Attempt) -> str:
    with transaction() as connection:
        return attempt.write(connection)


@pytest.mark.parametrize("kind", registry.KINDS)
def test_it_has_a_function_for_every_kind(kind: str) -> None:
    assert callable(registry.handler(kind))
    assert registry.KINDS[kind].queue in registry.QUEUES
    assert registry.timeout_s(kind) > registry.timeout_s("no such kind")


def test_it_refuses_a_kind_nobody_does() -> None:
    with pytest.raises(BadInput, match="Nobody knows how to do"):
        registry.handler("gold.make")


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (ValueError("bad luck"), "retry", "failed with ValueError: bad luck; again in"),
        (BadInput("no such day"), "dead", "failed with BadInput: no such day; dead"),
        (SystemExit(3), "retry", "failed with SystemExit: 3; again in"),
    ],
)
def test_it_writes_down_whatever_a_handler_raises(error: BaseException, state: str, told: str) -> None:
    job = running()
    with Attempt(job) as attempt:
        raise error

    assert write(attempt).startswith(told)
    assert read(job).state == state
    with transaction() as connection:
        assert type(error).__name__ in connection.execute(text("select traceback from job_attempts")).scalar_one()


def test_it_writes_down_what_a_handler_returns() -> None:
    job = running()
    with Attempt(job) as attempt:
        attempt.result = {"rows": 2}

    assert write(attempt) == "done"
    assert read(job).result == {"rows": 2}


def test_it_tells_a_stop_for_cancelling_from_one_for_going_down() -> None:
    cancelled, leaving, finished = running(), running(), running()
    cancelled.cancelled = True
    leaving.fenced = True
    assert cancelled.stopping()
    assert leaving.stopping()
    assert not finished.stopping()

    assert [write(Attempt(job)) for job in (cancelled, leaving, finished)] == ["cancelled", "given back", "done"]
    assert [read(job).state for job in (cancelled, leaving, finished)] == ["cancelled", "retry", "done"]


def test_it_hands_each_piece_of_progress_on_once() -> None:
    job = running()
    job.report(1, 4, "January")
    job.report(2, 4, "February")

    assert job.take_progress() == {"done": 2, "total": 4, "note": "February"}
    assert job.take_progress() is None


def test_it_sweeps_and_finishes_in_one_transaction() -> None:
    job = running()
    with transaction() as connection:
        connection.execute(text("insert into sign_in_failures (at, subject) values (now() - interval '1 day', 'mallory')"))
    housekeeping.tidy(job)

    assert job.finished
    assert read(job).state == "done"
    assert read(job).result["jobs"] == 0
    with transaction() as connection:
        assert connection.execute(text("select count(*) from sign_in_failures")).scalar_one() == 0
        connection.execute(text("insert into sign_in_failures (at, subject) values (now() - interval '1 day', 'mallory')"))
    with pytest.raises(Fenced):
        housekeeping.tidy(job)
    with transaction() as connection:
        assert connection.execute(text("select count(*) from sign_in_failures")).scalar_one() == 1


def test_it_rebuilds_and_verifies_the_days_it_is_told() -> None:
    days = {"start": "2026-02-01", "end": "2026-02-03"}
    job = running("rollups.rebuild", **days)

    assert rollups.rebuild(job) is not None
    assert job.take_progress() is not None
    assert rollups.verify(running("rollups.verify", **days))["differences"] == 0


@pytest.mark.parametrize(
    ("args", "reason"),
    [({"start": "2026-02-01"}, "the day after the last"), ({"start": "February", "end": "2026-02-03"}, "'start' must be a day")],
)
def test_it_says_which_day_it_cannot_read(args: dict[str, object], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        rollups.verify(running("rollups.verify", **args))


def test_it_stops_making_a_sample_when_told_to() -> None:
    job = running("sample.generate")
    job.fenced = True

    sample.generate(job)
    assert job.told_to_stop
    assert kinds_queued() == []


def test_what_there_is_to_find_in_the_sample_is_looked_for_as_soon_as_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.sample.generate", partial(services.sample.generate, operations=200, days=2))
    for _ in range(2):
        sample.generate(running("sample.generate"))
    assert kinds_queued() == ["costs.find", "incidents.find", "rollups.verify", "sessions.statistics"]


def kinds_queued() -> list[str]:
    with transaction() as connection:
        return list(connection.execute(text("select kind from jobs where state = 'queued' order by kind")).scalars())


def test_its_progress_holds_nothing_that_postgres_cannot() -> None:
    job = running()
    job.report(1, 2, "a\0b \ud83d" + "x" * 1_000)

    with transaction() as connection:
        claim.heartbeat(connection, job.job, job.take_progress())
    progress = read(job).progress
    assert progress is not None
    assert len(progress["note"]) == LONGEST_NOTE


def test_it_sweeps_up_everything_about_jobs_that_would_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "FORGOTTEN_AT_ONCE", 2)
    job = running()
    old = """
        insert into jobs (kind, queue, state, finished_at) select 'old', 'q', 'done', now() - interval '31 days' from generate_series(1, 5);
        insert into job_attempts (job_id, attempt, worker) select id, 1, 'w' from jobs where kind = 'old';
        insert into job_rescues (at, action, n) select now() - interval '31 days', 'rescued', 2 from generate_series(1, 5);
        insert into job_minutes
            select date_trunc('minute', now() - interval '8 days') - m * interval '1 minute', 'q', 'old', 'done', 1, 1, 1
            from generate_series(1, 5) m;
        insert into schedules (name, kind, queue, zone, every_s) values ('old', 'housekeeping', 'default', 'UTC', 60);
        insert into schedule_decisions (schedule_id, slot_at, local_label, decision, actor)
            select s.id, now() - interval '91 days' - m * interval '1 minute', '', 'missed', 'schedule'
            from schedules s, generate_series(1, 5) m
    """
    with transaction() as connection:
        connection.execute(text(old))
    housekeeping.tidy(job)

    left = """
        select (select count(*) from jobs where kind = 'old'), (select count(*) from job_attempts where worker = 'w'),
               (select array_agg(n) from job_rescues), (select sum(n) from job_minutes where kind = 'old'),
               (select count(*) from job_minutes where kind = 'old'), (select count(*) from schedule_decisions)
    """
    with transaction() as connection:
        assert tuple(connection.execute(text(left)).one()) == (0, 0, [10], 5, 1, 0)
    result = read(job).result
    assert (result["jobs"], result["rescues"], result["job_minutes"], result["decisions"]) == (5, 5, 5, 5)


def test_a_heart_outlives_what_it_did_not_expect(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    job = running()
    first, beats = lease_of(job), []

    def stumbles(connection: Connection, held: Job, progress: object = None) -> bool:
        beats.append(progress)
        if len(beats) == 1:
            raise ValueError("never seen before")
        return heartbeat(connection, held)

    heartbeat = claim.heartbeat
    monkeypatch.setattr(claim, "heartbeat", stumbles)
    monkeypatch.setattr("workers.running.REPORT_S", 0.0)
    heart = Heart(job)
    heart.start()
    for number in range(1, 200):
        job.report(number, 200)
        time.sleep(0.05)
        if lease_of(job) > first:
            break
    heart.stop()
    heart.join()

    assert len(beats) >= 2
    assert lease_of(job) > first
    assert "never seen before" in caplog.text


def lease_of(job: Running) -> datetime:
    lease = read(job).lease_until
    assert lease is not None
    return lease


def test_the_time_limit_is_over_with_the_handler() -> None:
    job = running()
    signal.alarm(60)
    with Attempt(job):
        raise ValueError("late")

    assert signal.alarm(0) == 0


def test_it_tries_again_when_the_transaction_in_which_the_job_was_finished_fails() -> None:
    job, finished = running(), running()
    with Attempt(job) as attempt, transaction() as connection:
        job.finish(connection)
        raise Unavailable("gone in mid-commit")
    with Attempt(finished) as done, transaction() as connection:
        finished.finish(connection)

    assert (attempt.settled, done.settled) == (False, True)
    assert write(attempt).startswith("failed with Unavailable")
    assert (read(job).state, read(finished).state) == ("retry", "done")


def test_it_leaves_a_job_done_whose_commit_took_though_nobody_heard_so() -> None:
    job = running()
    with Attempt(job) as attempt:
        with transaction() as connection:
            job.finish(connection)
        raise Unavailable("gone after the commit")

    assert not attempt.settled
    with pytest.raises(Fenced):
        write(attempt)
    assert read(job).state == "done"


def test_what_looks_for_findings_says_how_many_it_found() -> None:
    assert findings.costs(running("costs.find")) == {"suggestions": 0, "spenders": 0}
    assert findings.incidents(running("incidents.find")) == {"incidents": 0}
