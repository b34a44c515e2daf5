"""What an operator does: as much as may be done, once, and on the record."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from services.db import transaction
from services.errors import BadInput, Conflict
from services.jobs import Job, claim, control, enqueue, get, processes
from services.jobs.processes import Process

pytestmark = pytest.mark.usefixtures("database")


def queued(**told: object) -> int:
    with transaction() as connection:
        job_id = enqueue(connection, "housekeeping", queue="default", **told)  # type: ignore[arg-type]
    assert job_id is not None
    return job_id


def started(job_id: int) -> Job:
    with transaction() as connection:
        connection.execute(text("update jobs set run_at = now() where id = :id"), {"id": job_id})
        job = claim.claim(connection, job_id, "tester")
    assert job is not None
    return job


def buried(**told: object) -> int:
    job = started(queued(**told))
    with transaction() as connection:
        claim.fail(connection, job, BadInput("no"), "")
    return job.id


def read(job_id: int) -> Job:
    with transaction() as connection:
        return get(connection, job_id)


def audited() -> list[tuple[str, str, str]]:
    with transaction() as connection:
        return [(row.actor, row.action, row.subject) for row in connection.execute(text("select * from audit order by id"))]


def test_it_lets_a_dead_job_run_again_with_one_attempt_more() -> None:
    dead, waiting, running = buried(max_attempts=1), queued(), started(queued()).id

    assert control.retry("alice", ids=[dead, waiting, running, 404]) == 1

    again = read(dead)
    assert (again.state, again.max_attempts, again.finished_at, again.lost) == ("retry", 2, None, 0)
    job = started(dead)
    with transaction() as connection:
        assert claim.fail(connection, job, ValueError("again"), "").state == "dead"
    assert audited() == [("alice", "job.retry", f"job {dead}")]


def test_it_wakes_a_job_that_waits_for_its_next_attempt() -> None:
    job = started(queued())
    with transaction() as connection:
        claim.release(connection, job)
        connection.execute(text("update jobs set run_at = now() + interval '10 minutes'"))

    assert control.retry("alice", ids=[job.id]) == 1
    assert control.retry("alice", ids=[job.id]) == 0
    assert started(job.id).attempt == 2


def test_of_several_under_one_key_the_newest_lives_again_and_none_beside_a_live_one() -> None:
    first, second, other = buried(dedupe_key="k"), buried(dedupe_key="k"), buried(dedupe_key="l")
    live = queued(dedupe_key="l")

    assert control.retry("alice", state="dead") == 1
    assert [read(job_id).state for job_id in (first, second, other, live)] == ["dead", "retry", "dead", "queued"]


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object], times: int) -> list[int]:
    """Somebody acts between what the operator's batch sees and what it changes; how often they did."""
    holding = control._changed
    seen: list[int] = []

    def changed(connection: Connection, allowed: str, change: str, batch: list[int]) -> list[int]:
        if len(seen) < times:
            seen.append(1)
            holding(connection, allowed, "select id from jobs where id = any(:held)", batch)
            happens()
            connection.execute(text(change), {"held": batch})
        return holding(connection, allowed, change, batch)

    monkeypatch.setattr(control, "_changed", changed)
    return seen


def test_who_enqueues_under_the_key_meanwhile_is_quicker_and_the_rest_of_the_batch_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    contested, plain = buried(dedupe_key="k"), buried()
    seen = meanwhile(monkeypatch, lambda: queued(dedupe_key="k"), 1)

    assert control.retry("alice", ids=[contested, plain]) == 1
    assert len(seen) == 1
    assert (read(contested).state, read(plain).state) == ("dead", "retry")
    assert audited() == [("alice", "job.retry", f"job {plain}")]


def test_it_gives_up_in_words_when_somebody_is_quicker_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    contested = buried(dedupe_key="k")

    def comes_and_goes() -> None:
        with transaction() as connection:
            connection.execute(text("delete from jobs where state = 'queued'"))
        queued(dedupe_key="k")

    meanwhile(monkeypatch, comes_and_goes, control.TRIES)
    with pytest.raises(Conflict, match="try again"):
        control.retry("alice", ids=[contested])
    assert audited() == []


def test_it_cancels_what_waits_asks_what_runs_and_leaves_what_ended() -> None:
    waiting, running, dead = queued(), started(queued()), buried()

    assert control.cancel("alice", ids=[waiting, running.id, dead]) == 2
    assert control.cancel("alice", ids=[waiting, running.id, dead]) == 0

    assert [read(job_id).state for job_id in (waiting, running.id, dead)] == ["cancelled", "running", "dead"]
    with transaction() as connection:
        assert claim.asked(connection, running)
        claim.finish(connection, running)  # it was quicker than the word
    assert read(running.id).state == "done"


def test_it_puts_dead_letters_aside_until_they_are_retried() -> None:
    dead = buried()

    assert [control.discard("alice", ids=[dead]) for _ in range(2)] == [1, 0]
    assert read(dead).discarded_at is not None
    assert control.retry("alice", ids=[dead]) == 1
    assert read(dead).discarded_at is None


def test_everything_that_matches_is_done_in_batches_each_on_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "BATCH", 2)
    ids = [queued(args={"api_key": "s3cret", "n": 1}) for _ in range(5)]
    spared = queued(args={"api_key": "other"})

    assert control.cancel("alice", args=("api_key", "s3cret")) == 5

    assert {read(job_id).state for job_id in ids} == {"cancelled"}
    assert read(spared).state == "queued"
    assert [subject for _, _, subject in audited()] == ["2 jobs", "2 jobs", f"job {ids[0]}"]
    with transaction() as connection:
        told = str(connection.execute(text("select jsonb_agg(detail) from audit")).scalar_one())
    assert "api_key:…" in told
    assert "s3cret" not in told


@pytest.mark.parametrize(("scope", "name"), [("queue", "default"), ("kind", "housekeeping")])
def test_a_pause_between_handing_over_and_claiming_holds(scope: control.Scope, name: str) -> None:
    job_id = queued()
    with transaction() as connection:
        connection.execute(text("update jobs set dispatched_at = now()"))

    assert [control.pause("alice", scope, name) for _ in range(2)] == [1, 0]
    with transaction() as connection:
        assert claim.claim(connection, job_id, "tester") is None
    assert read(job_id).dispatched_at is None  # so that it is handed over again when it may run

    assert [control.resume("bob", scope, name) for _ in range(2)] == [1, 0]
    assert started(job_id).state == "running"
    assert [(actor, action) for actor, action, _ in audited()] == [("alice", "job.pause"), ("bob", "job.resume")]


def test_a_cap_holds_for_all_who_come_together() -> None:
    ids = [queued() for _ in range(8)]
    control.cap("alice", "queue", "default", 3)
    control.cap("alice", "kind", "housekeeping", 2)

    def one(job_id: int) -> Job | None:
        with transaction() as connection:
            job = claim.claim(connection, job_id, "tester")
            time.sleep(0.02)  # the others look meanwhile
            return job

    with ThreadPoolExecutor(8) as pool:
        won = [job for job in pool.map(one, ids) if job]
    assert len(won) == 2

    with transaction() as connection:
        claim.finish(connection, won[0])
    assert [control.cap("alice", "kind", "housekeeping", None) for _ in range(2)] == [1, 0]
    with ThreadPoolExecutor(8) as pool:
        assert sum(job is not None for job in pool.map(one, ids)) == 2


def test_a_limit_that_limits_nothing_is_no_limit() -> None:
    control.cap("alice", "queue", "default", 3)
    control.cap("alice", "queue", "default", None)
    control.pause("alice", "kind", "housekeeping")
    control.resume("alice", "kind", "housekeeping")

    with transaction() as connection:
        assert connection.execute(text("select count(*) from job_limits")).scalar_one() == 0


@pytest.mark.parametrize("at_once", [0, -1, 100_001])
def test_it_refuses_a_cap_that_is_none(at_once: int) -> None:
    with pytest.raises(BadInput, match="pause"):
        control.cap("alice", "queue", "default", at_once)


@pytest.mark.parametrize(("scope", "name"), [("host", "a"), ("queue", "")])
def test_it_limits_only_queues_and_kinds(scope: str, name: str) -> None:
    with pytest.raises(BadInput, match="Only a queue or a kind"):
        control.pause("alice", scope, name)  # type: ignore[arg-type]


def test_a_quiet_worker_starts_nothing_and_another_does() -> None:
    worker, other = Process("worker", "default"), Process("worker", "default")
    with transaction() as connection:
        processes.beat(connection, worker)
        processes.beat(connection, other)
    job_id = queued()

    assert [control.quiet("alice", worker.id) for _ in range(2)] == [1, 0]
    assert control.quiet("alice", uuid4()) == 0
    with transaction() as connection:
        assert processes.beat(connection, worker)
        assert claim.claim(connection, job_id, worker.name) is None
        assert claim.claim(connection, job_id, other.name) is not None
    assert [control.quiet("alice", worker.id, on=False) for _ in range(2)] == [1, 0]
    with transaction() as connection:
        assert not processes.beat(connection, worker)
    assert [action for _, action, _ in audited()] == ["job.quiet", "job.wake"]


@pytest.mark.parametrize("action", ["retry", "cancel", "discard"])
def test_it_counts_beforehand_what_it_then_does(action: control.Action) -> None:
    buried(dedupe_key="k")
    buried(dedupe_key="k")
    ids = [buried(), queued(), started(queued()).id]
    with transaction() as connection:
        all_of_them = control.possible(connection, action)
        some = control.possible(connection, action, ids=ids)

    assert {"retry": (2, 1), "cancel": (2, 2), "discard": (3, 1)}[action] == (all_of_them, some)
    act = {"retry": control.retry, "cancel": control.cancel, "discard": control.discard}[action]
    assert act("alice") == all_of_them
