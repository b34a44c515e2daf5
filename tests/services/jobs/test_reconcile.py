import time

import pytest
from sqlalchemy import text

from services.db import transaction
from services.jobs import Job, cancel, claim, enqueue, get, hold, processes, reconcile
from services.jobs.claim import Fenced
from services.jobs.processes import Process
from tests.crash import hurried, standing_still

pytestmark = pytest.mark.usefixtures("database")


def claimed(job_id: int | None = None, **told: object) -> Job:
    with transaction() as connection:
        job_id = job_id or enqueue(connection, "housekeeping", queue="default", **told)  # type: ignore[arg-type]
        assert job_id is not None
        connection.execute(text("update jobs set run_at = now() where id = :id"), {"id": job_id})
        job = claim.claim(connection, job_id, "tester")
    assert job is not None
    return job


def expire() -> None:
    with transaction() as connection:
        connection.execute(text("update jobs set lease_until = now() - interval '1 second' where state = 'running'"))


def rescued() -> list[tuple[int, str]]:
    with transaction() as connection:
        return [(job.id, decision.state) for job, decision in reconcile.rescue(connection)]


def outcomes(job: Job) -> list[str | None]:
    with transaction() as connection:
        return list(
            connection.execute(text("select outcome from job_attempts where job_id = :id order by attempt"), {"id": job.id}).scalars()
        )


def test_it_leaves_a_job_that_is_alive_alone() -> None:
    job = claimed()

    assert rescued() == []
    with transaction() as connection:
        assert get(connection, job.id) == job


def test_it_puts_a_job_back_whose_worker_vanished_and_fences_the_zombie() -> None:
    job = claimed()
    expire()

    assert rescued() == [(job.id, "retry")]
    assert outcomes(job) == ["lost"]
    with transaction() as connection:
        after = get(connection, job.id)
    assert (after.state, after.lease_token, after.dispatched_at, after.error_class) == ("retry", None, None, "Lost")
    with pytest.raises(Fenced), transaction() as connection:
        claim.finish(connection, job)


def test_it_buries_a_job_after_three_losses_in_a_row() -> None:
    job = claimed(max_attempts=10)
    decided = []
    for _ in range(3):
        expire()
        decided += rescued()
        job = claimed(job.id) if decided[-1][1] == "retry" else job

    assert [state for _, state in decided] == ["retry", "retry", "dead"]
    with transaction() as connection:
        assert get(connection, job.id).finished_at is not None


def test_it_buries_a_job_whose_attempts_are_used_up() -> None:
    claimed(max_attempts=1)
    expire()

    assert [state for _, state in rescued()] == ["dead"]


def test_it_does_not_try_again_what_was_asked_to_stop() -> None:
    job = claimed()
    with transaction() as connection:
        cancel(connection, job.id)
    expire()

    assert rescued() == [(job.id, "cancelled")]
    assert outcomes(job) == ["lost"]


def test_it_works_alone() -> None:
    with transaction() as first, transaction() as second:
        assert reconcile.alone(first)
        assert not reconcile.alone(second)
    with transaction() as connection:
        assert reconcile.alone(connection)


def test_a_process_that_stands_still_in_mid_rescue_does_not_keep_others_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "LONGEST", "200ms")
    job = claimed()
    expire()
    with standing_still() as frozen:
        assert reconcile.alone(frozen)
        assert len(reconcile.rescue(frozen)) == 1
        time.sleep(0.6)
        with hurried() as connection:
            assert reconcile.alone(connection)
            assert [lost.id for lost, _ in reconcile.rescue(connection)] == [job.id]

    assert outcomes(job) == ["lost"]


def test_giving_a_job_back_does_not_make_it_less_poisonous() -> None:
    job = claimed(max_attempts=10)
    for _ in range(2):
        expire()
        rescued()
        job = claimed(job.id)
        with transaction() as connection:
            claim.release(connection, job)
        job = claimed(job.id)
    expire()

    assert rescued() == [(job.id, "dead")]
    assert outcomes(job) == ["lost", "released", "lost", "released", "lost"]


def test_it_tells_which_processes_fell_silent() -> None:
    silent, alive = Process("worker", "default"), Process("dispatcher")
    with transaction() as connection:
        processes.beat(connection, silent)
        connection.execute(text("update processes set beat_at = now() - interval '2 minutes'"))
        processes.beat(connection, alive)
        reconcile.forget_silent(connection)
        reconcile.forget_silent(connection)
        told = connection.execute(text("select action, queue, n, detail from job_rescues")).all()

    assert [tuple(row) for row in told] == [("process forgotten", "default", 1, f"worker {silent.name}")]
