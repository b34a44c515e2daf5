from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import pytest
from sqlalchemy import Connection, text

from services.db import transaction
from services.errors import BadInput
from services.jobs import Job, cancel, claim, enqueue, get, hold
from services.jobs.claim import Fenced
from tests.crash import hurried, standing_still

pytestmark = pytest.mark.usefixtures("database")


def claimed(max_attempts: int = 3) -> Job:
    with transaction() as connection:
        job_id = enqueue(connection, "housekeeping", queue="default", max_attempts=max_attempts)
        assert job_id is not None
        job = claim.claim(connection, job_id, "tester")
    assert job is not None
    return job


def read(job: Job) -> Job:
    with transaction() as connection:
        return get(connection, job.id)


def attempts(job: Job) -> list[tuple[int, str, str | None, str | None]]:
    with transaction() as connection:
        rows = connection.execute(
            text("select attempt, worker, outcome, error from job_attempts where job_id = :id order by attempt"), {"id": job.id}
        )
        return [(row.attempt, row.worker, row.outcome, row.error) for row in rows]


def claim_again(job: Job) -> Job:
    """What happens after the lease ran out: somebody else owns the job."""
    with transaction() as connection:
        connection.execute(text("update jobs set state = 'retry', run_at = now(), lease_token = null where id = :id"), {"id": job.id})
        again = claim.claim(connection, job.id, "rescuer")
    assert again is not None
    return again


def lease_of(job: Job) -> datetime:
    assert job.lease_until is not None
    return job.lease_until


def late(write: Callable[[Connection], object]) -> None:
    """An effect, and the word that the job did it, in one transaction."""
    with transaction() as connection:
        connection.execute(text("insert into console_state (key, value) values ('effect', '1')"))
        write(connection)


def test_it_gives_a_job_to_exactly_one_of_many() -> None:
    with transaction() as connection:
        job_id = enqueue(connection, "housekeeping", queue="default")
    assert job_id is not None
    together = Barrier(20)

    def one(worker: int) -> Job | None:
        together.wait(10)
        with transaction() as connection:
            return claim.claim(connection, job_id, f"worker {worker}")

    with ThreadPoolExecutor(20) as pool:
        winners = [job for job in pool.map(one, range(20)) if job]

    assert len(winners) == 1
    assert (winners[0].state, winners[0].attempt) == ("running", 1)
    assert [(number, outcome) for number, _, outcome, _ in attempts(winners[0])] == [(1, None)]


def test_it_finishes_with_its_result_and_closes_the_attempt() -> None:
    job = claimed()
    with transaction() as connection:
        claim.finish(connection, job, {"rows": 3})

    ended = read(job)
    assert (ended.state, ended.result, ended.lease_token, ended.lease_until) == ("done", {"rows": 3}, None, None)
    assert ended.finished_at is not None
    assert attempts(job) == [(1, "tester", "done", None)]


def test_it_keeps_progress_and_extends_the_lease() -> None:
    job = claimed()
    with transaction() as connection:
        asked_to_stop = claim.heartbeat(connection, job, {"done": 1, "total": 4, "note": "a"})
    with transaction() as connection:
        claim.heartbeat(connection, job)

    beaten = read(job)
    assert not asked_to_stop
    assert beaten.progress == {"done": 1, "total": 4, "note": "a"}
    assert lease_of(beaten) > lease_of(job)


def test_it_changes_nothing_for_a_zombie_nor_in_the_rest_of_its_transaction() -> None:
    zombie = claimed()
    owner = claim_again(zombie)
    before = read(owner)

    for write in (
        lambda c: claim.heartbeat(c, zombie),
        lambda c: claim.finish(c, zombie, {"late": True}),
        lambda c: claim.fail(c, zombie, ValueError("late"), ""),
        lambda c: claim.release(c, zombie),
        lambda c: claim.stopped(c, zombie),
    ):
        with pytest.raises(Fenced):
            late(write)

    assert read(owner) == before
    assert attempts(owner) == [(1, "tester", None, None), (2, "rescuer", None, None)]
    with transaction() as connection:
        assert connection.execute(text("select count(*) from console_state")).scalar_one() == 0


def test_it_finishes_once_even_when_the_answer_to_the_commit_was_lost() -> None:
    job = claimed()
    with transaction() as connection:
        claim.finish(connection, job)

    with pytest.raises(Fenced), transaction() as connection:
        claim.finish(connection, job)


def test_it_puts_a_failed_job_back_for_later() -> None:
    job = claimed()
    with transaction() as connection:
        claim.fail(connection, job, ValueError("not\0now \ud800"), "Traceback ...")

    put_back = read(job)
    assert (put_back.state, put_back.error_class, put_back.error, put_back.dispatched_at) == ("retry", "ValueError", "notnow ?", None)
    assert put_back.run_at > job.run_at
    assert attempts(job) == [(1, "tester", "failed", "notnow ?")]


def test_it_buries_a_job_at_once_when_trying_again_cannot_help() -> None:
    job = claimed()
    with transaction() as connection:
        claim.fail(connection, job, BadInput("row 3: no such day"), "")

    buried = read(job)
    assert (buried.state, buried.error_class, buried.error) == ("dead", "BadInput", "row 3: no such day")
    assert buried.finished_at is not None


def test_it_buries_a_job_whose_attempts_are_used_up_and_does_not_count_those_given_back() -> None:
    job = claimed(max_attempts=2)
    for _ in range(3):
        with transaction() as connection:
            claim.release(connection, job)
        assert read(job).state == "retry"
        job = claim_again(job)
    with transaction() as connection:
        assert claim.fail(connection, job, ValueError("first"), "").state == "retry"
    job = claim_again(job)
    with transaction() as connection:
        assert claim.fail(connection, job, ValueError("second"), "").state == "dead"

    assert [outcome for _, _, outcome, _ in attempts(job)] == ["released"] * 3 + ["failed"] * 2
    assert read(job).attempt == 5


def test_it_cancels_rather_than_retries_what_was_asked_to_stop() -> None:
    failing, leaving, obeying = claimed(), claimed(), claimed()
    with transaction() as connection:
        for job in (failing, leaving, obeying):
            cancel(connection, job.id)
        claim.fail(connection, failing, ValueError("whatever"), "")
        claim.release(connection, leaving)
        claim.stopped(connection, obeying, {"rows": 1})

    assert [read(job).state for job in (failing, leaving, obeying)] == ["cancelled"] * 3
    assert [attempts(job)[0][2] for job in (failing, leaving, obeying)] == ["failed", "released", "cancelled"]
    assert read(obeying).result == {"rows": 1}


def test_it_lets_the_lease_of_a_dead_process_expire_only_for_the_worker_that_ran_it() -> None:
    job = claimed()
    with transaction() as connection:
        claim.abandon(connection, job.id, "somebody else")
    assert read(job).lease_until == job.lease_until

    with transaction() as connection:
        claim.abandon(connection, job.id, "tester")
    assert lease_of(read(job)) < lease_of(job)


def test_it_refuses_a_result_that_is_not_json() -> None:
    job = claimed()
    with pytest.raises(BadInput, match="plain JSON"), transaction() as connection:
        claim.finish(connection, job, {"when": object()})

    assert read(job).state == "running"


@pytest.mark.parametrize(
    "step",
    [
        claim.heartbeat,
        claim.finish,
        claim.release,
        lambda c, job: claim.abandon(c, job.id, "tester"),
    ],
    ids=["heartbeat", "finish", "release", "abandon"],
)
def test_who_stands_still_before_the_commit_holds_the_job_only_for_moments(
    monkeypatch: pytest.MonkeyPatch, step: Callable[[Connection, Job], object]
) -> None:
    monkeypatch.setattr(hold, "LONGEST", "200ms")
    job = claimed()
    with standing_still() as frozen:
        step(frozen, job)
        with hurried() as connection:
            assert get(connection, job.id) == job
            claim.finish(connection, job)

    assert read(job).state == "done"


def test_who_stands_still_while_claiming_leaves_the_job_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "LONGEST", "200ms")
    with transaction() as connection:
        job_id = enqueue(connection, "housekeeping", queue="default")
    assert job_id is not None
    with standing_still() as frozen:
        assert claim.claim(frozen, job_id, "frozen") is not None
        with hurried() as connection:
            job = claim.claim(connection, job_id, "tester")

    assert job is not None
    assert attempts(job) == [(1, "tester", None, None)]


def test_it_knows_which_process_should_have_ended_by_itself() -> None:
    with transaction() as connection:
        job_id = enqueue(connection, "housekeeping", queue="default")
        assert job_id is not None
        job = claim.claim(connection, job_id, "tester", 7)
        assert job is not None

    def overdue(worker: str = "tester", pid: int = 7, grace_s: float = 5.0) -> bool:
        with transaction() as connection:
            return claim.overdue(connection, job.id, worker, pid, grace_s)

    assert not overdue()
    with transaction() as connection:
        cancel(connection, job.id)
    assert not overdue()  # it may still be about to stop
    with transaction() as connection:
        connection.execute(text("update jobs set cancel_requested_at = now() - interval '6 s'"))
    assert overdue()
    assert not overdue("another")
    assert not overdue(pid=8)

    with transaction() as connection:
        claim.lose(connection, job)
    assert overdue(grace_s=0.0)
    assert not overdue()


def test_a_process_that_was_ended_because_its_job_was_cancelled_leaves_it_cancelled() -> None:
    job = claimed()

    def ended(worker: str = "tester") -> bool:
        with transaction() as connection:
            return claim.stopped_hard(connection, job.id, worker)

    assert not ended()  # nobody asked it to stop
    with transaction() as connection:
        cancel(connection, job.id)
    assert not ended("another")
    assert ended()
    assert not ended()
    assert read(job).state == "cancelled"
    assert attempts(job) == [(1, "tester", "cancelled", None)]


def test_who_asks_whether_to_stop_learns_that_the_job_is_no_longer_theirs() -> None:
    zombie = claimed()
    owner = claim_again(zombie)
    with transaction() as connection:
        assert not claim.asked(connection, owner)
    with pytest.raises(Fenced), transaction() as connection:
        claim.asked(connection, zombie)
