"""What handlers do with their job, called as the wrapper calls them."""

import pytest
from sqlalchemy import text

from services.db import transaction
from services.errors import BadInput
from services.jobs import Job, claim, enqueue, get
from services.jobs.claim import Fenced
from workers import housekeeping, registry, rollups, sample
from workers.run import Attempt
from workers.running import Running

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
